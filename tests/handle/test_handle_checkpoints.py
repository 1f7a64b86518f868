"""Checkpoints: whole or not at all, the best and the newest kept, found again after a kill."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handle.handle_kit import assignment
from tunebook.handle.checkpoints import Checkpoint, newest, read_checkpoints, retained
from tunebook.handle.trial import Trial


def write(path: Path) -> None:
    path.write_text("state")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_best_and_the_newest_stay(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    for step, error in enumerate([0.5, 0.1, 0.4, 0.2, 0.3, 0.6]):
        trial.log(step, {"valid/error": error})
        trial.checkpoint(step, write)
    folder = tmp_path / "checkpoints"
    assert names(folder) == ["index.json", "step-00000001", "step-00000003", "step-00000005"]
    index = json.loads((folder / "index.json").read_text())
    assert [(row["step"], row["value"]) for row in index["checkpoints"]] == [(1, "0.1"), (3, "0.2"), (5, "0.6")]


def test_more_is_better_when_it_is_to_be_maximised(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path, direction="maximize", keep_best=1))
    for step, value in enumerate([0.5, 0.9, 0.4]):
        trial.log(step, {"valid/error": value})
        trial.checkpoint(step, write)
    assert [one.step for one in read_checkpoints(tmp_path / "checkpoints")] == [1, 2]


def test_a_checkpoint_may_come_before_its_value(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path, keep_best=1))
    for step, error in enumerate([0.5, 0.1, 0.4]):
        trial.checkpoint(step, write)
        trial.log(step, {"valid/error": error})
    found = read_checkpoints(tmp_path / "checkpoints")
    assert [(one.step, one.value) for one in found] == [(1, 0.1), (2, 0.4)]


def test_a_folder_is_a_checkpoint_too(tmp_path: Path) -> None:
    def save(path: Path) -> None:
        path.mkdir()
        (path / "weights").write_text("w")

    trial = Trial(assignment(tmp_path))
    for _ in range(2):
        made = trial.checkpoint(4, save)
        assert (made / "weights").read_text() == "w"
    assert names(tmp_path / "checkpoints") == ["index.json", "step-00000004"]


def test_an_error_while_saving_leaves_the_old_one(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    trial.checkpoint(1, write)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="fire"):
        trial.checkpoint(1, fail)
    assert newest(tmp_path / "checkpoints") == (1, tmp_path / "checkpoints" / "step-00000001")
    assert (tmp_path / "checkpoints" / "step-00000001").read_text() == "state"
    assert names(tmp_path / "checkpoints") == ["index.json", "step-00000001"]


def test_a_save_that_writes_elsewhere_is_told_so(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"wrote nothing at step-00000001; it wrote step-00000001.npy instead"):
        trial.checkpoint(1, lambda path: path.with_suffix(".npy").write_text("x"))


def test_what_a_kill_left_is_found_or_swept(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    Trial(assignment(tmp_path)).checkpoint(1, write)
    (folder / "step-00000003").write_text("complete, but the index does not know")
    (folder / ".unfinished-99").mkdir()
    (folder / ".unfinished-99" / "step-00000009").write_text("half")
    assert newest(folder) == (3, folder / "step-00000003")
    Trial(assignment(tmp_path)).checkpoint(5, write)
    assert names(folder) == ["index.json", "step-00000005"]


def test_a_broken_index_costs_values_and_no_checkpoints(tmp_path: Path) -> None:
    Trial(assignment(tmp_path)).checkpoint(1, write)
    (tmp_path / "checkpoints" / "index.json").write_text("{")
    (found,) = read_checkpoints(tmp_path / "checkpoints")
    assert found.step == 1
    assert math.isnan(found.value)


def test_no_folder_no_checkpoints(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") is None


@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=20), st.integers(0, 5))
def test_what_is_retained_is_the_newest_and_nothing_worse_than_what_went(values: list[float], keep: int) -> None:
    found = [Checkpoint(step, value) for step, value in enumerate(values)]
    kept = retained(found, "minimize", keep)
    assert kept[-1] == found[-1]
    assert len(kept) <= keep + 1
    gone = [one.value for one in found if one not in kept and math.isfinite(one.value)]
    best = sorted(one.value for one in kept if math.isfinite(one.value))[:keep]
    assert not gone or max(best, default=-math.inf) <= min(gone)

"""Trial: the mapping, what log() takes and refuses, and that what it took is there."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handle.handle_kit import assignment
from tunebook.handle.trial import MAX_SPOOLS, Trial
from tunebook.run.ingest import Buffer, Ingest


class Kept:
    """A store that keeps rows in lists, by metric."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], list[tuple[float, ...]]] = {}

    def append_many(self, parts: Any) -> None:
        for _, block, first_row in parts:
            rows = self.rows.setdefault(block.metrics, [])
            assert first_row == len(rows)
            rows.extend((int(step), *map(float, row)) for step, row in zip(block.steps, block.values, strict=True))


def read_back(folder: Path) -> dict[tuple[str, ...], list[tuple[float, ...]]]:
    kept = Kept()
    buffer = Buffer(kept)
    ingest = Ingest(buffer, 7, folder / "spool")
    ingest.drain()
    buffer.flush()
    ingest.close()
    return kept.rows


def test_it_is_a_mapping_of_hyperparameters(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    assert trial["learning_rate"] == 0.1
    assert dict(trial) == {"learning_rate": 0.1, "use_dropout": True} == dict(trial.config)
    assert (trial.seed, trial.max_train_steps, trial.start_step, trial.resume_from) == (3, 100, 0, None)
    assert trial.get("momentum") is None
    assert trial.directory == tmp_path


def test_a_wrong_name_lists_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="'lr' is no hyperparameter of this trial; it has: learning_rate, use_dropout"):
        Trial(assignment(tmp_path))["lr"]


def test_rows_come_back_bit_for_bit(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    trial.log(0, {"a": 0.1, "b": float("inf")})
    trial.log(5, {"c": -1e-300})
    trial.log(2**62, {"a": 3, "b": True})
    assert read_back(tmp_path) == {("a", "b"): [(0, 0.1, float("inf")), (2**62, 3.0, 1.0)], ("c",): [(5, -1e-300)]}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.sampled_from(["a", "ab", "b"]), st.floats()), max_size=30))
def test_whatever_was_logged_is_read_in_order(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("trial")
    trial = Trial(assignment(folder))
    expected: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
    for step, names, value in rows:
        trial.log(step, dict.fromkeys(names, value))
        expected.setdefault(tuple(names), []).append((step, *[value] * len(names)))
    assert repr(read_back(folder)) == repr(expected) or not expected


def test_rows_cross_the_ends_of_segments(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    for step in range(30_000):
        trial.log(step, {"a": step / 7, "b": -step})
    rows = read_back(tmp_path)["a", "b"]
    assert rows == [(step, step / 7, -step) for step in range(30_000)]


def test_scalars_of_numpy_and_torch_are_numbers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    trial = Trial(assignment(tmp_path))
    trial.log(np.int64(4), {"a": np.float32(0.5), "b": np.array(2), "c": torch.tensor(0.25)})
    assert read_back(tmp_path) == {("a", "b", "c"): [(4, 0.5, 2.0, 0.25)]}


@pytest.mark.parametrize("value", ["high", None, [1.0], np.zeros(3), 1j])
def test_what_is_no_number_is_refused_by_name(tmp_path: Path, value: Any) -> None:
    trial = Trial(assignment(tmp_path))
    with pytest.raises(TypeError, match=r"metric 'b' is a .*not a number"):
        trial.log(0, {"a": 1.0, "b": value})
    assert read_back(tmp_path) in ({}, {("a", "b"): []})


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (-1, ValueError, "negative"),
        (1.5, TypeError, "1.5 is a float"),
        ("3", TypeError, "is a str"),
        (None, TypeError, "None"),
    ],
)
def test_what_is_no_step_is_refused(tmp_path: Path, step: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Trial(assignment(tmp_path)).log(step, {"a": 1.0})


def test_a_step_too_large_to_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too large"):
        Trial(assignment(tmp_path)).log(2**63, {"a": 1.0})


def test_a_metric_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="3 is not the name of a metric"):
        Trial(assignment(tmp_path)).log(0, {3: 1.0})  # type: ignore[dict-item]


def test_logging_nothing_leaves_nothing(tmp_path: Path) -> None:
    Trial(assignment(tmp_path)).log(0, {})
    assert list(tmp_path.iterdir()) == []


def test_many_combinations_share_one_file(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    n = MAX_SPOOLS + 40
    for number in range(n):
        trial.log(number, {f"m{number}": float("nan") if number == n - 1 else number})
    assert len(list((tmp_path / "spool").iterdir())) == MAX_SPOOLS + 1
    rows = read_back(tmp_path)
    assert len(rows) == n
    assert rows[(f"m{n - 2}",)] == [(n - 2, float(n - 2))]
    assert np.isnan(rows[(f"m{n - 1}",)][0][1])


def test_threads_lose_nothing(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))

    def log(first: int) -> None:
        for step in range(first, first + 2000):
            trial.log(step, {"a": step})

    threads = [threading.Thread(target=log, args=(first,)) for first in (0, 10_000, 20_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = read_back(tmp_path)[("a",)]
    assert len(rows) == 6000
    assert all(step == value for step, value in rows)


def test_a_forked_child_writes_to_files_of_its_own(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    trial.log(0, {"a": 0.0})
    context = multiprocessing.get_context("fork")
    child = context.Process(target=trial.log, args=(1, {"a": 1.0}))
    child.start()
    child.join()
    trial.log(2, {"a": 2.0})
    assert sorted(read_back(tmp_path)[("a",)]) == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_a_kill_loses_nothing_that_was_logged(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        trial = Trial(assignment(tmp_path))
        for step in range(1000):
            trial.log(step, {"a": step})
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert len(read_back(tmp_path)[("a",)]) == 1000


def test_a_full_disk_is_an_error_and_no_signal(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
            trial = Trial(assignment(tmp_path))
            for step in range(100_000):
                trial.log(step, {"a": step})
        except OSError as error:
            code = 42 if "metrics cannot be written" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def test_the_handle_needs_the_standard_library_only() -> None:
    code = (
        "import sys; import tunebook.handle.current, tunebook.handle.trial; "
        "print([m for m in ('numpy', 'torch', 'sqlalchemy', 'scipy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"

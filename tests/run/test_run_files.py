"""Reading spools and JSON lines, and the ingest that stores every row once."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handle.handle_kit import assignment
from tunebook.errors import LeaseLost
from tunebook.handle.trial import Trial
from tunebook.run import spools
from tunebook.run.ingest import JOURNAL, Buffer, Busy, Ingest
from tunebook.run.spools import LineSource, SpoolSource, open_source, parse_line

A = ("a",)


class StrictStore:
    """Takes rows as the store does: what it has is skipped, a gap is an error. ``dies_after`` parts it fails."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, tuple[str, ...]], list[tuple[float, ...]]] = {}
        self.dies_after = 10**9

    def append_many(self, parts: Any) -> None:
        for key, block, first_row in parts:
            if self.dies_after <= 0:
                raise KeyboardInterrupt
            self.dies_after -= 1
            rows = self.rows.setdefault((key, block.metrics), [])
            assert first_row <= len(rows), "a gap"
            new = list(zip(block.steps.tolist(), *block.values.T.tolist(), strict=True))
            rows.extend(new[len(rows) - first_row :])


def ingest_of(store: StrictStore, folder: Path) -> tuple[Ingest, Buffer]:
    buffer = Buffer(store)
    return Ingest(buffer, 7, folder), buffer


@pytest.mark.parametrize(
    ("line", "step", "metrics"),
    [
        ('{"step": 10, "train/loss": 0.7}', 10, {"train/loss": 0.7}),
        ('{"step": 1.0, "a": 1}', 1, {"a": 1.0}),
        ('{"a": Infinity, "step": 0, "b": -Infinity}', 0, {"a": math.inf, "b": -math.inf}),
        ('{"step": 0, "a": "inf", "b": "-Infinity"}', 0, {"a": math.inf, "b": -math.inf}),
        ('{"step": 3}', 3, {}),
    ],
)
def test_lines_that_are_read(line: str, step: int, metrics: dict[str, float]) -> None:
    assert parse_line(line.encode()) == (step, metrics)


@pytest.mark.parametrize("word", ["NaN", '"nan"', '"NaN"', "null"])
def test_nan_has_many_names(word: str) -> None:
    assert math.isnan(parse_line(f'{{"step": 0, "a": {word}}}'.encode())[1]["a"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("step 10 loss 0.7", "no JSON"),
        ('{"step": 1, "a": 0.5', "no JSON"),
        ("[1, 2]", 'no object with a "step"'),
        ('{"a": 0.5}', 'no object with a "step"'),
        ('{"step": -1, "a": 0.5}', "step -1 is not a whole number"),
        ('{"step": 1.5, "a": 0.5}', "step 1.5 is not"),
        ('{"step": true, "a": 0.5}', "step True is not"),
        ('{"step": 1e300, "a": 0.5}', "is not a whole number"),
        ('{"step": NaN, "a": 0.5}', "is not a whole number"),
        ('{"step": 1, "a": "high"}', "'a' is 'high', not a number"),
        ('{"step": 1, "a": [1]}', "not a number"),
        ('{"step": 1, "a": ' + "9" * 400 + "}", "not a number"),
        ('{"step": 1, " ": 1}', "without a name"),
        ("[" * 100_000, "no JSON"),
        ("\xff\xfe", "no JSON"),
    ],
)
def test_lines_that_are_left_out_say_why(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_line(line.encode("latin-1"))


@given(st.binary(max_size=60))
def test_no_line_does_anything_else(line: bytes) -> None:
    try:
        step, metrics = parse_line(line)
    except ValueError:
        return
    assert step >= 0
    assert all(isinstance(value, float) for value in metrics.values())


def test_the_last_line_waits_for_its_end(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 0, "a": 1}\n{"step": 1, "a"')
    source = LineSource(file)
    part = source.read(0)
    assert part is not None
    assert part.rows[0].steps.tolist() == [0]
    assert source.read(part.stop) is None
    with file.open("a") as more:
        more.write(": 2}\n")
    part = source.read(part.stop)
    assert part is not None
    assert part.rows[0].values.tolist() == [[2.0]]
    source.close()


def test_bad_lines_are_numbered_through_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 0, "a": 1}\n\nbad\n')
    source = LineSource(file)
    first = source.read(0)
    assert first is not None
    assert (first.bad_lines, first.n_bad) == (("line 3 is left out: it is no JSON",), 1)
    with file.open("a") as more:
        more.write("worse\n")
    for fresh in (source, LineSource(file)):
        part = fresh.read(first.stop)
        assert part is not None
        assert part.bad_lines == ("line 4 is left out: it is no JSON",)
        fresh.close()


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b"x" * (spools.SLICE_BYTES + 10) + b'\n{"step": 0, "a": 1}\n')
    source = LineSource(file)
    first = source.read(0)
    assert first is not None
    assert (first.stop, first.n_bad, first.rows) == (spools.SLICE_BYTES, 1, ())
    second = source.read(first.stop)
    assert second is not None
    assert second.rows[0].steps.tolist() == [0]
    source.close()


def test_a_spool_is_read_in_slices_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "SLICE_BYTES", 1600)
    trial = Trial(assignment(tmp_path))
    for step in range(250):
        trial.log(step, {"a": step})
    (path,) = (tmp_path / "spool").iterdir()
    source = open_source(path)
    assert isinstance(source, SpoolSource)
    sizes, position = [], 0
    while (part := source.read(position)) is not None:
        sizes.append(len(part.rows[0].steps))
        position = part.stop
    assert sizes == [100, 100, 50]
    source.close()


def test_a_spool_whose_header_is_not_there_yet_waits(tmp_path: Path) -> None:
    path = tmp_path / "1-0.spool"
    path.write_bytes(b"")
    assert open_source(path) is None
    path.write_bytes(bytes(4096))
    assert open_source(path) is None


def test_rows_arrive_while_training_goes_on(tmp_path: Path) -> None:
    trial, store = Trial(assignment(tmp_path)), StrictStore()
    ingest, buffer = ingest_of(store, tmp_path / "spool")
    assert ingest.pump() == 0
    for step in range(5):
        trial.log(step, {"a": step})
        assert ingest.pump() == 1
    buffer.flush()
    assert store.rows[7, A] == [(step, float(step)) for step in range(5)]
    ingest.drain()
    ingest.discard()
    assert not (tmp_path / "spool").exists()


def fill(folder: Path, n: int, start: int = 0) -> None:
    """Rows of the same metric from three files and of another one, interleaved."""
    (folder / "spool").mkdir(exist_ok=True)
    trial = Trial(assignment(folder))
    with (folder / "spool" / "metrics.jsonl").open("a") as lines:
        for step in range(start, start + n):
            trial.log(step, {"a": step})
            trial.log(step, {"b": -step, "a": step})
            lines.write(json.dumps({"step": step, "a": step}) + "\n")


@pytest.mark.parametrize("dies_after", range(8))
def test_a_reader_that_dies_anywhere_leaves_every_row_once(tmp_path: Path, dies_after: int) -> None:
    store = StrictStore()
    store.dies_after = dies_after
    try:
        for start in (0, 10):
            fill(tmp_path, 10, start)
            ingest, buffer = ingest_of(store, tmp_path / "spool")
            ingest.pump()
            buffer.flush()
            ingest.close()
    except KeyboardInterrupt:
        ingest.close()
    store.dies_after = 10**9
    n = 20 if dies_after >= 3 else 10
    fill(tmp_path, 5, n)
    successor, buffer = ingest_of(store, tmp_path / "spool")
    successor.drain()
    buffer.flush()
    successor.discard()
    expected = sorted([(step, float(step)) for step in range(n + 5)] * 2)
    assert sorted(store.rows[7, A]) == expected
    assert len(store.rows[7, ("b", "a")]) == n + 5


def test_a_line_of_the_journal_that_was_cut_short_is_dropped(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    store = StrictStore()
    ingest, buffer = ingest_of(store, tmp_path / "spool")
    ingest.pump()
    buffer.flush()
    ingest.close()
    with (tmp_path / "spool" / JOURNAL).open("a") as journal:
        journal.write('["metrics.jsonl", 6')
    fill(tmp_path, 3, 3)
    for _ in range(2):
        ingest, buffer = ingest_of(store, tmp_path / "spool")
        ingest.pump()
        buffer.flush()
        ingest.close()
    assert sorted(store.rows[7, A]) == sorted([(step, float(step)) for step in range(6)] * 2)


def test_two_readers_never_hold_one_folder(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    first, _ = ingest_of(StrictStore(), tmp_path / "spool")
    store = StrictStore()
    second, buffer = ingest_of(store, tmp_path / "spool")
    first.pump()
    with pytest.raises(Busy):
        second.pump()
    with pytest.raises(Busy):
        second.drain()
    first.close()
    second.pump()
    second.close()
    buffer.flush()
    assert len(store.rows[7, A]) == 6


def test_bad_lines_are_told_once_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("bad\n" * 3 + '{"step": 0, "a": 1}\n')
    told: list[str] = []
    ingest, _ = ingest_of(StrictStore(), folder)
    ingest.on_bad = told.append
    ingest.pump()
    with (folder / "metrics.jsonl").open("a") as more:
        more.write("bad\n")
    ingest.drain()
    ingest.close()
    assert told == ["metrics.jsonl: line 1 is left out: it is no JSON", "metrics.jsonl: 4 lines in all were left out"]


def test_rows_of_a_trial_that_others_ended_do_not_hold_up_the_rest() -> None:
    class Refusing(StrictStore):
        def append_many(self, parts: Any) -> None:
            if any(key == 1 for key, _, _ in parts):
                raise LeaseLost("finished")
            super().append_many(parts)

    from tunebook.store.packing import CurveBlock

    block = CurveBlock(A, np.array([0]), np.array([[1.0]]))
    store = Refusing()
    buffer = Buffer(store)
    buffer.add(1, block, 0)
    buffer.add(2, block, 0)
    assert buffer.flush() == {1}
    assert buffer.flush() == frozenset()
    assert list(store.rows) == [(2, A)]

"""Laws of curves in a store: delivery in any order, attempts that resume, chunks of any size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_cases import NOW, a_block, claimed, with_round
from tunebook.core.outcome import Outcome
from tunebook.errors import StoreError
from tunebook.store import curves, snapshot
from tunebook.store.packing import CurveBlock
from tunebook.store.store import Store

METRICS = ("valid/error", "train/loss")
N_ROWS = 30
FEW = settings(max_examples=40, deadline=None)

names = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples; each takes a round of its own."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('curves')}/store.db") as opened:
        yield opened


def new_round(store: Store, count: int = 1) -> str:
    name = f"round {next(names)}"
    with_round(store, count, name)
    return name


def logged(rng: np.random.Generator, count: int) -> CurveBlock:
    steps = np.cumsum(rng.integers(1, 3, count))
    return CurveBlock(METRICS, steps, rng.normal(size=(count, 2)))


@FEW
@given(st.lists(st.tuples(st.integers(0, N_ROWS), st.integers(0, N_ROWS)), max_size=12), st.integers(0, 99))
def test_delivery_in_any_overlapping_order_gives_the_same_curve(
    store: Store, deliveries: list[tuple[int, int]], seed: int
) -> None:
    block = logged(np.random.default_rng(seed), N_ROWS)
    name = new_round(store)
    (claim,) = claimed(store, name=name)
    stored = 0
    for start, end in [*deliveries, (0, N_ROWS), (0, N_ROWS)]:
        part = CurveBlock(METRICS, block.steps[start:end], block.values[start:end])
        if start > stored:
            with pytest.raises(StoreError, match="missing"):
                store.append_curves(claim, part, start)
        else:
            stored = max(stored, start + len(part))
            assert store.append_curves(claim, part, start) == stored
    found = store.snapshot(name).curves
    for column, metric in enumerate(METRICS):
        assert (found[metric].steps == block.steps).all()
        assert (found[metric].values == block.values[:, column]).all()


ATTEMPT = st.tuples(st.none() | st.integers(0, 20), st.lists(st.integers(0, 20), max_size=8))


@FEW
@given(st.lists(ATTEMPT, min_size=1, max_size=5))
def test_attempts_replay_like_one_log_that_is_cut_at_every_resume(
    store: Store, attempts: list[tuple[int | None, list[int]]]
) -> None:
    """The expected curve is a dictionary: a resumed attempt deletes from its start on, then writes."""
    name = new_round(store)
    expected: dict[int, float] = {}
    values = itertools.count()
    for start, steps in attempts:
        (claim,) = claimed(store, name=name)
        if start is not None:
            store.set_resume(claim.attempt_key, start)
        if steps:
            cut = min(steps) if start is None else min(start, *steps)
            expected = {step: value for step, value in expected.items() if step < cut}
            column = [float(next(values)) for _ in steps]
            expected.update(zip(steps, column, strict=True))
            half = len(steps) // 2
            store.append_curves(claim, a_block(steps[:half], column[:half]), 0)
            store.append_curves(claim, a_block(steps[half:], column[half:]), half)
        store.release(claim, reason="killed", now=NOW)
    found = store.snapshot(name).curves.get("valid/error")
    curve = dict(zip(found.steps.tolist(), found.values.tolist(), strict=True)) if found else {}
    assert curve == expected
    assert list(curve) == sorted(curve)


def test_a_resume_cuts_metrics_that_the_new_attempt_has_not_logged_yet(store: Store) -> None:
    name = new_round(store)
    (first,) = claimed(store, name=name)
    store.append_curves(first, a_block([0, 10, 20], metrics=("valid/error",)), 0)
    store.append_curves(first, a_block(range(25), metrics=("train/loss",)), 0)
    store.release(first, reason="killed", now=NOW)
    (second,) = claimed(store, name=name)
    store.set_resume(second.attempt_key, 15)
    store.append_curves(second, a_block([15, 16], metrics=("train/loss",)), 0)
    found = store.snapshot(name).curves
    assert list(found["valid/error"].steps) == [0, 10]
    assert list(found["train/loss"].steps) == list(range(17))


def test_one_metric_may_stand_in_several_blocks(store: Store) -> None:
    name = new_round(store)
    (claim,) = claimed(store, name=name)
    store.append_curves(claim, a_block([0, 1, 3], metrics=("train/loss",)), 0)
    store.append_curves(claim, a_block([2, 4], metrics=METRICS), 0)
    found = store.snapshot(name).curves
    assert list(found["train/loss"].steps) == [0, 1, 2, 3, 4]
    assert list(found["valid/error"].steps) == [2, 4]


def test_chunks_may_come_out_of_the_tables_in_any_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = snapshot._CHUNKS.order_by(curves.chunks.c.first_row.desc())
    monkeypatch.setattr(snapshot, "_CHUNKS", backwards)
    name = new_round(store)
    (claim,) = claimed(store, name=name)
    store.append_curves(claim, a_block([0, 1, 5], [0, 1, 2]), 0)
    store.append_curves(claim, a_block([5, 6], [3, 4]), 3)
    steps, values = store.snapshot(name).curves["valid/error"][0]
    assert (list(steps), list(values)) == ([0, 1, 5, 6], [0, 1, 3, 4])


def test_long_logs_lie_in_few_chunks_that_are_not_too_large(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "ROWS_PER_CHUNK", 100)
    name = new_round(store)
    (claim,) = claimed(store, name=name)
    log = logged(np.random.default_rng(0), 1000)
    for start in range(0, 1000, 5):
        store.append_curves(
            claim, CurveBlock(METRICS, log.steps[start : start + 5], log.values[start : start + 5]), start
        )
    n_running = n_chunks(store, claim.attempt_key)
    store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
    assert n_running < 2 * curves.COMPACT_EVERY
    assert 10 <= n_chunks(store, claim.attempt_key) <= n_running
    found = store.snapshot(name).curves["train/loss"]
    assert (found.steps == log.steps).all()
    assert (found.values == log.values[:, 1]).all()


def test_the_bytes_of_a_point_stay_within_ten(tmp_path: Path) -> None:
    """100 trials of 1,000 noisy float64 steps of 5 metrics, logged in pieces, as in the benchmark of logging."""
    path = tmp_path / "size.db"
    metrics = tuple(f"train/{number}" for number in range(5))
    with Store.open(f"sqlite:///{path}") as store:
        with_round(store, 100)
        claims = claimed(store, 100)
        rng = np.random.default_rng(0)
        for claim in claims:
            for start in range(0, 1000, 250):
                block = CurveBlock(metrics, np.arange(start, start + 250), rng.normal(size=(250, 5)))
                store.append_curves(claim, block, start)
            store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
    assert path.stat().st_size / 500_000 <= 10


def n_chunks(store: Store, attempt_key: int) -> int:
    table = curves.chunks
    statement = curves.select(curves.func.count()).select_from(table).where(table.c.attempt_id == attempt_key)
    return int(store._database.read(lambda connection: connection.execute(statement).scalar_one()))


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_some_metrics_have_the_curves_they_have_among_all(
    store: Store, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(snapshot, "BATCH", batch)
    name = new_round(store, 3)
    first, other, _ = claimed(store, 3, name=name)
    store.append_curves(first, a_block([0, 10, 20], metrics=("valid/error", "valid/loss")), 0)
    store.append_curves(first, a_block(range(25), metrics=("train/loss",)), 0)
    store.append_curves(other, a_block([3, 1, 3], metrics=("train/loss", "valid/error")), 0)
    store.release(first, reason="killed", now=NOW)
    (second,) = claimed(store, name=name)
    store.set_resume(second.attempt_key, 15)
    store.append_curves(second, a_block([15, 16], metrics=("train/loss",)), 0)
    whole = store.snapshot(name)
    assert store.metrics(name) == whole.metrics == ("train/loss", "valid/error", "valid/loss")
    for chosen in (("valid/error",), ("train/loss", "valid/loss"), ("train/loss", "never logged")):
        part = store.snapshot(name, metrics=chosen)
        assert part.trials == whole.trials
        assert part.metrics == tuple(sorted({*chosen} & {*whole.metrics}))
        for metric in part.metrics:
            for mine, theirs in zip(part.curves[metric], whole.curves[metric], strict=True):
                np.testing.assert_array_equal(mine, theirs)
    assert store.snapshot(name, metrics=()).curves == {}
    names, curves = store.curves(name, ("train/loss",))
    assert names == tuple(trial.name for trial in whole.trials)
    np.testing.assert_array_equal(curves["train/loss"].values, whole.curves["train/loss"].values)


def test_metrics_logged_together_share_their_steps(store: Store) -> None:
    name = new_round(store)
    (claim,) = claimed(store, name=name)
    store.append_curves(claim, a_block([0, 1, 2], metrics=METRICS), 0)
    found = store.snapshot(name).curves
    assert found["valid/error"].steps is found["train/loss"].steps


def test_a_snapshot_of_one_trial_has_its_curves(store: Store) -> None:
    name = new_round(store, 3)
    for number, claim in enumerate(claimed(store, 3, name=name)):
        store.append_curves(claim, a_block([number, number + 1], metrics=METRICS), 0)
    whole = store.snapshot(name)
    for number, trial in enumerate(whole.trials):
        only = store.snapshot(name, trial=trial.name)
        assert only.trials == (trial,)
        assert only.metrics == whole.metrics
        assert only.curves["train/loss"].steps.tolist() == whole.curves["train/loss"][number][0].tolist()
    assert store.snapshot(name, trial="no such trial").trials == ()

"""How a store grows: time per trial, bytes, and what questions cost, at several sizes of one round and many rounds.

Trials go the way of a run: planned, claimed, appended and ended in batches of 32, five metrics, noise that does not
shrink. Then every question is asked three times and the median is told. What follows for 10^9 points stands in
``docs/concepts/scale.md``.

Run: ``python benchmarks/scale.py [--trials 10000] [--points 1000] [--rounds 1000]``
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np

from fire import METRICS, Load, plan, values_of
from tunebook.core.outcome import Outcome
from tunebook.store.keeping import back_up, examine
from tunebook.store.packing import CurveBlock
from tunebook.store.store import Store
from tunebook.store.values import Owner

BATCH = 32
LEASE = 24 * 3600.0
OWNER = Owner(id="scale", host="here", pid=1, started=datetime.now(UTC))


def main() -> None:
    """Print the costs at a tenth of the size, at the size, and of many small rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000, help="a trial, over five metrics")
    parser.add_argument("--rounds", type=int, default=1_000, help="of a hundred trials of ten points each")
    chosen = parser.parse_args()
    for n_trials in (chosen.trials // 10, chosen.trials):
        with tempfile.TemporaryDirectory() as folder:
            one_round(Path(folder), n_trials, chosen.points // len(METRICS))
    with tempfile.TemporaryDirectory() as folder:
        many_rounds(Path(folder), chosen.rounds)


def one_round(folder: Path, n_trials: int, n_rows: int) -> None:
    """A round of ``n_trials`` with ``n_rows`` rows each."""
    url = f"sqlite:///{folder}/store.db"
    print(f"\n{n_trials:,} trials of {n_rows * len(METRICS):,} points")
    show("planned, s", timed(lambda: plan(url, Load(trials=n_trials, blocks=1, rows=n_rows))))
    with Store.open(url) as store:
        began = time.perf_counter()
        train(store, "fire", n_rows)
        seconds = time.perf_counter() - began
        n_points = n_trials * n_rows * len(METRICS)
        show("claimed, logged, ended: ms a trial", 1000 * seconds / n_trials)
        show("points/s", n_points / seconds)
    with Store.open(url) as store:  # closing brings the log into the file
        show("bytes a point", (folder / "store.db").stat().st_size / n_points)
        questions(store, "fire")
        show("backup, s", timed(lambda: back_up(store, folder / "backup.db")))
    show("doctor, s", timed(lambda: sound(url)))


def many_rounds(folder: Path, n_rounds: int) -> None:
    """Many rounds of a hundred trials, ten points each."""
    url = f"sqlite:///{folder}/store.db"
    load = Load(trials=100, blocks=1, rows=2)
    print(f"\n{n_rounds:,} rounds of 100 trials of 10 points")
    began = time.perf_counter()
    with Store.open(url) as store:
        for number in range(n_rounds):
            name = f"{number:05d}"
            plan(url, load, name)
            train(store, name, 2)
        show("s a round", (time.perf_counter() - began) / n_rounds)
        show("bytes a trial", (folder / "store.db").stat().st_size / (100 * n_rounds))
        questions(store, f"{n_rounds // 2:05d}")
        show("list of rounds, ms", 1000 * median_of(store.rounds))
        show("version of everything, ms", 1000 * median_of(store.version))
        show("counts of all rounds, s", timed(lambda: [store.counts(row.name) for row in store.rounds()]))
    show("doctor, s", timed(lambda: sound(url)))


def train(store: Store, name: str, n_rows: int) -> None:
    """What a run does to the store."""
    steps = np.arange(n_rows)
    while claims := store.claim(name, owner=OWNER, limit=BATCH, now=datetime.now(UTC), lease_seconds=LEASE):
        blocks = [(claim, CurveBlock(METRICS, steps, values_of(claim.spec.seed, steps)), 0) for claim in claims]
        store.append_many(blocks)
        store.finish_many([(claim, Outcome.complete(), 1.0) for claim in claims], now=datetime.now(UTC))


def questions(store: Store, name: str) -> None:
    """What faces ask of one round."""
    show("counts (status), ms", 1000 * median_of(lambda: store.counts(name)))
    show("version (a page asks each second), ms", 1000 * median_of(lambda: store.version(name)))
    show("rows of the table of trials, ms", 1000 * median_of(lambda: store.trials(name)))
    show("evidence with all curves, ms", 1000 * median_of(lambda: store.snapshot(name)))


def sound(url: str) -> None:
    assert examine(url, is_dead=lambda _: False, now=datetime.now(UTC)).is_sound


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median_of(call: Callable[[], object]) -> float:
    return statistics.median(timed(call) for _ in range(3))


def show(name: str, value: float) -> None:
    print(f"  {name:40} {value:14,.3f}", flush=True)


if __name__ == "__main__":
    main()

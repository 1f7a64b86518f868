"""Logging: how fast, how small, how soon back; beside SQLite blobs packed by hand.

``PROCESSES`` processes log ``TRIALS`` trials each, ``STEPS`` steps of ``METRICS`` metrics. Ours go through
the handle and the ingest into the store, as in a run. The peer has the same processes and the same rows,
each a mapping from metric to value as a training loop has it; it packs a row with ``struct`` behind those of
its trial and writes one blob a trial into one SQLite file with the store's settings (WAL, ``synchronous =
NORMAL``), which is the least one can do. What it does not do: keep the rows of a process that is killed,
name the metrics, check steps, judge and end trials. Then the cost of one call of ``trial.log``.

Rates are given by the clock and by processor time of all processes (user and system), which a busy machine
disturbs less.

Run: ``python benchmarks/bench_logging.py``
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from timing import Stopwatch, Taken

from tunebook.core.config import Config
from tunebook.core.outcome import Outcome
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.handle.assignment import Assignment
from tunebook.handle.trial import Trial
from tunebook.run.ingest import Buffer, Ingest
from tunebook.run.paperwork import LARGEST_BATCH
from tunebook.store.store import Store
from tunebook.store.values import Owner

PROCESSES, TRIALS, STEPS = 4, 25, 1000
METRICS = ("train/loss", "train/error", "valid/loss", "valid/error", "grad_norm")
POINTS = PROCESSES * TRIALS * STEPS * len(METRICS)
REPEATS = 3
N_CALLS = 100_000
KEY = struct.Struct("q")


def main() -> dict[str, float]:
    """Print and return points per second (medians over repeats), bytes a point, seconds to read, call times."""
    by_hand, ours, sizes, reads = [], [], [], []
    for _ in range(REPEATS):
        by_hand.append(hand_packed())
        taken, size, read = through_tunebook()
        ours.append(taken)
        sizes.append(size)
        reads.append(read)
    median, p99 = call_times()
    figures = {
        "hand-packed SQLite blobs, points/s": statistics.median(POINTS / one.wall for one in by_hand),
        "tunebook, points/s": statistics.median(POINTS / one.wall for one in ours),
        "ratio": statistics.median(a.wall / b.wall for a, b in zip(by_hand, ours, strict=True)),
        "hand-packed, points per processor second": statistics.median(POINTS / one.processor for one in by_hand),
        "tunebook, points per processor second": statistics.median(POINTS / one.processor for one in ours),
        "ratio of processor time": statistics.median(
            a.processor / b.processor for a, b in zip(by_hand, ours, strict=True)
        ),
        "bytes a point": statistics.median(sizes),
        "all curves back, s": statistics.median(reads),
        "log() of 5 metrics, median, us": median,
        "log() of 5 metrics, p99, us": p99,
    }
    for name, value in figures.items():
        print(f"{name:42} {value:14,.3f}")
    return figures


def noise(seed: int) -> np.ndarray:
    """Values with no regularity, of shape (STEPS, metrics)."""
    return np.random.default_rng(seed).random((STEPS, len(METRICS)))


def rows_of(trial: int) -> Iterator[dict[str, float]]:
    """What a training loop would log, step by step."""
    for row in noise(trial).tolist():
        yield dict(zip(METRICS, row, strict=True))


def hand_packed() -> Taken:
    """Time when every process appends rows to a bytearray and writes one blob a trial."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/blobs.db"
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE curves (trial INTEGER PRIMARY KEY, data BLOB)")
        connection.close()
        with Stopwatch() as watch:
            processes = started([(_pack_by_hand, (path, number)) for number in range(PROCESSES)])
            for process in processes:
                process.join()
        return watch.taken


def _pack_by_hand(path: str, number: int) -> None:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    pack = struct.Struct(f"<q{len(METRICS)}d").pack
    for place in range(TRIALS):
        trial = number * TRIALS + place
        rows = bytearray()
        for step, metrics in enumerate(rows_of(trial)):
            rows += pack(step, *metrics.values())
        connection.execute("INSERT INTO curves VALUES (?, ?)", (trial, bytes(rows)))
    connection.close()


def through_tunebook() -> tuple[Taken, float, float]:
    """Time from log() to stored, bytes a point in the file, seconds for all curves as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        store, claims = claimed(Path(folder))
        shares = [
            [(claim.spec.id, claim.attempt_key) for claim in claims[number::PROCESSES]] for number in range(PROCESSES)
        ]
        reader, writer = os.pipe()
        with Stopwatch() as watch:
            processes = started([(_log, (folder, share, writer)) for share in shares])
            _store_as_it_comes(store, reader, claims, Path(folder))
            for process in processes:
                process.join()
        os.close(reader)
        os.close(writer)
        store.close()
        size = (Path(folder) / "tunebook.db").stat().st_size / POINTS
        store.snapshot("r")
        began = time.perf_counter()
        evidence = store.snapshot("r")
        read = time.perf_counter() - began
        assert sum(len(curves.values) for curves in evidence.curves.values()) == POINTS
        store.close()
        return watch.taken, size, read


def _store_as_it_comes(store: Store, ended: int, claims: tuple, folder: Path) -> None:
    """What the runner does with trials that ended: their rows, then their outcomes, in a transaction for several.

    ``ended`` is a pipe that tells their keys, as the executor tells the runner about exits.
    """
    buffer = Buffer(store)
    left = {claim.attempt_key: claim for claim in claims}
    with ThreadPoolExecutor(1) as sweeper:
        while left:
            told = os.read(ended, KEY.size * LARGEST_BATCH)
            keys = [key for (key,) in KEY.iter_unpack(told)]
            ingests = [Ingest(buffer, key, folder / str(key) / "spool") for key in keys]
            for ingest in ingests:
                ingest.drain()
            buffer.flush()
            store.finish_many([(left.pop(key), Outcome.complete(), 1.0) for key in keys], now=datetime.now(UTC))
            for ingest in ingests:
                sweeper.submit(ingest.discard)


def _log(folder: str, share: list[tuple[str, int]], ended: int) -> None:
    for trial_id, key in share:
        trial = trial_in(Path(folder) / str(key), trial_id, key)
        for step, metrics in enumerate(rows_of(key)):
            trial.log(step, metrics)
        trial.close()
        os.write(ended, KEY.pack(key))


def claimed(folder: Path) -> tuple[Store, tuple]:
    """A store with a round whose trials this process holds."""
    design = Round(
        goal="Speed of logging",
        question="minimize",
        pipeline="train.py:train",
        max_train_steps=STEPS,
        objective={"metric": "valid/error"},
        nuisance={"x": {"low": 0.0, "high": 1.0}},
    )
    n, now = PROCESSES * TRIALS, datetime.now(UTC)
    specs = [
        TrialSpec(
            study="all", config=Config({"x": i / n}), seed=i, max_train_steps=STEPS, way_to_train=design.way_to_train
        )
        for i in range(n)
    ]
    store = Store.open(f"sqlite:///{folder}/tunebook.db")
    store.save_round("r", design, now=now)
    store.sync_trials("r", specs, now=now)
    owner = Owner(id="bench", host="here", pid=1, started=now)
    return store, store.claim("r", owner=owner, limit=n, now=now, lease_seconds=3600)


def trial_in(folder: Path, trial: str, key: int) -> Trial:
    """A handle whose files are in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    return Trial(
        Assignment(
            trial=trial,
            round="r",
            attempt=1,
            key=key,
            config=Config({"x": 0.5}),
            seed=0,
            max_train_steps=STEPS,
            metric="valid/error",
            direction="minimize",
            keep_best=2,
            directory=folder,
            checkpoints=folder / "checkpoints",
        )
    )


def call_times() -> tuple[float, float]:
    """Median and 99th percentile of one call in microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        trial = trial_in(Path(folder), "t", 1)
        times = np.empty(N_CALLS)
        for step in range(N_CALLS):
            metrics = dict.fromkeys(METRICS, step / 7)
            began = time.perf_counter_ns()
            trial.log(step, metrics)
            times[step] = time.perf_counter_ns() - began
        trial.close()
    return float(np.median(times)) / 1000, float(np.percentile(times, 99)) / 1000


def started(jobs: list) -> list:
    """Processes that do the jobs."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=function, args=arguments) for function, arguments in jobs]
    for process in processes:
        process.start()
    return processes


if __name__ == "__main__":
    main()

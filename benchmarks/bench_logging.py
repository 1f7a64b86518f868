"""Logging: how fast, how small, how soon back; beside SQLite blobs packed by hand.

``PROCESSES`` processes log ``TRIALS`` trials each, ``STEPS`` steps of ``METRICS`` metrics. Ours go through
the handle and the ingest into the store, as in a run. The peer packs each trial's arrays into one blob by
hand and writes that to SQLite, which is the least one can do. Then the cost of one call of ``trial.log``.

Run: ``python benchmarks/bench_logging.py``
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import statistics
import struct
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

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


def main() -> dict[str, float]:
    """Print and return points per second (medians over repeats), bytes a point, seconds to read, call times."""
    by_hand, ours, sizes, reads = [], [], [], []
    for _ in range(REPEATS):
        by_hand.append(hand_packed())
        rate, size, read = through_tunebook()
        ours.append(rate)
        sizes.append(size)
        reads.append(read)
    median, p99 = call_times()
    figures = {
        "hand-packed SQLite blobs, points/s": statistics.median(by_hand),
        "tunebook, points/s": statistics.median(ours),
        "ratio": statistics.median(ours) / statistics.median(by_hand),
        "bytes a point": statistics.median(sizes),
        "all curves back, s": statistics.median(reads),
        "log() of 5 metrics, median, us": median,
        "log() of 5 metrics, p99, us": p99,
    }
    for name, value in figures.items():
        print(f"{name:38} {value:14,.3f}")
    return figures


def noise(seed: int) -> np.ndarray:
    """Values with no regularity, of shape (STEPS, metrics)."""
    return np.random.default_rng(seed).random((STEPS, len(METRICS)))


def hand_packed() -> float:
    """Points per second when every process appends rows to a bytearray and writes one blob a trial."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/blobs.db"
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE curves (trial INTEGER PRIMARY KEY, data BLOB)")
        connection.close()
        return POINTS / timed([(_pack_by_hand, (path, number)) for number in range(PROCESSES)])


def _pack_by_hand(path: str, number: int) -> None:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    pack = struct.Struct(f"<q{len(METRICS)}d").pack
    for place in range(TRIALS):
        trial = number * TRIALS + place
        rows = bytearray()
        for step, row in enumerate(noise(trial).tolist()):
            rows += pack(step, *row)
        connection.execute("INSERT INTO curves VALUES (?, ?)", (trial, bytes(rows)))
    connection.close()


def through_tunebook() -> tuple[float, float, float]:
    """Points per second from log() to stored, bytes a point in the file, seconds for all curves as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        store, claims = claimed(Path(folder))
        shares = [
            [(claim.spec.id, claim.attempt_key) for claim in claims[number::PROCESSES]] for number in range(PROCESSES)
        ]
        jobs = [(_log, (folder, share)) for share in shares]
        began = time.perf_counter()
        processes = started(jobs)
        _store_as_it_comes(store, processes, claims, Path(folder))
        rate = POINTS / (time.perf_counter() - began)
        store.close()
        size = (Path(folder) / "tunebook.db").stat().st_size / POINTS
        store.snapshot("r")
        began = time.perf_counter()
        evidence = store.snapshot("r")
        read = time.perf_counter() - began
        assert sum(len(curves.values) for curves in evidence.curves.values()) == POINTS
        store.close()
        return rate, size, read


def _store_as_it_comes(store: Store, processes: list, claims: tuple, folder: Path) -> None:
    """What the runner does with trials that ended: their rows, then their outcomes, in a transaction for several."""
    buffer = Buffer(store)
    sweeper = ThreadPoolExecutor(1)
    left = {claim.attempt_key: claim for claim in claims}
    while left:
        are_over = all(not process.is_alive() for process in processes)
        ended = [key for key in left if (folder / str(key) / "done").exists()][:LARGEST_BATCH]
        ingests = [Ingest(buffer, key, folder / str(key) / "spool") for key in ended]
        for ingest in ingests:
            ingest.drain()
        buffer.flush()
        store.finish_many([(left.pop(key), Outcome.complete(), 1.0) for key in ended], now=datetime.now(UTC))
        for ingest in ingests:
            sweeper.submit(ingest.discard)
        assert ended or not are_over
        if not ended:
            time.sleep(0.005)
    for process in processes:
        process.join()
    sweeper.shutdown()


def _log(folder: str, share: list[tuple[str, int]]) -> None:
    for trial_id, key in share:
        trial = trial_in(Path(folder) / str(key), trial_id, key)
        for step, row in enumerate(noise(key).tolist()):
            trial.log(step, dict(zip(METRICS, row, strict=True)))
        trial.close()
        (Path(folder) / str(key) / "done").touch()


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


def timed(jobs: list) -> float:
    """Seconds until all jobs are done."""
    began = time.perf_counter()
    for process in started(jobs):
        process.join()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

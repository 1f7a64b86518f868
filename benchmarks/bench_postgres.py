"""PostgreSQL: eight writers log curves through the store, beside a row a point by COPY and by executemany.

Every writer is a process. Ours claims trials, appends blocks of 1,000 rows of five metrics and ends the trials; what
is stored is read back and compared value by value. The peers get the same values and a table ``points (trial, step,
metric, value)`` with its key: 5,000 rows a transaction by COPY, which is the fastest way in, or by ``executemany``.
They claim nothing, end nothing and recognise nothing that is delivered twice. The server is the one that the tests
start (fsync off, synchronous_commit on).

Run: ``python benchmarks/bench_postgres.py``
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
import psycopg

from fire import DURABLE, METRICS, Load, audit, plan, under_fire, values_of
from postgres import fresh_schema, server

WRITERS = 8
LOAD = Load(trials=160, blocks=5, rows=1000)
#: The peers are slower, so they write less.
PEER_TRIALS = 16
REPEATS = 3
TABLE = (
    "CREATE TABLE points (trial int, step bigint, metric text, value double precision, "
    "PRIMARY KEY (trial, metric, step))"
)


def main() -> dict[str, float]:
    """Print and return points a second, medians over repeats taken in turn."""
    rates: dict[str, list[float]] = {"tunebook": [], "COPY of rows": [], "executemany of rows": []}
    with server(**DURABLE) as started:
        for _ in range(REPEATS):
            rates["tunebook"].append(ours(fresh_schema(started.url)))
            rates["COPY of rows"].append(peer(started.url, copy))
            rates["executemany of rows"].append(peer(started.url, many))
        sizes = bytes_a_point(started.url)
    figures = {f"{name}, points/s": statistics.median(found) for name, found in rates.items()}
    figures["ratio to COPY"] = statistics.median(
        a / b for a, b in zip(rates["tunebook"], rates["COPY of rows"], strict=True)
    )
    figures |= sizes
    for name, value in figures.items():
        print(f"{name:32} {value:14,.1f}")
    return figures


def ours(url: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        plan(url, LOAD)
        report = under_fire(url, LOAD, WRITERS, Path(folder), lambda: None)
        audit(url, LOAD, Path(folder))
        return report.rate


def peer(url: str, write: object) -> float:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS points")
        connection.execute(TABLE)
    shares = [range(number, PEER_TRIALS, WRITERS) for number in range(WRITERS)]
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_all, args=(url, share, write)) for share in shares]
    began = time.perf_counter()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert all(writer.exitcode == 0 for writer in writers)
    return PEER_TRIALS * LOAD.n_rows * len(METRICS) / (time.perf_counter() - began)


def write_all(url: str, trials: range, write: object) -> None:
    with psycopg.connect(url) as connection:
        for trial in trials:
            for block in range(LOAD.blocks):
                steps = np.arange(block * LOAD.rows, (block + 1) * LOAD.rows)
                values = values_of(trial, steps)
                rows = [
                    (trial, step, metric, value)
                    for step, row in zip(steps.tolist(), values.tolist(), strict=True)
                    for metric, value in zip(METRICS, row, strict=True)
                ]
                write(connection, rows)  # type: ignore[operator]
                connection.commit()


def copy(connection: psycopg.Connection, rows: list) -> None:
    with connection.cursor().copy("COPY points FROM STDIN") as stream:
        for row in rows:
            stream.write_row(row)


def many(connection: psycopg.Connection, rows: list) -> None:
    connection.cursor().executemany("INSERT INTO points VALUES (%s, %s, %s, %s)", rows)


def bytes_a_point(url: str) -> dict[str, float]:
    """Tables with their indices: the newest schema of ours, and the peer's."""
    with psycopg.connect(url) as connection:
        query = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relname = %s AND c.relkind = 'r'"
        chunks = connection.execute(query, ("chunks",)).fetchone()[0]  # type: ignore[index]
        points = connection.execute(query, ("points",)).fetchone()[0]  # type: ignore[index]
    n_ours = REPEATS * LOAD.trials * LOAD.n_rows * len(METRICS)
    return {
        "tunebook, bytes a point": float(chunks) / n_ours,
        "a row a point, bytes": float(points) / (PEER_TRIALS * LOAD.n_rows * len(METRICS)),
    }


if __name__ == "__main__":
    main()

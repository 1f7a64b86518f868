"""Stores under fire: the long versions of ``tests/store/test_store_under_fire.py``, with figures.

Writers log and end trials while the server is restarted, killed with -9, cut off and filled, or while they are
killed themselves. Afterwards the store is held against what the writers noted as acknowledged: nothing lost,
nothing twice, every value the same; and ``doctor`` finds it sound.

Run: ``python benchmarks/fire_store.py [SCENARIO …] [--seconds S]``; without a scenario all of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import postgres
from fire import DURABLE, Load, Report, audit, plan, proxy, under_fire, write

#: More trials than any scenario gets through in its time.
MANY = 20_000


def restart(seconds: float) -> None:
    """Eight writers; the server is restarted again and again."""
    _torment("restart", seconds, lambda server: server.stop("fast"))


def kill(seconds: float) -> None:
    """Eight writers; the server and all its processes are killed with -9 again and again."""
    _torment("kill -9", seconds, lambda server: server.kill())


def _torment(name: str, seconds: float, end: Callable[[postgres.Server], None], every: float = 6.0) -> None:
    with postgres.server(**DURABLE) as started, tempfile.TemporaryDirectory() as folder:
        load = Load(trials=MANY, seconds=seconds)
        plan(started.url, load)
        n_times = 0

        def disturb() -> None:
            nonlocal n_times
            until = time.monotonic() + seconds - every
            while time.monotonic() < until:
                time.sleep(every)
                end(started)
                time.sleep(0.5)
                started.start()
                n_times += 1

        report = under_fire(started.url, load, 8, Path(folder), disturb)
        tell(f"PostgreSQL, {name} {n_times} times", report)
        audit(started.url, load, Path(folder), is_over=False)


def network(seconds: float) -> None:
    """Eight writers; the cable is cut for a minute, with nobody being told, and then mended."""
    with postgres.server(**DURABLE) as started, proxy(started.port) as cable, tempfile.TemporaryDirectory() as folder:
        load = Load(trials=MANY, seconds=max(seconds, 90.0))
        plan(started.url, load)

        def disturb() -> None:
            time.sleep(10)
            cable.cut()
            time.sleep(60)
            cable.mend()

        through = started.url.replace(f":{started.port}/", f":{cable.port}/")
        report = under_fire(through, load, 8, Path(folder), disturb)
        tell("PostgreSQL, network cut for 60 s", report)
        audit(started.url, load, Path(folder), is_over=False)


def writers(seconds: float) -> None:
    """32 writers at once."""
    with postgres.server(**DURABLE) as started, tempfile.TemporaryDirectory() as folder:
        load = Load(trials=MANY, blocks=5, rows=1000, seconds=seconds)
        plan(started.url, load)
        report = under_fire(started.url, load, 32, Path(folder), lambda: None)
        tell("PostgreSQL, 32 writers", report)
        audit(started.url, load, Path(folder), is_over=False)


def disk(seconds: float) -> None:  # noqa: ARG001
    """Two writers until the server's disk is full; then there is room again."""
    settings = {**DURABLE, "max_wal_size": "32MB", "min_wal_size": "32MB"}
    with (
        small_disk("150m") as place,
        postgres.server(place, **settings) as started,
        tempfile.TemporaryDirectory() as folder,
    ):
        place.chmod(0o755)
        load = Load(trials=400, blocks=10, rows=500, patience=3.0)
        plan(started.url, load)
        report = under_fire(started.url, load, 2, Path(folder), lambda: None)
        assert report.stopped_by, "the disk never was full"
        tell(f"PostgreSQL, disk full ({report.stopped_by[0][:60]} …)", report)
        subprocess.run(["mount", "-o", "remount,size=600m", place], check=True)
        with suppress(subprocess.CalledProcessError):
            started.stop("fast")
        started.start()
        audit(started.url, load, Path(folder), is_over=False)


def sqlite(seconds: float) -> None:  # noqa: ARG001
    """A writer that is killed with -9 during its commits, 200 times."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        load = Load(trials=MANY, blocks=20, rows=3)
        plan(url, load)
        began = time.time()
        for number in range(200):
            killed_while_writing(url, load, Path(folder) / f"{number}.jsonl", (number * 7 % 50) / 1000)
        print(f"{'SQLite, kill -9 200 times':40} {time.time() - began:6.0f} s")
        audit(url, load, Path(folder), is_over=False)


def killed_while_writing(url: str, load: Load, book: Path, after: float) -> None:
    """A writer that is killed ``after`` seconds from its first acknowledgement."""
    child = os.fork()
    if child == 0:
        try:
            write(url, load, book, time.time() + 60)
        finally:
            os._exit(1)
    while not (book.exists() and book.stat().st_size):
        time.sleep(0.001)
    time.sleep(after)
    os.kill(child, 9)
    os.waitpid(child, 0)


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    folder = Path(tempfile.mkdtemp(prefix="tunebook-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


def tell(name: str, report: Report) -> None:
    """One line of figures."""
    print(
        f"{name:40} {report.seconds:6.0f} s {report.n_trials:7,} trials {report.n_points:12,} points "
        f"{report.rate:10,.0f} points/s, waited {report.n_waits} times",
        flush=True,
    )


SCENARIOS = {call.__name__: call for call in (restart, kill, network, writers, disk, sqlite)}


def main() -> None:
    """Run the scenarios that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS][1:], default=list(SCENARIOS))
    parser.add_argument("--seconds", type=float, default=600.0, help="how long writers write")
    chosen = parser.parse_args()
    for name in chosen.scenarios:
        SCENARIOS[name](chosen.seconds)
        print(f"{name}: nothing lost, nothing twice", flush=True)


if __name__ == "__main__":
    main()

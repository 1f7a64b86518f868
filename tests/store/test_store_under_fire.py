"""A real server and a real disk, tormented while others write: the short versions of ``benchmarks/fire_*.py``."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import postgres
from fire import DURABLE, Load, audit, plan, proxy, under_fire, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own that is soon full; skips where none can be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="tunebook-disk-"))
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if mount.returncode:
        folder.rmdir()
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


def test_a_server_that_restarts_and_is_killed_loses_nothing(tmp_path: Path) -> None:
    with postgres.server(**DURABLE) as started:
        load = Load(trials=10_000, seconds=10, patience=30)
        plan(started.url, load)

        def disturb() -> None:
            for how in ("restart", "kill", "kill"):
                time.sleep(1.0)
                if how == "kill":
                    started.kill()
                else:
                    started.stop("fast")
                time.sleep(0.5)
                started.start()

        report = under_fire(started.url, load, 4, tmp_path, disturb)
        assert report.stopped_by == ()
        assert report.n_waits > 0
        audit(started.url, load, tmp_path, is_over=False)


def test_a_cut_network_costs_time_and_nothing_else(tmp_path: Path) -> None:
    with postgres.server(**DURABLE) as started, proxy(started.port) as cable:
        load = Load(trials=10_000, seconds=10, patience=30)
        plan(started.url, load)

        def disturb() -> None:
            time.sleep(1.0)
            cable.cut()
            time.sleep(3.0)
            cable.mend()

        through = started.url.replace(f":{started.port}/", f":{cable.port}/")
        report = under_fire(through, load, 4, tmp_path, disturb)
        assert report.stopped_by == ()
        assert report.n_waits > 0
        audit(started.url, load, tmp_path, is_over=False)


def test_many_writers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    with postgres.server(**DURABLE) as started:
        load = Load(trials=10_000, seconds=10)
        plan(started.url, load)
        report = under_fire(started.url, load, 16, tmp_path, lambda: None)
        assert report.stopped_by == ()
        assert report.n_trials > 0
        audit(started.url, load, tmp_path, is_over=False)


def test_a_full_disk_of_the_server_is_told_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    settings = {**DURABLE, "max_wal_size": "32MB", "min_wal_size": "32MB"}
    with small_disk("150m") as disk, postgres.server(disk, **settings) as started:
        os.chmod(disk, 0o755)  # noqa: PTH101
        load = Load(trials=400, blocks=10, rows=500, patience=3.0)
        plan(started.url, load)
        report = under_fire(started.url, load, 2, tmp_path, lambda: None)
        assert report.stopped_by, "the disk never was full"
        assert all("no space is left" in said or "waited for" in said for said in report.stopped_by)
        assert "Traceback" not in str(report.stopped_by)
        subprocess.run(["mount", "-o", "remount,size=600m", disk], check=True)
        restarted(started)
        audit(started.url, load, tmp_path, is_over=False)
        report = under_fire(started.url, Load(trials=400, blocks=10, rows=500), 2, tmp_path, lambda: None)
        assert report.stopped_by == ()
        shutil.rmtree(disk / "data", ignore_errors=True)


def restarted(started: postgres.Server) -> None:
    """Start a server again, whether it is down or not."""
    with suppress(subprocess.CalledProcessError):
        started.stop("fast")
    started.start()


KILLS = 25


def test_sqlite_killed_during_commits_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    load = Load(trials=10_000, blocks=20, rows=3)
    plan(url, load)
    for _ in range(KILLS):
        killed_while_writing(url, load, tmp_path)
    audit(url, load, tmp_path, is_over=False)


def killed_while_writing(url: str, load: Load, folder: Path) -> None:
    """A writer that is killed with -9 at some moment after its first acknowledgement."""
    book = folder / f"{time.monotonic_ns()}.jsonl"
    child = os.fork()
    if child == 0:
        try:
            write(url, load, book, time.time() + 60)
        finally:
            os._exit(1)
    while not (book.exists() and book.stat().st_size):
        time.sleep(0.001)
    time.sleep((time.monotonic_ns() % 50) / 1000)
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_sqlite_on_a_full_disk_tells_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk("3m") as disk:
        url = f"sqlite:///{disk}/store.db"
        load = Load(trials=100)
        plan(url, load)
        book = tmp_path / "book.jsonl"
        write(url, load, book, time.time() + 60)
        assert "no space is left" in book.read_text().splitlines()[-1]
        audit(url, load, tmp_path, is_over=False)
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        write(url, load, book, time.time() + 60)
        assert '"stopped"' not in book.read_text().splitlines()[-1]
        audit(url, load, tmp_path, is_over=False)

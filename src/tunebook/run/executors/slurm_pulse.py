"""Whether a driver lives: what it leaves in its folder for its seats, and for the driver that comes after it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from tunebook.handle.assignment import write_atomically
from tunebook.run.executors.slurm_queue import Queue
from tunebook.run.processes import is_alive, started_at

FOLDER = "slurm-"
DRIVER = "driver.json"
IDS = "jobs.txt"
PULSE = "pulse"
#: How often the driver shows that it lives, and how long a seat goes on without that.
#: The last is shorter than a lease, so that the seat has ended when somebody else may take its trial.
PULSE_SECONDS = 5.0
PULSELESS_SECONDS = 45.0


def driver_folder(run_folder: Path, token: str) -> Path:
    """The folder of one driver among those of a run."""
    return run_folder / f"{FOLDER}{token}"


class Pulse:
    """Says in a driver's folder who it is, which jobs are its, and again and again that it lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shown_at = time.monotonic()
        pid = os.getpid()
        began = started_at(pid)
        table = {"host": os.uname().nodename, "pid": pid, "started": began.isoformat() if began else ""}
        write_atomically(folder / DRIVER, json.dumps(table))
        write_atomically(folder / PULSE, "begun")

    def show(self) -> None:
        """Another beat, when it is time for one."""
        now = time.monotonic()
        if now - self._shown_at > PULSE_SECONDS:
            self._shown_at = now
            write_atomically(self._folder / PULSE, repr(now))

    def note(self, ids: Iterable[str]) -> None:
        """These jobs are to be cancelled when the driver dies."""
        with (self._folder / IDS).open("a", encoding="utf-8") as file:
            file.writelines(f"{job_id}\n" for job_id in ids)


class PulseWatch:
    """Looks for a driver's pulse from a node."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / PULSE
        self._seen = ""
        self._seen_at = time.monotonic()

    def is_pulseless(self) -> bool:
        """Whether the driver has not shown that it lives for too long, by this machine's clock."""
        try:
            pulse = self._file.read_text(encoding="utf-8")
        except OSError:
            pulse = self._seen
        now = time.monotonic()
        if pulse != self._seen:
            self._seen, self._seen_at = pulse, now
        return now - self._seen_at > PULSELESS_SECONDS


def end_orphans(run_folder: Path, queue: Queue) -> None:
    """Cancel what drivers on this machine that died left in the queue: their trials are to be run again."""
    for left in run_folder.glob(f"{FOLDER}*/{DRIVER}"):
        try:
            driver = json.loads(left.read_text(encoding="utf-8"))
            ids = (left.parent / IDS).read_text(encoding="utf-8").split()
        except (OSError, ValueError):
            continue
        if driver["host"] != os.uname().nodename or not driver["started"]:
            continue
        if not is_alive(driver["pid"], datetime.fromisoformat(driver["started"])):
            queue.cancel(ids)
            queue.wait_until_gone(ids)
            shutil.rmtree(left.parent, ignore_errors=True)

"""The mailbox: files by which a driver and its seats on the nodes of SLURM talk to each other.

Each is written whole: ``job-KEY`` becomes ``began-KEY`` when its seat takes it and ``gone-KEY`` when the
driver takes it back, ``ask-KEY`` is what the driver wants, ``exit-KEY`` how it ended; ``back-SEAT`` says
that a seat will be back from the queue.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunebook.handle.assignment import Assignment, write_atomically
from tunebook.handle.ending import Ending
from tunebook.run.agent import Asked
from tunebook.run.jobs import Exit, Job

#: How often somebody who waits looks into it.
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A ``folder`` that the driver and the nodes see."""

    folder: Path

    # The side of the driver

    def post(self, job: Job, seat: str) -> None:
        """Leave a job for a seat."""
        table = {
            "seat": seat,
            "key": job.key,
            "slot": job.slot,
            "trial": str(job.assignment.file),
            "output": str(job.output),
            "environment": dict(job.environment),
            "argv": job.argv,
            "memory_bytes": job.memory_bytes,
        }
        write_atomically(self.folder / f"job-{job.key}", json.dumps(table))

    def take_back(self, key: int) -> bool:
        """Take a job back, unless its seat has it; whether that is done."""
        taken_back = self.folder / f"gone-{key}"
        with contextlib.suppress(FileNotFoundError):
            (self.folder / f"job-{key}").rename(taken_back)
        return taken_back.exists()

    def ask(self, key: int, asked: Asked) -> None:
        """Want something of a job."""
        write_atomically(self.folder / f"ask-{key}", json.dumps(asdict(asked)))

    def look(self) -> Mail:
        """What lies there now; one look tells of all jobs."""
        return Mail(frozenset(entry.name for entry in os.scandir(self.folder)))

    def has_exit(self, key: int) -> bool:
        """Whether the exit of a job is there."""
        return (self.folder / f"exit-{key}").exists()

    def take_exit(self, job: Job) -> tuple[Exit, bool]:
        """The exit of a job, whose files are gone with that, and whether its seat will be back for another one."""
        table = json.loads((self.folder / f"exit-{job.key}").read_text(encoding="utf-8"))
        for name in ("exit", "began", "ask"):
            (self.folder / f"{name}-{job.key}").unlink(missing_ok=True)
        ended = Exit(
            key=job.key,
            seconds=table["seconds"],
            status=table["status"],
            signal=table["signal"],
            is_out_of_memory=table["is_out_of_memory"],
            is_preempted=table["is_preempted"],
            ending=None if table["status"] == 0 else Ending.read(job.assignment.directory),
            tail=table["tail"],
        )
        return ended, table["is_back"]

    # The side of the seat

    def take(self, seat: str) -> Job | None:
        """The job that lies there for a seat; None when there is none."""
        for path in sorted(self.folder.glob("job-*")):
            with contextlib.suppress(FileNotFoundError):
                table = json.loads(path.read_text(encoding="utf-8"))
                if table["seat"] == seat:
                    path.rename(path.with_name(path.name.replace("job-", "began-")))
                    return _job_of(table)
        return None

    def unfinished(self, seat: str) -> Iterator[Job]:
        """Jobs that a seat took and that have no exit."""
        for path in self.folder.glob("began-*"):
            table = json.loads(path.read_text(encoding="utf-8"))
            if table["seat"] == seat and not self.has_exit(table["key"]):
                yield _job_of(table)

    def asked(self, key: int) -> Asked:
        """What the driver wants of a job."""
        try:
            return Asked(**json.loads((self.folder / f"ask-{key}").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Asked()

    def leave_exit(self, ended: Exit, seat: str, *, is_back: bool) -> None:
        """Leave the exit of a job; with ``is_back`` its seat will be back from the queue for another one."""
        table = {
            "seconds": ended.seconds,
            "status": ended.status,
            "signal": ended.signal,
            "is_out_of_memory": ended.is_out_of_memory,
            "is_preempted": ended.is_preempted,
            "is_back": is_back,
            "tail": ended.tail,
        }
        if is_back:
            (self.folder / f"back-{seat}").touch()
        write_atomically(self.folder / f"exit-{ended.key}", json.dumps(table))

    def is_back(self, seat: str) -> bool:
        """Whether a seat said that it would be back."""
        return (self.folder / f"back-{seat}").exists()


@dataclass(frozen=True, slots=True)
class Mail:
    """The files of a mailbox at one moment."""

    names: frozenset[str]

    def has_begun(self, key: int) -> bool:
        """Whether its seat has taken a job."""
        return f"began-{key}" in self.names

    def has_ended(self, key: int) -> bool:
        """Whether the exit of a job is there."""
        return f"exit-{key}" in self.names


def _job_of(table: Mapping[str, Any]) -> Job:
    assignment = Assignment.from_json(Path(table["trial"]).read_text(encoding="utf-8"))
    return Job(
        key=table["key"],
        slot=table["slot"],
        assignment=assignment,
        output=Path(table["output"]),
        environment=table["environment"],
        argv=tuple(table["argv"]) if table["argv"] is not None else None,
        memory_bytes=table["memory_bytes"],
    )

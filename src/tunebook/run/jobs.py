"""Job and Exit: what an executor is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from tunebook.core.objective import Objective
from tunebook.handle.assignment import Assignment
from tunebook.handle.ending import Ending
from tunebook.run.objective_curve import ObjectiveCurve

#: Lines and bytes of output that are kept with a failure.
TAIL_LINES = 20
TAIL_BYTES = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is the same for all jobs of a run.

    Exactly one of ``pipeline`` and ``is_command`` says how to train; ``function`` is the pipeline
    itself where the caller has it. ``token`` marks every process of the run in its environment.
    ``options`` are the executor's own; ``store`` is the address of a store that other machines reach
    as well, None for a file here. ``gpus`` is how many devices a trial wants where there are some.
    """

    project: Path
    workers: int
    token: str
    folder: Path
    pipeline: str | None = None
    function: Callable[..., Any] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    store: str | None = None
    objective: Objective | None = None
    gpus: int = 0
    memory_gib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt to be run in ``slot``; ``argv`` is the command, or None for the pipeline of the setup.

    ``environment`` is laid over the one of the run, ``memory_bytes`` limits each of its processes.
    """

    key: int
    slot: int
    assignment: Assignment
    output: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the process of one job ended: by a ``status``, by a ``signal``, or by neither when it was lost.

    ``is_out_of_memory``: the kernel killed a process for memory at that time. ``is_preempted``: its
    machine was taken away from it, which is nobody's fault. ``ending`` is the
    exception that training ended with, ``tail`` the last lines it printed. ``curve`` is there when
    whoever ran it stored its metrics itself, and then is what they say of the objective.
    """

    key: int
    seconds: float
    status: int | None = None
    signal: int | None = None
    is_out_of_memory: bool = False
    is_preempted: bool = False
    ending: Ending | None = None
    tail: str = ""
    curve: ObjectiveCurve | None = None

    @property
    def is_lost(self) -> bool:
        """Whether nobody knows how it ended."""
        return self.status is None and self.signal is None


Whereabouts: TypeAlias = Literal["queued", "files", "stored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What an executor knows of a job beyond its files.

    ``queued``: it waits for a place, so no time counts against it. ``files``: its metrics are in its
    folder, as with every job that runs here. ``stored``: whoever runs it stores them itself; ``n_rows``
    so far, of whose objective ``curve`` tells.
    """

    where: Whereabouts = "files"
    n_rows: int = 0
    curve: ObjectiveCurve | None = None


#: What there is to say of a job that runs on this machine.
HERE = News()
#: What there is to say of a job that nobody has begun yet.
QUEUED = News(where="queued")


class Executor(Protocol):
    """Where trials are run. Made from a ``Setup``; raises ``InputError`` when the pipeline cannot be run there.

    ``runs_here`` says that ``start`` trains in this process and returns when it is done.
    """

    runs_here: bool

    def start(self, job: Job) -> None:
        """Begin a job; there are never more at a time than the setup has workers."""

    def poll(self, timeout: float) -> list[Exit]:
        """Wait up to ``timeout`` seconds until a job ends; every exit is given once."""

    def news(self, key: int) -> News:
        """How a job that was started and whose exit was not given yet stands."""

    def stop(self, key: int, *, force: bool) -> None:
        """Ask a job to end, or with ``force`` end it with all its processes; its exit still comes by ``poll``."""

    def close(self) -> None:
        """End everything that is left."""


def tail_of(path: Path) -> str:
    """The last lines of an output file, bounded in number and length; empty when there are none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            text = file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-TAIL_LINES:]).strip()


def exit_of(job: Job, *, seconds: float, code: int | None, is_out_of_memory: bool = False) -> Exit:
    """The exit of a job from its return code as ``subprocess`` has it (negative: a signal; None: lost)."""
    is_fine = code == 0
    return Exit(
        key=job.key,
        seconds=seconds,
        status=code if code is not None and code >= 0 else None,
        signal=-code if code is not None and code < 0 else None,
        is_out_of_memory=is_out_of_memory,
        ending=None if is_fine else Ending.read(job.assignment.directory),
        tail="" if is_fine else tail_of(job.output),
    )

"""What takes statistics, in a process of its own: it takes seconds, and the page has to stay awake and small.

A child does one job after the other while they come, so that a page that asks for several loads the checks
and the round once. It ends by itself soon after, and what it needed of memory goes with it.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock
from typing import IO, TYPE_CHECKING, Any, Protocol

from tunebook.errors import TunebookError
from tunebook.project import Project
from tunebook.show.data.axes import Axis
from tunebook.show.data.marks import Mark
from tunebook.web.addresses import CLOSING

if TYPE_CHECKING:
    from tunebook.core.verdict import Verdict

#: Jobs at a time. A page asks for three when it opens; two leave something of a small machine to training.
MOST = 2
#: Bytes of the length in front of every question and every answer.
LENGTH = 8
#: Not ``-m``: what is pickled has to name the module, not ``__main__``.
CHILD = "from tunebook.web.jobs import main; main()"
JOBS: Mapping[str, str] = {
    "findings": "tunebook.web.jobs:findings_of",
    "diagnoses": "tunebook.web.jobs:diagnoses_of",
    "report": "tunebook.web.jobs:report_of",
    "comparison": "tunebook.web.jobs:comparison_of",
    "proposal": "tunebook.web.jobs:proposal_of",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the checks said: cards ready to show, marks on axes, axes of derived quantities."""

    cards: tuple[dict[str, Any], ...]
    marks: tuple[Mark, ...]
    derived: tuple[Axis, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnoses:
    """The labels of every trial's curves: trial -> ``{"labels": …, "scores": …, "best_step": …}``."""

    trials: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    material: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The verdict with its ``document`` for people, and the runs of configurations that ran several times.

    Without a verdict ``why_not`` says why.
    """

    verdict: Verdict | None
    document: Mapping[str, Any] | None
    repeats: tuple[dict[str, Any], ...]
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The design of the next round as text, what is different in it, what comes before it, what is left open."""

    design: str
    changes: tuple[dict[str, str], ...]
    first: tuple[str, ...]
    left: tuple[str, ...]


class Analyst(Protocol):
    """Does the job of this name for a round of a project under an objective."""

    def __call__(self, job: str, project: Project, round_name: str, objective: str | None, **more: str) -> Any:
        """What the job returns; ``InputError`` as it raised it."""


def function_of(job: str) -> Callable[..., Any]:
    """What does a job, loaded with everything it takes."""
    module, _, name = JOBS[job].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def inline(job: str, project: Project, round_name: str, objective: str | None, **more: str) -> Any:
    """The job, in this process."""
    return function_of(job)(project, round_name, objective, **more)


class Processes:
    """Does each job in a child process; ``close`` ends those that run."""

    def __init__(self) -> None:
        self._children: set[subprocess.Popen[bytes]] = set()
        self._idle: list[subprocess.Popen[bytes]] = []
        self._places = BoundedSemaphore(MOST)
        self._lock = Lock()
        self._is_closed = False

    def __call__(self, job: str, project: Project, round_name: str, objective: str | None, **more: str) -> Any:
        """The answer of a child; ``InputError`` as it raised it, ``TunebookError`` when it died."""
        # The address may hold a password: it goes through a pipe, not through the list of processes.
        task = {"job": job, "root": str(project.root), "store": project.store_url, "round": round_name}
        asked = json.dumps({**task, "objective": objective, "more": more}).encode()
        with self._places:
            result = self._asked(asked)
        if isinstance(result, TunebookError):
            raise result
        return result

    def _asked(self, asked: bytes) -> Any:
        child = self._rested()
        if child is not None:
            answer = self._answer(child, asked)
            if answer is not None:
                return pickle.loads(answer)
            self._ended(child)  # it had just ended by itself: that is no fault of this job
        child = self._started()
        answer = self._answer(child, asked)
        if answer is None:
            status = self._ended(child)
            raise TunebookError(CLOSING if self._is_closed else f"the checks ended early with status {status}")
        return pickle.loads(answer)

    def _rested(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            ended = [child for child in self._idle if child.poll() is not None]
            self._idle = [child for child in self._idle if child not in ended]
            chosen = self._idle.pop() if self._idle else None
        for child in ended:
            self._ended(child)
        return chosen

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_closed:
                raise TunebookError(CLOSING)
            # A group of its own: Ctrl-C at the terminal is for the server, which ends its children.
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
            )
            self._children.add(child)
            return child

    def _answer(self, child: subprocess.Popen[bytes], asked: bytes) -> bytes | None:
        """What the child answers; None when it ended instead."""
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            write_message(child.stdin, asked)
            answer = read_message(child.stdout)
        except (OSError, ValueError):  # ValueError: closed by ``close`` meanwhile
            return None
        if answer is not None:
            with self._lock:
                self._idle.append(child)
        return answer

    def _ended(self, child: subprocess.Popen[bytes]) -> int:
        """Put away a child that ended, or is about to; its status."""
        with self._lock:
            self._children.discard(child)
        return _put_away(child)

    def close(self) -> None:
        """End what runs."""
        with self._lock:
            self._is_closed = True
            children, self._children, self._idle = list(self._children), set(), []
        for child in children:
            child.kill()
            _put_away(child)


def _put_away(child: subprocess.Popen[bytes]) -> int:
    status = child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what could not be written to it
                continue
    return status


def write_message(pipe: IO[bytes], message: bytes) -> None:
    """One message with its length in front."""
    pipe.write(len(message).to_bytes(LENGTH, "little") + message)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> bytes | None:
    """The next message; None at the end of the pipe."""
    length = pipe.read(LENGTH)
    if len(length) < LENGTH:
        return None
    n_bytes = int.from_bytes(length, "little")
    message = pipe.read(n_bytes)
    return message if len(message) == n_bytes else None


def keep_own_output() -> IO[bytes]:
    """The pipe for answers; what anything else prints goes to standard error from now on."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own

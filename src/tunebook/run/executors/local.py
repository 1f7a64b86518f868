"""Local: a process per trial on this machine, forked from a preloaded parent (E2)."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from tunebook.errors import InputError, Problem, RunError
from tunebook.run import preload
from tunebook.run.executors.spawn import Spawn
from tunebook.run.jobs import HERE, Executor, Exit, Job, News, Setup, exit_of, tail_of
from tunebook.run.processes import die_with_parent, kill, kill_strays

PRELOAD_LOG = "preload.log"
#: A parent that dies this often without one trial having ended will not get better.
MAX_RESTARTS = 10
#: How long the parent has to end its children when it is told to.
CLOSE_SECONDS = 10.0

#: Pipelines defined in the main program cannot be imported by another one.
MAIN = "__main__:"


def can_fork() -> bool:
    """Whether a fork is cheap and safe here; on macOS system libraries do not survive one."""
    return hasattr(os, "fork") and sys.platform != "darwin"


class Local:
    """Forks trials where the platform can, and starts them afresh where not."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        self._inner: Executor = Forking(setup) if can_fork() else Spawn(setup)
        self.start = self._inner.start
        self.poll = self._inner.poll
        self.news = self._inner.news
        self.stop = self._inner.stop
        self.close = self._inner.close


@dataclass(slots=True)
class _Parent:
    """A running preloaded parent and the socket to it."""

    pid: int
    lines: preload.Lines
    process: subprocess.Popen[bytes] | None


class Forking:
    """Asks a preloaded parent for a child per job; starts another parent when the first one dies."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._jobs: dict[int, tuple[Job, float]] = {}
        self._ended: list[Exit] = []
        self._deaths = 0
        self._parent = self._launch()

    def start(self, job: Job) -> None:
        """Ask for a child."""
        self._jobs[job.key] = (job, time.monotonic())
        self._send(
            {
                "start": job.key,
                "trial": str(job.assignment.file),
                "output": str(job.output),
                "argv": job.argv,
                "environment": dict(job.environment),
                "memory": job.memory_bytes,
            }
        )

    def poll(self, timeout: float) -> list[Exit]:
        """Wait for the parent to report."""
        if not self._ended:
            self._wait(timeout)
        ended, self._ended = self._ended, []
        return ended

    def news(self, key: int) -> News:  # noqa: ARG002
        """Its files tell everything."""
        return HERE

    def stop(self, key: int, *, force: bool) -> None:
        """Signal the whole group of a job."""
        if key in self._jobs:
            self._send({"stop": key, "signal": int(signal.SIGKILL if force else signal.SIGTERM)})

    def close(self) -> None:
        """Close the socket, upon which the parent ends everything and itself."""
        self._parent.lines.channel.close()
        _await_end(self._parent)
        if self._jobs:
            kill_strays(self._setup.token)
            self._jobs.clear()

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._parent.lines.send(message)
        except OSError:
            self._replace_parent()

    def _wait(self, timeout: float) -> None:
        channel = self._parent.lines.channel
        ready, _, _ = select.select([channel], [], [], timeout)
        if not ready:
            return
        messages = self._parent.lines.receive()
        if messages is None:
            self._replace_parent()
            return
        self._ended.extend(self._exit(message) for message in messages if message["ended"] in self._jobs)

    def _exit(self, message: dict[str, Any]) -> Exit:
        job, _ = self._jobs.pop(message["ended"])
        self._deaths = 0
        return exit_of(job, seconds=message["seconds"], code=message["code"], is_out_of_memory=message["oom"])

    def _replace_parent(self) -> None:
        """The parent died and its children with it: all of them are lost, and nothing of them may live on."""
        self._deaths += 1
        self._parent.lines.channel.close()
        _await_end(self._parent)
        kill_strays(self._setup.token)
        now = time.monotonic()
        self._ended.extend(exit_of(job, seconds=now - began, code=None) for job, began in self._jobs.values())
        self._jobs.clear()
        if self._deaths > MAX_RESTARTS:
            log = self._setup.folder / PRELOAD_LOG
            raise RunError(f"the process that starts trials died {self._deaths} times in a row; see {log}")
        self._parent = self._launch()

    def _launch(self) -> _Parent:
        """A parent that is ready; one that is killed while it imports the pipeline is started again."""
        for _ in range(MAX_RESTARTS):
            is_main = (self._setup.pipeline or "").startswith(MAIN) and self._setup.function is not None
            parent = self._fork_here() if is_main else self._start_process()
            answer = self._ask(parent)
            if answer is not None and "error" not in answer:
                return parent
            parent.lines.channel.close()
            if _await_end(parent) != -signal.SIGKILL:
                break
        raise self._refusal(answer)

    def _ask(self, parent: _Parent) -> dict[str, Any] | None:
        first = {"pipeline": self._setup.pipeline, "project": str(self._setup.project), "path": sys.path}
        with contextlib.suppress(OSError):
            parent.lines.send(first)
        answer: dict[str, Any] | None = next(parent.lines.wait(), None)
        return answer

    def _refusal(self, answer: dict[str, Any] | None) -> InputError:
        if answer is not None:
            return InputError(Problem(key=tuple(key), message=message) for key, message in answer["error"])
        log = self._setup.folder / PRELOAD_LOG
        return InputError(f"importing {self._setup.pipeline} ended its process; its last output:\n{tail_of(log)}")

    def _start_process(self) -> _Parent:
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-m", preload.__name__, str(theirs.fileno()), str(os.getpid())]
        with theirs, (self._setup.folder / PRELOAD_LOG).open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._setup.environment},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return _Parent(process.pid, preload.Lines(ours), process)

    def _fork_here(self) -> _Parent:
        ours, theirs = socket.socketpair()
        tie, caller = die_with_parent(), os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            try:
                tie(caller)
                os.setsid()
                ours.close()
                os.environ.update(self._setup.environment)
                preload.serve(theirs, self._setup.function)
            finally:
                os._exit(0)
        theirs.close()
        return _Parent(pid, preload.Lines(ours), None)


def _await_end(parent: _Parent) -> int:
    """Wait for the parent's end, and force it when it takes too long; its return code."""
    deadline = time.monotonic() + CLOSE_SECONDS
    if parent.process is not None:
        try:
            return parent.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            parent.process.kill()
            return parent.process.wait()
    while time.monotonic() < deadline:
        pid, status = os.waitpid(parent.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    kill(parent.pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(parent.pid, 0)[1])

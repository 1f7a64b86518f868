"""Spawn: a process per trial that starts from nothing; for platforms on which a fork is not safe."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from tunebook.errors import InputError, Problem
from tunebook.run.jobs import HERE, Exit, Job, News, Setup, exit_of, tail_of
from tunebook.run.processes import MemoryKills, kill_group

CHILD_MODULE = "tunebook.run.child"
CHECK_LOG = "preload.log"


class Spawn:
    """Starts ``python -m tunebook.run.child`` or the command, with a thread that waits for each."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._ended: queue.SimpleQueue[Exit] = queue.SimpleQueue()
        self._memory_kills = MemoryKills()
        if setup.pipeline:
            self._check()

    def start(self, job: Job) -> None:
        """Start a process and a thread that waits for it."""
        environment = {**os.environ, **self._setup.environment, **job.environment}
        argv = job.argv if job.argv is not None and not job.memory_bytes else self._child(job)
        began = time.monotonic()
        with job.output.open("ab") as output:
            try:
                process = self._popen(argv, output, environment)
            except OSError as error:
                output.write(f"{argv[0]} cannot be run: {error.strerror}\n".encode())
                output.flush()
                self._ended.put(exit_of(job, seconds=0.0, code=127))
                return
        self._running[job.key] = process
        threading.Thread(target=self._wait_for, args=(job, process, began), daemon=True).start()

    def poll(self, timeout: float) -> list[Exit]:
        """Wait for the next exit, and take those that came with it."""
        try:
            ended = [self._ended.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._ended.empty():
            ended.append(self._ended.get())
        for one in ended:
            self._running.pop(one.key, None)
        return ended

    def news(self, key: int) -> News:  # noqa: ARG002
        """Its files tell everything."""
        return HERE

    def stop(self, key: int, *, force: bool) -> None:
        """Signal the group of a job; where there are no groups, its process."""
        process = self._running.get(key)
        if process is None or process.poll() is not None:
            return
        if os.name == "posix":
            kill_group(process.pid, signal.SIGKILL if force else signal.SIGTERM)
        elif force:
            process.kill()
        else:
            process.terminate()

    def close(self) -> None:
        """Kill what is left and wait for it."""
        for key, process in list(self._running.items()):
            self.stop(key, force=True)
            process.wait()
        self._running.clear()

    def _popen(self, argv: Any, output: Any, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            cwd=self._setup.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
        )

    def _child(self, job: Job) -> list[str]:
        return [*self._module(), str(job.memory_bytes or 0), str(job.assignment.file), *(job.argv or ())]

    def _module(self) -> list[str]:
        first = {"pipeline": self._setup.pipeline, "project": str(self._setup.project), "path": sys.path}
        return [sys.executable, "-m", CHILD_MODULE, str(os.getpid()), json.dumps(first)]

    def _wait_for(self, job: Job, process: subprocess.Popen[bytes], began: float) -> None:
        code = process.wait()
        if os.name == "posix":
            kill_group(process.pid, signal.SIGKILL)
        is_out_of_memory = code == -9 and self._memory_kills.take()
        self._ended.put(exit_of(job, seconds=time.monotonic() - began, code=code, is_out_of_memory=is_out_of_memory))

    def _check(self) -> None:
        """Import the pipeline once, so that a mistake shows before any trial starts."""
        log = self._setup.folder / CHECK_LOG
        answer = self._setup.folder / f"check-{os.getpid()}.json"
        with log.open("ab") as output:
            environment = {**os.environ, **self._setup.environment}
            process = self._popen([*self._module(), "check", str(answer)], output, environment)
            process.wait()
        try:
            problems: list[tuple[list[str], str]] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            words = f"importing {self._setup.pipeline} ended its process; its last output:\n{tail_of(log)}"
            raise InputError(words) from None
        finally:
            answer.unlink(missing_ok=True)
        if problems:
            raise InputError(Problem(key=tuple(key), message=message) for key, message in problems)

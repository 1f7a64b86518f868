"""The preloaded parent: a process that imports the pipeline once and forks a child for every trial.

It is started as ``python -m tunebook.run.preload FD`` and speaks JSON lines over the socket ``FD``::

    <- {"pipeline": "train.py:train", "project": "...", "path": [...]}      first line; pipeline may be null
    -> {"ready": true}  or  {"error": [[key, message], ...]}
    <- {"start": KEY, "trial": FILE, "output": FILE, "argv": [...], "environment": {...}, "memory": BYTES}
    <- {"stop": KEY, "signal": 15}
    -> {"ended": KEY, "code": 0, "seconds": 0.1, "oom": false}              code is negative for a signal

It imports no more than the pipeline does, so that a fork is cheap. When the socket closes it kills
what runs and ends; when it is killed, the kernel kills its children.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tunebook.errors import InputError
from tunebook.handle.assignment import Assignment
from tunebook.handle.current import running
from tunebook.handle.ending import Ending
from tunebook.handle.trial import Trial
from tunebook.run.pipeline import Train, load_pipeline
from tunebook.run.processes import MemoryKills, die_with_parent, kill_group, limit_memory
from tunebook.run.threads import hold_threads, release_threads

#: What a shell says for a command that is not there or cannot be run.
CANNOT_RUN = 127
RECEIVE_BYTES = 1 << 16


@dataclass(slots=True)
class Child:
    """A running trial."""

    key: int
    pid: int
    began: float


class Lines:
    """JSON lines over a socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._rest = b""

    def send(self, message: dict[str, Any]) -> None:
        """Send one message whole."""
        self._channel.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[Any] | None:
        """The messages of one read, which may be none yet; None when the other side is gone."""
        try:
            data = self._channel.recv(RECEIVE_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def wait(self) -> Iterator[Any]:
        """Messages as they come, until the other side is gone."""
        while (messages := self.receive()) is not None:
            yield from messages

    @property
    def channel(self) -> socket.socket:
        """The socket, for a selector."""
        return self._channel


class Preloaded:
    """The parent's loop: start what is asked for, report what ended."""

    def __init__(self, lines: Lines, train: Train | None, project: Path, threads: Mapping[str, str]) -> None:
        self._lines = lines
        self._train = train
        self._project = project
        self._threads = threads
        self._children: dict[int, Child] = {}
        self._memory_kills = MemoryKills()
        self._tie = die_with_parent()
        self._null = os.open(os.devnull, os.O_RDONLY)

    def serve(self) -> None:
        """Work until the runner closes the socket."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        selector = selectors.DefaultSelector()
        selector.register(self._lines.channel, selectors.EVENT_READ)
        selector.register(reader, selectors.EVENT_READ)
        # What is loaded by now is never garbage: leaving it alone keeps its pages shared with the children.
        gc.collect()
        gc.freeze()
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if reader in ready:
                os.read(reader, RECEIVE_BYTES)
                self._reap()
            if self._lines.channel in ready:
                messages = self._lines.receive()
                if messages is None:
                    break
                for message in messages:
                    self._handle(message)
        self._kill_all()

    def _handle(self, message: dict[str, Any]) -> None:
        if "start" in message:
            self._start(message)
            return
        for child in self._children.values():
            if child.key == message["stop"]:
                kill_group(child.pid, message["signal"])

    def _start(self, message: dict[str, Any]) -> None:
        parent = os.getpid()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._become(message, parent)
        self._children[pid] = Child(message["start"], pid, began)

    def _become(self, message: dict[str, Any], parent: int) -> NoReturn:
        code = 1
        try:
            self._tie(parent)
            os.setsid()
            _redirect(message["output"], self._null)
            _default_signals()
            self._lines.channel.close()
            release_threads(self._threads)
            for name, value in message["environment"].items():
                os.environ[name] = value
            if message.get("memory"):
                limit_memory(message["memory"])
            if message.get("argv"):
                run_command(message["argv"], self._project)
            assert self._train is not None
            code = run_function(self._train, Path(message["trial"]))
        except BaseException as error:
            print(f"tunebook could not start this trial: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            # The group is ended while its leader still holds the id, so that no stranger can have it.
            if found.si_pid in self._children:
                kill_group(found.si_pid, signal.SIGKILL)
            _, status = os.waitpid(found.si_pid, 0)
            child = self._children.pop(found.si_pid, None)
            if child is not None:
                self._report(child, os.waitstatus_to_exitcode(status))

    def _report(self, child: Child, code: int) -> None:
        is_out_of_memory = code == -signal.SIGKILL and self._memory_kills.take()
        seconds = time.monotonic() - child.began
        self._lines.send({"ended": child.key, "code": code, "seconds": seconds, "oom": is_out_of_memory})

    def _kill_all(self) -> None:
        for pid in self._children:
            kill_group(pid, signal.SIGKILL)


def run_function(train: Train, file: Path) -> int:
    """Train the trial that ``file`` describes; the exit status, with an ending left behind for an exception."""
    trial = Trial(Assignment.from_json(file.read_text(encoding="utf-8")))
    try:
        with running(trial):
            train(trial)
        code = 0
    except SystemExit as error:
        code = _status_of(error)
    except BaseException as error:
        ending = Ending.of(error)
        ending.write(trial.directory)
        print(ending.traceback, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def run_command(argv: list[str], project: Path) -> NoReturn:
    """Become the command; exit as a shell does when it cannot be run."""
    try:
        os.chdir(project)
        os.execvpe(argv[0], argv, os.environ)
    except OSError as error:
        os.write(2, f"{argv[0]} cannot be run: {error.strerror}\n".encode())
        os._exit(CANNOT_RUN)


def serve(channel: socket.socket, train: Train | None = None) -> None:
    """Answer the first line, then work until the other side is gone; ``train`` when the function is at hand."""
    lines = Lines(channel)
    settings = next(lines.wait(), None)
    if settings is None:
        return
    sys.path.extend(entry for entry in settings["path"] if entry not in sys.path)
    project = Path(settings["project"])
    threads = hold_threads()
    try:
        if train is None and settings["pipeline"]:
            train = load_pipeline(settings["pipeline"], project)
    except InputError as error:
        lines.send({"error": [[list(problem.key), problem.message] for problem in error.problems]})
        return
    lines.send({"ready": True})
    Preloaded(lines, train, project, threads).serve()


def _redirect(output: str, null: int) -> None:
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(null, 0)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def _default_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _status_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def main() -> None:
    """Serve on the socket whose number is the only argument."""
    die_with_parent()(int(sys.argv[2]))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()

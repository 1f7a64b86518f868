"""What a kernel knows: who is alive, who belongs to a run, who was killed for memory. Standard library only."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tunebook.store.values import Owner

#: Marks every process of a run in its environment, so that none can outlive the run unnoticed.
RUN_VARIABLE = "TUNEBOOK_RUN"

PROC = Path("/proc")
#: prctl(2): the signal a process gets when its parent dies.
PR_SET_PDEATHSIG = 1
#: Field of /proc/PID/stat, counted behind the name of the program: ticks from boot to the start.
START_FIELD = 19
#: Two readings of one start may differ by this much when the clock is adjusted.
SAME_START = timedelta(seconds=60)
#: Strays are looked for again until none is left, at most this often.
STRAY_ROUNDS = 50


def die_with_parent() -> Callable[[int], None]:
    """A function for a fresh child that ties its life to its parent's; loaded before the fork, called after.

    It takes the parent's process id and ends the child at once when that parent is gone already.
    """
    prctl = None
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tie(parent: int) -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def started_at(pid: int) -> datetime | None:
    """When the process began; None when there is none, or no /proc to ask."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime"))
    except (OSError, StopIteration):
        return None
    if fields[0] in ("Z", "X"):
        return None
    seconds = int(fields[START_FIELD]) / os.sysconf("SC_CLK_TCK") + int(boot.split()[1])
    return datetime.fromtimestamp(seconds, UTC)


def is_gone(owner: Owner) -> bool:
    """Whether the process ran on this machine and is known to have ended."""
    return owner.host == socket.gethostname() and not is_alive(owner.pid, owner.started)


def is_alive(pid: int, started: datetime) -> bool:
    """Whether the process that had ``pid`` and began at ``started`` still runs; when in doubt it does."""
    if PROC.joinpath("stat").exists():
        now = started_at(pid)
        return now is not None and abs(now - started) <= SAME_START
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def kill_strays(token: str) -> int:
    """Kill every process that carries ``token`` in its environment, until none is left; how many that were.

    Tokens that go on with ``-`` behind it belong to it.
    """
    killed: set[int] = set()
    for _ in range(STRAY_ROUNDS):
        found = [pid for pid in _marked(f"{RUN_VARIABLE}={token}".encode()) if pid != os.getpid()]
        if not found:
            break
        for pid in found:
            kill(pid, signal.SIGKILL)
        killed.update(found)
        time.sleep(0.01)
    return len(killed)


def kill(pid: int, number: int) -> None:
    """Send a signal; a process that is gone is fine."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the group that ``pid`` leads, or to ``pid`` alone before it leads one."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        kill(pid, number)
    except PermissionError:
        return


class MemoryKills:
    """Counts processes that the kernel killed because memory ran out, in our control group or the machine."""

    def __init__(self) -> None:
        self._source = _counter_file()
        self._seen = self._read()

    def take(self) -> bool:
        """Whether there was one that was not taken yet; it is taken with this."""
        if self._read() <= self._seen:
            return False
        self._seen += 1
        return True

    def _read(self) -> int:
        try:
            text = self._source.read_text() if self._source else ""
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)


def limit_memory(limit: int) -> None:
    """Let this process and what it becomes have ``limit`` bytes of data, so that more is a ``MemoryError``.

    On Linux that is RLIMIT_DATA, which leaves out address space that is only reserved: drivers of
    accelerators reserve far more than there is, and would not start under RLIMIT_AS.
    """
    import resource

    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    resource.setrlimit(kind, (limit, limit))


def _marked(mark: bytes) -> Iterator[int]:
    for folder in PROC.iterdir() if PROC.is_dir() else ():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "environ").read_bytes().split(b"\0")
            is_marked = any(word == mark or word.startswith(mark + b"-") for word in words)
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0] if is_marked else ""
        except OSError:
            continue
        if is_marked and state not in ("Z", "X"):
            yield int(folder.name)


def _counter_file() -> Path | None:
    try:
        line = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        line = ""
    group = Path("/sys/fs/cgroup") / line[3:].lstrip("/") / "memory.events"
    found = (path for path in (group, PROC / "vmstat") if path.exists())
    return next(found, None)

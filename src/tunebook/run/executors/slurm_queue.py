"""The queue of SLURM: which jobs there are, in which state, and taking them off it.

Without an accounting service SLURM forgets jobs; the queue is asked, not the accounting.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, TypeAlias

from tunebook.errors import InputError

#: States from which a job does not come back by itself.
OVER = re.compile(r"CANCELLED|COMPLETED|FAILED|TIMEOUT|OUT_OF_ME|DEADLINE|BOOT_FAIL|FINISHED|INTERRUPTED|GONE|REVOKED")
#: The state of a job that the queue does not list.
GONE = "GONE"
COMMAND_SECONDS = 60.0
#: How often somebody who waits asks SLURM, and looks at processes of his own.
ASK_SECONDS = 0.2
LOOK_SECONDS = 0.05


def is_over(state: str) -> bool:
    """Whether a job in this state does not come back by itself."""
    return OVER.match(state) is not None


class SlurmQueue:
    """What squeue, scancel and the logs of jobs say of the jobs of one ``name``."""

    cluster = "slurm"

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: dict[str, Any] = {}
        for program in ("sbatch", "squeue", "scancel", "srun"):
            if shutil.which(program) is None:
                raise InputError(f"there is no SLURM here: {program} is not on the PATH")
        _command(["squeue", "--noheader", "--name", name], must=True)

    def know(self, job_id: str, job: Any) -> None:
        """Remember what submitit made."""
        self._jobs[job_id] = job

    def states(self) -> dict[str, str]:
        """The state of every job of this run that SLURM remembers, by id."""
        lines = _command(
            ["squeue", "--noheader", "-r", "--states=all", "--name", self.name, "--format=%i|%T"], must=False
        )
        pairs = (line.strip().partition("|") for line in lines.splitlines())
        return {job_id: state for job_id, _, state in pairs}

    def cancel(self, ids: list[str]) -> None:
        """Take jobs off the queue and the nodes."""
        if ids:
            _command(["scancel", "--quiet", *ids], must=False)

    def wait_until_gone(self, ids: list[str]) -> None:
        """Until none of them runs any more, for a while."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while ids and time.monotonic() < deadline:
            lines = _command(["squeue", "--noheader", "-r", "--format=%i", "-j", ",".join(ids)], must=False)
            if not set(lines.split()) & set(ids):
                return
            time.sleep(ASK_SECONDS)

    def own(self, ids: list[str]) -> list[str]:
        """Whose end is to be waited for before leaving."""
        return ids

    def last_words(self, job_id: str) -> str:
        """The end of what the job itself printed."""
        return _last_words(self._jobs.get(job_id))


class LocalQueue:
    """The same for submitit's own processes on this machine: to try a set-up out, and for tests."""

    cluster = "local"

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: dict[str, Any] = {}

    def know(self, job_id: str, job: Any) -> None:
        """Remember what submitit made."""
        self._jobs[job_id] = job

    def states(self) -> dict[str, str]:
        """The state of every job of this run."""
        return {job_id: str(job.state) for job_id, job in self._jobs.items()}

    def cancel(self, ids: list[str]) -> None:
        """End processes."""
        for job_id in ids:
            if job_id in self._jobs and not is_over(str(self._jobs[job_id].state)):
                self._jobs[job_id].cancel()

    def wait_until_gone(self, ids: list[str]) -> None:
        """Until they ended."""
        deadline = time.monotonic() + COMMAND_SECONDS
        for job_id in ids:
            while job_id in self._jobs and not is_over(str(self._jobs[job_id].state)):
                if time.monotonic() > deadline:
                    return
                time.sleep(LOOK_SECONDS)

    def own(self, ids: list[str]) -> list[str]:  # noqa: ARG002
        """All of them: they are children of this process."""
        return list(self._jobs)

    def last_words(self, job_id: str) -> str:
        """The end of what the job itself printed."""
        return _last_words(self._jobs.get(job_id))


Queue: TypeAlias = SlurmQueue | LocalQueue
QUEUES: dict[str, type[SlurmQueue] | type[LocalQueue]] = {"slurm": SlurmQueue, "local": LocalQueue}


def open_queue(cluster: str, name: str) -> Queue:
    """The queue of the option ``cluster``, for jobs of one name; ``InputError`` when it is not there."""
    if cluster not in QUEUES:
        raise InputError(f"cluster = {cluster!r} is not accepted; accepted: {', '.join(QUEUES)}")
    return QUEUES[cluster](name)


def _command(words: list[str], *, must: bool) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=must)
    except (OSError, subprocess.SubprocessError) as error:
        if not must:
            return ""
        said = getattr(error, "stderr", "") or str(error)
        raise InputError(f"SLURM does not answer: {said.strip()}") from None
    return done.stdout


def _last_words(job: Any) -> str:
    try:
        lines = Path(job.paths.stderr).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except (OSError, AttributeError):
        return ""
    return lines[-1] if lines else ""

"""SLURM: every trial a job of an existing SLURM cluster, submitted by submitit (E2).

The nodes and the driver share the project's file system. A SLURM job is a *seat*: it takes the job that
lies in the mailbox for it, runs it through an agent, and leaves the exit there. When SLURM takes its node
away, the seat waits for the trial's next checkpoint, ends it and asks to be queued again; its trial becomes
another attempt, which the driver hands to the same seat, and which goes on from that checkpoint.

Files of the mailbox, each written whole: ``job-KEY`` becomes ``began-KEY`` when its seat takes it and
``gone-KEY`` when the driver takes it back, ``ask-KEY`` is what the driver wants, ``exit-KEY`` how it ended;
``back-SEAT`` says that a seat will be back from the queue.
Without an accounting service SLURM forgets jobs; the queue is asked, not the accounting.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from tunebook._optional import require
from tunebook.errors import InputError, RunError
from tunebook.handle.assignment import Assignment, write_atomically
from tunebook.handle.checkpoints import newest
from tunebook.handle.ending import Ending
from tunebook.run.agent import LAST_CHECKPOINT_SECONDS, Agent, Asked, Mark, Told
from tunebook.run.devices import thread_environment
from tunebook.run.executors.local import MAIN
from tunebook.run.executors.spawn import Spawn
from tunebook.run.jobs import HERE, Exit, Job, News, Setup, exit_of
from tunebook.run.options import Resources, whole
from tunebook.run.processes import is_alive, started_at
from tunebook.run.relay import apply

submitit = require("submitit")

QUEUED = News(where="queued")
FOLDER = "slurm-"
MAIL = "mail"
DRIVER = "driver.json"
IDS = "jobs.txt"
PULSE = "pulse"
DEFAULT_MINUTES = 24 * 60
DEFAULT_ARRAY = 500
#: SLURM warns a job this long before its time is up: time to reach a checkpoint and to leave.
WARN_SECONDS = int(LAST_CHECKPOINT_SECONDS) + 20
#: How often the queue is asked, how often the driver shows that it lives, and how long a seat goes on without that.
#: The last is shorter than a lease, so that the seat has ended when somebody else may take its trial.
QUEUE_SECONDS = 2.0
PULSE_SECONDS = 5.0
PULSELESS_SECONDS = 45.0
POLL_SECONDS = 0.05
#: A seat that is back from the queue waits this long for another job.
SEAT_SECONDS = 120.0
#: A job that was to be killed and lives on is cancelled after this.
FORCE_SECONDS = 5.0
#: A job may run into its limit of time this often and be queued again.
MOST_TIMEOUTS = 1000
COMMAND_SECONDS = 60.0
#: States from which a job does not come back by itself.
OVER = re.compile(r"CANCELLED|COMPLETED|FAILED|TIMEOUT|OUT_OF_ME|DEADLINE|BOOT_FAIL|FINISHED|INTERRUPTED|GONE|REVOKED")
DURATION = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


class Slurm:
    """Submits jobs as seats, as arrays where several begin together."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        if (setup.pipeline or "").startswith(MAIN):
            raise InputError(
                "a function of the main program cannot be sent to a cluster; put it into a file of the project and "
                "name it, as in pipeline = 'train.py:train'"
            )
        options = setup.options
        resources = Resources.read(options.get("resources"))
        self._array_size = whole("array_size", options.get("array_size", DEFAULT_ARRAY))
        Spawn(setup).close()  # a mistake in the pipeline shows here, and not after hours in the queue
        self._folder = setup.folder / f"{FOLDER}{setup.token}"
        self._mail = self._folder / MAIL
        self._queue = _queue(str(options.get("cluster", "slurm")), f"tunebook-{setup.token}")
        _end_orphans(setup.folder, self._queue)
        self._mark = Mark.leave(setup.folder, setup.token)
        threads = thread_environment(os.environ, 1, max(int(resources.cpus), 1))
        sent = replace(setup, function=None, store=None, options={}, environment={**threads, **setup.environment})
        self._order = (sent, self._mark)
        settings = _settings(self._queue.name, options, resources, setup)
        self._mail.mkdir(parents=True)
        self._folder.chmod(0o700)
        self._leave_identity()
        self._submitter = submitit.AutoExecutor(
            self._folder / "submitit", cluster=self._queue.cluster, slurm_max_num_timeout=MOST_TIMEOUTS
        )
        self._submitter.update_parameters(**settings)
        self._pending: list[Job] = []
        self._running: dict[int, _Running] = {}
        self._refused: list[Exit] = []
        self._free_seats: list[_Seated] = []
        self._pulse_at = self._asked_at = time.monotonic()
        self._states: dict[str, str] = {}

    def start(self, job: Job) -> None:
        """Put a job into the mailbox, for a seat that is back from the queue or a new one."""
        self._pending.append(job)

    def poll(self, timeout: float) -> list[Exit]:
        """Look into the mailbox until an exit is there."""
        self._submit()
        deadline = time.monotonic() + timeout
        while True:
            self._show_pulse()
            ended = self._exits()
            if ended or time.monotonic() >= deadline:
                return ended
            time.sleep(min(POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))

    def news(self, key: int) -> News:
        """Whether its seat has taken it."""
        if key in self._running and self._running[key].has_begun:
            return HERE
        return QUEUED

    def stop(self, key: int, *, force: bool) -> None:
        """Take a job back that no seat has taken, or ask its seat."""
        running = self._running.get(key)
        if running is None:
            return
        taken_back = self._mail / f"gone-{key}"
        with contextlib.suppress(FileNotFoundError):
            (self._mail / f"job-{key}").rename(taken_back)
        if taken_back.exists():
            running.is_taken_back = True
            self._queue.cancel([running.seat.id])
            return
        write_atomically(self._mail / f"ask-{key}", json.dumps({"stop": True, "kill": force}))
        if force and running.forced_at is None:
            running.forced_at = time.monotonic()

    def close(self) -> None:
        """Cancel every job that is left."""
        self._mark.file.unlink(missing_ok=True)
        ids = [one.seat.id for one in self._running.values()] + [seat.id for seat in self._free_seats]
        self._queue.cancel(ids)
        self._queue.wait_until_gone(self._queue.own(ids))
        shutil.rmtree(self._folder, ignore_errors=True)

    # Submitting

    def _submit(self) -> None:
        """Hand out what was started since: first to seats that wait, then to new ones in arrays."""
        while self._pending and self._free_seats:
            self._post(self._pending.pop(0), self._free_seats.pop(0))
        while self._pending:
            batch, self._pending = self._pending[: self._array_size], self._pending[self._array_size :]
            seats = [Seat(self._order, self._folder, f"{job.key}") for job in batch]
            for job in batch:
                self._write_job(job, f"{job.key}")
            try:
                with self._submitter.batch():
                    submitted = [self._submitter.submit(seat) for seat in seats]
            except Exception as error:
                refused, self._pending = [*batch, *self._pending], []
                self._refused += [exit_of(job, seconds=0.0, code=None) for job in refused]
                raise RunError(f"SLURM did not take the jobs: {_words(error)}") from error
            for job, seat, made in zip(batch, seats, submitted, strict=True):
                seated = _Seated(str(made.job_id), seat.name)
                self._queue.know(seated.id, made)
                self._running[job.key] = _Running(job, seated, time.monotonic())
            with (self._folder / IDS).open("a", encoding="utf-8") as file:
                file.writelines(f"{made.job_id}\n" for made in submitted)
            self._asked_at = time.monotonic()

    def _post(self, job: Job, seat: _Seated) -> None:
        self._running[job.key] = _Running(job, seat, time.monotonic())
        self._write_job(job, seat.name)

    def _write_job(self, job: Job, seat: str) -> None:
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
        write_atomically(self._mail / f"job-{job.key}", json.dumps(table))

    # Listening

    def _exits(self) -> list[Exit]:
        names = {entry.name for entry in os.scandir(self._mail)}
        ended, self._refused = self._refused, []
        for key, running in list(self._running.items()):
            if running.is_taken_back:
                del self._running[key]
                ended.append(exit_of(running.job, seconds=0.0, code=None))
            elif not running.has_begun and f"began-{key}" in names:
                running.has_begun = True
            if f"exit-{key}" in names:
                ended.append(self._exit(running, json.loads((self._mail / f"exit-{key}").read_text(encoding="utf-8"))))
        return ended + self._lost()

    def _exit(self, running: _Running, table: Mapping[str, Any]) -> Exit:
        job = running.job
        del self._running[job.key]
        for name in ("exit", "began", "ask"):
            (self._mail / f"{name}-{job.key}").unlink(missing_ok=True)
        if table["is_back"]:
            self._free_seats.append(running.seat)
        return Exit(
            key=job.key,
            seconds=table["seconds"],
            status=table["status"],
            signal=table["signal"],
            is_out_of_memory=table["is_out_of_memory"],
            is_preempted=table["is_preempted"],
            ending=None if table["status"] == 0 else Ending.read(job.assignment.directory),
            tail=table["tail"],
        )

    def _lost(self) -> list[Exit]:
        """Exits of jobs that are over for SLURM and left none."""
        now = time.monotonic()
        if now - self._asked_at < QUEUE_SECONDS or not (self._running or self._free_seats):
            return []
        self._asked_at = now
        self._states = self._queue.states()
        self._free_seats = [seat for seat in self._free_seats if not self._is_over(seat)]
        ended = []
        for key, running in list(self._running.items()):
            if running.forced_at is not None and now - running.forced_at > FORCE_SECONDS:
                self._queue.cancel([running.seat.id])
            if not self._is_over(running.seat):
                running.is_suspect = False
            elif not running.is_suspect:
                running.is_suspect = True  # what it left may not be seen here yet; the next look decides
            elif not (self._mail / f"exit-{key}").exists():
                del self._running[key]
                ended.append(self._lost_exit(running, now))
        return ended

    def _lost_exit(self, running: _Running, now: float) -> Exit:
        state = self._states.get(running.seat.id, "GONE")
        lost = exit_of(running.job, seconds=now - running.began, code=None)
        log = self._queue.last_words(running.seat.id)
        words = f"SLURM says of job {running.seat.id}: {state}{f'; {log}' if log else ''}"
        if state.startswith("OUT_OF_ME"):
            return replace(lost, signal=int(signal.SIGKILL), is_out_of_memory=True)
        return replace(lost, tail=f"{words}\n{lost.tail}".strip())

    def _is_over(self, seat: _Seated) -> bool:
        return OVER.match(self._states.get(seat.id, "GONE")) is not None

    def _show_pulse(self) -> None:
        now = time.monotonic()
        if now - self._pulse_at > PULSE_SECONDS:
            self._pulse_at = now
            write_atomically(self._folder / PULSE, repr(now))

    def _leave_identity(self) -> None:
        pid = os.getpid()
        began = started_at(pid)
        table = {"host": os.uname().nodename, "pid": pid, "started": began.isoformat() if began else ""}
        write_atomically(self._folder / DRIVER, json.dumps(table))
        write_atomically(self._folder / PULSE, "begun")


@dataclass(frozen=True, slots=True)
class _Seated:
    """A SLURM job by its id, and the name of its seat."""

    id: str
    name: str


@dataclass(slots=True)
class _Running:
    """A job in the hands of a seat."""

    job: Job
    seat: _Seated
    began: float
    has_begun: bool = False
    is_taken_back: bool = False
    is_suspect: bool = False
    forced_at: float | None = None


# The side of the node


@dataclass(slots=True)
class Seat:
    """What submitit runs in a SLURM job; called again when the job is back from the queue."""

    order: tuple[Setup, Mark]
    folder: Path
    name: str
    is_leaving: bool = field(default=False, repr=False)
    is_terminated: bool = field(default=False, repr=False)

    def __call__(self) -> None:
        """Run the one job that lies in the mailbox."""
        self.is_leaving = self.is_terminated = False
        requeue = signal.getsignal(signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, self._leave)
        signal.signal(signal.SIGTERM, self._terminate)
        self._report_lost()
        job = self._take()
        if job is None:
            return
        try:
            agent = self._agent()
        except InputError as error:
            self._write_exit(exit_of(job, seconds=0.0, code=1), tail=str(error))
            return
        try:
            told = agent.run(job, _Listener(self, job))
        finally:
            agent.close()
        for change in told.changes:
            apply(job.assignment.directory.parent, change)
        assert told.ended is not None
        is_back = self.is_leaving and callable(requeue)
        self._write_exit(told.ended, is_back=is_back)
        if is_back and callable(requeue):
            signal.signal(signal.SIGUSR2, requeue)
            requeue(signal.SIGUSR2, None)  # submitit's: has SLURM queue this job again, and exits

    def _agent(self) -> Agent:
        """An agent whose processes do not get the warning, which SLURM sends to all processes of a job."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        try:
            return Agent(*self.order)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])

    def checkpoint(self) -> Any:
        """For submitit: the same again."""
        return submitit.helpers.DelayedSubmission(self)

    @property
    def mail(self) -> Path:
        """The mailbox."""
        return self.folder / MAIL

    def _leave(self, _number: int, _frame: object) -> None:
        self.is_leaving = True

    def _terminate(self, _number: int, _frame: object) -> None:
        """SLURM ends all processes of the job, the trial among them: no fault of the trial."""
        self.is_terminated = True

    def _report_lost(self) -> None:
        """SLURM started this job again by itself: what it ran before was lost with its node."""
        for path in self.mail.glob("began-*"):
            table = json.loads(path.read_text(encoding="utf-8"))
            if table["seat"] == self.name and not (self.mail / f"exit-{table['key']}").exists():
                lost = exit_of(_job_of(table), seconds=0.0, code=None)
                self._write_exit(replace(lost, tail="SLURM took it off its node and queued it again"), is_back=True)

    def _take(self) -> Job | None:
        """The job for this seat; one that said it would be back waits for it. None when none comes."""
        is_awaited = (self.mail / f"back-{self.name}").exists()
        deadline = time.monotonic() + (SEAT_SECONDS if is_awaited else 0.0)
        while not self.is_leaving:
            for path in sorted(self.mail.glob("job-*")):
                with contextlib.suppress(FileNotFoundError):
                    table = json.loads(path.read_text(encoding="utf-8"))
                    if table["seat"] == self.name:
                        path.rename(path.with_name(path.name.replace("job-", "began-")))
                        return _job_of(table)
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS * 2)
        return None

    def _write_exit(self, ended: Exit, *, is_back: bool = False, tail: str | None = None) -> None:
        table = {
            "seconds": ended.seconds,
            "status": ended.status,
            "signal": ended.signal,
            "is_out_of_memory": ended.is_out_of_memory,
            "is_preempted": (self.is_leaving or self.is_terminated) and ended.status != 0,
            "is_back": is_back,
            "tail": ended.tail if tail is None else tail,
        }
        if is_back:
            (self.mail / f"back-{self.name}").touch()
        write_atomically(self.mail / f"exit-{ended.key}", json.dumps(table))


class _Listener:
    """What an agent under SLURM tells goes into the project's folder; what is wanted comes from the mailbox."""

    def __init__(self, seat: Seat, job: Job) -> None:
        self._seat = seat
        self._job = job
        self._pulse = ""
        self._pulse_at = time.monotonic()
        self._leave_by: float | None = None
        self._last_step = -1

    def __call__(self, word: Told) -> Asked:
        for change in word.changes:
            apply(self._job.assignment.directory.parent, change)
        asked = self._asked()
        if asked.stop:
            return asked
        return Asked(stop=self._has_to_leave() or self._is_orphan())

    def _asked(self) -> Asked:
        try:
            return Asked(**json.loads((self._seat.mail / f"ask-{self._job.key}").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Asked()

    def _has_to_leave(self) -> bool:
        """Whether SLURM wants the node back, and the trial has had its time to reach another checkpoint."""
        if not self._seat.is_leaving:
            return False
        found = newest(self._job.assignment.checkpoints)
        step = found[0] if found is not None else -1
        if self._leave_by is None:
            self._leave_by = time.monotonic() + LAST_CHECKPOINT_SECONDS
            self._last_step = step
        return step > self._last_step or time.monotonic() > self._leave_by

    def _is_orphan(self) -> bool:
        """Whether the driver has not shown that it lives for too long, by this machine's clock."""
        try:
            pulse = (self._seat.folder / PULSE).read_text(encoding="utf-8")
        except OSError:
            pulse = self._pulse
        now = time.monotonic()
        if pulse != self._pulse:
            self._pulse, self._pulse_at = pulse, now
        return now - self._pulse_at > PULSELESS_SECONDS


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


# The queue


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
            time.sleep(0.2)

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
            if job_id in self._jobs and not OVER.match(str(self._jobs[job_id].state)):
                self._jobs[job_id].cancel()

    def wait_until_gone(self, ids: list[str]) -> None:
        """Until they ended."""
        deadline = time.monotonic() + COMMAND_SECONDS
        for job_id in ids:
            while job_id in self._jobs and not OVER.match(str(self._jobs[job_id].state)):
                if time.monotonic() > deadline:
                    return
                time.sleep(POLL_SECONDS)

    def own(self, ids: list[str]) -> list[str]:  # noqa: ARG002
        """All of them: they are children of this process."""
        return list(self._jobs)

    def last_words(self, job_id: str) -> str:
        """The end of what the job itself printed."""
        return _last_words(self._jobs.get(job_id))


Queue: TypeAlias = SlurmQueue | LocalQueue
QUEUES: dict[str, type[SlurmQueue] | type[LocalQueue]] = {"slurm": SlurmQueue, "local": LocalQueue}


def _queue(cluster: str, name: str) -> Queue:
    if cluster not in QUEUES:
        raise InputError(f"cluster = {cluster!r} is not accepted; accepted: {', '.join(QUEUES)}")
    return QUEUES[cluster](name)


def _settings(name: str, options: Mapping[str, Any], resources: Resources, setup: Setup) -> dict[str, Any]:
    """What submitit is told about every job."""
    memory = resources.memory_gib or setup.memory_gib
    gpus = resources.gpus if resources.gpus is not None else 0
    given: dict[str, Any] = {
        "name": name,
        "timeout_min": minutes(options.get("time", DEFAULT_MINUTES)),
        "cpus_per_task": max(int(resources.cpus), 1),
        "slurm_signal_delay_s": WARN_SECONDS,
        "slurm_array_parallelism": setup.workers,
        "slurm_additional_parameters": {"requeue": True, "kill-on-invalid-dep": "yes"},
    }
    if resources.custom:
        names = ", ".join(resources.custom)
        raise InputError(f"resources: SLURM has no {names} of its own; ask for generic resources with --gres")
    optional = {
        "slurm_partition": options.get("partition"),
        "slurm_gres": options.get("gres"),
        "mem_gb": memory,
        "gpus_per_node": int(gpus) or None,
    }
    return given | {key: value for key, value in optional.items() if value is not None}


def minutes(given: object) -> int:
    """A limit of time as SLURM writes it: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS; rounded up."""
    match = DURATION.fullmatch(str(given).strip())
    if match is None:
        raise InputError(f"time = {given!r} is not accepted; accepted: minutes, or [D-]HH:MM:SS")
    days, *parts = match.groups()
    first, second, third = (int(part) if part else 0 for part in parts)
    if days is not None:
        seconds = ((int(days) * 24 + first) * 60 + second) * 60 + third
    elif parts[2] is not None:
        seconds = (first * 60 + second) * 60 + third
    else:
        seconds = first * 60 + second
    if seconds < 60:
        raise InputError(f"time = {given!r} is not accepted; accepted: at least a minute")
    return -(-seconds // 60)


def _end_orphans(folder: Path, queue: Queue) -> None:
    """Cancel what runs on this machine that died left in the queue: their trials are to be run again."""
    for left in folder.glob(f"{FOLDER}*/{DRIVER}"):
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


def _words(error: BaseException) -> str:
    said = str(getattr(error, "stderr", "") or error).strip().splitlines()
    return said[-1] if said else type(error).__name__

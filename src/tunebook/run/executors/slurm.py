"""SLURM: every trial a job of an existing SLURM cluster, submitted by submitit (E2).

The nodes and the driver share the project's file system. A SLURM job is a *seat*: it takes the job that
lies in the mailbox for it, runs it through an agent, and leaves the exit there. When SLURM takes its node
away, the trial becomes another attempt, which the driver hands to the same seat once it is back from the
queue, and which goes on from the last checkpoint.
"""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass, replace
from typing import Any

from tunebook._optional import require
from tunebook.errors import RunError
from tunebook.run.agent import Asked, Mark
from tunebook.run.executors.elsewhere import check_can_be_sent, setup_to_send
from tunebook.run.executors.slurm_mail import POLL_SECONDS, Mailbox
from tunebook.run.executors.slurm_options import parameters
from tunebook.run.executors.slurm_pulse import Pulse, driver_folder, end_orphans
from tunebook.run.executors.slurm_queue import GONE, is_over, open_queue
from tunebook.run.executors.slurm_seat import Seat
from tunebook.run.executors.spawn import Spawn
from tunebook.run.jobs import HERE, QUEUED, Exit, Job, News, Setup, exit_of
from tunebook.run.options import Resources, whole

submitit = require("submitit")

MAIL = "mail"
DEFAULT_ARRAY = 500
#: How often the queue is asked.
QUEUE_SECONDS = 2.0
#: A job that was to be killed and lives on is cancelled after this.
FORCE_SECONDS = 5.0
#: A job may run into its limit of time this often and be queued again.
MOST_TIMEOUTS = 1000


class Slurm:
    """Submits jobs as seats, as arrays where several begin together."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        check_can_be_sent(setup)
        options = setup.options
        resources = Resources.read(options.get("resources"))
        self._array_size = whole("array_size", options.get("array_size", DEFAULT_ARRAY))
        Spawn(setup).close()  # a mistake in the pipeline shows here, and not after hours in the queue
        self._folder = driver_folder(setup.folder, setup.token)
        self._queue = open_queue(str(options.get("cluster", "slurm")), f"tunebook-{setup.token}")
        end_orphans(setup.folder, self._queue)
        settings = parameters(self._queue.name, options, resources, setup)  # refuses what it does not understand
        self._mark = Mark.leave(setup.folder, setup.token)
        self._order = (replace(setup_to_send(setup, resources), store=None, options={}), self._mark)
        self._mail = Mailbox(self._folder / MAIL)
        self._mail.folder.mkdir(parents=True)
        self._folder.chmod(0o700)
        self._pulse = Pulse(self._folder)
        self._submitter = submitit.AutoExecutor(
            self._folder / "submitit", cluster=self._queue.cluster, slurm_max_num_timeout=MOST_TIMEOUTS
        )
        self._submitter.update_parameters(**settings)
        self._pending: list[Job] = []
        self._running: dict[int, _Running] = {}
        self._refused: list[Exit] = []
        self._free_seats: list[_Seated] = []
        self._asked_at = time.monotonic()
        self._states: dict[str, str] = {}

    def start(self, job: Job) -> None:
        """Put a job into the mailbox, for a seat that is back from the queue or a new one."""
        self._pending.append(job)

    def poll(self, timeout: float) -> list[Exit]:
        """Look into the mailbox until an exit is there."""
        self._submit()
        deadline = time.monotonic() + timeout
        while True:
            self._pulse.show()
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
        if self._mail.take_back(key):
            running.is_taken_back = True
            self._queue.cancel([running.seat.id])
            return
        self._mail.ask(key, Asked(stop=True, kill=force))
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
            seats = [Seat(self._order, self._folder, self._mail, f"{job.key}") for job in batch]
            for job, seat in zip(batch, seats, strict=True):
                self._mail.post(job, seat.name)
            try:
                with self._submitter.batch():
                    submitted = [self._submitter.submit(_Submission(seat)) for seat in seats]
            except Exception as error:
                refused, self._pending = [*batch, *self._pending], []
                self._refused += [exit_of(job, seconds=0.0, code=None) for job in refused]
                raise RunError(f"SLURM did not take the jobs: {_words(error)}") from error
            for job, seat, made in zip(batch, seats, submitted, strict=True):
                seated = _Seated(str(made.job_id), seat.name)
                self._queue.know(seated.id, made)
                self._running[job.key] = _Running(job, seated, time.monotonic())
            self._pulse.note(str(made.job_id) for made in submitted)
            self._asked_at = time.monotonic()

    def _post(self, job: Job, seat: _Seated) -> None:
        self._running[job.key] = _Running(job, seat, time.monotonic())
        self._mail.post(job, seat.name)

    # Listening

    def _exits(self) -> list[Exit]:
        mail = self._mail.look()
        ended, self._refused = self._refused, []
        for key, running in list(self._running.items()):
            if running.is_taken_back:
                del self._running[key]
                ended.append(exit_of(running.job, seconds=0.0, code=None))
            elif not running.has_begun and mail.has_begun(key):
                running.has_begun = True
            if mail.has_ended(key):
                ended.append(self._exit(running))
        return ended + self._lost()

    def _exit(self, running: _Running) -> Exit:
        del self._running[running.job.key]
        ended, is_back = self._mail.take_exit(running.job)
        if is_back:
            self._free_seats.append(running.seat)
        return ended

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
            elif not self._mail.has_exit(key):
                del self._running[key]
                ended.append(self._lost_exit(running, now))
        return ended

    def _lost_exit(self, running: _Running, now: float) -> Exit:
        state = self._states.get(running.seat.id, GONE)
        lost = exit_of(running.job, seconds=now - running.began, code=None)
        log = self._queue.last_words(running.seat.id)
        words = f"SLURM says of job {running.seat.id}: {state}{f'; {log}' if log else ''}"
        if state.startswith("OUT_OF_ME"):
            return replace(lost, signal=int(signal.SIGKILL), is_out_of_memory=True)
        return replace(lost, tail=f"{words}\n{lost.tail}".strip())

    def _is_over(self, seat: _Seated) -> bool:
        return is_over(self._states.get(seat.id, GONE))


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


@dataclass(frozen=True, slots=True)
class _Submission:
    """What submitit is handed: a seat, and the same again when its job is back from the queue."""

    seat: Seat

    def __call__(self) -> None:
        self.seat()

    def checkpoint(self) -> Any:
        """For submitit: what to queue again."""
        return submitit.helpers.DelayedSubmission(self)


def _words(error: BaseException) -> str:
    said = str(getattr(error, "stderr", "") or error).strip().splitlines()
    return said[-1] if said else type(error).__name__

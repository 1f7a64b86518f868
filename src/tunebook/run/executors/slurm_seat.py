"""Seat: the side of the node; runs in a SLURM job the trial that lies in the mailbox for it.

When SLURM takes its node away, the seat waits for the trial's next checkpoint, ends it and asks to be queued
again; its trial becomes another attempt, which the driver hands to the same seat.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from tunebook.errors import InputError
from tunebook.handle.checkpoints import newest
from tunebook.run.agent import LAST_CHECKPOINT_SECONDS, Agent, Asked, Mark, Told
from tunebook.run.executors.slurm_mail import POLL_SECONDS, Mailbox
from tunebook.run.executors.slurm_pulse import PulseWatch
from tunebook.run.jobs import Exit, Job, Setup, exit_of
from tunebook.run.relay import apply

#: A seat that is back from the queue waits this long for another job.
SEAT_SECONDS = 120.0


@dataclass(slots=True)
class Seat:
    """What runs in a SLURM job; called again when the job is back from the queue."""

    order: tuple[Setup, Mark]
    folder: Path
    mail: Mailbox
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
            self._leave_exit(replace(exit_of(job, seconds=0.0, code=1), tail=str(error)))
            return
        try:
            told = agent.run(job, _Listener(self, job))
        finally:
            agent.close()
        for change in told.changes:
            apply(job.assignment.directory.parent, change)
        assert told.ended is not None
        is_back = self.is_leaving and callable(requeue)
        self._leave_exit(told.ended, is_back=is_back)
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

    def _leave(self, _number: int, _frame: object) -> None:
        self.is_leaving = True

    def _terminate(self, _number: int, _frame: object) -> None:
        """SLURM ends all processes of the job, the trial among them: no fault of the trial."""
        self.is_terminated = True

    def _report_lost(self) -> None:
        """SLURM started this job again by itself: what it ran before was lost with its node."""
        for job in self.mail.unfinished(self.name):
            lost = exit_of(job, seconds=0.0, code=None)
            self._leave_exit(replace(lost, tail="SLURM took it off its node and queued it again"), is_back=True)

    def _take(self) -> Job | None:
        """The job for this seat; one that said it would be back waits for it. None when none comes."""
        deadline = time.monotonic() + (SEAT_SECONDS if self.mail.is_back(self.name) else 0.0)
        while not self.is_leaving:
            job = self.mail.take(self.name)
            if job is not None:
                return job
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS * 2)
        return None

    def _leave_exit(self, ended: Exit, *, is_back: bool = False) -> None:
        is_preempted = (self.is_leaving or self.is_terminated) and ended.status != 0
        self.mail.leave_exit(replace(ended, is_preempted=is_preempted), self.name, is_back=is_back)


class _Listener:
    """What an agent under SLURM tells goes into the project's folder; what is wanted comes from the mailbox."""

    def __init__(self, seat: Seat, job: Job) -> None:
        self._seat = seat
        self._job = job
        self._pulse = PulseWatch(seat.folder)
        self._leave_by: float | None = None
        self._last_step = -1

    def __call__(self, word: Told) -> Asked:
        for change in word.changes:
            apply(self._job.assignment.directory.parent, change)
        asked = self._seat.mail.asked(self._job.key)
        if asked.stop:
            return asked
        return Asked(stop=self._has_to_leave() or self._pulse.is_pulseless())

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

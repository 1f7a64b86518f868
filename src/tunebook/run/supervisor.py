"""The loop of a run: claim, start, listen, renew, end. Decisions are in ``schedule`` and ``outcome``."""

from __future__ import annotations

import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.core.round import Round
from tunebook.errors import InputError, Interrupted, LeaseLost
from tunebook.run import schedule
from tunebook.run.attempts import Attempt, prepare, stored_curve
from tunebook.run.clock import Clock
from tunebook.run.devices import slot_environment
from tunebook.run.events import Best, OnEvent, Progress, TrialEnded, TrialStarted, Warned
from tunebook.run.ingest import Buffer
from tunebook.run.jobs import Executor, Exit
from tunebook.run.outcome import ObjectiveCurve, Retry, judge, no_objective_words
from tunebook.run.processes import is_alive, kill_strays
from tunebook.store.store import Store
from tunebook.store.values import Claim, Owner

#: Outcomes wait this long for others, so that many short trials share a transaction.
BATCH_SECONDS = 0.05
LARGEST_BATCH = 32
#: Weight of the newest trial in the mean time of a trial, while that is what the next ones are expected to take.
NEWEST_WEIGHT = 0.2


class StopRequest:
    """Heard signals: the first asks to end, the second to end at once."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def listening(self, *, keep_interrupt: bool) -> Iterator[None]:
        """Hear SIGINT (unless it is to interrupt this process's own code) and SIGTERM; main thread only."""
        numbers = [signal.SIGTERM] if keep_interrupt else [signal.SIGINT, signal.SIGTERM]
        if threading.current_thread() is not threading.main_thread():
            numbers = []
        before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


@dataclass(slots=True)
class _Ended:
    """A trial whose outcome is to be written with the next batch."""

    attempt: Attempt
    outcome: Outcome
    seconds: float
    curve: ObjectiveCurve


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Carries one round out with one executor; ``run`` returns when every trial has ended."""

    store: Store
    name: str
    design: Round
    project: Path
    executor: Executor
    owner: Owner
    devices: tuple[tuple[str, ...], ...]
    environment: dict[str, str]
    provenance: str
    on_event: OnEvent
    clock: Clock
    best: Best | None = None
    n_ended: int = 0
    stop: StopRequest = field(default_factory=StopRequest)
    _buffer: Buffer = field(init=False)
    _sweeper: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _running: dict[int, Attempt] = field(default_factory=dict)
    _waiting: deque[Claim] = field(default_factory=deque)
    _free: list[int] = field(default_factory=list)
    _ended: list[_Ended] = field(default_factory=list)
    _first_unwritten: float = 0.0
    _losses: Counter[str] = field(default_factory=Counter)
    _mean_seconds: float | None = None
    _has_objective: bool = False
    _is_drained: bool = False

    def __post_init__(self) -> None:
        self._buffer = Buffer(self.store)

    def run(self) -> None:
        """Run until no trial is left; ``Interrupted`` after a stop, ``InputError`` without an objective."""
        self._free = list(range(len(self.devices)))[::-1]
        self._recover()
        try:
            with self.stop.listening(keep_interrupt=self.executor.runs_here):
                self._loop()
        except KeyboardInterrupt:
            self.stop.count += 1
        finally:
            self._end_all()
        if self.stop.count:
            raise Interrupted("stopped; the same command goes on where it was")

    def _loop(self) -> None:
        tick, renew, look = self._timers()
        while not self.stop.count:
            self._fill()
            is_idle = not self._running
            if is_idle and not self._ended and self._is_drained and look.is_due(self.clock.monotonic()):
                if schedule.is_over(self.store.counts(self.name)):
                    break
                self._recover()
                self._is_drained = False
            self._take(self.executor.poll(0.0 if is_idle and self._ended else self._wait()))
            now = self.clock.monotonic()
            if tick.is_due(now):
                self._listen()
                self._tell()
            if renew.is_due(now):
                self._renew()
            self._end_hung(now)
        self._write_outcomes()
        self._tell()

    def _timers(self) -> tuple[schedule.Timer, schedule.Timer, schedule.Timer]:
        now = self.clock.monotonic()
        periods = (schedule.TICK_SECONDS, schedule.RENEW_SECONDS, schedule.IDLE_SECONDS)
        tick, renew, look = (schedule.Timer(every, now) for every in periods)
        look.last -= look.every
        return tick, renew, look

    def _wait(self) -> float:
        return schedule.wait_seconds(self.design.run, bool(self._running))

    # Starting

    def _fill(self) -> None:
        """Give every free slot a trial."""
        while self._free and not self.stop.count:
            if not self._waiting and not self._claim():
                return
            self._start(self._waiting.popleft())

    def _claim(self) -> bool:
        """Claim trials for the free slots; whether there were any."""
        if self._is_drained:
            return False
        limit = schedule.n_to_claim(len(self._free), len(self._waiting), len(self.devices), self._mean_seconds)
        lease = schedule.INLINE_LEASE_SECONDS if self.executor.runs_here else schedule.LEASE_SECONDS
        claims = self.store.claim(
            self.name,
            owner=self.owner,
            limit=limit,
            now=self.clock.now(),
            lease_seconds=lease,
            provenance=self.provenance,
        )
        self._waiting.extend(claims)
        self._is_drained = not claims
        return bool(claims)

    def _start(self, claim: Claim) -> None:
        slot = self._free.pop()
        environment = slot_environment(self.devices[slot])
        now = self.clock.monotonic()
        attempt = prepare(self.store, self._buffer, claim, self.design, self.project, slot, environment, now)
        self._running[claim.attempt_key] = attempt
        self.on_event(
            TrialStarted(
                trial=claim.spec.id,
                study=claim.spec.study,
                config=attempt.job.assignment.config,
                attempt=claim.attempt,
                slot=slot,
                start_step=attempt.start_step,
            )
        )
        self.executor.start(attempt.job)

    # Listening

    def _listen(self) -> None:
        """Store what the running trials logged since."""
        for attempt in list(self._running.values()):
            self._hear(attempt)
        self._send_curves()

    def _hear(self, attempt: Attempt, *, is_last: bool = False) -> None:
        n_rows = attempt.ingest.drain() if is_last else attempt.ingest.pump()
        if n_rows:
            attempt.heard = self.clock.monotonic()
        for message in attempt.warnings:
            self.on_event(Warned(trial=attempt.claim.spec.id, message=message))
        attempt.warnings.clear()

    def _send_curves(self) -> None:
        for key in self._buffer.flush():
            if key in self._running:
                self._abandon(self._running[key])

    def _renew(self) -> None:
        held = self.store.renew(self.owner.id, now=self.clock.now(), lease_seconds=schedule.LEASE_SECONDS)
        for key, attempt in self._running.items():
            if key not in held:
                self._abandon(attempt)
        self._waiting = deque(claim for claim in self._waiting if claim.attempt_key in held)

    def _abandon(self, attempt: Attempt) -> None:
        """Another runner has this trial now: end the attempt and write nothing more for it."""
        if not attempt.is_abandoned:
            attempt.is_abandoned = True
            self.executor.stop(attempt.claim.attempt_key, force=True)

    def _end_hung(self, now: float) -> None:
        for key, attempt in self._running.items():
            if attempt.hung is None and self._looks_hung(attempt, now):
                attempt.hung = schedule.hung(self.design.run, now, attempt.began, attempt.heard)
                self._end_softly(key, attempt, now)
            elif attempt.stopped_at is not None:
                self._end_firmly(key, attempt, now)

    def _looks_hung(self, attempt: Attempt, now: float) -> bool:
        """Whether a limit is over, also after listening once more."""
        if schedule.hung(self.design.run, now, attempt.began, attempt.heard) is None:
            return False
        self._hear(attempt)
        return schedule.hung(self.design.run, now, attempt.began, attempt.heard) is not None

    def _end_softly(self, key: int, attempt: Attempt, now: float) -> None:
        if attempt.stopped_at is None:
            attempt.stopped_at = now
            self.executor.stop(key, force=False)

    def _end_firmly(self, key: int, attempt: Attempt, now: float) -> None:
        assert attempt.stopped_at is not None
        if not attempt.is_forced and now - attempt.stopped_at > schedule.GRACE_SECONDS:
            attempt.is_forced = True
            self.executor.stop(key, force=True)

    # Ending

    def _take(self, exits: list[Exit]) -> None:
        """Free the slots of what ended, start the next, and only then do the paperwork."""
        ended = [(self._running.pop(one.key), one) for one in exits if one.key in self._running]
        self._free.extend(attempt.job.slot for attempt, _ in ended)
        while ended and self._free and self._waiting and not self.stop.count:
            self._start(self._waiting.popleft())
        for attempt, one in ended:
            self._conclude(attempt, one)
        if self._ended and (not ended or self._is_batch_full()):
            self._write_outcomes()

    def _is_batch_full(self) -> bool:
        age = self.clock.monotonic() - self._first_unwritten
        return age > BATCH_SECONDS or len(self._ended) >= LARGEST_BATCH

    def _conclude(self, attempt: Attempt, ended: Exit) -> None:
        self._hear(attempt, is_last=True)
        if attempt.is_abandoned:
            self._close(attempt)
            self._told(attempt, ended.seconds, released="taken over")
            return
        curve = attempt.curve
        if attempt.start_step > 0:
            self._send_curves()
            curve = stored_curve(self.store.snapshot(self.name), attempt.claim.spec.id, curve)
        judged = self._judged(attempt, ended, curve)
        if isinstance(judged, Retry):
            self._close(attempt)
            self._release(attempt.claim, judged)
            self._told(attempt, ended.seconds, released=judged.reason)
            return
        if not self._ended:
            self._first_unwritten = self.clock.monotonic()
        self._ended.append(_Ended(attempt, judged, ended.seconds, curve))
        self._note_seconds(ended.seconds)
        if judged.cause is Cause.NO_OBJECTIVE and not self._has_objective:
            self._write_outcomes()
            raise InputError(no_objective_words(curve))
        self._has_objective = self._has_objective or curve.n_points > 0

    def _judged(self, attempt: Attempt, ended: Exit, curve: ObjectiveCurve) -> Outcome | Retry:
        why, limit = attempt.hung or (None, None)
        losses = self._losses[attempt.claim.spec.id]
        self._losses[attempt.claim.spec.id] += ended.is_lost
        return judge(
            ended,
            curve,
            hung=why,
            limit_seconds=limit,
            mishaps=attempt.claim.mishaps,
            losses=losses,
            retries=self.design.run.retries,
        )

    def _close(self, attempt: Attempt) -> None:
        """All that an ended attempt logged is in the store from now on, and its files are gone."""
        self._send_curves()
        attempt.ingest.discard()

    def _release(self, claim: Claim, retry: Retry) -> None:
        self._is_drained = False
        try:
            self.store.release(claim, reason=retry.reason, detail=retry.detail, now=self.clock.now())
        except LeaseLost:
            return

    def _write_outcomes(self) -> None:
        batch, self._ended = self._ended, []
        if not batch:
            return
        self._send_curves()
        rows = [(one.attempt.claim, one.outcome, one.seconds) for one in batch]
        try:
            self.store.finish_many(rows, now=self.clock.now())
            written = batch
        except LeaseLost:
            written = [one for one, row in zip(batch, rows, strict=True) if self._wrote(row)]
        for one in batch:
            # Freeing a file's blocks can wait for the disk, and the next trial need not.
            self._sweeper.submit(one.attempt.ingest.discard)
        for one in written:
            self.n_ended += 1
            self._consider(one)

    def _wrote(self, row: tuple[Claim, Outcome, float]) -> bool:
        try:
            self.store.finish_many([row], now=self.clock.now())
        except LeaseLost:
            return False
        return True

    def _consider(self, one: _Ended) -> None:
        spec = one.attempt.claim.spec
        value, step = one.curve.score
        is_complete = one.outcome.status is Status.COMPLETE
        before = float("nan") if self.best is None else self.best.value
        if is_complete and self.design.objective.is_better(value, before):
            self.best = Best(trial=spec.id, study=spec.study, value=value, step=step)
        known = value if is_complete and step >= 0 else None
        self._told(one.attempt, one.seconds, outcome=one.outcome, value=known)

    def _told(
        self,
        attempt: Attempt,
        seconds: float,
        *,
        outcome: Outcome | None = None,
        released: str | None = None,
        value: float | None = None,
    ) -> None:
        spec = attempt.claim.spec
        self.on_event(
            TrialEnded(
                trial=spec.id,
                study=spec.study,
                attempt=attempt.claim.attempt,
                seconds=seconds,
                outcome=outcome,
                released=released,
                value=value,
            )
        )

    def _note_seconds(self, seconds: float) -> None:
        if self._mean_seconds is None:
            self._mean_seconds = seconds
        self._mean_seconds += NEWEST_WEIGHT * (seconds - self._mean_seconds)

    def _tell(self) -> None:
        counts = self.store.counts(self.name)
        eta = schedule.eta_seconds(counts, self._mean_seconds, len(self.devices))
        self.on_event(Progress(counts=counts, running_here=len(self._running), best=self.best, eta_seconds=eta))

    # Stopping and recovering

    def _end_all(self) -> None:
        """End what still runs, keep what it logged, and give the trials back."""
        self._write_outcomes()
        began = self.clock.monotonic()
        for key, attempt in self._running.items():
            self._end_softly(key, attempt, began)
        while self._running:
            now = self.clock.monotonic()
            for key, attempt in self._running.items():
                if self.stop.count > 1:
                    attempt.stopped_at = now - schedule.GRACE_SECONDS - 1
                self._end_firmly(key, attempt, now)
            for ended in self.executor.poll(schedule.WAIT_SECONDS):
                attempt = self._running.pop(ended.key)
                self._hear(attempt, is_last=True)
                self._close(attempt)
                self._give_back(attempt.claim)
                self._told(attempt, ended.seconds, released="stopped")
        for claim in self._waiting:
            self._give_back(claim)
        self._waiting.clear()
        self._sweeper.shutdown()

    def _give_back(self, claim: Claim) -> None:
        try:
            self.store.release(claim, reason="stopped", now=self.clock.now())
        except LeaseLost:
            return

    def _recover(self) -> None:
        """Take back the trials of runners on this machine that died, after ending what they left running.

        What their trials logged is stored when the next attempt begins.
        """
        owners = {lease.owner for lease in self.store.leases(self.name)}
        dead = [owner for owner in owners if owner.host == self.owner.host and not self._lives(owner)]
        for owner in dead:
            kill_strays(owner.id)
        if dead:
            self.store.expire([owner.id for owner in dead], now=self.clock.now())

    def _lives(self, owner: Owner) -> bool:
        return owner.id == self.owner.id or is_alive(owner.pid, owner.started)

"""The loop of a run: claim, start, listen, renew, end. Decisions are in ``schedule`` and ``outcome``."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.errors import Interrupted
from tunebook.run import schedule
from tunebook.run.attempts import Attempt, prepare
from tunebook.run.clock import Clock
from tunebook.run.devices import slot_environment
from tunebook.run.events import OnEvent, Progress, TrialStarted, Warned
from tunebook.run.jobs import Executor, Exit
from tunebook.run.paperwork import Paperwork
from tunebook.run.recovery import recover
from tunebook.run.stopping import StopRequest, abandon, end_firmly, end_softly
from tunebook.store.store import Store
from tunebook.store.values import Claim, Owner


class Refill(Protocol):
    """A search that goes on from what trials show: given a number it adds up to so many, and says how many (X1)."""

    def __call__(self, n: int, /) -> int: ...

    def n_to_come(self, n_trials: int, /) -> int:
        """How many it may still add where the round has ``n_trials``."""


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
    provenance: str
    paperwork: Paperwork
    on_event: OnEvent
    clock: Clock
    refill: Refill | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    _running: dict[int, Attempt] = field(default_factory=dict)
    _waiting: deque[Claim] = field(default_factory=deque)
    _resting: list[tuple[float, Claim]] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _is_drained: bool = False

    def run(self) -> None:
        """Run until no trial is left; ``Interrupted`` after a stop, ``InputError`` without an objective."""
        self._free = list(range(len(self.devices)))[::-1]
        try:
            with self._patient():
                self._recover()
            with self._patient(), self.stop.listening(keep_interrupt=self.executor.runs_here):
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
            is_idle, is_waiting = not (self._running or self._resting), self.paperwork.is_waiting
            if is_idle and not is_waiting and self._is_drained and look.is_due(self.clock.monotonic()):
                if schedule.is_over(self.store.counts(self.name)):
                    break
                self._recover()
                self._is_drained = False
            self._take(self.executor.poll(0.0 if is_idle and is_waiting else self._wait()))
            now = self.clock.monotonic()
            if tick.is_due(now):
                self._listen()
                self._tell()
            if renew.is_due(now):
                self._renew()
            self._end_hung(now)
        self.paperwork.write()
        self._tell()

    def _timers(self) -> tuple[schedule.Timer, schedule.Timer, schedule.Timer]:
        now = self.clock.monotonic()
        periods = (schedule.TICK_SECONDS, schedule.RENEW_SECONDS, schedule.IDLE_SECONDS)
        tick, renew, look = (schedule.Timer(every, now) for every in periods)
        look.last -= look.every
        return tick, renew, look

    def _patient(self) -> AbstractContextManager[None]:
        """A server that restarts or is out of reach is waited for, until somebody asks to stop."""
        told = schedule.Timer(schedule.TELL_WAIT_SECONDS, float("-inf"))

        def on_wait(words: str) -> bool:
            if told.is_due(self.clock.monotonic()):
                self.on_event(Warned(trial=self.name, message=words))
            return not self.stop.count

        return self.store.patient(schedule.PATIENCE_SECONDS, on_wait)

    def _wait(self) -> float:
        wait = schedule.wait_seconds(self.design.run, bool(self._running))
        rest = min((ready_at for ready_at, _ in self._resting), default=None)
        return wait if rest is None else min(wait, max(rest - self.clock.monotonic(), 0.0))

    def _recover(self) -> None:
        recover(self.store, self.name, self.owner, self.clock.now())

    # Starting

    def _fill(self) -> None:
        """Give every free slot a trial."""
        self._wake()
        while self._free and not self.stop.count:
            while not self._waiting:
                if not self._claim():
                    return
            self._start(self._waiting.popleft())

    def _wake(self) -> None:
        """Trials that rested long enough are next."""
        now = self.clock.monotonic()
        self._waiting.extendleft(claim for ready_at, claim in self._resting if ready_at <= now)
        self._resting = [one for one in self._resting if one[0] > now]

    def _rest(self, claims: Sequence[Claim]) -> None:
        """Trials that were killed or lost before wait, the longer the more often that was."""
        now = self.clock.monotonic()
        for claim in claims:
            pause = schedule.pause_seconds(claim.mishaps + claim.losses)
            if pause > 0:
                self._resting.append((now + pause, claim))
            else:
                self._waiting.append(claim)

    def _claim(self) -> bool:
        """Claim trials for the free slots; whether there were any."""
        if self._is_drained:
            return False
        self._refill()
        mean = self.paperwork.mean_seconds
        claims = self.store.claim(
            self.name,
            owner=self.owner,
            limit=schedule.n_to_claim(len(self._free), len(self._waiting), len(self.devices), mean),
            now=self.clock.now(),
            lease_seconds=schedule.INLINE_LEASE_SECONDS if self.executor.runs_here else schedule.LEASE_SECONDS,
            provenance=self.provenance,
        )
        self._rest(claims)
        self._is_drained = not claims
        return bool(claims)

    def _refill(self) -> None:
        """Have trials added where none waits for a free slot; what ended so far is in the store by then."""
        if self.refill is None:
            return
        self.paperwork.write()
        lacking = len(self._free) - len(self._waiting) - self.store.counts(self.name)[Status.PENDING]
        if lacking > 0:
            self.refill(lacking)

    def _start(self, claim: Claim) -> None:
        slot = self._free.pop()
        environment = slot_environment(self.devices[slot])
        now = self.clock.monotonic()
        attempt = prepare(self.store, self.paperwork.buffer, claim, self.design, self.project, slot, environment, now)
        if attempt.losses.is_poison:
            self._free.append(slot)
            self.paperwork.conclude(attempt, Exit(key=claim.attempt_key, seconds=0.0))
            return
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

    # While they run

    def _listen(self) -> None:
        """Store what the running trials logged since."""
        for attempt in list(self._running.values()):
            self._hear(attempt)
        self.paperwork.send_curves()
        self._abandon_refused()

    def _hear(self, attempt: Attempt) -> None:
        """Take in what there is of one attempt, wherever its metrics are."""
        news = self.executor.news(attempt.claim.attempt_key)
        if news.where == "files":
            self.paperwork.hear(attempt)
        else:
            attempt.learn(news, self.clock.monotonic())

    def _renew(self) -> None:
        held = self.store.renew(self.owner.id, now=self.clock.now(), lease_seconds=schedule.LEASE_SECONDS)
        for key, attempt in self._running.items():
            if key not in held:
                abandon(self.executor, attempt)
        self._waiting = deque(claim for claim in self._waiting if claim.attempt_key in held)
        self._resting = [one for one in self._resting if one[1].attempt_key in held]

    def _abandon_refused(self) -> None:
        for key in self.paperwork.refused & self._running.keys():
            abandon(self.executor, self._running[key])
        self.paperwork.refused.clear()

    def _end_hung(self, now: float) -> None:
        for attempt in self._running.values():
            if attempt.hung is None and self._looks_hung(attempt, now):
                attempt.hung = schedule.hung(self.design.run, now, attempt.began, attempt.heard)
                end_softly(self.executor, attempt, now)
            elif attempt.stopped_at is not None:
                end_firmly(self.executor, attempt, now)

    def _looks_hung(self, attempt: Attempt, now: float) -> bool:
        """Whether a limit is over, also after listening once more."""
        if schedule.hung(self.design.run, now, attempt.began, attempt.heard) is None:
            return False
        self._hear(attempt)
        return schedule.hung(self.design.run, now, attempt.began, attempt.heard) is not None

    def _tell(self) -> None:
        counts = dict(self.store.counts(self.name))
        if self.refill is not None:
            counts[Status.PENDING] += self.refill.n_to_come(sum(counts.values()))
        eta = schedule.eta_seconds(counts, self.paperwork.mean_seconds, len(self.devices))
        best = self.paperwork.best
        self.on_event(Progress(counts=counts, running_here=len(self._running), best=best, eta_seconds=eta))

    # Ending

    def _take(self, exits: list[Exit]) -> None:
        """Free the slots of what ended, start the next, and only then do the paperwork."""
        ended = [(self._running.pop(one.key), one) for one in exits if one.key in self._running]
        self._free.extend(attempt.job.slot for attempt, _ in ended)
        while ended and self._free and self._waiting and not self.stop.count:
            self._start(self._waiting.popleft())
        for attempt, one in ended:
            if self.paperwork.conclude(attempt, one) or self.refill is not None:
                self._is_drained = False
        if not ended or self.paperwork.is_due:
            self.paperwork.write()
        self._abandon_refused()

    def _end_all(self) -> None:
        """End what still runs, keep what it logged, and give the trials back."""
        self.paperwork.write()
        began = self.clock.monotonic()
        for attempt in self._running.values():
            end_softly(self.executor, attempt, began)
        while self._running:
            now = self.clock.monotonic()
            for attempt in self._running.values():
                end_firmly(self.executor, attempt, now, at_once=self.stop.count > 1)
            for ended in self.executor.poll(schedule.WAIT_SECONDS):
                self.paperwork.stopped(self._running.pop(ended.key), ended)
        for claim in (*self._waiting, *(claim for _, claim in self._resting)):
            self.paperwork.give_back(claim)
        self._waiting.clear()
        self._resting.clear()
        self.paperwork.close()

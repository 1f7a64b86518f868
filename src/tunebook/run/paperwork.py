"""Paperwork: what is heard of trials and how they ended, on its way into the store in batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.core.round import Round
from tunebook.errors import InputError, LeaseLost
from tunebook.run.attempts import Attempt, stored_curve
from tunebook.run.clock import Clock
from tunebook.run.events import Best, OnEvent, TrialEnded, Warned
from tunebook.run.ingest import Buffer
from tunebook.run.jobs import Exit
from tunebook.run.objective_curve import ObjectiveCurve
from tunebook.run.outcome import Retry, judge, no_objective_words
from tunebook.store.store import Store
from tunebook.store.values import Claim, EndReason

#: Outcomes wait this long for others, so that many short trials share a transaction.
BATCH_SECONDS = 0.05
LARGEST_BATCH = 32
#: Weight of the newest trial in the mean time of a trial, while that is what the next ones are expected to take.
NEWEST_WEIGHT = 0.2


@dataclass(slots=True)
class _Ended:
    """A trial whose outcome is to be written with the next batch."""

    attempt: Attempt
    outcome: Outcome
    seconds: float
    curve: ObjectiveCurve


@dataclass(slots=True, kw_only=True)
class Paperwork:
    """Writes down what the trials of one round log and how they end. It starts and stops nothing.

    ``refused`` are attempts whose rows the store did not take, since somebody else ended their trial.
    """

    store: Store
    name: str
    design: Round
    on_event: OnEvent
    clock: Clock
    best: Best | None = None
    n_ended: int = 0
    mean_seconds: float | None = None
    refused: set[int] = field(default_factory=set)
    buffer: Buffer = field(init=False)
    _ended: list[_Ended] = field(default_factory=list)
    _first_unwritten: float = 0.0
    _has_objective: bool = False
    _sweeper: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def __post_init__(self) -> None:
        self.buffer = Buffer(self.store)

    @property
    def is_waiting(self) -> bool:
        """Whether there are outcomes that are not written yet."""
        return bool(self._ended)

    @property
    def is_due(self) -> bool:
        """Whether the outcomes have waited long enough, or are many."""
        age = self.clock.monotonic() - self._first_unwritten
        return self.is_waiting and (age > BATCH_SECONDS or len(self._ended) >= LARGEST_BATCH)

    # What is heard

    def hear(self, attempt: Attempt, *, is_last: bool = False) -> None:
        """Take in what an attempt logged since; with ``is_last`` its process has ended."""
        n_rows = attempt.ingest.drain() if is_last else attempt.ingest.pump()
        if n_rows:
            attempt.heard = self.clock.monotonic()
        for message in attempt.warnings:
            self.on_event(Warned(trial=attempt.claim.spec.id, message=message))
        attempt.warnings.clear()

    def send_curves(self) -> None:
        """Store all that was heard."""
        self.refused |= self.buffer.flush()

    # How it ended

    def conclude(self, attempt: Attempt, ended: Exit) -> bool:
        """Judge an attempt whose process ended; whether its trial is to be run again.

        ``InputError`` when the first trial of a run never logged the objective: no other will.
        """
        self._hear_last(attempt, ended)
        if ended.curve is not None:
            attempt.curve = ended.curve
        if attempt.is_abandoned:
            self._close(attempt)
            self._tell(attempt, ended.seconds, released="taken over")
            return False
        curve = self._whole_curve(attempt)
        judged = self._judged(attempt, ended, curve)
        if isinstance(judged, Retry):
            self._close(attempt, may_be_alive=ended.is_lost)
            self._give_back(attempt.claim, judged.reason, judged.detail)
            self._tell(attempt, ended.seconds, released=judged.reason)
            return True
        if judged.cause is Cause.NO_OBJECTIVE and self.design.purpose.is_final:
            judged = Outcome.complete()  # it is there for the test set, whatever else it logs
        if judged.cause is Cause.NO_OBJECTIVE and not self._has_objective:
            # Most likely a slip in the design, which is no fault of the trial: it runs again once that is mended.
            self._close(attempt)
            self.give_back(attempt.claim)
            self.write()
            raise InputError(no_objective_words(curve))
        self._note(_Ended(attempt, judged, ended.seconds, curve))
        self._has_objective = self._has_objective or curve.n_points > 0
        return False

    def stopped(self, attempt: Attempt, ended: Exit) -> None:
        """Keep what a stopped attempt logged and give its trial back."""
        self._hear_last(attempt, ended)
        self._close(attempt, may_be_alive=ended.is_lost)
        self.give_back(attempt.claim)
        self._tell(attempt, ended.seconds, released="stopped")

    def give_back(self, claim: Claim) -> None:
        """The trial of a claim is pending again, because somebody stopped the run."""
        self._give_back(claim, "stopped", "")

    def write(self) -> None:
        """Write the outcomes that wait, with all their rows before them."""
        batch, self._ended = self._ended, []
        if not batch:
            return
        self.send_curves()
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

    def close(self) -> None:
        """Wait until the files of written trials are gone."""
        self._sweeper.shutdown()

    def _whole_curve(self, attempt: Attempt) -> ObjectiveCurve:
        """The objective over all attempts at the trial."""
        if attempt.start_step == 0:
            return attempt.curve
        self.send_curves()
        return stored_curve(self.store.snapshot(self.name), attempt.claim.spec.id, attempt.curve)

    def _judged(self, attempt: Attempt, ended: Exit, curve: ObjectiveCurve) -> Outcome | Retry:
        why, limit = attempt.hung or (None, None)
        return judge(
            ended,
            curve,
            hung=why,
            limit_seconds=limit,
            mishaps=attempt.claim.mishaps,
            losses=attempt.losses.after(has_begun=attempt.has_begun),
            retries=self.design.run.retries,
        )

    def _note(self, one: _Ended) -> None:
        if not self._ended:
            self._first_unwritten = self.clock.monotonic()
        self._ended.append(one)
        if self.mean_seconds is None:
            self.mean_seconds = one.seconds
        self.mean_seconds += NEWEST_WEIGHT * (one.seconds - self.mean_seconds)

    def _hear_last(self, attempt: Attempt, ended: Exit) -> None:
        if ended.is_lost:
            self.hear(attempt)  # with a journal, since its files may grow after this
        self.hear(attempt, is_last=True)

    def _close(self, attempt: Attempt, *, may_be_alive: bool = False) -> None:
        """All that an ended attempt logged is in the store from now on, and its files are gone.

        With ``may_be_alive`` they stay for the next attempt: a process that was lost sight of may log some more and
        make a checkpoint after that, and what leads up to a checkpoint must not be missing.
        """
        self.send_curves()
        if may_be_alive:
            attempt.ingest.close()
        else:
            attempt.ingest.discard()

    def _give_back(self, claim: Claim, reason: EndReason, detail: str) -> None:
        try:
            self.store.release(claim, reason=reason, detail=detail, now=self.clock.now())
        except LeaseLost:
            return

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
        self._tell(one.attempt, one.seconds, outcome=one.outcome, value=known)

    def _tell(
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

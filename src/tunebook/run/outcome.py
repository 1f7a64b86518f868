"""From how a process ended and what it logged to how its trial ended. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Outcome
from tunebook.evidence import FloatArray, IntArray
from tunebook.handle.ending import says_out_of_memory, shortened
from tunebook.run.jobs import Exit
from tunebook.run.spools import Names

HungWhy: TypeAlias = Literal["silent", "too_long"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The attempt ended without an outcome for its trial; ``reason`` is the store's word for why."""

    reason: Literal["killed", "hung", "lost"]
    detail: str


@dataclass(slots=True)
class ObjectiveCurve:
    """What is known of the objective's curve of one trial, in constant memory.

    ``last`` is the value at the highest step; of several at one step the one logged last.
    """

    objective: Objective
    n_points: int = 0
    n_finite: int = 0
    last_step: int = -1
    last: float = float("nan")
    metrics: set[str] = field(default_factory=set)
    _best: tuple[float, int] = (float("nan"), -1)
    _recent: dict[int, float] = field(default_factory=dict)

    def add(self, names: Names, steps: IntArray, values: FloatArray) -> None:
        """Take in rows in the order they were logged; ``values`` has shape (n, len(names))."""
        self.metrics.update(names)
        if self.objective.metric not in names or not len(steps):
            return
        column = values[:, names.index(self.objective.metric)]
        self.n_points += len(column)
        self.n_finite += int(np.isfinite(column).sum())
        newest = len(steps) - 1 - int(np.argmax(steps[::-1]))
        if steps[newest] >= self.last_step:
            self.last_step, self.last = int(steps[newest]), float(column[newest])
        self._reduce(steps, column)

    @property
    def score(self) -> tuple[float, int]:
        """The objective and the step it was reached at; (NaN, -1) when it is not finite."""
        kind = self.objective.reduction.kind
        if kind == "best":
            return self._best
        recent = sorted(self._recent.items())
        if kind == "at":
            recent = [point for point in recent if point[0] <= self.objective.reduction.number]
        n_averaged = self.objective.reduction.number if kind == "last" else 1
        values = [value for _, value in recent[-n_averaged:]]
        if not values or not np.isfinite(values).all():
            return float("nan"), -1
        return float(np.mean(values)), recent[-1][0]

    def _reduce(self, steps: IntArray, column: FloatArray) -> None:
        kind, number = self.objective.reduction.kind, self.objective.reduction.number
        if kind == "best":
            keys = np.where(np.isfinite(column), self.objective.sign * column, np.inf)
            best = int(np.argmin(keys))
            if self.objective.is_better(float(column[best]), self._best[0]):
                self._best = float(column[best]), int(steps[best])
            return
        if kind == "at":
            steps, column = steps[steps <= number], column[steps <= number]
        n_kept = number if kind == "last" else 1
        # Only the newest points can matter; of several at one step the one logged last.
        for place in np.argsort(steps, kind="stable")[-4 * n_kept :]:
            self._recent[int(steps[place])] = float(column[place])
        for step in sorted(self._recent)[:-n_kept]:
            del self._recent[step]

    @property
    def is_diverged(self) -> bool:
        """Whether it was logged and ended non-finite, or never was finite."""
        return self.n_points > 0 and not np.isfinite(self.last)


def judge(
    ended: Exit,
    curve: ObjectiveCurve,
    *,
    hung: HungWhy | None = None,
    limit_seconds: float | None = None,
    mishaps: int = 0,
    losses: int = 0,
    retries: int = 0,
) -> Outcome | Retry:
    """The outcome of the trial, or that it is to be started again.

    ``hung`` says why the runner ended it itself, after ``limit_seconds``. ``mishaps`` counts earlier
    attempts that were killed or hung, ``losses`` those that were lost; ``retries`` is how many are allowed.
    """
    if hung is not None:
        return _hung(hung, limit_seconds or 0.0, ended, mishaps < retries)
    if ended.is_lost:
        return _again("lost", Cause.LOST, "the process that ran it vanished", losses < retries)
    infeasible = _infeasible(ended)
    if infeasible is not None:
        return infeasible
    if ended.signal is not None:
        return _again("killed", Cause.KILLED, _killed_words(ended), mishaps < retries)
    return _of_curve(ended, curve)


def _of_curve(ended: Exit, curve: ObjectiveCurve) -> Outcome:
    """The outcome of a process that ended by itself."""
    if curve.is_diverged:
        return Outcome.infeasible(Cause.DIVERGED, _diverged_words(curve, ended))
    if ended.status != 0:
        return Outcome.failed(Cause.ERROR, _error_words(ended))
    if curve.n_points == 0:
        return Outcome.failed(Cause.NO_OBJECTIVE, no_objective_words(curve))
    return Outcome.complete()


def no_objective_words(curve: ObjectiveCurve) -> str:
    """Names the objective's metric and the ones that were logged instead."""
    logged = ", ".join(sorted(curve.metrics)) or "nothing"
    return (
        f"training ended without ever logging {curve.objective.metric!r}, the metric of the objective; "
        f"it logged: {logged}"
    )


def _infeasible(ended: Exit) -> Outcome | None:
    ending = ended.ending
    if ending is not None and ending.kind == "infeasible":
        return Outcome.infeasible(Cause.RAISED, ending.message)
    if ending is not None and ending.kind == "out_of_memory":
        return Outcome.infeasible(Cause.OUT_OF_MEMORY, ending.message)
    if ended.signal == signal.SIGKILL and ended.is_out_of_memory:
        return Outcome.infeasible(Cause.OUT_OF_MEMORY, "the system killed it because memory ran out")
    has_no_traceback = ending is None and ended.status != 0
    if has_no_traceback and says_out_of_memory(ended.tail):
        return Outcome.infeasible(Cause.OUT_OF_MEMORY, _last_line(ended.tail))
    return None


def _again(reason: Literal["killed", "hung", "lost"], cause: Cause, words: str, may_retry: bool) -> Outcome | Retry:
    if may_retry:
        return Retry(reason=reason, detail=words)
    return Outcome.failed(cause, f"{words}; no retries are left ([run] retries)")


def _hung(why: HungWhy, limit: float, ended: Exit, may_retry: bool) -> Outcome | Retry:
    after = f"\n{ended.tail}" if ended.tail else ""
    if why == "too_long":
        # A second attempt would take as long, so it is not started.
        return Outcome.failed(Cause.HUNG, f"it ran for more than {limit:g} s ([run] max_seconds){after}")
    return _again("hung", Cause.HUNG, f"it logged nothing for {limit:g} s ([run] silent_seconds){after}", may_retry)


def _killed_words(ended: Exit) -> str:
    assert ended.signal is not None
    try:
        name = signal.Signals(ended.signal).name
    except ValueError:
        name = f"signal {ended.signal}"
    after = f"; its last output:\n{ended.tail}" if ended.tail else ""
    return f"{name} ended its process{after}"


def _diverged_words(curve: ObjectiveCurve, ended: Exit) -> str:
    words = f"{curve.objective.metric} was {curve.last:g} at step {curve.last_step}"
    return f"{words}; then it ended with: {_last_line(_error_words(ended))}" if ended.status != 0 else words


def _error_words(ended: Exit) -> str:
    if ended.ending is not None:
        return ended.ending.traceback
    output = f"; its last output:\n{shortened(ended.tail)}" if ended.tail else " and printed nothing"
    return f"it ended with exit status {ended.status}{output}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""

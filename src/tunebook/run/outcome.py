"""From how a process ended and what it logged to how its trial ended. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tunebook.core.outcome import Cause, Outcome
from tunebook.core.problems import did_you_mean
from tunebook.handle.ending import says_out_of_memory, shortened
from tunebook.run.jobs import Exit
from tunebook.run.objective_curve import ObjectiveCurve

#: A trial that was lost this often without a new checkpoint in between most likely kills what runs it.
MOST_LOSSES = 3
#: The same for one whose training was not seen to begin: it may have waited for a place when its driver was lost.
MOST_UNBEGUN = 10

HungWhy: TypeAlias = Literal["silent", "too_long"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Attempts at a trial that were lost in a row and got nowhere; in ``n_begun`` of ``n_all`` training began."""

    n_begun: int = 0
    n_all: int = 0

    @property
    def is_poison(self) -> bool:
        """Whether the trial is not to be started again."""
        return self.n_begun >= MOST_LOSSES or self.n_all >= MOST_UNBEGUN

    def after(self, *, has_begun: bool) -> Losses:
        """With one more."""
        return Losses(n_begun=self.n_begun + has_begun, n_all=self.n_all + 1)

    def may_retry(self, retries: int) -> bool:
        """Whether the trial is to be started again when ``retries`` are allowed."""
        return not self.is_poison and self.n_begun <= retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The attempt ended without an outcome for its trial; ``reason`` is the store's word for why."""

    reason: Literal["stopped", "killed", "hung", "lost"]
    detail: str


def judge(
    ended: Exit,
    curve: ObjectiveCurve,
    *,
    hung: HungWhy | None = None,
    limit_seconds: float | None = None,
    mishaps: int = 0,
    losses: Losses | None = None,
    retries: int = 0,
) -> Outcome | Retry:
    """The outcome of the trial, or that it is to be started again.

    ``hung`` says why the runner ended it itself, after ``limit_seconds``. ``mishaps`` counts earlier
    attempts that were killed or hung, ``losses`` those lost in a row, with this one where it was;
    ``retries`` is how many are allowed.
    """
    if hung is not None:
        return _hung(hung, limit_seconds or 0.0, ended, mishaps < retries)
    if ended.is_preempted:
        return Retry(reason="stopped", detail="its machine was taken away from it")
    if ended.is_lost:
        after = f": {shortened(ended.tail)}" if ended.tail else ""
        may_retry = (losses or Losses(n_begun=1, n_all=1)).may_retry(retries)
        return _again("lost", Cause.LOST, f"the process that ran it vanished{after}", may_retry)
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
        f"it logged: {logged}{did_you_mean(curve.objective.metric, curve.metrics)}"
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

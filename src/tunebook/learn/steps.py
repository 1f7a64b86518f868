"""Check: do the best steps of the trials say that runs are too long or too short? (T2)"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tunebook.core.action import Lengthen, Shorten
from tunebook.core.finding import Finding, Severity, Words
from tunebook.evidence import FloatArray, IntArray
from tunebook.learn.names import has_schedule
from tunebook.learn.view import View

#: The playbook's first 10 % and last 25 % of a run.
EARLY = 0.10
LATE = 0.25
#: "Consistently" in the last quarter: in this share of the better half of the trials.
CONSISTENT = 0.9
#: With fewer evaluations a best step in the first tenth or last quarter is a matter of rounding.
MIN_EVALUATIONS = 12
MIN_TRIALS = 5
#: A learning rate that ends below this share of its peak decays.
DECAYED = 0.5

EARLY_WORDS = Words(
    says=(
        "In all {n_trials} trials {metric} was best in the first {early:.0%} of the run: at {median:.1%} of the steps "
        "in the median, {latest:.1%} at the latest."
    ),
    why="Everything after that bought nothing, so the runs are far too long for what these trials can reach.",
    fix="Try a round with about {steps} steps; if it should train longer, look at overfitting and at the schedule.",
)
LATE_WORDS = Words(
    says=(
        "In {share:.0%} of the {n_trials} better trials {metric} was best in the last {late:.0%} of the run "
        "(median {median:.0%})."
    ),
    why="Runs that are still at their best when they end may be too short. {schedule}",
    fix="Try a round with more steps, and tune the decay of the learning rate anew.",
)
CONSTANT = "The learning rate did not decay, so the schedule does not explain it."
UNKNOWN = (
    "Nothing was logged about the schedule: when the learning rate decays, nearly every best step is late "
    "and this proves nothing."
)


def check(view: View) -> Iterator[Finding]:
    """At most one finding; silent on lateness when the learning rate decays, as that explains it."""
    trials = _judged(view)
    if len(trials) < MIN_TRIALS:
        return
    shares = _best_step_shares(view, trials)
    if (shares <= EARLY).all():
        yield _early(view, shares)
    else:
        yield from _late(view, shares[: max(MIN_TRIALS, len(trials) // 2)])


def _judged(view: View) -> IntArray:
    """Feasible trials with evaluations enough, best first; none unless the objective is the best value."""
    curves = view.evidence.curves.get(view.objective.metric)
    if curves is None or view.objective.reduction.kind != "best":
        return np.empty(0, dtype=np.int64)
    return view.order[np.diff(curves.offsets)[view.order] >= MIN_EVALUATIONS]


def _best_step_shares(view: View, trials: IntArray) -> FloatArray:
    """Where in its run each trial was best, from 0 to 1; the run ends at its last evaluation."""
    curves = view.evidence.curves[view.objective.metric]
    last = curves.steps[curves.offsets[trials + 1] - 1]
    return np.asarray(view.scores.steps[trials] / np.maximum(last, 1), dtype=np.float64)


def _early(view: View, shares: FloatArray) -> Finding:
    steps = max(1, round(2 * float(shares.max()) * view.evidence.round.max_train_steps))
    return Finding(
        code="best_step_early",
        requirement="T2",
        severity=Severity.WARNING,
        words=EARLY_WORDS,
        confidence=1.0 - 0.5 ** len(shares),
        next=Shorten(max_train_steps=steps),
        evidence={
            "n_trials": len(shares),
            "metric": view.objective.metric,
            "early": EARLY,
            "median": float(np.median(shares)),
            "latest": float(shares.max()),
            "steps": steps,
        },
    )


def _late(view: View, shares: FloatArray) -> Iterator[Finding]:
    share = float((shares >= 1.0 - LATE).mean())
    decays = learning_rate_decays(view)
    if share < CONSISTENT or decays:
        return
    yield Finding(
        code="best_step_late",
        requirement="T2",
        severity=Severity.NOTE if decays is None else Severity.WARNING,
        words=LATE_WORDS,
        confidence=0.5 if decays is None else 0.9,
        next=None if decays is None else Lengthen(max_train_steps=2 * view.evidence.round.max_train_steps),
        evidence={
            "n_trials": len(shares),
            "metric": view.objective.metric,
            "late": LATE,
            "share": share,
            "median": float(np.median(shares)),
            "schedule": UNKNOWN if decays is None else CONSTANT,
        },
    )


def learning_rate_decays(view: View) -> bool | None:
    """Whether the learning rate falls over the run; None when neither curves nor names tell."""
    curves = view.evidence.curves.get("learning_rate")
    ratios = []
    for trial in view.order if curves is not None else ():
        values = curves[int(trial)][1] if curves is not None else np.empty(0)
        known = values[np.isfinite(values)]
        if len(known) > 1 and known.max() > 0:
            ratios.append(known[-1] / known.max())
    if ratios:
        return bool(np.median(ratios) < DECAYED)
    return True if has_schedule(view.evidence.round) else None

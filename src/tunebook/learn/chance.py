"""Check: what a round that has little or nothing to show can say, and whether anything beat chance (S1)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tunebook.core.finding import Finding, Severity, Words
from tunebook.core.outcome import Status
from tunebook.learn.curve_diagnosis import UNTRAINED
from tunebook.learn.curves import diagnoses
from tunebook.learn.view import View

#: Two values are needed to compare anything, and some more before a check can speak.
FEW_TRIALS = 6
#: From this share of ruined trials on, the conclusions are about them as much as about training.
RUINED_SHARE = 0.1

CHANCE_WORDS = Words(
    says="None of {n_complete} complete trials is better than the chance level of {chance:g}; the best is {best:g}.",
    why="A model that does not beat chance has learned nothing, so its hyperparameters cannot be compared.",
    fix="Train one simple configuration by hand until it clearly beats chance; check data, labels and loss.",
)
EMPTY_WORDS = Words(
    says="Nothing is known yet: {state}.",
    why="All other checks need trials that ended with a finite {metric}.",
    fix="{advice}",
)
FEW_WORDS = Words(
    says="Only {n_feasible} of {n_trials} trials ended with a finite {metric}.",
    why="With so few, most checks stay silent; that they found nothing does not mean that nothing is there.",
    fix="Let the round finish, or add trials.",
)
CONSTANT_WORDS = Words(
    says="All {n_feasible} trials ended with the same {metric}, {value:g}.",
    why="Either no hyperparameter has any effect on it, or it does not measure what training changes.",
    fix="Check how {metric} is computed and logged.",
)
MISSING_WORDS = Words(
    says="{n_missing} of {n_complete} complete trials have no finite {metric}.",
    why="They are left out of everything that is said here, as if they had not been run.",
    fix="Check the logging of these trials, first of {example}.",
)


RUINED_WORDS = Words(
    says=(
        "{n_ruined} of {n_feasible} trials with a finite {metric} learned nothing or lost it again, as their curves "
        "show (such as {example}); they count as trained, because the design states no chance level."
    ),
    why="What is said of infeasible trials, boundaries and sensitivity takes their values for results.",
    fix=(
        "Add chance = ... to [objective], the value of an untrained model{hint}, and give `tunebook run {round}` once "
        "more: it takes the design in and trains nothing again."
    ),
)


def check(view: View) -> Iterator[Finding]:
    """Sentences on how much there is to go by; silent when there is enough."""
    n_feasible = int(view.feasible.sum())
    n_scored = int(np.isfinite(view.scores.values).sum())
    if n_scored and not n_feasible:
        yield _chance(view, n_scored)
    elif not n_feasible:
        yield _empty(view)
    elif n_feasible > 2 and np.ptp(view.keys[view.feasible]) == 0.0:
        yield _constant(view, n_feasible)
    elif n_feasible < FEW_TRIALS:
        yield _few(view, n_feasible)
    yield from _missing(view, n_scored)
    yield from _ruined(view, n_feasible)


def _chance(view: View, n_complete: int) -> Finding:
    best = view.objective.sign * float(np.nanmin(view.keys))
    return Finding(
        code="not_better_than_chance",
        requirement="S1",
        severity=Severity.BLOCKING,
        words=CHANCE_WORDS,
        evidence={"n_complete": n_complete, "chance": view.objective.chance, "best": best},
    )


def _empty(view: View) -> Finding:
    state, advice = _state(view)
    return Finding(
        code="nothing_known",
        requirement="L10",
        severity=Severity.BLOCKING,
        words=EMPTY_WORDS,
        evidence={
            "state": state,
            "advice": advice,
            "metric": view.objective.metric,
            "metrics": list(view.evidence.metrics[:20]),
            "n_trials": view.n_trials,
        },
    )


def _state(view: View) -> tuple[str, str]:
    """What there is instead of results, and what to do about it."""
    evidence, n_trials = view.evidence, view.n_trials
    if not n_trials:
        return "the round has no trials", "Run it first."
    if evidence.mask(Status.COMPLETE).any() and view.objective.metric not in evidence.metrics:
        known = ", ".join(evidence.metrics[:8]) or "no metric at all"
        return f"no trial logged {view.objective.metric}; logged are {known}", "Choose one of these with --objective."
    if evidence.mask(Status.COMPLETE).any():
        return f"no complete trial has a finite {view.objective.metric}", "Check how it is computed and logged."
    if view.infeasible.all():
        advice = "Lower the learning rates by a few orders of magnitude, and run one simple configuration by hand."
        return f"all {n_trials} trials are infeasible", advice
    if evidence.mask(Status.FAILED).all():
        again = f"`tunebook run {evidence.name}`"
        return f"all {n_trials} trials failed", f"Mend what {again} says of them, then give it --retry-failed."
    counts = [(status, int(evidence.mask(status).sum())) for status in Status]
    return ", ".join(
        f"{n} of {n_trials} {status}" for status, n in counts if n
    ), "Wait for trials, or see why they fail."


def _few(view: View, n_feasible: int) -> Finding:
    return Finding(
        code="few_trials",
        requirement="L10",
        severity=Severity.NOTE,
        words=FEW_WORDS,
        evidence={"n_feasible": n_feasible, "n_trials": view.n_trials, "metric": view.objective.metric},
    )


def _constant(view: View, n_feasible: int) -> Finding:
    value = float(view.scores.values[view.feasible][0])
    return Finding(
        code="constant_objective",
        requirement="L10",
        severity=Severity.WARNING,
        words=CONSTANT_WORDS,
        evidence={"n_feasible": n_feasible, "metric": view.objective.metric, "value": value},
    )


def _missing(view: View, n_scored: int) -> Iterator[Finding]:
    complete = view.evidence.mask(Status.COMPLETE)
    without = np.flatnonzero(complete & ~np.isfinite(view.scores.values))
    if len(without) and n_scored:
        yield Finding(
            code="metric_missing",
            requirement="L10",
            severity=Severity.WARNING,
            words=MISSING_WORDS,
            evidence={
                "n_missing": len(without),
                "n_complete": int(complete.sum()),
                "metric": view.objective.metric,
                "example": view.evidence.trials[without[0]].name,
            },
        )


def _ruined(view: View, n_feasible: int) -> Iterator[Finding]:
    """Trials that are ruined and finite, where no chance level tells them from the others."""
    if view.objective.chance is not None or view.objective.metric not in view.evidence.curves:
        return
    ruined = [
        number
        for number, diagnosis in enumerate(diagnoses(view))
        if view.feasible[number] and "diverged" in diagnosis.labels
    ]
    if len(ruined) < max(RUINED_SHARE * n_feasible, 1):
        return
    level = untrained_level(view)
    yield Finding(
        code="chance_not_stated",
        requirement="S1",
        severity=Severity.WARNING,
        words=RUINED_WORDS,
        evidence={
            "round": view.evidence.name,
            "n_ruined": len(ruined),
            "n_feasible": n_feasible,
            "metric": view.objective.metric,
            "example": view.evidence.trials[ruined[0]].name,
            "level": level,
            "hint": "" if level is None else f" (the first evaluations suggest {level:.3g})",
        },
    )


def untrained_level(view: View) -> float | None:
    """What the metric is at the start of training, in the median over the trials; None where nobody looked."""
    curves, last = view.evidence.curves[view.objective.metric], view.evidence.round.max_train_steps
    starts = [
        float(values[0])
        for steps, values in (curves[trial] for trial in range(len(curves)))
        if len(steps) and steps[0] <= UNTRAINED * last and math.isfinite(values[0])
    ]
    return float(np.median(starts)) if starts else None

"""Check: what the curves show, first of the best trial of every study, then over all trials (L6)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunebook.core.action import Action, Lengthen, Shorten
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.learn.curve_diagnosis import (
    GIVEN,
    LABELS,
    OVERFIT_LOSS,
    OVERFIT_PRIMARY,
    CurveDiagnosis,
    diagnose,
)
from tunebook.learn.curve_words import CURVE_WORDS, DECAYING, LOSS_OVERFITTING, NOT_DECAYING, SCHEDULE_UNKNOWN, SUMMARY
from tunebook.learn.material import Material
from tunebook.learn.view import View
from tunebook.stats import curve_gain

__all__ = ["LABELS", "CurveDiagnosis", "check", "diagnose"]

SEVERITIES = {
    "overfitting": Severity.WARNING,
    "still_improving": Severity.WARNING,
    "saturated_early": Severity.NOTE,
    "late_variance": Severity.WARNING,
    "loss_spike": Severity.WARNING,
    "train_loss_rising": Severity.WARNING,
    "periodic_validation": Severity.NOTE,
}
LEARNING_RATE = "learning_rate"
#: A learning rate that ends below this share of what it was is being decayed.
DECAYED = 0.7
#: A longer run is half as long again, a shorter one keeps a quarter beyond where nothing more was gained (T2).
LONGER = 1.5
SPARE = 1.25
#: Over the round: the label is told of when this share of the trials, and of the best ones, shows it.
COMMON = 0.5
N_TOP = 5
MIN_TRIALS = 3


def check(view: View) -> Iterator[Finding]:
    """Findings about the best trial of every study, then labels that most of the round shares."""
    if not view.n_trials or view.objective.metric not in view.evidence.curves:
        return
    unit, found = view.material, diagnoses(view)
    for best in best_trials(view):
        for label in CURVE_WORDS:
            if found[best].scores[label] >= GIVEN:
                yield _about_trial(view, unit, best, found[best], label)
    yield from _about_round(view, found)


def diagnoses(view: View) -> tuple[CurveDiagnosis, ...]:
    """The diagnosis of every trial, made once for all checks."""
    return view.once("diagnoses", lambda: diagnose(view.evidence, view.objective, view.material.unit))


def best_trials(view: View) -> list[int]:
    """The best feasible trial of every study's search, in the order of the studies; a repeat is no new trial."""
    firsts: dict[str, int] = {}
    for position in view.order[view.searched_trials[view.order]].tolist():
        firsts.setdefault(view.evidence.trials[position].study, position)
    return [firsts[study.name] for study in view.studies if study.name in firsts]


def _about_trial(view: View, unit: Material, position: int, diagnosis: CurveDiagnosis, label: str) -> Finding:
    decay = falls_at_the_end(view, position) if label == "still_improving" else None
    return Finding(
        code=label,
        requirement="L6",
        severity=Severity.NOTE if decay else SEVERITIES[label],
        words=words_for(diagnosis, label),
        evidence=_numbers(view, unit, diagnosis, label, decay),
        confidence=round(diagnosis.scores[label], 3),
        subject=Subject(study=diagnosis.study, trial=diagnosis.trial),
        next=_next_step(view, diagnosis, label),
    )


def _numbers(
    view: View, unit: Material, diagnosis: CurveDiagnosis, label: str, decay: bool | None
) -> Mapping[str, Any]:
    mark, length = diagnosis.measures[label], diagnosis.last_step
    numbers: dict[str, Any] = {
        "study": diagnosis.study,
        "trial": diagnosis.trial,
        "metric": view.objective.metric,
        "size": mark.size,
        "units": mark.size / unit.unit,
        "material": unit.unit,
        "source": unit.source,
        "first_step": _step(mark.first, length),
        "last_step": _step(mark.last, length),
        "factor": 1.0 + mark.size,
        "period": _step(mark.first, length),
        "schedule": {None: SCHEDULE_UNKNOWN, True: DECAYING, False: NOT_DECAYING}[decay],
    }
    if label in ("still_improving", "saturated_early"):
        numbers["last_step"] = length
    words = words_for(diagnosis, label)
    text = words.says + words.why + words.fix
    return {name: value for name, value in numbers.items() if re.search(rf"{{{name}[:}}]", text)}


def words_for(diagnosis: CurveDiagnosis, label: str) -> Words:
    """The words of a label; overfitting has its own for the loss."""
    primary, loss = diagnosis.measures[OVERFIT_PRIMARY], diagnosis.measures[OVERFIT_LOSS]
    return LOSS_OVERFITTING if label == "overfitting" and loss.score > primary.score else CURVE_WORDS[label]


def _step(fraction: float, length: int) -> int:
    return 0 if math.isnan(fraction) else round(fraction * length)


def falls_at_the_end(view: View, position: int) -> bool | None:
    """Whether the logged learning rate falls over the last 15 % of the run; None when none was logged."""
    curves = view.evidence.curves.get(LEARNING_RATE)
    if curves is None or len(curves[position][0]) < curve_gain.MIN_POINTS:
        return None
    steps, values = curves[position]
    late = values[steps >= curve_gain.LATE * steps[-1]]
    return bool(late[-1] < DECAYED * late.max())


def _next_step(view: View, diagnosis: CurveDiagnosis, label: str) -> Action | None:
    steps = view.evidence.round.max_train_steps
    if label == "still_improving":
        return Lengthen(max_train_steps=rounded(LONGER * steps))
    if label == "saturated_early" and diagnosis.last_step > 0:
        share = diagnosis.measures[label].first * SPARE
        return Shorten(max_train_steps=rounded(share * steps)) if share < 1 else None
    return None


def rounded(steps: float) -> int:
    """A number of steps with two significant digits, at least 1."""
    return max(int(float(f"{steps:.1e}")), 1)


def _about_round(view: View, diagnoses: Sequence[CurveDiagnosis]) -> Iterator[Finding]:
    """Labels that at least half of the trials and half of the best ones show."""
    trained = view.order.tolist()
    if len(trained) < MIN_TRIALS:
        return
    top = trained[:N_TOP]
    for label, words in CURVE_WORDS.items():
        shown = [position for position in trained if diagnoses[position].scores[label] >= GIVEN]
        among_top = [position for position in top if position in set(shown)]
        if len(shown) < COMMON * len(trained) or len(among_top) < COMMON * len(top):
            continue
        yield Finding(
            code=label,
            requirement="L6",
            severity=Severity.NOTE,
            words=SUMMARY,
            evidence={
                "label": label.replace("_", " "),
                "n_shown": len(shown),
                "n_trials": len(trained),
                "n_best": len(among_top),
                "n_top": len(top),
                "remedy": words.fix,
            },
            confidence=round(float(sum(diagnoses[position].scores[label] for position in shown)) / len(shown), 3),
            next=_round_step(view, diagnoses, label, shown),
        )


def _round_step(view: View, diagnoses: Sequence[CurveDiagnosis], label: str, shown: Sequence[int]) -> Action | None:
    """The step that suits all of them: the longest of the shorter runs."""
    proposed = [_next_step(view, diagnoses[position], label) for position in shown]
    longest = [action for action in proposed if isinstance(action, Lengthen | Shorten)]
    return max(longest, key=lambda action: action.max_train_steps, default=None)

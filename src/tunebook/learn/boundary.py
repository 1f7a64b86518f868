"""Check: is the range too narrow? One finding per study, hyperparameter and side that says so (L2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tunebook.core.action import Widen
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Hyperparameter
from tunebook.learn.limits import bounds, can_widen, natural_limits, widened
from tunebook.learn.terrain import Terrain, terrain
from tunebook.learn.view import BoolArray, View
from tunebook.stats.boundary import Side, sides

#: A study is asked on its own from this many feasible trials; smaller ones are asked together.
MIN_OWN_TRIALS = 10
MIN_TRIALS = 6
#: Below this confidence the check is silent; up to ``WARNING`` it only mentions what may be, and from
#: ``BLOCKING`` on no conclusion should be drawn (L2).
SPEAKS = 0.2
WARNING = 0.4
BLOCKING = 0.9

WORDS = Words(
    says=(
        "The best values of {hyperparameter} lie at the {direction} end of its range {low:g} to {high:g}: the three "
        "best of {n_trials} trials are on average at {top:.0%} of the way there, and the surface fitted to all "
        "trials improves beyond the end with a probability of {posterior:.0%}."
    ),
    why=(
        "A better value may lie outside of what was searched, so the best trial is not the best this "
        "hyperparameter allows, and settings compared with it are compared at the wrong place."
    ),
    fix="Search {hyperparameter} from {new_low:g} to {new_high:g} in the next round.",
)
LIMIT_WORDS = Words(
    says=(
        "The best values of {hyperparameter} lie at {limit:g}, where its range ends by nature: the three best of "
        "{n_trials} trials are on average at {top:.0%} of the way there."
    ),
    why="There is nothing to widen. A regulariser that is best at its weakest may not be needed.",
    fix="Compare with a run at exactly {limit:g}, or without it.",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Trials that are asked together; ``study`` is None when they are of several."""

    study: str | None
    rows: BoolArray


def check(view: View) -> Iterator[Finding]:
    """Findings for all studies, and the note that nothing beyond a natural limit can be searched."""
    found = terrain(view)
    if found is None:
        return
    for group in _groups(view, found):
        asked = found.varied(group.rows)
        for side in sides(found.landscape, group.rows, asked):
            if side.confidence >= SPEAKS:
                yield _finding(group.study, found.columns[side.dimension], side)


def _groups(view: View, found: Terrain) -> Iterable[_Group]:
    """Every study with trials enough; the trials of all smaller ones as one group."""
    feasible = found.rows(view.feasible)
    small = np.zeros(len(feasible), dtype=bool)
    for study in view.studies:
        rows = found.rows(view.in_study(study.name))
        if (rows & feasible).sum() >= MIN_OWN_TRIALS:
            yield _Group(study.name, rows)
        else:
            small |= rows
    if (small & feasible).sum() >= MIN_TRIALS:
        names = {view.evidence.trials[number].study for number in found.trials[small]}
        yield _Group(names.pop() if len(names) == 1 else None, small)


def _finding(study: str | None, hyperparameter: Hyperparameter, side: Side) -> Finding:
    if not can_widen(hyperparameter, side.is_high):
        return _at_limit(study, hyperparameter, side)
    new_low, new_high = widened(hyperparameter, side.is_high)
    return Finding(
        code="boundary",
        requirement="L2",
        severity=_severity(side.confidence),
        words=WORDS,
        evidence=_numbers(hyperparameter, side) | {"gain": side.gain, "new_low": new_low, "new_high": new_high},
        confidence=side.confidence,
        subject=Subject(study=study, hyperparameter=hyperparameter.label),
        next=Widen(hyperparameter=hyperparameter.label, low=new_low, high=new_high),
    )


def _severity(confidence: float) -> Severity:
    if confidence >= BLOCKING:
        return Severity.BLOCKING
    return Severity.WARNING if confidence >= WARNING else Severity.NOTE


def _at_limit(study: str | None, hyperparameter: Hyperparameter, side: Side) -> Finding:
    limit = natural_limits(hyperparameter)[side.is_high]
    return Finding(
        code="natural_limit",
        requirement="L2",
        severity=Severity.NOTE,
        words=LIMIT_WORDS,
        evidence=_numbers(hyperparameter, side) | {"limit": limit},
        confidence=side.confidence,
        subject=Subject(study=study, hyperparameter=hyperparameter.label),
    )


def _numbers(hyperparameter: Hyperparameter, side: Side) -> dict[str, object]:
    low, high = bounds(hyperparameter.domain)
    return {
        "hyperparameter": hyperparameter.label,
        "direction": "high" if side.is_high else "low",
        "low": low,
        "high": high,
        "posterior": side.posterior,
        "top": side.top,
        "lean": side.lean,
        "n_trials": side.n_trials,
    }


__all__ = ["check"]

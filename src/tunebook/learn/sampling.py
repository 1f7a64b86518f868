"""Check: were there trials enough, and what would more of them buy? (L3)"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tunebook.core.action import AddTrials
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.evidence import FloatArray
from tunebook.learn.terrain import terrain
from tunebook.learn.view import View
from tunebook.stats.best_of_n import Doubling, gain_from_doubling, quartiles
from tunebook.stats.curve_unit import SPREADS
from tunebook.stats.density import n_within

#: Fewer trials than this within a material difference of the best are not sampled enough (methods §4e).
ENOUGH = 3
#: Below this many trials a study shows no tail to extrapolate.
MIN_TRIALS = 8
N_DRAWS = 200
#: The share of resampled searches in which twice the budget gains materially at which the check speaks.
SPEAKS = 0.5

WORDS = Words(
    says=(
        "Only {n_good} of {n_trials} trials lie within {distance:.3g} of the best ({source}), and twice as many trials "
        "are expected to improve {metric} by {gain:.3g} (quartiles {gain_low:.3g} to {gain_high:.3g})."
    ),
    why=(
        "With half the trials the best would have been {half_lucky:.4g} / {half_median:.4g} / {half_unlucky:.4g} "
        "(lucky quarter, median, unlucky quarter): where the best of a search still depends on luck, so does "
        "what is concluded from it."
    ),
    fix="Continue the same sequence up to {trials} trials per study.",
)


def check(view: View) -> Iterator[Finding]:
    """One finding per study whose good region was hardly hit and where more trials would pay."""
    distance, source = good_distance(view)
    if distance is None:
        return
    for study in view.studies:
        mask = view.in_study(study.name) & (view.feasible | view.infeasible)
        keys = np.where(view.feasible, view.keys, np.nan)[mask]
        if np.isfinite(keys).sum() >= MIN_TRIALS:
            yield from _judge(view, study.name, keys, distance, source)


def good_distance(view: View) -> tuple[float | None, str]:
    """How far from the best a trial is still as good, and who says so.

    The material difference; where nobody declared or measured one, twice what the fitted surface
    leaves unexplained, when that is more than what the curves say.
    """
    material = view.material.value
    if material is not None and view.material.source != "curves":
        return material, f"the material difference, from {view.material.source}"
    found = terrain(view)
    unexplained = SPREADS * found.landscape.noise_sd if found else 0.0
    if unexplained > (material or 0.0):
        return unexplained, "twice the noise left around the fitted surface"
    return material, "the material difference, from the curves"


def _judge(view: View, study: str, keys: FloatArray, distance: float, source: str) -> Iterator[Finding]:
    n_good = n_within(keys, distance)
    doubling = gain_from_doubling(keys, N_DRAWS, np.random.default_rng(0), material=distance)
    if n_good >= ENOUGH or doubling is None or doubling.probability < SPEAKS:
        return
    yield _finding(view, study, keys, n_good, doubling, distance, source)


def _finding(
    view: View, study: str, keys: FloatArray, n_good: int, doubling: Doubling, distance: float, source: str
) -> Finding:
    half = view.objective.sign * quartiles(keys, np.array([max(1, len(keys) // 2)]))[0]
    trials = 2 * len(keys)
    return Finding(
        code="undersampled",
        requirement="L3",
        severity=Severity.WARNING,
        words=WORDS,
        confidence=doubling.probability,
        subject=Subject(study=study),
        next=AddTrials(trials=trials, study=study),
        evidence={
            "n_good": n_good,
            "n_trials": len(keys),
            "distance": distance,
            "source": source,
            "metric": view.objective.metric,
            "gain": doubling.gain,
            "gain_low": doubling.low,
            "gain_high": doubling.high,
            "half_lucky": _finite(half[0]),
            "half_median": _finite(half[1]),
            "half_unlucky": _finite(half[2]),
            "trials": trials,
        },
    )


def _finite(value: float) -> float | str:
    """JSON has no infinity: an unlucky search may have had nothing but infeasible trials."""
    return float(value) if math.isfinite(value) else _Word("infeasible")


class _Word(str):
    """A word that stands where a number would; formatting it as one leaves it as it is."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return str(self)

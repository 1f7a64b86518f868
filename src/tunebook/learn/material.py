"""Material: the smallest difference of the objective that matters, from whoever knows it best (L3, L6, L9).

One number for every check, for the screens and for an exploitation: a product that calls two differences
"what matters" contradicts itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.evidence import Evidence, Scores, score_curves
from tunebook.learn.curve_inputs import CurveReader
from tunebook.stats import curve_unit

#: At least this many of the best curves tell what a good curve gains.
MIN_GOOD = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The smallest difference that matters, in units of the objective; None when nothing tells.

    ``source`` is ``design``, ``repeats``, ``earlier``, ``curves`` or ``none``.
    """

    value: float | None = None
    source: str = "none"

    @property
    def unit(self) -> float:
        """The value, or next to nothing where nobody knows it: then every change counts."""
        return self.value or math.ulp(0.0)


def material(evidence: Evidence, objective: Objective | None = None, earlier: float | None = None) -> Material:
    """Stated in the design, else from repeats, else from an ``earlier`` standard deviation, else from the curves."""
    objective = objective or evidence.round.objective
    if objective.material is not None:
        return Material(value=objective.material, source="design")
    reader = CurveReader(evidence, objective)
    scores = scores_of_all(evidence, objective)
    keys = np.where(evidence.mask(Status.COMPLETE), objective.sign * scores.values, math.nan)
    order = np.argsort(keys)[: int(np.isfinite(keys).sum())]
    good = order[: max(math.ceil(len(order) * curve_unit.GOOD_SHARE), MIN_GOOD)]
    seen = [curve_unit.noise_and_gain(*reader[trial].primary) for trial in good]
    gains = [gain for _, gain in seen if math.isfinite(gain)]
    gain = float(np.median(gains)) if gains else 0.0
    repeats = curve_unit.unit_from_repeats(keys, evidence.configurations, gain)
    if repeats > 0:
        return Material(value=repeats, source="repeats")
    if earlier:
        return Material(value=curve_unit.SPREADS * earlier, source="earlier")
    value = curve_unit.unit_from_curves([noise for noise, _ in seen], gains)
    return Material(value=value, source="curves") if value > 0 else Material()


def scores_of_all(evidence: Evidence, objective: Objective) -> Scores:
    """The objective of every trial whatever its status: where an infeasible one was best is worth knowing, too."""
    curves = evidence.curves.get(objective.metric)
    if curves is None:
        n_trials = len(evidence.trials)
        return Scores(np.full(n_trials, math.nan), np.full(n_trials, -1, dtype=np.int64))
    return score_curves(curves, objective)

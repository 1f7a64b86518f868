"""Density: how many trials lie in the good region, and what a budget can be expected to hit (L3, R6)."""

from __future__ import annotations

import math

import numpy as np

from tunebook.stats.arrays import FloatArray


def n_within(keys: FloatArray, distance: float) -> int:
    """How many trials lie within ``distance`` of the best, the best included; NaN is infeasible."""
    finite = keys[np.isfinite(keys)]
    return int((finite <= finite.min() + distance).sum()) if len(finite) else 0


def hit_probability(n_trials: int, share: float, at_least: int = 1) -> float:
    """Chance that at least ``at_least`` of ``n_trials`` independent points fall in ``share`` of the space.

    Quasi-random points do slightly better (methods §1b), so this is a lower bound in practice.
    """
    misses = sum(
        math.comb(n_trials, hits) * share**hits * (1.0 - share) ** (n_trials - hits)
        for hits in range(min(at_least, n_trials + 1))
    )
    return max(0.0, 1.0 - misses)


def trials_needed(share: float, probability: float = 0.95) -> int:
    """Trials for a ``probability`` of one point or more in the best ``share`` of the space."""
    return math.ceil(math.log1p(-probability) / math.log1p(-share))

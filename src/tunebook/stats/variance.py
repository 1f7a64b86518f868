"""Trial variance: the spread between reruns of one configuration with other seeds (D1, L9)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, gammaln

from tunebook.stats.arrays import BoolArray, FloatArray, IntArray

#: Whose repeats tell how much good runs differ: the better half of the configurations, and at least two.
BETTER_SHARE = 0.5
LEAST_CONFIGURATIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A standard deviation with the degrees of freedom it rests on."""

    sd: float
    degrees: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The range that holds the true standard deviation, for normal noise (chi-square)."""
        tail = (1.0 - level) / 2.0
        scale = self.degrees * self.sd**2
        return (
            math.sqrt(scale / float(chdtri(self.degrees, tail))),
            math.sqrt(scale / float(chdtri(self.degrees, 1.0 - tail))),
        )


def unbiasing(degrees: int) -> float:
    """c4: the mean of a sample standard deviation on ``degrees`` degrees of freedom over the true one."""
    half = degrees / 2.0
    return float(math.sqrt(1.0 / half) * math.exp(gammaln(half + 0.5) - gammaln(half)))


def pooled_spread(values: FloatArray, groups: IntArray) -> Spread | None:
    """Pool the variance within groups; None when no group has two finite values.

    ``values`` and ``groups`` have one entry per run. The standard deviation is not corrected by c4:
    its square is what is unbiased and what tests need; ``unbiasing`` has the factor.
    """
    finite = np.isfinite(values)
    values = values[finite]
    if not len(values):
        return None
    _, numbers, counts = np.unique(groups[finite], return_inverse=True, return_counts=True)
    degrees = int((counts - 1).sum())
    if degrees == 0:
        return None
    means = np.bincount(numbers, values) / counts
    squares = float(((values - means[numbers]) ** 2).sum())
    return Spread(sd=math.sqrt(squares / degrees), degrees=degrees)


def near_the_best(keys: FloatArray, groups: IntArray) -> BoolArray:
    """Which runs are of the better half of the configurations (of two at least), by their means.

    ``keys`` have lower better and are NaN where a run has none; ``groups`` number the configurations. Seeds scatter
    alike only near the best: a configuration at the edge of stability can be the luckiest of a search, and the
    spread of its repeats says nothing of any other (methods §5).
    """
    near = np.zeros(len(keys), dtype=bool)
    finite = np.isfinite(keys)
    if not finite.any():
        return near
    _, numbers, counts = np.unique(groups[finite], return_inverse=True, return_counts=True)
    means = np.bincount(numbers, keys[finite]) / counts
    good = np.argsort(means, kind="stable")[: max(math.ceil(BETTER_SHARE * len(means)), LEAST_CONFIGURATIONS)]
    near[finite] = np.isin(numbers, good)
    return near


def merged(spreads: Iterable[Spread | None]) -> Spread | None:
    """Several estimates of one standard deviation as one, weighted by their degrees of freedom."""
    known = [spread for spread in spreads if spread is not None]
    degrees = sum(spread.degrees for spread in known)
    if degrees == 0:
        return None
    squares = sum(spread.degrees * spread.sd**2 for spread in known)
    return Spread(sd=math.sqrt(squares / degrees), degrees=degrees)

"""Best of n: how good the best of n trials is, told from the N trials of one search (L3).

All functions take ``values`` with lower better (turn the sign of what is maximised) and keep
infeasible trials in as infinity, the worst there is: to drop them would claim that every future
trial trains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from tunebook.stats.arrays import FloatArray, IntArray

#: Lucky quarter, median, unlucky quarter, as the playbook's box plot draws them.
QUARTILES = (0.25, 0.5, 0.75)
#: Keeps a rank from moving up by one when N(1-(1-q)^(1/n)) is a whole number but for rounding.
RANK_TOLERANCE = 1e-9
#: With fewer feasible trials there is no tail to extrapolate.
MIN_FOR_DOUBLING = 8


def worst_last(keys: FloatArray) -> FloatArray:
    """The keys of a search with infeasible trials (NaN) as the worst, sorted best first."""
    return np.sort(np.where(np.isnan(keys), np.inf, keys))


def quantile_rank(n_values: int, n: int, q: float) -> int:
    """Which order statistic (from 1, best first) is quantile ``q`` of the best of ``n`` draws with
    replacement from ``n_values``: the smallest k with 1-(1-k/N)^n >= q, which is ⌈N(1-(1-q)^(1/n))⌉.
    """
    exact = n_values * -np.expm1(np.log1p(-q) / n)
    return int(np.clip(np.ceil(exact - RANK_TOLERANCE), 1, n_values))


def quantile(values: FloatArray, n: int, q: float = 0.5) -> float:
    """Quantile ``q`` of the best of ``n``; small q is lucky. NaN without values.

    It is the limit of the bootstrap with infinitely many repetitions (methods §4).
    """
    ordered = worst_last(values)
    return float(ordered[quantile_rank(len(ordered), n, q) - 1]) if len(ordered) else float("nan")


def quartiles(values: FloatArray, budgets: IntArray) -> FloatArray:
    """Lucky quarter, median and unlucky quarter (columns) of the best of each budget (rows)."""
    ordered = worst_last(values)
    if not len(ordered):
        return np.full((len(budgets), len(QUARTILES)), np.nan)
    ranks = [[quantile_rank(len(ordered), int(n), q) for q in QUARTILES] for n in budgets]
    return np.asarray(ordered[np.array(ranks, dtype=np.int64).reshape(-1, len(QUARTILES)) - 1], dtype=np.float64)


def bootstrap(values: FloatArray, n: int, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """The best of ``n`` values drawn with replacement, ``n_draws`` times.

    Drawn through its distribution, so the cost does not grow with ``n``.
    """
    ordered = worst_last(values)
    lowest = -np.expm1(np.log1p(-rng.random(n_draws)) / n)
    ranks = np.minimum((lowest * len(ordered)).astype(np.int64), len(ordered) - 1)
    return np.asarray(ordered[ranks], dtype=np.float64)


def mean_with_replacement(values: FloatArray, n: int) -> float:
    """The V-statistic of the expected best of ``n`` (Dodge et al. 2019): draws with replacement."""
    ordered = worst_last(values)
    left = 1.0 - np.arange(len(ordered) + 1) / len(ordered)
    return _weighted(ordered, left[:-1] ** n - left[1:] ** n)


def mean_without_replacement(values: FloatArray, n: int) -> float:
    """The unbiased U-statistic of the expected best of ``n`` <= N (Tang et al. 2020)."""
    ordered = worst_last(values)
    return _weighted(ordered, choosing_weights(len(ordered), n))


def choosing_weights(n_values: int, n: int) -> FloatArray:
    """Probability that each of ``n_values``, best first, is the best of ``n`` drawn without replacement."""
    if not 1 <= n <= n_values:
        raise ValueError(f"the best of {n} without replacement needs 1 to {n_values} draws")
    worse = np.arange(n_values - 1, -1, -1)
    ways = np.where(worse >= n - 1, _log_binomial(np.maximum(worse, n - 1), n - 1), -np.inf)
    return np.asarray(np.exp(ways - _log_binomial(np.array(n_values), n)), dtype=np.float64)


def _weighted(ordered: FloatArray, weights: FloatArray) -> float:
    """The weighted sum in which an infinite value of weight zero counts nothing."""
    return float(ordered[weights > 0] @ weights[weights > 0])


def _log_binomial(n: IntArray, k: int) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """What as many trials again are expected to gain, as a positive number.

    ``low`` and ``high`` are quartiles over resampled searches, ``probability`` the share of those in
    which the gain is material.
    """

    gain: float
    low: float
    high: float
    probability: float


def gain_from_doubling(
    values: FloatArray, n_draws: int, rng: np.random.Generator, material: float = 0.0
) -> Doubling | None:
    """Extrapolate the tail: by how much the best of 2N is expected to beat the best of N.

    The bootstrap cannot tell, as past n ≈ N/2 it only reads the sample's own best again (methods
    §4c). The U-statistic shows the gains up to N; gains shrink from doubling to doubling, so the last
    one is continued at the ratio of the last two, at most one. Searches are resampled at half their
    size without replacement, which keeps the best of a sample from appearing many times, and continued
    for one doubling more. None with fewer than 8 feasible trials.
    """
    if np.isfinite(values).sum() < MIN_FOR_DOUBLING:
        return None
    filled = np.where(np.isfinite(values), values, np.nanmax(np.where(np.isfinite(values), values, np.nan)))
    size = max(len(filled) // 2, MIN_FOR_DOUBLING // 2)
    drawn = np.array([_last_gain(rng.permutation(filled)[:size]) for _ in range(n_draws)])
    ratio = _shrinking(filled)
    shrunk = drawn * ratio**2
    low, high = np.quantile(shrunk, [0.25, 0.75])
    return Doubling(
        gain=_last_gain(filled) * ratio,
        low=float(low),
        high=float(high),
        probability=float((shrunk >= material).mean()),
    )


def _last_gain(values: FloatArray) -> float:
    """Mean gain from the best of N/2 to the best of N."""
    return mean_without_replacement(values, max(len(values) // 2, 1)) - float(values.min())


def _shrinking(values: FloatArray) -> float:
    """The ratio of the last two doublings' gains that the sample shows, from 0 to 1."""
    quarter, half = (mean_without_replacement(values, max(len(values) // part, 1)) for part in (4, 2))
    last, before = half - float(values.min()), quarter - half
    return min(last / before, 1.0) if before > 0 else 1.0 if last > 0 else 0.0

"""Isolation: scientific settings compared after the nuisance hyperparameters are tuned away (L9, D2).

What is compared is the expected best of m trials with each setting, m half of the smallest study:
the best trial itself is one lucky draw, while this is an average over searches that the trials at
hand can show (unbiased U-statistic), with a standard error from leaving out one trial at a time. So
study variance, luck in the search included, is what the intervals hold. Taking the best of m is as
optimistic on one side as on the other, so it cancels in the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from tunebook.stats.arrays import FloatArray
from tunebook.stats.best_of_n import choosing_weights

LEVEL = 0.95
#: Fewer trials than this in a setting do not show a spread.
MIN_TRIALS = 4
#: Degrees of freedom of a jackknifed standard error per n/m trials: it rests on the few best trials.
#: Fitted so that 95 % intervals hold 95 % over skewed, bowl-shaped and partly infeasible searches
#: of 12 to 100 trials (``benchmarks/truth_coverage.py``).
DEGREES_PER_BLOCK = 1.5
#: Draws for the joint quantile of several comparisons, and for which setting is best.
N_DRAWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """Expected best of ``m`` trials of one setting, lower better, with its standard error."""

    value: float
    error: float
    m: int
    degrees: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """By how much setting ``number`` is better than ``against`` (positive is better), and how surely.

    ``low`` to ``high`` holds all true differences of a comparison together with probability ``level``.
    ``probability`` of being better at all is for this pair alone.
    """

    number: int
    against: int
    probability: float
    estimate: float
    low: float
    high: float
    level: float
    m: int


def compare_settings(groups: Sequence[FloatArray], reference: int = 0, level: float = LEVEL) -> tuple[Contrast, ...]:
    """Every setting against ``reference``, with intervals that are right together.

    ``groups``: the keys of each setting's trials, lower better, NaN infeasible; settings with fewer
    than four trials, or with no feasible one, are left out. Infeasible trials count as the worst
    feasible trial of all settings: they have to cost something, and nobody knows how much.
    """
    bests = best_of(groups)
    if bests[reference] is None:
        return ()
    against = bests[reference]
    assert against is not None
    others = [(number, best) for number, best in enumerate(bests) if best is not None and number != reference]
    width = _joint_quantile([best for _, best in others], against, level)
    return tuple(_contrast(number, best, reference, against, width, level) for number, best in others)


def probability_best(groups: Sequence[FloatArray], seed: int = 0) -> FloatArray:
    """Probability that each setting is the best of all; NaN for settings that are left out.

    This is what choosing among many has to look at: with ten equal settings none gets far above 0.1.
    """
    bests = best_of(groups)
    known = [number for number, best in enumerate(bests) if best is not None]
    share = np.full(len(groups), np.nan)
    if known:
        rng = np.random.default_rng(seed)
        draws = np.column_stack([_draws(best, rng) for best in bests if best is not None])
        share[known] = np.bincount(draws.argmin(axis=1), minlength=len(known)) / len(draws)
    return share


def best_of(groups: Sequence[FloatArray]) -> tuple[BestOf | None, ...]:
    """The expected best of m of every setting, m half of the smallest that has trials enough."""
    pooled = np.concatenate([np.asarray(group, dtype=np.float64) for group in groups]) if groups else np.empty(0)
    usable = [len(group) >= MIN_TRIALS and bool(np.isfinite(group).any()) for group in groups]
    if not any(usable):
        return tuple(None for _ in groups)
    worst = float(pooled[np.isfinite(pooled)].max())
    m = max(1, min(len(group) for group, use in zip(groups, usable, strict=True) if use) // 2)
    return tuple(
        _best_of(np.where(np.isfinite(group), group, worst), m) if use else None
        for group, use in zip(groups, usable, strict=True)
    )


def _best_of(values: FloatArray, m: int) -> BestOf:
    """U-statistic and jackknife in one pass: leaving trial i out shifts the ranks behind it by one."""
    ordered = np.sort(values)
    n_values = len(ordered)
    weights = choosing_weights(n_values - 1, min(m, n_values - 1))
    before = np.concatenate([[0.0], np.cumsum(ordered[:-1] * weights)])
    behind = np.concatenate([np.cumsum((ordered[1:] * weights)[::-1])[::-1], [0.0]])
    left_out = before + behind
    variance = (n_values - 1) / n_values * float(((left_out - left_out.mean()) ** 2).sum())
    return BestOf(
        value=float(ordered @ choosing_weights(n_values, m)),
        error=float(np.sqrt(variance)),
        m=m,
        degrees=DEGREES_PER_BLOCK * n_values / m,
    )


def _contrast(number: int, best: BestOf, reference: int, against: BestOf, width: float, level: float) -> Contrast:
    estimate, error = against.value - best.value, float(np.hypot(best.error, against.error))
    certain = 0.5 if estimate == 0.0 else float(estimate > 0.0)
    return Contrast(
        number=number,
        against=reference,
        probability=float(stdtr(_degrees(best, against), estimate / error)) if error > 0 else certain,
        estimate=estimate,
        low=estimate - width * error,
        high=estimate + width * error,
        level=level,
        m=best.m,
    )


def _degrees(a: BestOf, b: BestOf) -> float:
    """Welch and Satterthwaite's degrees of freedom of a difference."""
    whole = (a.error**2 + b.error**2) ** 2
    parts = a.error**4 / a.degrees + b.error**4 / b.degrees
    return float(whole / parts) if parts > 0 else min(a.degrees, b.degrees)


def _joint_quantile(others: Sequence[BestOf], against: BestOf, level: float) -> float:
    """Half width, in standard errors, of intervals that hold all differences at once.

    For one comparison the quantile of Student's t. For several, of the largest of correlated t values:
    all of them share the reference (Dunnett's comparison with unequal variances).
    """
    if not others:
        return 0.0
    degrees = min(_degrees(best, against) for best in others)
    if len(others) == 1:
        return float(stdtrit(degrees, 0.5 + level / 2.0))
    rng = np.random.default_rng(0)
    errors = np.array([best.error for best in others])
    shared = against.error * rng.standard_normal((N_DRAWS, 1))
    total = np.hypot(errors, against.error)
    scale = np.sqrt(rng.chisquare(degrees, N_DRAWS) / degrees)
    values = np.abs(shared + errors * rng.standard_normal((N_DRAWS, len(others)))) / np.where(total > 0, total, 1.0)
    return float(np.quantile(values.max(axis=1) / scale, level))


def _draws(best: BestOf, rng: np.random.Generator) -> FloatArray:
    return np.asarray(best.value + best.error * rng.standard_t(best.degrees, N_DRAWS), dtype=np.float64)

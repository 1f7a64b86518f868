"""Sustained rises: a training loss that grows, a validation metric that worsens while training improves (L6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tunebook.stats.curve_mark import UNKNOWN, Mark, logistic
from tunebook.stats.curve_noise import slow_noise
from tunebook.stats.curve_smooth import FloatArray, finite, noise_of, on_grid, running_median

IntArray = npt.NDArray[np.int64]

#: A training loss rising by 10 % over a fifth of the run is rising, by 5 % is not (L6).
RISE = math.sqrt(0.10 * 0.05)
RISE_STRETCH = 0.20
#: Validation worsening by 2 units, or the validation loss by 5 %, over a tenth of the run; 1 unit or 2 % is none.
WORSE_UNITS = math.sqrt(2.0)
WORSE_LOSS = math.sqrt(0.05 * 0.02)
WORSE_STRETCH = 0.10
#: Transients of the first twentieth do not count.
START = 0.05
#: Stretches begin and end on a grid of this many places.
N_GRID = 101
MIN_POINTS = 5
#: A longer curve is thinned to so many medians: four for every place.
MOST_POINTS = 400
STEEPNESS = 4.0
#: A rise has to exceed this many of its standard errors under noise as slow as the curve's own, and each of its
#: quarters the one before by this many: few false alarms among the thousands of stretches of clean curves with an
#: autocorrelation of up to 0.6 (methods §7, by ``benchmarks/truth_curves_noise.py``).
RISE_ERRORS = 2.0
WORSE_ERRORS = 3.0
STEP_ERRORS = 0.5
#: Every quarter of a rising stretch lies above the one before; this share of an even rise is enough.
EVEN_SHARE = 0.4
#: What the training curve worsens by itself counts this often against what validation worsens.
SHARED_WEIGHT = 2.0
#: Ups of the training curve by less than this many standard deviations of its noise are no worsening.
ORDINARY_CLIMB = 1.5
#: A training loss that rises by less than this holds.
HELD = 0.02
#: A curve that never rises by this share of the threshold is not looked at any further.
NEGLIGIBLE = 1 / 3
#: A smaller share of the largest value is rounding.
ROUNDING = 1e-12
NOTHING = Mark(size=0.0, score=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """All pairs of places on a grid that lie far enough apart; ``edges`` (5, n) are the ends of their quarters."""

    first: IntArray
    last: IntArray
    edges: IntArray

    @classmethod
    def at_least(cls, length: float) -> Stretches:
        """Those that cover at least the share ``length`` of the grid."""
        return _stretches(max(math.ceil(length * (N_GRID - 1)), 4))


@lru_cache(maxsize=32)
def _stretches(gap: int) -> Stretches:
    first, last = np.triu_indices(N_GRID, gap)
    return Stretches(first, last, first + (last - first + 1) * np.arange(5)[:, None] // 4)


def sustained_rise(x: FloatArray, y: FloatArray) -> Mark:
    """The largest relative rise of a positive loss that goes on over a fifth of the run; ``size`` 0.1 is 10 %."""
    x, y = finite(x, y)
    keep = (x >= START) & (y > 0)
    x, y = on_grid(x[keep], np.log(y[keep]), MOST_POINTS)
    if len(y) < MIN_POINTS or x[-1] - x[0] < RISE_STRETCH:
        return UNKNOWN
    grid = np.linspace(x[0], x[-1], N_GRID)
    smooth = np.interp(grid, x, running_median(y, 5))
    if largest_drawup(smooth) < NEGLIGIBLE * math.log1p(RISE):
        return NOTHING
    parts = Stretches.at_least(RISE_STRETCH / (x[-1] - x[0]))
    first, last = parts.first, parts.last
    errors = rise_errors(x, y, parts)
    rise = np.minimum(smooth[last] - smooth[first], even_rise(smooth, parts, STEP_ERRORS * errors))
    needed = np.maximum(math.log1p(RISE), RISE_ERRORS * errors)
    best = int(np.argmax(rise / needed))
    size = float(rise[best])
    score = logistic(size, float(needed[best]), STEEPNESS)
    return Mark(size=math.expm1(size), score=score, first=float(grid[first[best]]), last=float(grid[last[best]]))


def largest_drawup(smooth: FloatArray) -> float:
    """The largest rise from any place to any later one."""
    return float((smooth - np.minimum.accumulate(smooth)).max())


def even_rise(smooth: FloatArray, parts: Stretches, errors: FloatArray | float = 0.0) -> FloatArray:
    """How much each stretch rises as a whole: a jump between two flat halves is none.

    From the means of its quarters: 4/3 of last minus first, and no more than the smallest step
    between neighbouring quarters allows, which has to exceed its standard error in ``errors``.
    """
    total = np.concatenate(([0.0], np.cumsum(smooth)))
    means = np.diff(total[parts.edges], axis=0) / np.diff(parts.edges, axis=0)
    steps = np.diff(means, axis=0)
    rise: FloatArray = np.minimum((means[3] - means[0]) * 4 / 3, (steps.min(axis=0) - errors) * 4 / EVEN_SHARE)
    return rise


def worsening(x: FloatArray, y: FloatArray, threshold: float, train: tuple[FloatArray, FloatArray]) -> Mark:
    """The largest worsening of ``y`` after its best so far that ``train``, in the same unit, does not share."""
    x, y = on_grid(*finite(x, y), MOST_POINTS)
    train_x, train_y = finite(*train)
    if min(len(y), len(train_y)) < MIN_POINTS:
        return UNKNOWN
    grid = np.linspace(x[0], x[-1], N_GRID)
    smooth = np.interp(grid, x, running_median(y))
    if largest_drawup(smooth) < NEGLIGIBLE * threshold:
        return NOTHING
    parts = Stretches.at_least(WORSE_STRETCH)
    first, last = parts.first, parts.last
    rise = np.minimum(smooth[last] - smooth[first], even_rise(smooth, parts))
    rise[(grid[first] < START) | (smooth > np.minimum.accumulate(smooth))[first]] = -np.inf
    if rise.max() < NEGLIGIBLE * threshold:
        return NOTHING
    threshold = max(threshold, ROUNDING * float(np.abs(smooth).max()))
    needed = np.maximum(threshold, WORSE_ERRORS * rise_errors(x, y, parts))
    own = rise - SHARED_WEIGHT * shared_climb(train_x, train_y, grid)[first, last]
    best = int(np.argmax(own / needed))
    size = float(own[best])
    score = logistic(size, float(needed[best]), STEEPNESS)
    return Mark(size=size, score=score, first=float(grid[first[best]]), last=float(grid[last[best]]))


def shared_climb(x: FloatArray, y: FloatArray, grid: FloatArray) -> FloatArray:
    """How much the training curve climbs between two places of the grid, (n, n), beyond its ordinary noise."""
    x, y = on_grid(x, y, N_GRID)
    ordinary = ORDINARY_CLIMB * np.nan_to_num(noise_of(y[x >= START]))
    climb: FloatArray = np.maximum(largest_climb(np.interp(grid, x, running_median(y))) - ordinary, 0.0)
    return climb


def rise_errors(x: FloatArray, y: FloatArray, parts: Stretches) -> FloatArray:
    """Standard error of the rise of every stretch, by the means of its outer quarters; 0 where noise is not known."""
    noise = slow_noise(x[x >= START], y[x >= START])
    if noise is None:
        return np.zeros(len(parts.first))
    n_quarter = len(y) * np.arange(N_GRID) / (N_GRID - 1) / 4
    errors: FloatArray = (4 / 3 * math.sqrt(2.0) * noise.error_of_mean(n_quarter))[parts.last - parts.first]
    return errors


def falls_or_holds(train: tuple[FloatArray, FloatArray], first: float, last: float) -> float:
    """Score of a positive training loss not rising between two places of the run; 1 when it was not logged."""
    x, y = finite(*train)
    if len(y) < MIN_POINTS or math.isnan(first):
        return 1.0
    x, y = on_grid(x, y, N_GRID)
    ends = np.interp([first, last], x, running_median(y, 5))
    if ends[0] <= 0:
        return 1.0
    return 1.0 - logistic(float(ends[1] / ends[0]) - 1.0, HELD, STEEPNESS)


def largest_climb(curve: FloatArray) -> FloatArray:
    """Entry (i, j) is the largest rise of the curve from a place to a later one, both between i and j >= i."""
    before = np.tri(len(curve), k=-1, dtype=bool)
    lowest = np.minimum.accumulate(np.where(before, np.inf, curve), axis=1)
    return np.maximum.accumulate(np.where(before, -np.inf, curve - np.where(before, 0.0, lowest)), axis=1)

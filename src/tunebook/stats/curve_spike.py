"""Sudden rises of a loss: spikes (L5, L6)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from tunebook.stats.curve_mark import UNKNOWN, Mark, all_of, logistic
from tunebook.stats.curve_smooth import MAD_TO_SD, FloatArray, finite, median_before, running_median

#: A rise to 1.5 times the local level is a spike, to 1.2 times is none; the threshold lies between (L6).
FACTOR = math.sqrt(1.5 * 1.2)
#: The rise has to be this many times the local scatter: five by eye (L6); six, because the scatter of batch losses
#: has a heavier tail than the normal one.
SCATTERS = 6.0
#: In a longer curve chance alone reaches further, with the root of the logarithm of its length.
ORDINARY_LENGTH = 60
#: What happens in the first twentieth of a run is the start of training, not a spike.
START = 0.05
#: Points before a spike that give its level, and those that give its scatter.
LEVEL_WIDTH = 5
SCATTER_WIDTH = 21
#: Noise around a centred median of 5 times this is the noise itself (normal noise, by simulation).
CENTRED = 1.38
#: A sudden rise takes at most this many logging points (L6).
SUDDEN = 3
MIN_POINTS = 8
#: A level below this share of the largest value is zero but for rounding, and no factor of it means anything.
ROUNDING = 1e-40
#: A spike needs points before it, and comes after a decline: its level is lower than where the loss started.
MIN_BEFORE = 3
#: A single batch is a spike from this many standard deviations of the logarithm on: five by eye (L6). A stretch of
#: three batches is one when each of them is above the thirty batches before it: in 600 batches, with multiplicative
#: noise of 5 to 60 %, that raised no false alarm in 200 runs.
LOG_SCATTERS = 5.0
LASTING = 3
REMEMBERED = 30
#: Nothing below this share of the level is told apart from it.
LEAST_SHARE = 1e-6
STEEPNESS = 8.0
SCATTER_STEEPNESS = 3.0


def spike(x: FloatArray, y: FloatArray, *, is_of_batches: bool = False) -> Mark:
    """The largest sudden rise of a positive loss; ``size`` is the relative rise over the local level.

    The loss of single batches (``is_of_batches``) is high by chance now and then: there a rise counts when it stands
    out of their scatter on a log scale too, which has room for the heavy tail of a small loss, or when it lasts.
    """
    x, y = finite(x, y)
    if len(y) < MIN_POINTS:
        return UNKNOWN
    level = np.maximum(median_before(y, LEVEL_WIDTH), points_before(y, SUDDEN))
    change = y - level
    usable = (
        (x >= START)
        & (level > ROUNDING * np.abs(y).max())
        & (np.arange(len(y)) >= MIN_BEFORE)
        & (np.maximum(level, points_before(y, 1)) < y[:MIN_BEFORE].max())
    )
    reach = max(1.0, math.sqrt(math.log(len(y)) / math.log(ORDINARY_LENGTH)))
    scatter = local_scatter(y, usable) if usable.any() else np.zeros_like(y)
    if is_of_batches and usable.any():
        usable &= stands_out(y, level, usable, LOG_SCATTERS * reach) | lasts(y)
    if not usable.any():
        return UNKNOWN
    scatters = SCATTERS * reach
    rise = np.where(usable, change / np.where(usable, level, 1.0), 0.0)
    clear = change / np.maximum(scatter, 1e-12 * np.abs(level) + 1e-300)
    strength = np.minimum(np.log1p(np.maximum(rise, 0)) / math.log(FACTOR), clear / scatters)
    peak = int(np.argmax(np.where(usable, strength, -np.inf)))
    score = all_of(
        logistic(math.log1p(max(rise[peak], 0.0)), math.log(FACTOR), STEEPNESS / 4),
        logistic(clear[peak], scatters, SCATTER_STEEPNESS),
    )
    return Mark(size=float(rise[peak]), score=score, first=float(x[peak]), last=float(x[peak]))


def stands_out(
    y: FloatArray, level: FloatArray, usable: npt.NDArray[np.bool_], scatters: float
) -> npt.NDArray[np.bool_]:
    """Which values are this many robust standard deviations above their level, in logarithms."""
    rise = np.zeros_like(y)
    rise[usable] = np.log(np.maximum(y[usable], LEAST_SHARE * level[usable]) / level[usable])
    away = np.abs(rise[usable] - np.median(rise[usable]))
    return np.asarray(rise >= scatters * MAD_TO_SD * float(np.median(away)), dtype=bool)


def lasts(y: FloatArray) -> npt.NDArray[np.bool_]:
    """Which values begin a stretch of ``LASTING`` above everything in the ``REMEMBERED`` points before it."""
    n_points = len(y)
    if n_points < LASTING:
        return np.zeros(n_points, dtype=bool)
    lowest = np.full(n_points, -np.inf)
    lowest[: n_points - LASTING + 1] = sliding_window_view(y, LASTING).min(axis=1)
    before = np.concatenate((np.full(REMEMBERED, -np.inf), y[:-1]))
    highest = sliding_window_view(before, REMEMBERED).max(axis=1)
    highest[0] = np.inf
    return np.asarray(lowest > highest, dtype=bool)


def points_before(y: FloatArray, n_points: int) -> FloatArray:
    """The value ``n_points`` earlier; the first value where there is none."""
    return np.concatenate((np.full(n_points, y[0]), y[:-n_points]))


def local_scatter(y: FloatArray, usable: npt.NDArray[np.bool_]) -> FloatArray:
    """Robust scale of the noise before each point; that of the whole run where too few points are before."""
    size = CENTRED * np.abs(y - running_median(y, LEVEL_WIDTH))
    scatter = median_before(size, SCATTER_WIDTH)
    first = int(np.argmax(usable)) + SCATTER_WIDTH
    scatter[:first] = np.median(size[usable])
    return MAD_TO_SD * scatter

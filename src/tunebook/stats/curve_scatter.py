"""Scatter of a curve around its own trend: late variance, and periodic ups and downs (L6)."""

from __future__ import annotations

import math

import numpy as np

from tunebook.stats.curve_mark import UNKNOWN, Mark, all_of, logistic
from tunebook.stats.curve_smooth import FloatArray, finite, running_median

#: Late is the last quarter of the run (L6).
LATE = 0.75
HALF = 0.5
#: Fewer evaluations in the last quarter show no scatter.
MIN_LATE_POINTS = 5
#: More evaluations than this are looked at in blocks of so many.
BLOCK = 30
#: A peak-to-peak scatter of 2 units is large, of 1 is not; 1 time the gain of the second half is, half of it is not.
SCATTER_UNITS = math.sqrt(2.0)
GAIN_SHARE = math.sqrt(0.5)
#: A swing from one evaluation to the next, as opposed to a smooth cycle, is at most this many times its roughness.
ROUGHNESS = 1.5
STEEPNESS = 4.0


def late_scatter(x: FloatArray, y: FloatArray, material: float) -> Mark:
    """Peak-to-peak scatter around the trend in the last quarter, against the unit and the gain of the second half."""
    x, y = finite(x, y)
    late = x >= LATE
    if late.sum() < MIN_LATE_POINTS:
        return UNKNOWN
    scatter = min(swing(y[late] - line_trend(x[late], y[late])), ROUGHNESS * roughness(y[late]))
    gain = largest_fall(y[x >= HALF])
    score = all_of(
        logistic(scatter, SCATTER_UNITS * material, STEEPNESS),
        logistic(scatter, GAIN_SHARE * max(gain, 0.0), STEEPNESS),
    )
    return Mark(size=scatter, score=score, first=LATE, last=1.0)


def roughness(y: FloatArray) -> float:
    """Peak-to-peak of the second differences, scaled so that independent noise gives its own peak-to-peak."""
    return swing(np.diff(y, 2)) / math.sqrt(6.0)


def swing(y: FloatArray) -> float:
    """Peak-to-peak; of a long stretch the mean over blocks, because noise reaches further the longer it is."""
    n_blocks = max(len(y) // BLOCK, 1)
    width = len(y) // n_blocks
    return float(np.ptp(y[: n_blocks * width].reshape(n_blocks, width), axis=1).mean())


def largest_fall(y: FloatArray) -> float:
    """How far the smoothed curve falls from its highest place to its end; at least 0."""
    smooth = running_median(y, max(3, len(y) // 10 * 2 + 1))
    return float(smooth.max() - smooth[-1])


def line_trend(x: FloatArray, y: FloatArray) -> FloatArray:
    """Least-squares line, or parabola from 6 points on, through a short stretch."""
    degree = 2 if len(y) >= 6 else 1
    basis = np.vander((x - x.mean()) / (np.ptp(x) or 1.0), degree + 1)
    coefficients = np.linalg.lstsq(basis, y, rcond=None)[0]
    trend: FloatArray = basis @ coefficients
    return trend

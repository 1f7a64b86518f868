"""Smoothing and robust scale of one curve. All functions take and return float arrays of shape (n,)."""

from __future__ import annotations

import math
import statistics

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

FloatArray = npt.NDArray[np.float64]

#: The median absolute deviation of a normal sample times this is its standard deviation.
MAD_TO_SD = 1.4826
#: The widest window whose ends are worked out point by point.
NARROW = 5


def finite(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points whose value is finite."""
    keep = np.isfinite(y)
    return (x, y) if keep.all() else (x[keep], y[keep])


def running_median(y: FloatArray, width: int = 3) -> FloatArray:
    """Centred running median over ``width`` (odd) points.

    At the ends of a width of 3 or 5 it is the median of the points that exist; a wider window takes
    the end point for those that do not.
    """
    n_points = len(y)
    width = min(width, n_points - (n_points % 2 == 0))
    if width < 3:
        return y.copy()
    smooth: FloatArray = median_filter(y, size=width, mode="nearest")
    for place in range(width // 2 if width <= NARROW else 0):
        smooth[place] = statistics.median(y[: place + width // 2 + 1].tolist())
        smooth[-1 - place] = statistics.median(y[n_points - 1 - place - width // 2 :].tolist())
    return smooth


def median_before(y: FloatArray, width: int) -> FloatArray:
    """Median of the ``width`` points before each point, itself excluded; the first value where none is before."""
    if not len(y):
        return y.copy()
    padded = np.concatenate((np.full(width, y[0]), y[:-1]))
    smooth: FloatArray = median_filter(padded, size=width, origin=(width - 1) // 2, mode="nearest")
    return smooth[width - 1 :]


def robust_scale(values: FloatArray) -> float:
    """Standard deviation by the median absolute deviation; 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    return MAD_TO_SD * median_of(np.abs(values - median_of(values)))


def median_of(values: FloatArray) -> float:
    """The median, as ``np.median`` has it, at a third of its cost for a few hundred values; NaN for none."""
    ordered, n_values = np.sort(values), len(values)
    if not n_values:
        return math.nan
    return float(ordered[(n_values - 1) // 2] * 0.5 + ordered[n_values // 2] * 0.5)


def noise_of(y: FloatArray) -> float:
    """Standard deviation of the evaluation-to-evaluation noise of a curve with a smooth trend.

    From second differences, which a straight trend leaves at zero: ``robust_scale / sqrt(6)``.
    NaN for fewer than five points.
    """
    if len(y) < 5:
        return float("nan")
    return robust_scale(np.diff(y, 2)) / math.sqrt(6.0)


def value_at(x: FloatArray, y: FloatArray, place: float) -> float:
    """The curve at ``place`` by linear interpolation, constant beyond its ends."""
    return float(np.interp(place, x, y))


def on_grid(x: FloatArray, y: FloatArray, n_grid: int) -> tuple[FloatArray, FloatArray]:
    """The curve as it is when it has at most ``n_grid`` points, else medians of so many equal stretches of them."""
    if len(y) <= n_grid:
        return x, y
    edges = np.linspace(0, len(y), n_grid + 1).astype(int)
    width = int(np.diff(edges).min())
    index = edges[:-1, None] + np.arange(width)
    return x[index].mean(axis=1), np.median(y[index], axis=1)

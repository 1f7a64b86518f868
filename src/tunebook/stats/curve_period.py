"""Periodic ups and downs of a curve: the hint at a shuffling or evaluation artefact (L6)."""

from __future__ import annotations

import math

import numpy as np

from tunebook.stats.curve_mark import UNKNOWN, Mark, logistic
from tunebook.stats.curve_smooth import FloatArray, finite, robust_scale

#: The start of training is no part of a period.
START = 0.1
MIN_POINTS = 20
#: A period has to be seen this many times.
MIN_CYCLES = 4
#: Differences beyond this many robust standard deviations are cut, so that one jump makes no period.
CUT = 4.0
#: Spread of the autocorrelation of differenced noise, in units of 1 / sqrt(n) (Bartlett's formula, lag-1 value -0.5).
BARTLETT = math.sqrt(1.5)
#: What independent noise gives at lag 1 by being differenced; more negative than this is a dip.
NOISE_AT_ONE = -0.5
#: Before the curve returns it goes the other way, at least by this part of the return.
DIP_SHARE = 2.0
#: Smaller than this share of the largest change is rounding: a straight line has no period.
ROUNDING = 1e-6
STEEPNESS = 5.0


def periodicity(x: FloatArray, y: FloatArray) -> Mark:
    """The strongest return of the curve's changes at a lag of 2 or more evaluations; ``size`` is that autocorrelation.

    The changes from one evaluation to the next are compared, so a trend does not count. The lag has to
    come after a dip below zero (a slowly changing slope has none), and the usual two standard errors
    are widened to the largest of as many lags as were looked at. ``first`` is the period as a
    fraction of the run.
    """
    x, y = finite(x, y)
    late = x >= START
    x, y = x[late], y[late]
    n_lags = (len(y) - 1) // MIN_CYCLES
    if len(y) < MIN_POINTS or n_lags < 2:
        return UNKNOWN
    correlations = autocorrelation(clipped(np.diff(y)), n_lags)
    dips = np.minimum.accumulate(np.concatenate(([correlations[0] - NOISE_AT_ONE], correlations[1:-1])))
    peaks = np.minimum(correlations[1:], -DIP_SHARE * dips)
    lag = int(np.argmax(peaks)) + 2
    threshold = BARTLETT * math.sqrt(2 * math.log(2 * n_lags)) / math.sqrt(len(y) - 1)
    period = lag * (x[-1] - x[0]) / (len(x) - 1)
    size = float(peaks[lag - 2])
    return Mark(size=size, score=logistic(size, max(threshold, 0.2), STEEPNESS), first=float(period), last=1.0)


def clipped(changes: FloatArray) -> FloatArray:
    """Changes around their median, cut at a few robust standard deviations."""
    centred = changes - np.median(changes)
    limit = CUT * robust_scale(changes)
    centred[np.abs(centred) < ROUNDING * np.abs(changes).max()] = 0.0
    return np.clip(centred, -limit, limit) if limit > 0 else centred


def autocorrelation(values: FloatArray, n_lags: int) -> FloatArray:
    """Autocorrelation at lags 1 .. ``n_lags``; zeros for a constant series."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if not power > 0:
        return np.zeros(n_lags)
    size = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    products: FloatArray = np.fft.irfft(spectrum * np.conj(spectrum), size)[1 : n_lags + 1]
    return products / power

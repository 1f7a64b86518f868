"""Gain at the end of a curve: still improving, or saturated long before (L6, T2).

``x`` is the step as a fraction of the run, ascending in [0, 1]; ``y`` is oriented so that lower is
better; ``material`` is the smallest change that matters, in units of ``y``.
"""

from __future__ import annotations

import math

import numpy as np

from tunebook.stats.curve_mark import UNKNOWN, Mark, all_of, logistic
from tunebook.stats.curve_noise import slow_noise
from tunebook.stats.curve_smooth import FloatArray, finite, noise_of, on_grid, running_median, value_at

#: "Still improving" is a gain over this last share of the run, and over this one (L6).
LATE = 0.85
LAST = 0.95
#: A gain of 2 material units is one, of 1 is none; the threshold is the middle on a log scale.
GAIN_UNITS = math.sqrt(2.0)
#: The last twentieth has to bring at least this share of what a steady gain would bring.
STEADY_SHARE = 0.25
#: Saturated: within 1 unit of the best by half of the run; 1.5 units are not.
SATURATED_UNITS = math.sqrt(1.5)
HALF = 0.5
MIN_POINTS = 4
#: A longer curve is thinned to so many medians.
MOST_POINTS = 400
#: The start of training tells nothing of the noise later.
START = 0.05
#: With fewer evaluations in the last 15 % a running median would hide what they show.
MIN_LATE_POINTS = 3
STEEPNESS = 4.0
#: The trend is visible above the noise when the slope of the last 30 % is this many standard errors.
TREND = 0.7
TREND_ERRORS = 2.0
TREND_STEEPNESS = 3.0
MIN_TREND_POINTS = 6
#: Fewer evaluations in the second half do not tell noise from shape.
MIN_NOISE_POINTS = 8


def late_gain(x: FloatArray, y: FloatArray, material: float) -> Mark:
    """How much the curve still improves over the last 15 % of the run; ``size`` is that gain."""
    x, y = on_grid(*finite(x, y), MOST_POINTS)
    if len(y) < MIN_POINTS or x[-1] < LATE:
        return UNKNOWN
    x = x / x[-1]
    smooth = running_median(y) if (x >= LATE).sum() >= MIN_LATE_POINTS else y
    end = float(smooth[-1])
    gain = value_at(x, smooth, LATE) - end
    last = value_at(x, smooth, LAST) - end
    steady = gain * (1 - LAST) / (1 - LATE)
    late = y[x >= HALF]
    noise = noise_of(late) if len(late) >= MIN_NOISE_POINTS else math.nan
    score = all_of(
        logistic(gain, GAIN_UNITS * material, STEEPNESS),
        logistic(last, STEADY_SHARE * steady, STEEPNESS),
        visibility(x[x >= TREND], y[x >= TREND], inflation_of(x, y)),
        1.0 if math.isnan(noise) else logistic(gain, noise, STEEPNESS),
    )
    return Mark(size=gain, score=score, first=LATE, last=1.0)


def inflation_of(x: FloatArray, y: FloatArray) -> float:
    """How many times independent noise's the standard error of a trend is, from the noise after the start."""
    noise = slow_noise(x[x >= START], y[x >= START])
    return 1.0 if noise is None else noise.inflation


def visibility(x: FloatArray, y: FloatArray, inflation: float = 1.0) -> float:
    """Score of a falling straight line against the scatter around it; 1 where too few points show any scatter."""
    if len(y) < MIN_TREND_POINTS:
        return 1.0
    offset = x - x.mean()
    spread = float(offset @ offset)
    slope = float(offset @ y) / spread
    residual = y - y.mean() - slope * offset
    error = inflation * math.sqrt(float(residual @ residual) / (len(y) - 2) / spread)
    return logistic(-slope, TREND_ERRORS * error, TREND_STEEPNESS)


def gain_of_second_half(x: FloatArray, y: FloatArray, material: float) -> Mark:
    """How much better the best of the whole run is than the best of its first half.

    The score is that of *saturated*: high when the second half brought nothing material. ``first`` is
    where the curve first came within one unit of its best, ``last`` where it is best.
    """
    x, y = finite(x, y)
    if len(y) < MIN_POINTS or not (x <= HALF).any():
        return UNKNOWN
    smooth = running_median(y)
    early = float(smooth[x <= HALF].min())
    gain = max(early - float(smooth.min()), 0.0)
    score = 1.0 - logistic(gain, SATURATED_UNITS * material, STEEPNESS)
    arrived = float(x[int(np.argmax(smooth <= smooth.min() + material))])
    return Mark(size=gain, score=score, first=arrived, last=float(x[int(np.argmin(smooth))]))

"""The material unit of a workload where nobody stated one: about twice the spread of repeats (L6).

Values are oriented so that lower is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tunebook.stats.curve_smooth import FloatArray, finite, noise_of

#: A material change is two standard deviations of the best value over seeds.
SPREADS = 2.0
#: Only the best third of runs tells what a good run's noise is.
GOOD_SHARE = 1 / 3
#: What a good curve gains after the first fifth of its run is some 12 to 40 material units: measured on
#: five AlgoPerf workloads (median 17). It bounds an estimate from few repeats or a smooth curve.
GAIN_START = 0.2
FEWEST_UNITS = 12.0
MOST_UNITS = 40.0
TYPICAL_UNITS = 17.0


def unit_from_repeats(groups: Sequence[FloatArray]) -> float:
    """Twice the standard deviation over seeds, the median over the better half of the configurations.

    ``groups`` holds the best values of each configuration's seeds; groups of one are left out. NaN
    when no group has two. The median keeps one unlucky seed of one configuration from deciding.
    """
    repeated = sorted((group for group in groups if len(group) > 1), key=np.median)
    good = repeated[: math.ceil(len(repeated) / 2)]
    if not good:
        return math.nan
    return SPREADS * float(np.median([np.std(group, ddof=1) for group in good]))


def noise_and_gain(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Evaluation noise over the last third of a curve, and its gain after the first fifth of the run."""
    x, y = finite(x, y)
    later = y[x >= GAIN_START]
    if len(later) < 2:
        return math.nan, math.nan
    return noise_of(y[-max(len(y) // 3, 8) :]), float(np.ptp(later))


def unit_from_curves(noises: Sequence[float], gains: Sequence[float]) -> float:
    """Twice the median noise of the good curves, within what their gain allows; NaN when they show neither."""
    gain = _median(gains)
    noise = _median(noises)
    if math.isnan(gain) or gain <= 0:
        return SPREADS * noise
    if math.isnan(noise):
        return gain / TYPICAL_UNITS
    return bounded(SPREADS * noise, gain)


def bounded(unit: float, gain: float) -> float:
    """The unit, held between what a curve of this gain can have."""
    return float(np.clip(unit, gain / MOST_UNITS, gain / FEWEST_UNITS)) if gain > 0 else unit


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan

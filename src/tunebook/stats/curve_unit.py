"""The material unit of a workload where nobody stated one: about twice the spread of repeats (L6).

Values are oriented so that lower is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tunebook.stats.arrays import FloatArray, IntArray
from tunebook.stats.curve_smooth import finite, noise_of
from tunebook.stats.variance import Spread, near_the_best

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


def unit_from_repeats(keys: FloatArray, groups: IntArray, gain: float = 0.0) -> float:
    """Twice the standard deviation over seeds, the median over the better half of the configurations.

    ``keys`` has one best value a run, lower better, ``groups`` the number of its configuration. NaN when none of the
    better half ran twice. The median keeps one unlucky seed of one configuration from deciding. What the ``gain`` of a
    good curve (0 where unknown) says of a unit corrects it as far as that many repeats leave it open, at 95 %.
    """
    near = near_the_best(keys, groups)
    own = [keys[near & (groups == group)] for group in np.unique(groups[near])]
    several = [values for values in own if len(values) > 1]
    unit = SPREADS * float(np.median([np.std(values, ddof=1) for values in several])) if several else math.nan
    if not unit > 0:
        return unit
    low, high = Spread(sd=unit, degrees=sum(len(values) - 1 for values in several)).interval()
    return float(np.clip(bounded(unit, gain), low, high))


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

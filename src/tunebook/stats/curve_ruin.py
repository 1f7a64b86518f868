"""Divergence: a run that ends non-finite, explodes, never leaves the chance level or falls back to it (L4, L6).

``x`` is the step as a fraction of the run; ``y`` is oriented so that lower is better and ``chance`` is
oriented with it. Losses are positive, lower is better.
"""

from __future__ import annotations

import math

import numpy as np

from tunebook.stats.curve_mark import UNKNOWN, Mark, logistic
from tunebook.stats.curve_smooth import FloatArray, finite, running_median

#: "Several times its minimum": an exploded loss whose metric is lost as well (L4).
SEVERAL = 3.0
#: The first this many values give the starting level of a loss; a batch loss scatters.
START_POINTS = 3
#: Within this share of the chance level a value is neither clearly at chance nor clearly better.
CHANCE_WIDTH = 0.02
#: A value exactly at chance does not beat it, so it scores above 0.5 by this much of a width.
AT_LEAST = 0.1
#: A run whose metric and training loss never get better by this share of where they started has learned nothing.
LEARNED = 0.002
STEEPNESS = 6.0
MIN_POINTS = 3


def nonfinite_end(y: FloatArray) -> Mark:
    """Whether the last value is NaN or infinite; ``size`` is the number of non-finite values at the end."""
    bad = ~np.isfinite(y)
    n_bad = int(np.argmin(bad[::-1])) if not bad.all() else len(bad)
    return Mark(size=float(n_bad), score=1.0 if n_bad else 0.0)


def explosion(x: FloatArray, loss: FloatArray, metric_lost: bool) -> Mark:
    """A loss that ends above where it started, or several times its minimum with the metric lost.

    ``size`` is the end as a multiple of what it must not exceed.
    """
    x, loss = finite(x, loss)
    if len(loss) < MIN_POINTS:
        return UNKNOWN
    smooth = running_median(loss, 5)
    start, lowest, end = float(loss[:START_POINTS].max()), float(smooth.min()), float(smooth[-1])
    limit = min(start, SEVERAL * lowest) if metric_lost else start
    if not (lowest > 0 and end > lowest):
        return Mark(size=0.0, score=0.0)
    size = end / limit
    return Mark(
        size=size, score=logistic(size, 1.0, STEEPNESS), first=float(x[int(np.argmin(smooth))]), last=float(x[-1])
    )


def at_chance(value: float, chance: float, width: float) -> float:
    """Score of ``value`` being no better than chance: a little over 0.5 at chance, logistic over ``width``."""
    distance = (chance - value) / max(width, 1e-300) - AT_LEAST
    return 1.0 / (1.0 + math.exp(min(max(distance, -700.0), 700.0)))


def lost_share(y: FloatArray) -> float:
    """How much of what the curve gained since its first evaluation it has lost at its end; 0 for no gain."""
    usable = y[np.isfinite(y)]
    if len(usable) < MIN_POINTS:
        return 0.0
    start, best, end = float(usable[0]), float(usable.min()), float(running_median(usable)[-1])
    return (end - best) / (start - best) if start > best else 0.0


def never_learned(y: FloatArray, loss: FloatArray) -> Mark:
    """Neither the metric nor the positive training loss ever gets better than in the untrained model.

    Both start with the untrained model. ``size`` is the larger of their gains, relative to the start.
    """
    curves = [values[np.isfinite(values)] for values in (y, loss)]
    if min(map(len, curves)) < MIN_POINTS or 0 in (curves[0][0], curves[1][0]):
        return UNKNOWN
    size = max(float(own[0] - running_median(own).min()) / abs(float(own[0])) for own in curves)
    return Mark(size=size, score=1.0 - logistic(size, LEARNED, STEEPNESS))


def lost_metric(x: FloatArray, y: FloatArray, chance: float) -> Mark:
    """A metric that ends at chance: never better (stuck) or better before (collapsed).

    ``size`` is by how much the end beats chance, in units of the metric.
    """
    x, y = finite(x, y)
    if len(y) < MIN_POINTS:
        return UNKNOWN
    end = float(running_median(y)[-1])
    width = CHANCE_WIDTH * abs(chance)
    is_stuck = at_chance(float(y.min()), chance, width)
    score = max(is_stuck, at_chance(end, chance, width))
    best = int(np.argmin(y))
    return Mark(size=chance - end, score=score, first=float(x[best]), last=float(x[-1]))

"""Mark: what one shape of a curve measures, and how far that is from the threshold, as a score in [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One measured shape.

    ``size`` is in the units of the curve, or a relative rise (0.1 is 10 %), NaN where the curve has
    too few points. ``score`` is 0.5 at the threshold. ``first`` and ``last`` are the ends of the
    stretch that was measured, as fractions of the run, NaN when there is none.
    """

    size: float
    score: float
    first: float = math.nan
    last: float = math.nan


#: What a curve with too few points says: nothing.
UNKNOWN = Mark(size=math.nan, score=0.0)


def logistic(size: float, threshold: float, steepness: float) -> float:
    """Score of a size against its threshold: ``1 / (1 + (threshold / size) ** steepness)``.

    Logistic in the logarithm, so half and double the threshold lie equally far from 0.5. A size of 0
    or less scores 0, an infinite one 1, NaN 0.
    """
    if not size > 0:
        return 0.0
    if math.isinf(size) or threshold <= 0:
        return 1.0
    exponent = -steepness * (math.log(size) - math.log(threshold))
    return 1.0 / (1.0 + math.exp(min(exponent, 700.0)))


def all_of(*scores: float) -> float:
    """The score of several conditions that all have to hold: the weakest of them."""
    return min(scores)


def any_of(*marks: Mark) -> Mark:
    """The strongest of several marks; ``UNKNOWN`` when there is none."""
    return max(marks, key=lambda mark: mark.score, default=UNKNOWN)

"""Instability: is the optimum cut off by the wall behind which trials cannot be trained? (L5, I1)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunebook.stats.arrays import BoolArray, FloatArray
from tunebook.stats.landscape import Box, Landscape, lowest_draws, lowest_points

#: How far past the range the surface is followed; a wall near the end of it hides what is just beyond.
REACH = 0.25
N_DRAWS = 400
#: What lies behind the wall has to be better by this many standard deviations of the unexplained.
GAIN_IN_NOISE = 1.0
#: Robust standard deviations from which a gradient norm is an outlier.
OUTLIER = 7.0
MAD_TO_SD = 1.4826
#: A loss that rises after its best by this share of what it had fallen by has turned.
TURNED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``probability``: that the surface behind the wall is lower than anywhere in front of it.

    ``slope`` is how fast the log odds of being infeasible grow over the range of the learning rate.
    """

    probability: float
    slope: float


def cut_off(landscape: Landscape, rows: BoolArray, rate: int, seed: int = 0) -> Edge | None:
    """Whether the wall that rises with column ``rate`` hides the optimum of the study ``rows``.

    The surface is fitted to the trials in front of the wall and followed past it: when it still falls
    there, the best trials are the last that could be trained and not the best there are. None without
    such a wall.
    """
    slope = float(landscape.wall.slopes[rate])
    if slope <= 0.0:
        return None
    rng = np.random.default_rng(seed)
    inside = Box.around(landscape.points.taken(rows))
    wider = inside.joined(inside.beyond(rate, True, REACH))
    front = lowest_points(landscape, inside, rng)
    behind = lowest_points(landscape, wider, rng, is_behind_wall=True)
    if not len(front) or not len(behind):
        return None
    ahead, hidden = lowest_draws(landscape, [front, behind], N_DRAWS, rng)
    better = ahead - hidden > GAIN_IN_NOISE * landscape.surface.noise_sd
    return Edge(probability=float(better.mean()), slope=slope)


def share_of_outliers(values: FloatArray) -> float:
    """Share of the finite values more than 7 robust standard deviations above the median; 0 with under 20.

    For gradient norms: of their logs, since they are positive and spread over factors.
    """
    logs = np.log(values[np.isfinite(values) & (values > 0)])
    if len(logs) < 20:
        return 0.0
    middle = float(np.median(logs))
    spread = MAD_TO_SD * float(np.median(np.abs(logs - middle)))
    return float((logs > middle + OUTLIER * spread).mean()) if spread > 0 else 0.0


def turns_up(values: FloatArray) -> bool:
    """Whether a loss falls and then rises again, by a tenth of its fall or into what is not finite."""
    finite = np.isfinite(values)
    if not finite.any() or not finite[0]:
        return False
    falls = values[0] - np.nanmin(np.where(finite, values, np.nan))
    if falls <= 0:
        return False
    if not finite[-1]:
        return True
    return bool(np.median(values[finite][-3:]) - values[finite].min() > TURNED * falls)

"""Good region: where along each dimension the optimum can lie, as far as the trials tell (L8)."""

from __future__ import annotations

import numpy as np

from tunebook.stats.arrays import BoolArray, FloatArray
from tunebook.stats.landscape import BEHIND_WALL, Box, Landscape, lowest_points, numeric
from tunebook.stats.surface import Columns

N_POINTS = 320
N_DRAWS = 200
#: How many of the lowest points of a draw count as its good region.
N_LOWEST = 3


def optimum_positions(landscape: Landscape, rows: BoolArray, seed: int = 0) -> FloatArray:
    """Where the lowest points of posterior draws of the surface lie: positions × dimensions.

    Points behind the wall do not count. Empty when all of the range is behind it.
    """
    rng = np.random.default_rng(seed)
    box = Box.around(landscape.points.taken(rows))
    points = np.vstack([box.points(N_POINTS, rng), lowest_points(landscape, box, rng)])
    columns = Columns(points, landscape.points.is_choice)
    points = points[landscape.wall.probability(numeric(columns)) <= BEHIND_WALL]
    if not len(points):
        return points
    draws = landscape.surface.draws(points, N_DRAWS, rng)
    lowest = np.argsort(draws, axis=1)[:, :N_LOWEST]
    return np.asarray(points[lowest.ravel()], dtype=np.float64)

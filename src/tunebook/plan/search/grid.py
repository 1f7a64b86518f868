"""A grid that grows: more trials refine it instead of starting another one (R7).

A continuous axis takes the levels 0, 1, 1/2, 1/4, 3/4, 1/8 and so on. Two of them are filled in
squares: the first m**2 points are all pairs of the first m levels, so n = 4, 9, 25, 81 and so on are
complete, evenly spaced grids. Finite axes are enumerated in full at every pair.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tunebook.errors import InputError, Problem
from tunebook.evidence import FloatArray
from tunebook.plan.search.table import Axes, Key

#: The playbook's advice for grids: one or two dimensions (R7).
MAX_CONTINUOUS = 2


def points(axes: Axes, start: int, stop: int, key: Key) -> FloatArray:
    """Points ``start`` to ``stop`` of the grid; ``key`` plays no part. Ends after the last cell of a finite grid.

    ``InputError`` when more than two axes are continuous.
    """
    del key
    check(axes)
    continuous = [axis for axis, n_cells in enumerate(axes) if n_cells == 0]
    n_finite = math.prod(n_cells for n_cells in axes if n_cells)
    end = stop if continuous else min(stop, n_finite)
    index = np.arange(start, max(end, start))
    drawn = np.empty((len(index), len(axes)))
    _fill_finite(drawn, axes, index % n_finite)
    _fill_continuous(drawn, continuous, index // n_finite)
    return drawn


def check(axes: Axes) -> None:
    """``InputError`` when more than two axes are continuous."""
    n_continuous = sum(n_cells == 0 for n_cells in axes)
    if n_continuous > MAX_CONTINUOUS:
        message = f"a grid of {n_continuous} continuous dimensions needs too many trials; use algorithm = 'halton'"
        raise InputError([Problem(key=("search", "algorithm"), message=message)])


def complete_size(axes: Axes, n_trials: int) -> int:
    """The least number of trials, at least ``n_trials``, at which the grid is evenly spaced."""
    n_finite = math.prod(n_cells for n_cells in axes if n_cells)
    n_continuous = sum(n_cells == 0 for n_cells in axes)
    if n_continuous == 0:
        return n_finite
    n_levels = 2
    while n_levels**n_continuous * n_finite < n_trials:
        n_levels = 2 * n_levels - 1
    return int(n_levels**n_continuous * n_finite)


def _fill_finite(drawn: FloatArray, axes: Axes, number: npt.NDArray[np.int64]) -> None:
    for axis, n_cells in reversed(list(enumerate(axes))):
        if n_cells:
            drawn[:, axis] = (number % n_cells + 0.5) / n_cells
            number = number // n_cells


def _fill_continuous(drawn: FloatArray, axes: list[int], number: npt.NDArray[np.int64]) -> None:
    if len(axes) == 1:
        drawn[:, axes[0]] = _levels(number)
    elif len(axes) == 2:
        shell = np.floor(np.sqrt(number)).astype(np.int64)
        rest = number - shell**2
        drawn[:, axes[0]] = _levels(np.where(rest <= shell, shell, rest - shell - 1))
        drawn[:, axes[1]] = _levels(np.where(rest <= shell, rest, shell))


def _levels(number: npt.NDArray[np.int64]) -> FloatArray:
    """0, 1, then the odd multiples of 1/2, 1/4, 1/8 in ascending order."""
    inner = np.maximum(number - 1, 1)
    depth = np.floor(np.log2(inner)).astype(np.int64)
    odd = 2 * (inner - 2**depth) + 1
    return np.where(number < 2, number.astype(np.float64), odd / 2.0 ** (depth + 1))

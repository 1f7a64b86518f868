"""Independent uniform points, from a generator that counts: any point can be had by its index."""

from __future__ import annotations

import numpy as np

from tunebook.evidence import FloatArray
from tunebook.plan.search.table import Axes, Key

#: Numbers that Philox makes for one step of its counter.
BLOCK = 4


def points(axes: Axes, start: int, stop: int, key: Key) -> FloatArray:
    """Points ``start`` to ``stop``; every point owns whole blocks of the generator's stream."""
    n_blocks = -(-len(axes) // BLOCK)
    n_points = max(stop - start, 0)
    bits = np.random.Philox(np.random.SeedSequence(key))
    bits.advance(start * n_blocks)
    drawn = np.random.Generator(bits).random((n_points, n_blocks * BLOCK))
    return drawn[:, : len(axes)]

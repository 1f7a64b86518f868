"""Scrambled Halton points, the default: low discrepancy for any number of points (methods 1)."""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from tunebook.evidence import FloatArray
from tunebook.plan.search.table import Axes, Key


def points(axes: Axes, start: int, stop: int, key: Key) -> FloatArray:
    """Points ``start`` to ``stop`` of one scramble of the Halton sequence.

    Scrambling is Owen's (arXiv 1706.02808), as in SciPy: without it, dimensions above 8 are correlated.
    """
    if not axes or stop <= start:
        return np.zeros((max(stop - start, 0), len(axes)))
    engine = qmc.Halton(len(axes), scramble=True, rng=np.random.default_rng(np.random.SeedSequence(key)))
    engine.fast_forward(start)
    return np.asarray(engine.random(stop - start), dtype=np.float64)

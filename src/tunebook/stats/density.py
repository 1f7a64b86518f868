"""Density: how many trials lie in the good region (L3)."""

from __future__ import annotations

import numpy as np

from tunebook.stats.arrays import FloatArray


def n_within(keys: FloatArray, distance: float) -> int:
    """How many trials lie within ``distance`` of the best, the best included; NaN is infeasible."""
    finite = keys[np.isfinite(keys)]
    return int((finite <= finite.min() + distance).sum()) if len(finite) else 0

"""Feasible region: how likely a configuration can be trained at all (X1).

Gelbart et al. (2014) put a latent Gaussian process behind the labels of failed and finished trials.
Here it is fitted to labels of -1 and +1 by regression with learned noise (Rasmussen and Williams 2006,
section 6.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

from tunebook.stats.arrays import BoolArray, FloatArray
from tunebook.stats.surface import Columns, Prior, Surface, fit_surface

#: Rough and short, because a cliff is steep: away from its labels the process soon knows nothing.
PRIOR = Prior(length=(0.0, 0.7), growth=0.25, signal=(0.5, 1.0), noise=(-5.0, 1.0), mean_variance=1.0, is_rough=True)
#: Variance of the smallest step between certain and not, so that nothing is divided by zero.
LEAST_VARIANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class FeasibleRegion:
    """The latent process over the labels; above 0 is feasible."""

    surface: Surface

    def probability(self, values: FloatArray) -> FloatArray:
        """Probability of being feasible at ``values`` (points × dimensions)."""
        return np.asarray(ndtr(self._score(values)), dtype=np.float64)

    def log_probability(self, values: FloatArray) -> FloatArray:
        """Its logarithm, exact also where it is tiny."""
        return np.asarray(log_ndtr(self._score(values)), dtype=np.float64)

    def _score(self, values: FloatArray) -> FloatArray:
        mean, variance = self.surface.marginals(values)
        return np.asarray(mean / np.sqrt(variance + self.surface.noise_sd**2 + LEAST_VARIANCE), dtype=np.float64)


def fit_feasible_region(points: Columns, feasible: BoolArray) -> FeasibleRegion:
    """Fit to one label a point."""
    return FeasibleRegion(fit_surface(points, np.where(feasible, 1.0, -1.0), prior=PRIOR))

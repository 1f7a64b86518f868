"""Where trials can be trained: a logistic plane through the unit cube (L4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from tunebook.stats.arrays import BoolArray, FloatArray

#: Prior precision of the slopes per unit of the cube. A wall as steep as SD 10 is no surprise, a
#: few chance infeasible trials still give a gentle slope.
SLOPE_PRECISION = 1.0 / 10.0**2


@dataclass(frozen=True, slots=True, eq=False)
class Wall:
    """Probability of being infeasible = expit(intercept + slopes · point); missing values count as mid-range."""

    intercept: float
    slopes: FloatArray

    def probability(self, values: FloatArray) -> FloatArray:
        """Probability of being infeasible at ``values`` (points × dimensions)."""
        return np.asarray(expit(self.intercept + _filled(values) @ self.slopes), dtype=np.float64)


def fit_wall(values: FloatArray, infeasible: BoolArray) -> Wall:
    """Penalised logistic regression. With no infeasible trial the wall stands nowhere."""
    if not infeasible.any():
        return Wall(-30.0, np.zeros(values.shape[1]))
    design = np.column_stack([np.ones(len(values)), _filled(values) - 0.5])
    found = minimize(_loss, np.zeros(design.shape[1]), args=(design, infeasible), jac=True, method="L-BFGS-B")
    slopes = np.asarray(found.x[1:], dtype=np.float64)
    return Wall(float(found.x[0] - 0.5 * slopes.sum()), slopes)


def _loss(found: FloatArray, design: FloatArray, infeasible: BoolArray) -> tuple[float, FloatArray]:
    linear = design @ found
    penalty = SLOPE_PRECISION * np.r_[0.01, np.ones(len(found) - 1)]
    loss = np.logaddexp(0.0, linear).sum() - linear[infeasible].sum() + 0.5 * penalty @ found**2
    return float(loss), design.T @ (expit(linear) - infeasible) + penalty * found


def _filled(values: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), 0.5, values)

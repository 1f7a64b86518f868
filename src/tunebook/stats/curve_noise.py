"""Noise of a curve that is correlated from one evaluation to the next, and how far means over parts of it scatter.

A mean of n correlated values scatters like one of fewer independent ones; who forgets it takes slow noise for
a trend (methods §7). ``x`` is the step as a fraction of the run, ascending in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tunebook.stats.curve_smooth import FloatArray, robust_scale

#: Curves fall like powers, logarithms and parabolas of the step: so many shapes are taken out before the noise is
#: measured. Where they begin to bend, as a fraction of the run.
N_SHAPES = 6
BEND = 0.03
#: A long curve may have other shapes, too: half a wave of a cosine for so many points.
POINTS_PER_WAVE = 20
MOST_WAVES = 8
#: A few points cannot tell their autocorrelation: as much as clean curves have at most (methods §7), with the weight
#: of so many points.
USUAL_MEMORY = 0.6
USUAL_POINTS = 30
MOST_MEMORY = 0.9
#: The autocorrelation of n residuals comes out too low by (1 + 3 phi) / n (Kendall 1954), and by this share of
#: n for every shape taken out (by simulation).
SHAPE_BIAS = 0.5
#: Residuals beyond this many robust standard deviations are cut.
CUT = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowNoise:
    """Autoregressive noise of order 1: standard deviation of one value, and the correlation of neighbours."""

    sd: float
    memory: float

    def error_of_mean(self, n_points: FloatArray) -> FloatArray:
        """Standard error of the mean of ``n_points`` neighbours, each at least 1; any shape."""
        phi, n = self.memory, np.maximum(n_points, 1.0)
        inflation = (1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)
        error: FloatArray = self.sd * np.sqrt(inflation / n)
        return error

    @property
    def inflation(self) -> float:
        """How much larger the error of a long mean is than that of independent values."""
        return math.sqrt((1 + self.memory) / (1 - self.memory))


def slow_noise(x: FloatArray, y: FloatArray) -> SlowNoise | None:
    """Fit the noise around a smooth shape; None where there are too few points to tell noise from shape."""
    if len(y) <= N_SHAPES + 2:
        return None
    n_waves = min(len(y) // POINTS_PER_WAVE, MOST_WAVES)
    residual, n_shapes = without_shape(x, y, n_waves), N_SHAPES + n_waves
    limit = CUT * robust_scale(residual)
    if limit > 0:
        residual = np.clip(residual, -limit, limit)
    power, n_points = float(residual @ residual), len(y)
    if not power > 0:
        return SlowNoise(sd=0.0, memory=0.0)
    seen = float(residual[1:] @ residual[:-1]) / power
    seen += (1 + 3 * seen + SHAPE_BIAS * n_shapes) / n_points
    memory = (n_points * seen + USUAL_POINTS * USUAL_MEMORY) / (n_points + USUAL_POINTS)
    return SlowNoise(sd=math.sqrt(power / (n_points - n_shapes)), memory=min(max(memory, 0.0), MOST_MEMORY))


def without_shape(x: FloatArray, y: FloatArray, n_waves: int) -> FloatArray:
    """What is left of a curve when powers, a logarithm and cosines of the step are fitted to it."""
    base = _shapes(np.ascontiguousarray(x).tobytes(), n_waves)
    residual: FloatArray = y - base @ (y @ base)
    return residual


@lru_cache(maxsize=32)
def _shapes(places: bytes, n_waves: int) -> FloatArray:
    """Orthonormal shapes, (n, shapes), over these places; the trials of a round mostly share their steps."""
    x = np.frombuffer(places)
    u = (x - x[0]) / ((x[-1] - x[0]) or 1.0)
    falls = np.stack([np.ones_like(u), u, u * u, u**3, np.log(u + BEND), 1 / (u + BEND)])
    waves = np.cos(math.pi * np.arange(1, n_waves + 1)[:, None] * u)
    base: FloatArray = np.linalg.qr(np.concatenate((falls, waves)).T)[0]
    return base

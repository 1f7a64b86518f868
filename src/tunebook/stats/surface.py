"""Surface: a Gaussian process over the unit cube, small enough to be fitted at every look.

Squared-exponential kernel with one length scale a dimension, constant mean, Gaussian noise; the
hyperparameters are the posterior mode under weak priors. Length scales start long and grow with the
dimension (Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in high dimensions"),
so a handful of trials is fitted by something close to a plane or a bowl, and goes on like one
outside of the range it was seen in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from tunebook.stats.arrays import BoolArray, FloatArray

#: How sure a noise level known from repeats is held, in log variance.
LOG_KNOWN_NOISE_SD = 0.5
BOUNDS_LENGTH = (math.log(0.08), math.log(60.0))
BOUNDS_SIGNAL = (-5.0, 6.0)
BOUNDS_NOISE = (math.log(1e-5), math.log(3.0))
JITTER = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is believed of a process before it saw values, which have standard deviation one.

    ``length``: mean and standard deviation of a log length scale, the mean plus ``growth`` times the log of
    the dimensions. ``signal`` and ``noise``: the same of the log variances. ``mean_variance`` is that of the
    constant mean. ``is_rough``: a Matérn kernel of smoothness 5/2 instead of the squared-exponential one.
    """

    length: tuple[float, float] = (1.0, 1.0)
    growth: float = 0.5
    signal: tuple[float, float] = (0.5, 1.2)
    noise: tuple[float, float] = (-3.0, 1.5)
    mean_variance: float = 9.0
    is_rough: bool = False


#: For a few trials and a look beyond them: smooth, and wide against values of standard deviation one.
EXTRAPOLATING = Prior()


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Points: ``values`` has one row a point and one column a dimension, NaN where it does not exist.

    In a column that ``is_choice`` marks, values are numbers of categories and only equality counts.
    """

    values: FloatArray
    is_choice: BoolArray

    def __len__(self) -> int:
        return len(self.values)

    def taken(self, rows: object) -> Columns:
        """These points only."""
        return Columns(self.values[rows], self.is_choice)  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A fitted process. ``scale`` and ``shift`` undo the standardising of the values."""

    points: Columns
    lengths: FloatArray
    signal: float
    noise: float
    weights: FloatArray
    factor: FloatArray
    shift: float
    scale: float
    targets: FloatArray
    prior: Prior

    @property
    def noise_sd(self) -> float:
        """Standard deviation of the noise in units of the values."""
        return self.scale * math.sqrt(self.noise)

    @property
    def signal_share(self) -> float:
        """Share of the variance that is not noise, at the scale of the prior."""
        return self.signal / (self.signal + self.noise)

    def mean(self, values: FloatArray) -> FloatArray:
        """Posterior mean at ``values`` (points × dimensions)."""
        return np.asarray(self.shift + self.scale * (self._kernel_to(values) @ self.weights), dtype=np.float64)

    def moments(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and covariance of the noise-free surface at ``values``."""
        cross = self._kernel_to(values)
        half = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        prior = self.kernel(values, values)
        return (
            np.asarray(self.shift + self.scale * (cross @ self.weights), dtype=np.float64),
            self.scale**2 * (prior - half.T @ half),
        )

    def marginals(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and variance of the noise-free surface, point by point."""
        cross = self._kernel_to(values)
        half = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = self.signal + self.prior.mean_variance - (half**2).sum(axis=0)
        mean = self.shift + self.scale * (cross @ self.weights)
        return np.asarray(mean, dtype=np.float64), np.asarray(self.scale**2 * np.maximum(variance, 0.0))

    def with_points(self, values: FloatArray, targets: FloatArray, noise: float) -> Surface:
        """The same process, shown further ``targets`` at ``values``, with a noise variance in shares of the signal."""
        points = Columns(np.vstack([self.points.values, values]), self.points.is_choice)
        noises = np.r_[np.full(len(self.points), self.noise), np.full(len(values), self.noise + noise * self.signal)]
        standard = np.r_[self.targets, (targets - self.shift) / self.scale]
        return _conditioned(
            points, self.lengths, self.signal, self.noise, noises, self.shift, self.scale, standard, self.prior
        )

    def rougher(self, factor: float) -> Surface:
        """The same points under length scales ``factor`` times as long: what if it changes faster than it seems?"""
        noises = np.full(len(self.points), self.noise)
        lengths = self.lengths * factor
        return _conditioned(
            self.points, lengths, self.signal, self.noise, noises, self.shift, self.scale, self.targets, self.prior
        )

    def draws(self, values: FloatArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Joint posterior samples of the noise-free surface, one row a draw."""
        mean, covariance = self.moments(values)
        spectrum, axes = np.linalg.eigh(covariance)
        root = axes * np.sqrt(np.clip(spectrum, 0.0, None))
        return np.asarray(mean + rng.standard_normal((n_draws, len(mean))) @ root.T, dtype=np.float64)

    def _kernel_to(self, values: FloatArray) -> FloatArray:
        return self.kernel(values, self.points.values)

    def kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        squares = scaled_squares(a, b, self.points.is_choice, self.lengths)
        return _shape(squares, self.prior.is_rough)[0] * self.signal + self.prior.mean_variance


def fit_surface(
    points: Columns, values: FloatArray, noise_sd: float | None = None, prior: Prior = EXTRAPOLATING
) -> Surface:
    """Fit by the posterior mode of the hyperparameters.

    ``values`` has one finite number a point. ``noise_sd``, in units of the values, narrows the prior
    of the noise; without it the noise is learned.
    """
    shift = float(values.mean())
    scale = float(values.std()) or 1.0
    standard = (values - shift) / scale
    n_dimensions = points.values.shape[1]
    believed = _believed(prior, n_dimensions, None if noise_sd is None else noise_sd / scale)
    distances = squared_differences(points.values, points.values, points.is_choice)
    found = _mode(distances, standard, believed, prior)
    lengths, signal, noise = np.exp(found[:-2]), math.exp(found[-2]), math.exp(found[-1])
    return _conditioned(points, lengths, signal, noise, np.full(len(points), noise), shift, scale, standard, prior)


def _conditioned(
    points: Columns,
    lengths: FloatArray,
    signal: float,
    noise: float,
    noises: FloatArray,
    shift: float,
    scale: float,
    targets: FloatArray,
    prior: Prior,
) -> Surface:
    """The process with these hyperparameters, shown standardised ``targets`` with a noise variance each."""
    between = squared_differences(points.values, points.values, points.is_choice)
    covariance = _kernel(between, lengths, signal, prior)[0] + prior.mean_variance
    covariance[np.diag_indices_from(covariance)] += noises + JITTER
    factor = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((factor, True), targets, check_finite=False)
    return Surface(points, lengths, signal, noise, weights, factor, shift, scale, targets, prior)


def _believed(prior: Prior, n_dimensions: int, noise_sd: float | None) -> tuple[FloatArray, FloatArray]:
    """Means and standard deviations of the log hyperparameters: lengths, signal, noise."""
    means = np.full(n_dimensions + 2, prior.length[0] + prior.growth * math.log(max(n_dimensions, 1)))
    spreads = np.full(n_dimensions + 2, prior.length[1])
    means[-2], spreads[-2] = prior.signal
    means[-1], spreads[-1] = prior.noise
    if noise_sd is not None and noise_sd > 0:
        means[-1] = np.clip(2.0 * math.log(noise_sd), *BOUNDS_NOISE)
        spreads[-1] = LOG_KNOWN_NOISE_SD
    return means, spreads


def _mode(
    distances: FloatArray, values: FloatArray, believed: tuple[FloatArray, FloatArray], prior: Prior
) -> FloatArray:
    n_dimensions = len(distances)
    bounds = [BOUNDS_LENGTH] * n_dimensions + [BOUNDS_SIGNAL, BOUNDS_NOISE]
    best: FloatArray | None = None
    lowest = math.inf
    for start in _starts(n_dimensions, believed[0]):
        found = minimize(
            _loss, start, args=(distances, values, *believed, prior), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 60},
        )  # fmt: skip
        if best is None or found.fun < lowest:
            best, lowest = np.asarray(found.x, dtype=np.float64), float(found.fun)
    assert best is not None
    return best


def _starts(n_dimensions: int, means: FloatArray) -> list[FloatArray]:
    """A smooth surface in much noise, and a rougher one in little: the two usual modes."""
    smooth, rough = means.copy(), means.copy()
    rough[:n_dimensions] = math.log(0.5)
    smooth[-1], rough[-1] = -1.0, means[-1]
    return [smooth, rough]


def _loss(
    found: FloatArray,
    distances: FloatArray,
    values: FloatArray,
    means: FloatArray,
    spreads: FloatArray,
    prior: Prior,
) -> tuple[float, FloatArray]:
    """Negative log posterior of the log hyperparameters, and its gradient."""
    n_dimensions = len(distances)
    inverse_squares = np.exp(-2.0 * found[:n_dimensions])
    signal, noise = math.exp(found[-2]), math.exp(found[-1])
    kernel, slope = _kernel(distances, np.exp(found[:n_dimensions]), signal, prior)
    covariance = kernel + prior.mean_variance
    covariance[np.diag_indices_from(covariance)] += noise + JITTER
    try:
        factor = cho_factor(covariance, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e25, np.zeros_like(found)
    weights = cho_solve(factor, values, check_finite=False)
    inverse = cho_solve(factor, np.eye(len(values)), check_finite=False)
    pull = np.outer(weights, weights) - inverse
    gradient = np.empty_like(found)
    flat = (pull * slope).ravel()
    gradient[:n_dimensions] = -0.5 * inverse_squares * (distances.reshape(n_dimensions, -1) @ flat)
    gradient[-2] = -0.5 * (pull * kernel).sum()
    gradient[-1] = -0.5 * noise * np.trace(pull)
    away = (found - means) / spreads
    loss = 0.5 * values @ weights + np.log(np.diag(factor[0])).sum() + 0.5 * away @ away
    return float(loss), gradient + away / spreads


def _kernel(distances: FloatArray, lengths: FloatArray, signal: float, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """The kernel without the constant mean, and its derivative by half the scaled squared distance, negated."""
    squares = np.tensordot(lengths**-2.0, distances, axes=1) if len(lengths) else np.zeros(distances.shape[1:])
    shape, slope = _shape(squares, prior.is_rough)
    return signal * shape, signal * slope


def _shape(squares: FloatArray, is_rough: bool) -> tuple[FloatArray, FloatArray]:
    """Correlation at these scaled squared distances, and the same derivative of it."""
    if not is_rough:
        smooth = np.exp(-0.5 * squares)
        return smooth, smooth
    root = np.sqrt(5.0 * squares)
    decay = np.exp(-root)
    return (1.0 + root + root**2 / 3.0) * decay, 5.0 / 3.0 * (1.0 + root) * decay


def squared_differences(a: FloatArray, b: FloatArray, is_choice: BoolArray) -> FloatArray:
    """Squared distances, one matrix a dimension; a missing value is one away from any that is there."""
    difference = a.T[:, :, None] - b.T[:, None, :]
    squares = difference**2
    squares[is_choice] = squares[is_choice] != 0
    missing = np.isnan(a.T)[:, :, None], np.isnan(b.T)[:, None, :]
    squares = np.where(missing[0] | missing[1], missing[0] != missing[1], squares)
    return np.asarray(squares, dtype=np.float64)


def scaled_squares(a: FloatArray, b: FloatArray, is_choice: BoolArray, lengths: FloatArray) -> FloatArray:
    """The squared distance in length scales; columns of plain numbers take the fast way."""
    plain = ~(is_choice | np.isnan(a).any(axis=0) | np.isnan(b).any(axis=0))
    squares = cdist(a[:, plain] / lengths[plain], b[:, plain] / lengths[plain], "sqeuclidean")
    if not plain.all():
        others = squared_differences(a[:, ~plain], b[:, ~plain], is_choice[~plain])
        squares = squares + np.tensordot(lengths[~plain] ** -2.0, others, axes=1)
    return np.asarray(squares, dtype=np.float64)

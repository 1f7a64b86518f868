"""Sensitivity: how much of the surface each dimension explains, alone and with others, with intervals (L8).

Sobol indices of a fitted surface, computed from its joint posterior. With a product kernel, averages
of the surface over some dimensions are Gaussian together with its values, so main effects and total
effects are drawn exactly, uncertainty about the surface included; nothing is resampled and no
forest is grown (``libraries.md`` says why not). Only length scales are held at their mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.stats import qmc

from tunebook.stats.arrays import BoolArray, FloatArray
from tunebook.stats.surface import Columns, Surface

#: Points of the whole space, places along one dimension, and draws of the posterior.
N_BASE = 96
N_PLACES = 16
N_DRAWS = 300
#: Places along each of two dimensions for a pair.
N_PAIR_PLACES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Indices:
    """Posterior draws (rows) of the indices of every dimension (columns), each from 0 to 1.

    ``first``: share of the variance that the dimension explains alone. ``total``: share that goes away
    when it is averaged out, its interactions included. ``variance`` of the surface in each draw.
    """

    first: FloatArray
    total: FloatArray
    variance: FloatArray

    def interval(self, draws: FloatArray, level: float = 0.95) -> FloatArray:
        """Lower end, median and upper end (rows) of each column of ``draws``."""
        tail = (1.0 - level) / 2.0
        return np.quantile(draws, [tail, 0.5, 1.0 - tail], axis=0)


def sobol(surface: Surface, seed: int = 0, n_draws: int = N_DRAWS) -> Indices:
    """First and total indices of every dimension of ``surface``, for inputs spread evenly.

    A dimension with choices or missing values is averaged over the values that were run.
    """
    rng = np.random.default_rng(seed)
    nodes = _nodes(surface.points, N_PLACES)
    base = _base(surface.points, nodes, rng)
    n_dimensions = base.shape[1]
    alone = [_line(base, nodes[j], j) for j in range(n_dimensions)]
    without = [_Means(base, _only(n_dimensions, j)) for j in range(n_dimensions)]
    whole = _Means(base, np.zeros(n_dimensions, dtype=bool))
    parts = _draw(surface, [whole, *alone, *without], nodes, n_draws, rng)
    variance = parts[0].var(axis=1)
    first = np.column_stack([part.var(axis=1) for part in parts[1 : 1 + n_dimensions]])
    rest = np.column_stack([part.var(axis=1) for part in parts[1 + n_dimensions :]])
    safe = np.where(variance > 0, variance, 1.0)[:, None]
    return Indices(first=np.clip(first / safe, 0.0, 1.0), total=np.clip(1.0 - rest / safe, 0.0, 1.0), variance=variance)


def pair_interaction(surface: Surface, a: int, b: int, seed: int = 0, n_draws: int = N_DRAWS) -> FloatArray:
    """Draws of the share of the variance that two dimensions explain together but not alone."""
    rng = np.random.default_rng(seed)
    nodes = _nodes(surface.points, N_PAIR_PLACES)
    base = _base(surface.points, nodes, rng)
    whole = _Means(base, np.zeros(base.shape[1], dtype=bool))
    grid_a, grid_b = np.meshgrid(nodes[a], nodes[b], indexing="ij")
    points = np.repeat(base[:1], grid_a.size, axis=0)
    points[:, a], points[:, b] = grid_a.ravel(), grid_b.ravel()
    together = _Means(points, ~(_only(base.shape[1], a) | _only(base.shape[1], b)))
    space, flat = _draw(surface, [whole, together], nodes, n_draws, rng)
    table = flat.reshape(n_draws, *grid_a.shape)
    table = table - table.mean(axis=1, keepdims=True) - table.mean(axis=2, keepdims=True)
    mixed = table.reshape(n_draws, -1).var(axis=1)
    variance = space.var(axis=1)
    return np.asarray(mixed / np.where(variance > 0, variance, 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Means:
    """Values of the surface at ``points``, averaged over the dimensions that ``averaged`` marks."""

    points: FloatArray
    averaged: BoolArray


def _line(base: FloatArray, places: FloatArray, dimension: int) -> _Means:
    points = np.repeat(base[:1], len(places), axis=0)
    points[:, dimension] = places
    return _Means(points, ~_only(base.shape[1], dimension))


def _only(n_dimensions: int, dimension: int) -> BoolArray:
    mask = np.zeros(n_dimensions, dtype=bool)
    mask[dimension] = True
    return mask


def _nodes(points: Columns, n_places: int) -> list[FloatArray]:
    """Where each dimension is averaged: evenly over the interval, or over the values that were run."""
    even = (np.arange(n_places) + 0.5) / n_places
    return [
        _run_values(column, n_places) if is_choice or np.isnan(column).any() else even
        for column, is_choice in zip(points.values.T, points.is_choice, strict=True)
    ]


def _run_values(column: FloatArray, n_places: int) -> FloatArray:
    """Values of a column in proportion to how often they were run; NaN, sorted last, is one of them."""
    ordered = np.sort(column)
    picked = ((np.arange(n_places) + 0.5) / n_places * len(ordered)).astype(np.int64)
    return np.asarray(ordered[picked], dtype=np.float64)


def _base(points: Columns, nodes: list[FloatArray], rng: np.random.Generator) -> FloatArray:
    """Quasi-random points of the whole space; where a dimension has no order, one of its nodes."""
    cube = qmc.Halton(len(nodes), scramble=True, rng=rng).random(N_BASE)
    for dimension, places in enumerate(nodes):
        column = points.values[:, dimension]
        if points.is_choice[dimension] or np.isnan(column).any():
            cube[:, dimension] = places[(cube[:, dimension] * len(places)).astype(np.int64)]
    return np.asarray(cube, dtype=np.float64)


def _draw(
    surface: Surface, parts: list[_Means], nodes: list[FloatArray], n_draws: int, rng: np.random.Generator
) -> list[FloatArray]:
    """Joint posterior draws of all parts, in units of the standardised values."""
    trials = _Means(surface.points.values, np.zeros(len(nodes), dtype=bool))
    cross = np.vstack([_covariance(surface, part, trials, nodes) for part in parts])
    prior = np.block([[_covariance(surface, a, b, nodes) for b in parts] for a in parts])
    half = solve_triangular(surface.factor, cross.T, lower=True, check_finite=False)
    spectrum, axes = np.linalg.eigh(prior - half.T @ half)
    root = axes * np.sqrt(np.clip(spectrum, 0.0, None))
    draws = cross @ surface.weights + rng.standard_normal((n_draws, len(root))) @ root.T
    return np.split(draws, np.cumsum([len(part.points) for part in parts])[:-1], axis=1)


def _covariance(surface: Surface, a: _Means, b: _Means, nodes: list[FloatArray]) -> FloatArray:
    product = np.full((len(a.points), len(b.points)), surface.signal)
    for dimension, places in enumerate(nodes):
        factor = _Factor(float(surface.lengths[dimension]), bool(surface.points.is_choice[dimension]), places)
        product *= factor(
            None if a.averaged[dimension] else a.points[:, dimension],
            None if b.averaged[dimension] else b.points[:, dimension],
        )
    return product + surface.prior.mean_variance


@dataclass(frozen=True, slots=True, eq=False)
class _Factor:
    """One dimension's factor of the kernel; None stands for the average over ``places``."""

    length: float
    is_choice: bool
    places: FloatArray

    def __call__(self, a: FloatArray | None, b: FloatArray | None) -> FloatArray:
        values = self._kernel(self.places if a is None else a, self.places if b is None else b)
        if a is None:
            values = values.mean(axis=0, keepdims=True)
        return values.mean(axis=1, keepdims=True) if b is None else values

    def _kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        squares = (a[:, None] - b[None, :]) ** 2
        if self.is_choice:
            squares = np.where(np.isnan(squares), np.nan, (squares != 0).astype(np.float64))
        missing = np.isnan(a)[:, None], np.isnan(b)[None, :]
        squares = np.where(missing[0] | missing[1], missing[0] != missing[1], squares)
        return np.asarray(np.exp(-0.5 * squares / self.length**2), dtype=np.float64)

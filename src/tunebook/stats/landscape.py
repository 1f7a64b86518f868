"""Landscape: the fitted surface of one search with its wall, and where its lowest points may lie.

What boundary, instability and sensitivity all ask about. Infeasible trials are a wall and not values:
a made-up bad value next to good trials would bend the surface, leaving them out would send the
search for the optimum behind the wall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunebook.stats.arrays import BoolArray, FloatArray, IntArray
from tunebook.stats.feasibility import Wall, fit_wall
from tunebook.stats.surface import Columns, Surface, fit_surface
from tunebook.stats.warp import LogWarp

#: More trials than this add nothing to a smooth surface but time, which grows with their cube.
MAX_FITTED = 220
#: Share of them that are the best trials; the others are drawn from the rest.
BEST_SHARE = 0.6
#: Fewer feasible trials than this make no surface.
MIN_FITTED = 6
#: Beyond this probability of being infeasible a point is behind the wall.
BEHIND_WALL = 0.5

N_STARTS = 128
N_KEPT = 12
N_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """``points`` and ``keys`` run over all trials that ended, lower key better and NaN infeasible."""

    points: Columns
    keys: FloatArray
    warp: LogWarp
    surface: Surface
    wall: Wall

    @property
    def noise_sd(self) -> float:
        """What the surface leaves unexplained near the best trial, in units of the objective."""
        return self.surface.noise_sd * self.warp.step


def fit_landscape(points: Columns, keys: FloatArray, noise_sd: float | None = None) -> Landscape | None:
    """Fit surface and wall; None with too few feasible trials, or when all of them are equal.

    ``noise_sd``: the trial standard deviation in units of the objective, where it is known.
    """
    feasible = np.isfinite(keys)
    if feasible.sum() < MIN_FITTED or np.ptp(keys[feasible]) == 0.0:
        return None
    warp = LogWarp.of(keys[feasible])
    chosen = chosen_for_fit(keys)
    surface = fit_surface(points.taken(chosen), warp(keys[chosen]), warp.noise(noise_sd))
    return Landscape(points, keys, warp, surface, fit_wall(numeric(points), ~feasible))


def chosen_for_fit(keys: FloatArray) -> IntArray:
    """Numbers of the feasible trials that the surface is fitted to: the best and some of the rest."""
    ranked = top_trials(keys, len(keys))
    if len(ranked) <= MAX_FITTED:
        return np.sort(ranked)
    n_best = int(BEST_SHARE * MAX_FITTED)
    others = np.random.default_rng(len(ranked)).permutation(ranked[n_best:])[: MAX_FITTED - n_best]
    return np.sort(np.concatenate([ranked[:n_best], others]))


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """Where to look for the optimum. Columns in ``is_held`` keep the values of trials that were run:
    choices, what does not exist in this study, and what does not vary in it.
    """

    low: FloatArray
    high: FloatArray
    is_held: BoolArray
    seen: FloatArray

    @classmethod
    def around(cls, points: Columns) -> Box:
        """The range in which these trials were searched."""
        n_dimensions = points.values.shape[1]
        lowest = np.nanmin(np.vstack([points.values, np.full(n_dimensions, 2.0)]), axis=0)
        highest = np.nanmax(np.vstack([points.values, np.full(n_dimensions, -1.0)]), axis=0)
        held = points.is_choice | (lowest >= highest)
        return cls(np.zeros(n_dimensions), np.ones(n_dimensions), held, points.values)

    def beyond(self, dimension: int, is_high: bool, reach: float) -> Box:
        """The part that widening one side by ``reach`` widths would add."""
        low, high = self.low.copy(), self.high.copy()
        low[dimension], high[dimension] = (1.0, 1.0 + reach) if is_high else (-reach, 0.0)
        return Box(low, high, self.is_held, self.seen)

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(np.minimum(self.low, other.low), np.maximum(self.high, other.high), self.is_held, self.seen)

    def points(self, n_points: int, rng: np.random.Generator) -> FloatArray:
        """Points all over the box."""
        cube = rng.random((n_points, len(self.low)))
        like = self.seen[rng.integers(len(self.seen), size=n_points)]
        return np.where(self.is_held | np.isnan(like), like, self.low + cube * (self.high - self.low))

    def shaken(self, points: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
        """The points moved by normal steps and brought back into the box."""
        moved = points + np.where(self.is_held, 0.0, spread) * rng.standard_normal(points.shape)
        return np.where(self.is_held, points, np.clip(moved, self.low, self.high))


def lowest_points(landscape: Landscape, box: Box, rng: np.random.Generator, is_behind_wall: bool = False) -> FloatArray:
    """A few points of the box where the surface is lowest, all in front of the wall, or all behind it.

    May be none at all.
    """

    def allowed(points: FloatArray) -> FloatArray:
        is_behind = landscape.wall.probability(_held_out(points, landscape.points.is_choice)) > BEHIND_WALL
        return np.asarray(points[is_behind == is_behind_wall], dtype=np.float64)

    points = allowed(box.points(N_STARTS, rng))
    for spread in 0.15 * 0.4 ** np.arange(N_ROUNDS):
        if not len(points):
            return points
        best = _lowest(landscape, points)
        points = np.vstack([best, allowed(box.shaken(np.repeat(best, 6, axis=0), float(spread), rng))])
    return _lowest(landscape, points)


def _lowest(landscape: Landscape, points: FloatArray) -> FloatArray:
    order = np.argsort(landscape.surface.mean(points), kind="stable")
    return np.asarray(points[order[:N_KEPT]], dtype=np.float64)


def lowest_draws(
    landscape: Landscape, sets: list[FloatArray], n_draws: int, rng: np.random.Generator
) -> list[FloatArray]:
    """For each set of points, the lowest of them in every joint posterior draw; infinity for an empty set."""
    draws = landscape.surface.draws(np.vstack(sets), n_draws, rng)
    ends = np.cumsum([len(points) for points in sets])[:-1]
    return [part.min(axis=1) if part.shape[1] else np.full(n_draws, np.inf) for part in np.split(draws, ends, axis=1)]


def numeric(points: Columns) -> FloatArray:
    """The coordinates with choices, which have no order, put in the middle."""
    return _held_out(points.values, points.is_choice)


def _held_out(values: FloatArray, is_choice: BoolArray) -> FloatArray:
    return np.where(is_choice, 0.5, values)


def top_trials(keys: FloatArray, n_top: int) -> IntArray:
    """Numbers of the best trials with a finite key, best first."""
    order = np.argsort(keys, kind="stable")
    return order[np.isfinite(keys[order])][:n_top].astype(np.int64)

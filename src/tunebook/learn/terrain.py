"""Terrain: the landscape of a round, in terms of its hyperparameters and trials; fitted once a view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunebook.core.hyperparameter import Choice, Hyperparameter, Range, is_number
from tunebook.evidence import FloatArray, IntArray
from tunebook.learn.view import BoolArray, View
from tunebook.stats.landscape import Landscape, fit_landscape
from tunebook.stats.surface import Columns

#: A list of numbers is a grid along a dimension from this many values; with two, every value is an end.
MIN_ORDERED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """``columns`` of the landscape are hyperparameters, its points are the trials with the numbers ``trials``.

    All studies are in one surface; a scientific hyperparameter is one of its columns, so studies lend
    each other strength as far as the fit finds them alike.
    """

    landscape: Landscape
    columns: tuple[Hyperparameter, ...]
    trials: IntArray

    def rows(self, mask: BoolArray) -> BoolArray:
        """The points whose trials ``mask`` (over all trials) marks."""
        return mask[self.trials]

    def varied(self, rows: BoolArray) -> tuple[int, ...]:
        """Columns with an order in which these points differ."""
        values = self.landscape.points.values[rows]
        ordered = ~self.landscape.points.is_choice
        return tuple(int(column) for column in np.flatnonzero(ordered) if n_distinct(values[:, column]) >= 3)


def terrain(view: View) -> Terrain | None:
    """The terrain of a view; None with too few feasible trials or nothing that was varied."""
    return view.once("terrain", lambda: _fit(view))


def _fit(view: View) -> Terrain | None:
    ended = np.flatnonzero((view.feasible | view.infeasible) & view.searched_trials).astype(np.int64)
    columns = tuple(item for item in view.evidence.round.searched if n_distinct(coordinate(view, item)[ended]) >= 2)
    if not columns or not len(ended):
        return None
    values = np.column_stack([coordinate(view, item)[ended] for item in columns])
    points = Columns(values, np.array([not is_ordered(item) for item in columns]))
    keys = np.where(view.feasible, view.keys, np.nan)[ended]
    landscape = fit_landscape(points, keys, view.noise.sd)
    return None if landscape is None else Terrain(landscape, columns, ended)


def is_ordered(hyperparameter: Hyperparameter) -> bool:
    """Whether its values have an order that a surface can follow: a range, or a list of three numbers or more."""
    domain = hyperparameter.domain
    if isinstance(domain, Range):
        return True
    return isinstance(domain, Choice) and len(domain.values) >= MIN_ORDERED and all(map(is_number, domain.values))


def coordinate(view: View, hyperparameter: Hyperparameter) -> FloatArray:
    """``view.units``, with the values of a list of numbers in ascending order whatever order they stand in."""
    units = view.units(hyperparameter)
    domain = hyperparameter.domain
    if not isinstance(domain, Choice) or not is_ordered(hyperparameter):
        return units
    places = np.argsort(np.argsort(np.array(domain.values, dtype=np.float64)))
    cells = np.where(np.isnan(units), 0, units * len(places)).astype(np.int64)
    return np.where(np.isnan(units), np.nan, (places[cells] + 0.5) / len(places))


def n_distinct(column: FloatArray) -> int:
    """How many different values there are; NaN counts as one of its own where some are missing and some not."""
    known = column[~np.isnan(column)]
    return len(np.unique(known)) + (0 < len(known) < len(column))

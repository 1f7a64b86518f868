"""The branches of a search space, and which trial goes to which (R4, R5).

Hyperparameters that others depend on, and the scientific ones, are *allotted*: within a block of as
many consecutive indices as there are values, every value comes once, in a random order. The number
of the block is the index inside the branch, where the next hyperparameter is allotted in the same
way, down to a *leaf* at which nothing is left but to draw. Every leaf has a sequence of its own over
exactly the hyperparameters that exist there, so each branch is as well covered as a space without
conditions, and nothing is drawn that does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, repeat

import numpy as np
import numpy.typing as npt

from tunebook.core.config import Config, Value, spelled
from tunebook.core.hyperparameter import Choice, Constant, Hyperparameter, Range, Role
from tunebook.core.round import Round, active_fixed
from tunebook.core.search import MAX_TRIALS
from tunebook.core.space import Space
from tunebook.errors import InputError, Problem
from tunebook.evidence import FloatArray, IntArray
from tunebook.plan.cube import from_unit, to_unit
from tunebook.plan.search import grid
from tunebook.plan.search.table import Axes, Key, Points, key_of, sequence
from tunebook.plan.search.uniform import points as uniform_points

#: An int range with more values is spread over a joint study like a continuous one: allotting its
#: values in random order would cover it worse than the sequence does.
MAX_JOINT_VALUES = 32
#: An int range with more values cannot be a parent or split a round; nobody could train every branch.
MAX_BRANCHES = 1000
#: More combinations of scientific values than anyone could train.
MAX_SETTINGS = 2000
#: The same for the branches below one setting.
MAX_LEAVES = 2000
#: An int range with more values is refined on a grid like a continuous one.
MAX_GRID_VALUES = 16

Decided = Mapping[str, Value]
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A branch at its end: ``decided`` values, and the hyperparameters still to be drawn.

    ``active`` are all hyperparameters that exist here, in the order of the round.
    """

    decided: Decided
    drawn: Space
    active: Space
    words: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what exists, in the order of the values of a row."""
        return tuple(item.name for item in self.active)

    @property
    def allotted(self) -> Config:
        """The searched values that were dealt out on the way to this leaf."""
        searched = (item.name for item in self.active if not isinstance(item.domain, Constant))
        return Config({name: self.decided[name] for name in searched if name in self.decided})

    @property
    def axes(self) -> Axes:
        """Number of cells of every drawn dimension; 0 where it is continuous or finely divided."""
        return tuple(_n_cells(item) for item in self.drawn)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Points of one leaf: ``numbers`` are their indices, ``rows`` their values, ``units`` their coordinates."""

    leaf: Leaf
    numbers: IntArray
    rows: list[Row]
    units: list[tuple[float, ...]]


class Branches:
    """The tree of branches of one round."""

    def __init__(self, design: Round) -> None:
        self.design = design
        self._parents = {condition.parent for item in design.hyperparameters for condition in item.branch}

    @cached_property
    def points(self) -> Points:
        """The round's search algorithm."""
        return sequence(self.design.search.algorithm)

    @property
    def is_joint(self) -> bool:
        """Whether all scientific settings share one study."""
        return self.design.search.studies == "joint"

    def is_allotted(self, item: Hyperparameter) -> bool:
        """Whether the values of a searched hyperparameter are dealt out instead of drawn."""
        if not math.isfinite(item.domain.n_values):
            return False
        if item.name in self._parents:
            return True
        is_few = isinstance(item.domain, Choice) or item.domain.n_values <= MAX_JOINT_VALUES
        return item in self.design.scientific and (is_few or not self.is_joint)

    def settled(self, decided: Decided) -> dict[str, Value]:
        """``decided`` with the fixed values that exist beside it."""
        return {**decided, **active_fixed(self.design.fixed, decided)}

    def next_allotted(self, decided: Decided, space: Space) -> Hyperparameter | None:
        """The first hyperparameter of ``space`` that exists, is to be allotted and is not decided yet."""
        for item in space:
            if item.name not in decided and item.is_active(decided) and self.is_allotted(item):
                return item
        return None

    @cached_property
    def settings(self) -> tuple[Config, ...]:
        """Every combination of allotted scientific values that exists; one empty setting without any.

        ``InputError`` when there are too many.
        """
        found = []
        for decided in self._combinations(self.settled({})):
            found.append(self.setting_of(decided))
            if len(found) > MAX_SETTINGS:
                raise InputError([Problem(key=("scientific",), message=_too_many(f"more than {MAX_SETTINGS}"))])
        return tuple(found)

    def setting_of(self, config: Decided) -> Config:
        """The allotted scientific values of a configuration."""
        return Config({item.name: config[item.name] for item in self._dividing if item.is_active(config)})

    @cached_property
    def _dividing(self) -> Space:
        """Scientific hyperparameters that are allotted before any nuisance one has a value."""
        nuisance = {item.name for item in self.design.nuisance}
        return tuple(
            item
            for item in self.design.scientific
            if self.is_allotted(item) and not nuisance.intersection(condition.parent for condition in item.branch)
        )

    def _combinations(self, decided: Decided) -> Iterator[Decided]:
        item = self.next_allotted(decided, self._dividing)
        if item is None:
            yield decided
            return
        for value in values_of(item):
            yield from self._combinations(self.settled({**decided, item.name: value}))

    def leaf(self, decided: Decided, words: tuple[str, ...] = ()) -> Leaf:
        """The leaf at which everything that is allotted has been decided."""
        active = tuple(item for item in self.design.hyperparameters if item.is_active(decided))
        drawn = tuple(item for item in active if item.name not in decided)
        return Leaf(decided, drawn, active, words)

    def leaves(self, setting: Decided) -> Iterator[tuple[Leaf, float]]:
        """All leaves below a setting, each with the share of the trials that it gets."""
        return self._leaves(self.settled(setting), 1.0)

    def _leaves(self, decided: Decided, share: float) -> Iterator[tuple[Leaf, float]]:
        item = self.next_allotted(decided, self.design.searched)
        if item is None:
            yield self.leaf(decided), share
            return
        for value in values_of(item):
            yield from self._leaves(self.settled({**decided, item.name: value}), share / item.domain.n_values)

    def n_configurations(self, setting: Decided) -> float:
        """How many different configurations a setting has; infinity for a continuous space."""
        total = 0.0
        for leaf, _ in self.leaves(setting):
            total += math.prod(item.domain.n_values for item in leaf.drawn)
            if total > MAX_TRIALS:
                return math.inf
        return total

    def draw(self, setting: Decided, numbers: IntArray) -> list[Batch]:
        """The points with these ascending indices of the setting's sequence, leaf by leaf."""
        words = tuple(f"{name}={spelled(value)}" for name, value in setting.items())
        return list(self._draw(self.settled(setting), words, numbers, numbers))

    def _draw(self, decided: Decided, words: tuple[str, ...], local: IntArray, numbers: IntArray) -> Iterator[Batch]:
        item = self.next_allotted(decided, self.design.searched)
        if item is None:
            yield self._draw_leaf(self.leaf(decided, words), local, numbers)
            return
        values = values_of(item)
        block, place = np.divmod(local, len(values))
        first = int(block[0])
        order = deal(len(values), first, int(block[-1]) + 1, self._key(*words, "order", item.name))
        dealt = order[block - first, place]
        for cell in np.unique(dealt).tolist():
            own = dealt == cell
            below = self.settled({**decided, item.name: values[cell]})
            yield from self._draw(below, (*words, f"{item.name}={spelled(values[cell])}"), block[own], numbers[own])

    def _draw_leaf(self, leaf: Leaf, local: IntArray, numbers: IntArray) -> Batch:
        first = int(local[0])
        drawn = self.points(leaf.axes, first, int(local[-1]) + 1, self._key(*leaf.words))
        inside = local - first < len(drawn)
        unit = drawn[local[inside] - first]
        return Batch(leaf, numbers[inside], _rows(leaf, unit), _units(leaf, unit))

    def _key(self, *words: str) -> Key:
        return key_of(self.design.search.seed, *words)


def values_of(item: Hyperparameter) -> tuple[Value, ...]:
    """All values of a finite domain; ``InputError`` for a range with too many to branch on."""
    if isinstance(item.domain, Choice):
        return item.domain.values
    if isinstance(item.domain, Range):
        if item.domain.n_values > MAX_BRANCHES:
            raise InputError([Problem(key=(item.name,), message=_too_many(f"{item.domain.n_values:g}"))])
        return tuple(range(int(item.domain.low), int(item.domain.high) + 1))
    return (item.domain.value,)


def deal(n_values: int, first: int, last: int, key: Key) -> npt.NDArray[np.int64]:
    """One random order of ``range(n_values)`` for each block from ``first`` to ``last``, a row each."""
    drawn = uniform_points((0,) * n_values, first, last, key)
    return np.argsort(drawn, axis=1, kind="stable").astype(np.int64)


def obstacles(design: Round) -> tuple[Problem, ...]:
    """Why no trials can be planned from a valid design; empty when they can."""
    if design.search.algorithm == "list":
        return ()
    branches = Branches(design)
    found = list(_undividable(branches)) if not branches.is_joint else []
    found.extend(_problems_of(lambda: _check_leaves(branches)))
    return tuple(found)


def _undividable(branches: Branches) -> Iterator[Problem]:
    """Scientific hyperparameters by whose values a round cannot be split into studies."""
    nuisance = {item.name for item in branches.design.nuisance}
    for item in branches.design.scientific:
        if not math.isfinite(item.domain.n_values):
            reason = "has no separate values to give a study each"
        elif any(condition.parent in nuisance for condition in item.branch):
            reason = "depends on a nuisance hyperparameter, so no study could be named after it"
        else:
            continue
        message = f"{item.label} {reason}; set [search] studies = 'joint', or list the values to compare"
        yield Problem(key=(Role.SCIENTIFIC.value, item.name), message=message)


def _check_leaves(branches: Branches) -> None:
    """``InputError`` when there are too many branches, or a branch that the grid cannot cover."""
    for setting in branches.settings:
        leaves = [leaf for leaf, _ in islice(branches.leaves(setting), MAX_LEAVES + 1)]
        if len(leaves) > MAX_LEAVES:
            raise InputError([Problem(key=(Role.NUISANCE.value,), message=_too_many(f"more than {MAX_LEAVES}"))])
        if branches.design.search.algorithm == "grid":
            for leaf in leaves:
                grid.check(leaf.axes)


def _problems_of(check: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        check()
    except InputError as error:
        return error.problems
    return ()


def _too_many(count: str) -> str:
    return f"{count} branches are more than could be trained; give fewer values, as a list"


def _n_cells(item: Hyperparameter) -> int:
    n_values = item.domain.n_values
    is_cells = isinstance(item.domain, Choice) or n_values <= MAX_GRID_VALUES
    return int(n_values) if is_cells else 0


def _rows(leaf: Leaf, unit: FloatArray) -> list[Row]:
    if not len(unit):
        return []
    column_of = {item.name: column for column, item in enumerate(leaf.drawn)}
    columns = [
        from_unit(item.domain, unit[:, column_of[item.name]])
        if item.name in column_of
        else repeat(leaf.decided[item.name], len(unit))
        for item in leaf.active
    ]
    return list(zip(*columns, strict=True)) if columns else [()] * len(unit)


def _units(leaf: Leaf, unit: FloatArray) -> list[tuple[float, ...]]:
    """Coordinates of everything searched, in the order of the round; what was allotted lies mid-cell."""
    column_of = {item.name: column for column, item in enumerate(leaf.drawn)}
    columns: list[Iterable[float]] = []
    for item in leaf.active:
        if item.name in column_of:
            columns.append(unit[:, column_of[item.name]].tolist())
        elif not isinstance(item.domain, Constant):
            columns.append(repeat(float(to_unit(item.domain, [leaf.decided[item.name]])[0]), len(unit)))
    return list(zip(*columns, strict=True)) if columns else [()] * len(unit)

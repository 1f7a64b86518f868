"""Hyperparameter axis plots: the objective against each searched hyperparameter (L7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from tunebook.core.config import Value, same_value, spelled
from tunebook.core.hyperparameter import Choice, Hyperparameter, Role, is_number
from tunebook.core.round import Round
from tunebook.evidence import FloatArray, read_only
from tunebook.show.data.numbers import rounded
from tunebook.show.data.table import TrialTable

AxisScale: TypeAlias = Literal["linear", "log", "reverse_log", "category"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """Where every trial lies along one hyperparameter.

    ``x`` has one entry a trial of the table: the value, or the position in ``categories`` when
    ``scale`` is ``category``; NaN where the hyperparameter does not exist. ``low`` and ``high`` are
    the searched bounds (of a category: the first and last position; of an axis that is derived from
    others and searched by nobody: its least and greatest value).
    """

    label: str
    role: Role
    scale: AxisScale
    low: float
    high: float
    x: FloatArray
    is_whole: bool = False
    is_derived: bool = False
    categories: tuple[str, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "label": self.label,
            "role": str(self.role),
            "scale": self.scale,
            "is_whole": self.is_whole,
            "is_derived": self.is_derived,
            "low": self.low,
            "high": self.high,
            "categories": list(self.categories),
            "x": [None if np.isnan(x) else int(x) for x in self.x] if self.categories else rounded(self.x),
        }

    def unit(self) -> FloatArray:
        """``x`` as a share of the searched range, in the measure of the scale: 0 at ``low``, 1 at ``high``."""
        if self.scale == "log":
            x, low, high = np.log(self.x), np.log(self.low), np.log(self.high)
        elif self.scale == "reverse_log":
            x, low, high = -np.log(1 - self.x), -np.log(1 - self.low), -np.log(1 - self.high)
        else:
            x, low, high = self.x, np.float64(self.low), np.float64(self.high)
        return np.asarray((x - low) / ((high - low) or 1.0), dtype=np.float64)


def axis_data(table: TrialTable, design: Round) -> tuple[Axis, ...]:
    """One axis for each searched hyperparameter; two on different branches are never pooled (R4)."""
    return tuple(axis_of(table, item, design.role_of(item)) for item in design.searched)


def axis_of(table: TrialTable, hyperparameter: Hyperparameter, role: Role = Role.NUISANCE) -> Axis:
    """The axis of one hyperparameter. Values a trial has outside of the domain are kept, not dropped."""
    values = _values_of(table, hyperparameter)
    domain = hyperparameter.domain
    label = hyperparameter.label
    if isinstance(domain, Choice):
        return _category_axis(label, role, list(domain.values), values)
    if isinstance(getattr(domain, "low", None), int | float):
        x = np.array([v if type(v) is float or is_number(v) else np.nan for v in values], dtype=np.float64)
        x[np.isinf(x)] = np.nan
        return Axis(
            label=label,
            role=role,
            scale=domain.scale,  # type: ignore[union-attr]
            low=domain.low,  # type: ignore[union-attr]
            high=domain.high,  # type: ignore[union-attr]
            x=read_only(x),
            is_whole=domain.type == "int",  # type: ignore[union-attr]
        )
    return _category_axis(label, role, [domain.value], values)  # type: ignore[union-attr]


def _values_of(table: TrialTable, hyperparameter: Hyperparameter) -> list[Value | None]:
    """Its value in every trial, None where it does not exist."""
    name = hyperparameter.name
    if not hyperparameter.branch:
        return [config.get(name) for config in table.configs]
    return [config.get(name) if hyperparameter.is_active(config) else None for config in table.configs]


def _category_axis(label: str, role: Role, known: list[Value], values: list[Value | None]) -> Axis:
    categories = list(known)
    distinct = dict.fromkeys((type(value), value) for value in values if value is not None)
    positions = {key: _position(categories, key[1]) for key in distinct}
    x = np.array([np.nan if value is None else positions[type(value), value] for value in values], dtype=np.float64)
    return Axis(
        label=label,
        role=role,
        scale="category",
        low=0,
        high=len(categories) - 1,
        x=read_only(x),
        categories=tuple(spelled(value) for value in categories),
    )


def _position(categories: list[Value], value: Value) -> int:
    for position, own in enumerate(categories):
        if same_value(own, value):
            return position
    categories.append(value)
    return len(categories) - 1

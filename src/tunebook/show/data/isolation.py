"""Isolation plots: a scientific hyperparameter after everything else was optimised away (L7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.evidence import IntArray
from tunebook.show.data.axes import Axis
from tunebook.show.data.numbers import rounded, short
from tunebook.show.data.table import BoolArray, TrialTable

#: Buckets of a continuous scientific hyperparameter: enough to see a shape, few enough for several trials each.
MOST_BUCKETS = 10
TRIALS_PER_BUCKET = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value (or bucket of values, ``low`` to ``high``) with the best trial it has.

    ``best`` is None when no trial of it has a finite objective; ``interval`` is what was passed in.
    """

    label: str
    low: float
    high: float
    n_feasible: int
    n_infeasible: int
    best: int | None
    interval: tuple[float, float] | None = None

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        low, high = rounded([self.low, self.high])
        return {
            "label": self.label,
            "low": low,
            "high": high,
            "n_feasible": self.n_feasible,
            "n_infeasible": self.n_infeasible,
            "best": self.best,
            "interval": rounded(self.interval) if self.interval else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Best trial of every setting of one hyperparameter; ``axis`` holds where all trials lie."""

    axis: Axis
    settings: tuple[Setting, ...]

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready; the positions of the trials are in the axis of the same label."""
        return {"label": self.axis.label, "settings": [setting.to_mapping() for setting in self.settings]}


def isolation_data(
    table: TrialTable, axis: Axis, intervals: Mapping[str, tuple[float, float]] | None = None
) -> Isolation:
    """Settings in the order of the axis. ``intervals`` maps the label of a setting to the ends of its interval."""
    if axis.scale == "category":
        bounds = [(float(position), float(position)) for position in range(len(axis.categories))]
        labels = list(axis.categories)
        bucket = np.where(np.isfinite(axis.x), axis.x, -1).astype(np.int64)
    else:
        bounds = _bucket_bounds(axis, int(table.feasible.sum()))
        labels = [f"{short(low)} to {short(high)}" for low, high in bounds]
        bucket = _bucket_of(axis, len(bounds))
    settings = tuple(
        _setting(table, bucket == number, label, ends, (intervals or {}).get(label))
        for number, (label, ends) in enumerate(zip(labels, bounds, strict=True))
    )
    return Isolation(axis=axis, settings=settings)


def _setting(
    table: TrialTable,
    own: BoolArray,
    label: str,
    ends: tuple[float, float],
    interval: tuple[float, float] | None,
) -> Setting:
    ranked = table.order[(own & table.feasible)[table.order]]
    return Setting(
        label=label,
        low=ends[0],
        high=ends[1],
        n_feasible=len(ranked),
        n_infeasible=int((own & table.infeasible).sum()),
        best=int(ranked[0]) if len(ranked) else None,
        interval=interval,
    )


def _bucket_bounds(axis: Axis, n_feasible: int) -> list[tuple[float, float]]:
    n_buckets = int(np.clip(n_feasible // TRIALS_PER_BUCKET, 1, MOST_BUCKETS))
    share = np.linspace(0.0, 1.0, n_buckets + 1)
    if axis.scale == "log":
        edges = axis.low * (axis.high / axis.low) ** share
    elif axis.scale == "reverse_log":
        edges = 1 - (1 - axis.low) * ((1 - axis.high) / (1 - axis.low)) ** share
    else:
        edges = axis.low + (axis.high - axis.low) * share
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _bucket_of(axis: Axis, n_buckets: int) -> IntArray:
    """The bucket of every trial; what lies outside of the bounds belongs to the outermost, -1 for none."""
    unit = axis.unit()
    inside = np.clip(np.nan_to_num(unit) * n_buckets, 0, n_buckets - 1)
    return np.where(np.isfinite(unit), inside, -1).astype(np.int64)

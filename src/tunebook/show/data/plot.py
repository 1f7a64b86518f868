"""A plot of numbers against numbers, before anybody draws it: series, marked places, axes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from tunebook.evidence import FloatArray
from tunebook.show.data.numbers import rounded

#: Where what has no value is put: beyond the worst shown one by this share of the axis.
WALL = 0.08


class Style(StrEnum):
    """How a series is drawn; what went wrong is a red cross."""

    POINTS = "points"
    LINE = "line"
    LINKED = "linked"
    DASHED = "dashed"
    BARS = "bars"
    CROSSES = "crosses"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Values ``y`` at ``x``, both of shape (n,); ``low`` and ``high`` are the ends of whiskers where there are some.

    The x of bars are the n + 1 edges between them.
    """

    name: str
    x: FloatArray
    y: FloatArray
    style: Style = Style.POINTS
    low: FloatArray | None = None
    high: FloatArray | None = None

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        whiskers = {"low": self.low, "high": self.high}
        return {"name": self.name, "style": str(self.style), "x": rounded(self.x), "y": rounded(self.y)} | {
            key: rounded(values) for key, values in whiskers.items() if values is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One axis: its words, whether it is logarithmic, and values that get a tick instead of round ones.

    ``words`` stand at the ticks instead of their numbers.
    """

    label: str
    is_log: bool = False
    ticks: tuple[float, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plot:
    """Everything that one plot shows. ``marks`` are named places on the x axis, ``band`` a stretch of it.

    ``id`` is unique in a page; ``caption`` says how to read it.
    """

    id: str
    title: str
    caption: str
    x: Scale
    y: Scale
    series: tuple[Series, ...]
    marks: tuple[tuple[str, float], ...] = ()
    band: tuple[float, float] | None = None

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "id": self.id,
            "title": self.title,
            "x": self.x.label,
            "y": self.y.label,
            "series": [series.to_mapping() for series in self.series],
            "marks": [{"label": label, "at": at} for label, at in self.marks],
            "band": None if self.band is None else list(self.band),
        }


def wall(values: FloatArray, sign: int, *, is_log: bool) -> float:
    """Where on an axis of ``values`` those stand that have none: on the worse side, beyond all that are finite.

    ``sign`` is 1 when lower is better. 1 where nothing is finite.
    """
    finite = values[np.isfinite(values)]
    finite = finite[finite > 0] if is_log else finite
    if not len(finite):
        return 1.0
    best, worst = np.sort(np.log10(finite) if is_log else finite)[[0, -1]][::sign]
    at = worst + WALL * ((worst - best) or sign * (abs(worst) or 1.0))
    return float(10.0**at if is_log else at)

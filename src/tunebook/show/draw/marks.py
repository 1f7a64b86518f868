"""Marks of findings on an axis: a line for a threshold, a band for a range, a few words at the edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunebook.show.data.axes import Axis
from tunebook.show.data.marks import Mark
from tunebook.show.draw.drawing import drawn_places, escape
from tunebook.show.theme import GREEN, RED

BAND_OPACITY = 0.12
#: Height of the words from the worse edge of the plot, and the step to those of the next mark.
FIRST_LINE, LINE = 0.02, 0.075


def mark_shapes(axis: Axis, marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """A dashed line where a mark is one place, a faint band where it is a range."""
    return [_shape(mark, *drawn_places(axis, mark.low, mark.high)) for mark in marks if axis.scale != "category"]


def _shape(mark: Mark, low: float, high: float) -> dict[str, Any]:
    colour = RED if mark.is_bad else GREEN
    place = {"xref": "x", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1, "layer": "below"}
    if mark.low == mark.high:
        return {"type": "line", **place, "line": {"color": colour, "width": 2, "dash": "dash"}}
    return {"type": "rect", **place, "fillcolor": colour, "opacity": BAND_OPACITY, "line": {"width": 0}}


def mark_words(axis: Axis, marks: Sequence[Mark], sign: int) -> list[dict[str, Any]]:
    """The words of each mark beside it, on the side of bad values, where feasible points are few."""
    if axis.scale == "category":
        return []
    return [_words(axis, mark, number, sign) for number, mark in enumerate(marks)]


def _words(axis: Axis, mark: Mark, number: int, sign: int) -> dict[str, Any]:
    low, high = drawn_places(axis, mark.low, mark.high)
    is_log = axis.scale != "linear"
    middle = float(np.sqrt(low * high)) if is_log else (low + high) / 2
    height = FIRST_LINE + LINE * (number + 1)
    return {
        "xref": "x",
        "x": float(np.log10(middle)) if is_log else middle,
        "yref": "paper",
        "y": 1 - height if sign > 0 else height,
        "yanchor": "top" if sign > 0 else "bottom",
        "text": escape(mark.words),
        "showarrow": False,
        "font": {"size": 11, "color": RED if mark.is_bad else GREEN},
    }

"""The document of a comparison: settings isolated, beside what the verdict says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from tunebook.show.data.axes import Axis
from tunebook.show.data.isolation import Isolation, isolation_data
from tunebook.show.draw.axes import isolation_drawing
from tunebook.show.draw.drawing import Drawing
from tunebook.stats.isolation import LEVEL, best_of
from tunebook.web.analyst import Comparison
from tunebook.web.reader import Picture
from tunebook.web.round_page import drawing_document

#: Share of the shown values left free on either side.
ROOM = 0.15


def compare_document(picture: Picture, found: Comparison) -> dict[str, Any]:
    """Everything of the comparison."""
    objective = picture.data.table.objective
    return {
        "round": picture.evidence.name,
        "metric": objective.metric,
        "direction": objective.direction,
        "isolation": [drawing_document(picture.data.table, drawing) for drawing in isolation_drawings(picture)],
        "repeats": list(found.repeats),
        "verdict": found.document,
        "why_not": found.why_not,
    }


def isolation_drawings(picture: Picture) -> list[Drawing]:
    """The isolation plots of the report with the interval of each setting's expected best, and near to the bests."""
    found = []
    for number, item in enumerate(picture.data.isolation):
        data = isolation_data(picture.data.table, item.axis, intervals(picture, item.axis))
        found.append(_near(picture, data, isolation_drawing(picture.data.table, data, number)))
    return found


def _near(picture: Picture, data: Isolation, drawing: Drawing) -> Drawing:
    """The drawing with a value axis that shows the best of every setting and the intervals, and little else."""
    bests = [float(picture.data.table.values[item.best]) for item in data.settings if item.best is not None]
    ends = [end for item in data.settings if item.best is not None and item.interval for end in item.interval]
    if not ends:
        return drawing
    low, high = min(bests + ends), max(bests + ends)
    room = ROOM * ((high - low) or abs(high) or 1.0)
    axis = {**drawing.layout["yaxis"], "range": [low - room, high + room]}
    return replace(drawing, layout={**drawing.layout, "yaxis": axis})


def intervals(picture: Picture, axis: Axis) -> Mapping[str, tuple[float, float]]:
    """Setting -> interval of the expected best of as many trials in every setting, so that more trials are no merit."""
    table = picture.data.table
    if axis.scale != "category":
        return {}
    sign = table.objective.sign
    keys = np.where(table.feasible, sign * table.values, np.nan)
    sample = table.feasible | table.infeasible
    found = best_of([keys[sample & (axis.x == place)] for place in range(len(axis.categories))])
    ends = {
        name: (sign * (item.value - reach), sign * (item.value + reach))
        for name, item in zip(axis.categories, found, strict=True)
        if item is not None
        for reach in (float(stdtrit(item.degrees, (1 + LEVEL) / 2)) * item.error,)
    }
    return {name: (min(pair), max(pair)) for name, pair in ends.items()}

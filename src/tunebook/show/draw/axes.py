"""Axis plots and isolation plots: the objective against one hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunebook.evidence import IntArray
from tunebook.show.data.axes import Axis
from tunebook.show.data.isolation import Isolation, Setting
from tunebook.show.data.marks import Mark
from tunebook.show.data.numbers import short
from tunebook.show.data.table import TrialTable
from tunebook.show.draw.drawing import (
    HOVER,
    Drawing,
    bounds,
    clipped,
    escape,
    hyperparameter_axis,
    place,
    value_axis,
    wall,
)
from tunebook.show.draw.marks import mark_shapes, mark_words
from tunebook.show.theme import BLUE, GREY, ORANGE, series

#: Points of one plot; beyond, the best half of them and an even sample of the others are drawn (SVG
#: needs about 0.1 ms a point).
MOST_POINTS = 1500
#: From here on points are drawn smaller.
MANY_POINTS = 300
#: Studies with a colour of their own; the others share a grey.
MOST_COLOURS = 8
#: Settings whose best values can be written beside them without touching the next.
MOST_LABELS = 4

AXIS_CAPTION = (
    "Each point is a trial. A valley (or peak) well inside the dotted lines, which are the searched bounds, means the "
    "range is wide enough; good points crowding at a bound mean it is not. Red crosses at the edge are infeasible "
    "trials: they have a place but no value. The best {n_best} are large."
)
ISOLATION_CAPTION = (
    "The best trial of every setting after all else was tuned (large), over all its trials (small). Compare the large "
    "points, and compare them only if every setting had enough trials: the best of many is better than the best of few."
)


def axis_drawing(table: TrialTable, axis: Axis, number: int = 0, marks: Sequence[Mark] = ()) -> Drawing:
    """The objective against one hyperparameter, coloured by study when there are several.

    Of ``marks``, those of this axis are drawn.
    """
    own = [mark for mark in marks if mark.label == axis.label]
    exists = np.isfinite(axis.x)
    best = table.best[exists[table.best]]
    traces = [*_studies(table, axis, exists, best), *_edge(table, axis, exists), _front(table, axis, best)]
    dropped = int((exists & table.feasible).sum()) - MOST_POINTS
    caption = AXIS_CAPTION.format(n_best=len(table.best))
    if dropped > 0:
        caption += f" Of the trials, {dropped:,} are left out for speed; the best half of those shown is complete."
    return Drawing(
        id=f"axis-{number}",
        title=clipped(axis.label, 44),
        caption=caption,
        traces=tuple(trace for trace in traces if len(trace["x"])),
        layout={
            "xaxis": hyperparameter_axis(axis, own),
            "yaxis": value_axis(table),
            "shapes": [*bounds(axis), *mark_shapes(axis, own)],
            "annotations": mark_words(axis, own, table.objective.sign),
        },
        subject=axis.label,
    )


def isolation_drawing(table: TrialTable, isolation: Isolation, number: int = 0) -> Drawing:
    """The best of every setting in front of all trials."""
    axis = isolation.axis
    exists = np.isfinite(axis.x)
    trials = _drawn(table, exists & table.feasible, np.empty(0, np.int64))
    behind = _points(table, axis, trials, "all trials", GREY, "circle", 6)
    traces = [behind, *_edge(table, axis, exists), _best_of_settings(table, isolation)]
    layout = {
        "xaxis": hyperparameter_axis(axis),
        "yaxis": value_axis(table),
        "shapes": bounds(axis),
        "annotations": _best_values(table, isolation)
        if axis.scale == "category" and len(axis.categories) <= MOST_LABELS
        else [],
    }
    return Drawing(
        id=f"isolation-{number}",
        title=f"{clipped(axis.label)}, isolated",
        caption=ISOLATION_CAPTION,
        traces=tuple(trace for trace in traces if len(trace["x"])),
        layout=layout,
        subject=axis.label,
    )


def _studies(table: TrialTable, axis: Axis, exists: Any, best: IntArray) -> list[dict[str, Any]]:
    shown = exists & table.feasible & ~_beyond(table)
    trials = np.setdiff1d(_drawn(table, shown, best), best)
    if len(table.studies) == 1:
        return [_points(table, axis, trials, "trials", BLUE, "circle", 7)]
    coloured = _leading_studies(table)
    traces = [
        _points(table, axis, trials[table.study[trials] == study], clipped(table.studies[study]), *series(number), 7)
        for number, study in enumerate(coloured)
    ]
    rest = trials[~np.isin(table.study[trials], coloured)]
    return [_points(table, axis, rest, "other studies", GREY, "circle", 6), *traces]


def _leading_studies(table: TrialTable) -> list[int]:
    """The studies that get a colour: all in their order, or those with the best trials when there are many."""
    if len(table.studies) <= MOST_COLOURS:
        return list(range(len(table.studies)))
    ranked = dict.fromkeys(table.study[table.order].tolist())
    return sorted(list(ranked)[:MOST_COLOURS])


def _points(
    table: TrialTable, axis: Axis, trials: IntArray, name: str, colour: str, symbol: str, size: int
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(name),
        "x": place(axis, axis.x[trials], trials),
        "y": table.values[trials],
        "customdata": trials,
        "hovertemplate": HOVER,
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": size if len(trials) <= MANY_POINTS else size - 2,
            "opacity": 0.7,
        },
    }


def _front(table: TrialTable, axis: Axis, best: IntArray) -> dict[str, Any]:
    trace = _points(table, axis, best, f"best {len(best)}", ORANGE, "star", 15)
    several = len(table.studies) > 1
    coloured = _leading_studies(table)
    colours = [series(coloured.index(study))[0] if study in coloured else GREY for study in table.study[best].tolist()]
    trace["marker"] |= {
        "opacity": 1,
        "color": colours if several else ORANGE,
        "line": {"width": 1.2, "color": "#FFFFFF"},
    }
    return trace


def _edge(table: TrialTable, axis: Axis, exists: Any) -> list[dict[str, Any]]:
    """Infeasible trials, and triangles for values worse than shown."""
    infeasible = np.flatnonzero(exists & table.infeasible)
    crosses = wall(table, place(axis, axis.x[infeasible], infeasible), infeasible)
    far = np.flatnonzero(exists & table.feasible & _beyond(table))
    symbol = "triangle-up-open" if table.objective.sign > 0 else "triangle-down-open"
    triangles = _points(table, axis, far, f"worse than shown ({len(far)})", GREY, symbol, 8)
    triangles["y"] = np.full(len(far), table.shown.far)
    return [triangles, crosses]


def _beyond(table: TrialTable) -> Any:
    sign = table.objective.sign
    return table.feasible & (sign * table.values > sign * table.shown.far)


def _drawn(table: TrialTable, shown: Any, best: IntArray) -> IntArray:
    """At most ``MOST_POINTS`` of the trials ``shown``: the better half whole, an even sample of the rest."""
    ranked = table.order[shown[table.order]]
    if len(ranked) <= MOST_POINTS:
        return np.asarray(np.union1d(ranked, best), dtype=np.int64)
    half = MOST_POINTS // 2
    others = ranked[half:][np.linspace(0, len(ranked) - half - 1, half).astype(np.int64)]
    return np.concatenate([ranked[:half], others])


def _best_of_settings(table: TrialTable, isolation: Isolation) -> dict[str, Any]:
    settings = [setting for setting in isolation.settings if setting.best is not None]
    trials = np.array([setting.best for setting in settings], dtype=np.int64)
    x = isolation.axis.x[trials]
    return {
        "type": "scatter",
        "mode": "lines+markers" if isolation.axis.scale != "category" else "markers",
        "name": "best of each setting",
        "x": 1 - x if isolation.axis.scale == "reverse_log" else x,
        "y": table.values[trials],
        "customdata": trials,
        "hovertemplate": HOVER,
        "line": {"color": ORANGE, "width": 1.5},
        "marker": {"color": ORANGE, "symbol": "diamond", "size": 14, "line": {"width": 1, "color": GREY}},
        "error_y": _whiskers(table, settings, trials),
    }


def _best_values(table: TrialTable, isolation: Isolation) -> list[dict[str, Any]]:
    """Beside the best of each category: its value, and of how many trials it is the best."""
    return [
        {
            "x": setting.low,
            "y": float(table.values[setting.best]),
            "text": f"{short(float(table.values[setting.best]))}, best of {setting.n_feasible + setting.n_infeasible}",
            "showarrow": False,
            "xanchor": "left",
            "xshift": 12,
            "font": {"size": 12},
        }
        for setting in isolation.settings
        if setting.best is not None
    ]


def _whiskers(table: TrialTable, settings: list[Setting], trials: IntArray) -> dict[str, Any]:
    values = table.values[trials]
    ends = [setting.interval or (value, value) for setting, value in zip(settings, values.tolist(), strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "visible": any(setting.interval for setting in settings),
        "array": [max(high - value, 0.0) for (_, high), value in zip(ends, values.tolist(), strict=True)],
        "arrayminus": [max(value - low, 0.0) for (low, _), value in zip(ends, values.tolist(), strict=True)],
        "thickness": 2,
        "color": ORANGE,
    }

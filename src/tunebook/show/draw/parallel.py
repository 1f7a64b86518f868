"""Parallel coordinates in plain lines: Plotly's own need WebGL, which many machines draw in software."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tunebook.evidence import FloatArray
from tunebook.show.data.axes import Axis
from tunebook.show.data.numbers import short
from tunebook.show.data.parallel import Parallel
from tunebook.show.data.table import TrialTable
from tunebook.show.draw.drawing import HOVER, Drawing, clipped, escape, joined
from tunebook.show.theme import FAINT, GREY, RED, SERIES

#: Where a line passes an axis that its trial does not have, and where an infeasible trial ends.
ABSENT = -0.12
#: Ticks of a continuous axis, as shares of it.
TICKS = (0.0, 0.5, 1.0)

#: Letters in one line of the label of an axis.
LABEL_LINE = 13

CAPTION = (
    "Every line is a trial, from one hyperparameter to the next and to its objective on the right (best on top). Where "
    "the bright lines, the best {n_best}, cross an axis close together, that hyperparameter matters; where they "
    "spread over all of it, it hardly does. Red lines are infeasible. Lines below an axis lack that hyperparameter."
)


def parallel_drawing(table: TrialTable, data: Parallel) -> Drawing:
    """Parallel coordinates, the best few in front."""
    heights = np.where(np.isfinite(data.heights), np.clip(data.heights, -0.06, 1.06), ABSENT)
    columns = np.arange(heights.shape[1], dtype=np.float64)
    behind = len(data.trials) - data.n_best
    infeasible = table.infeasible[data.trials]
    traces = [
        _block(columns, heights[:behind][~infeasible[:behind]], "other trials", FAINT),
        _block(columns, heights[:behind][infeasible[:behind]], "infeasible trials", RED),
        *[_bright(table, data, columns, heights, rank) for rank in reversed(range(data.n_best))],
    ]
    return Drawing(
        id="parallel",
        title="All trials in parallel coordinates",
        caption=CAPTION.format(n_best=data.n_best),
        traces=tuple(trace for trace in traces if len(trace["x"])),
        layout=_layout(table, data, columns),
        height=460,
        is_wide=True,
    )


def _block(columns: FloatArray, heights: FloatArray, name: str, colour: str) -> dict[str, Any]:
    x, y = joined([(columns, row) for row in heights])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name} ({len(heights)})",
        "x": x,
        "y": y,
        "hoverinfo": "skip",
        "opacity": 0.35 if colour == RED else 1,
        "line": {"color": colour, "width": 1},
    }


def _bright(table: TrialTable, data: Parallel, columns: FloatArray, heights: FloatArray, rank: int) -> dict[str, Any]:
    row = len(data.trials) - 1 - rank
    trial = int(data.trials[row])
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": escape(f"{rank + 1}. {clipped(table.names[trial], 18)}"),
        "x": columns,
        "y": heights[row],
        "customdata": np.full(len(columns), trial),
        "hovertemplate": HOVER,
        "line": {"color": SERIES[rank % len(SERIES)], "width": 2.6},
        "marker": {"size": 7},
        "legendrank": 1000 + rank,
    }


def _layout(table: TrialTable, data: Parallel, columns: FloatArray) -> dict[str, Any]:
    labels = [_wrapped(axis.label) for axis in data.axes] + [_wrapped(table.objective.metric)]
    posts = [
        {
            "type": "line",
            "xref": "x",
            "yref": "y",
            "x0": x,
            "x1": x,
            "y0": 0,
            "y1": 1,
            "line": {"color": GREY, "width": 1.5},
        }
        for x in columns.tolist()
    ]
    notes = [note for x, axis in enumerate(data.axes) for note in _axis_notes(float(x), axis)]
    return {
        "xaxis": {
            "range": [-0.3, len(columns) - 0.45],
            "tickvals": columns.tolist(),
            "ticktext": labels,
            "showgrid": False,
            "showline": False,
            "ticks": "",
            "tickangle": 0,
            "tickfont": {"size": 12},
        },
        "yaxis": {"visible": False, "range": [ABSENT - 0.06, 1.08]},
        "shapes": posts,
        "annotations": [*notes, *_objective_notes(table, float(columns[-1]))],
        "margin": {"l": 30, "r": 40, "t": 66, "b": 60},
    }


def _wrapped(label: str) -> str:
    """A label in lines short enough to stand below its axis."""
    lines: list[str] = [""]
    for word in re.findall(r"[^_/\[-]*[_/\[-]?", clipped(label, 4 * LABEL_LINE)):
        if lines[-1] and len(lines[-1] + word) > LABEL_LINE:
            lines.append("")
        lines[-1] += word
    return "<br>".join(escape(line) for line in lines)


def _axis_notes(x: float, axis: Axis) -> list[dict[str, Any]]:
    if axis.scale == "category":
        last = max(len(axis.categories) - 1, 1)
        return [_note(x, place / last, clipped(name, 12)) for place, name in enumerate(axis.categories)]
    return [_note(x, share, short(_at(axis, share), 3)) for share in TICKS]


def _at(axis: Axis, share: float) -> float:
    """The value at a share of the axis; the inverse of ``Axis.unit``."""
    if axis.scale == "log":
        return float(axis.low * (axis.high / axis.low) ** share)
    if axis.scale == "reverse_log":
        return float(1 - (1 - axis.low) * ((1 - axis.high) / (1 - axis.low)) ** share)
    return float(axis.low + (axis.high - axis.low) * share)


def _objective_notes(table: TrialTable, x: float) -> list[dict[str, Any]]:
    if not table.feasible.any():
        return []
    best = float(table.values[table.best[0]])
    return [_note(x, 1.0, short(best, 3)), _note(x, 0.0, short(table.shown.far, 3)), _note(x, ABSENT, "infeasible")]


def _note(x: float, y: float, text: str) -> dict[str, Any]:
    return {
        "x": x,
        "y": y,
        "text": escape(text),
        "showarrow": False,
        "xanchor": "left",
        "xshift": 5,
        "font": {"size": 11},
    }

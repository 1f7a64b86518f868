"""Training curves: all trials thin behind, the best few bright in front."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.evidence import Curves
from tunebook.show.data.curves import CurvesData, FrontCurve
from tunebook.show.data.table import BoolArray, TrialTable
from tunebook.show.draw.drawing import HOVER, Drawing, clipped, escape, joined
from tunebook.show.theme import FAINT, GREY, RED, SERIES

CAPTION = (
    "{metric} against the training step: the best {n_front} trials bright, all others thin and grey, infeasible ones "
    "thin and red, with a cross at the edge where they broke.{twin} Look for bright curves that turn back "
    "before the end (overfitting), that still fall at the end (train longer), or that jump (instability)."
)
#: Share of the run left free before and after it, and the height of the crosses on an axis from 0 to 1.
STEP_ROOM, WALL = 0.01, 0.97
#: Up to so many decades, a log axis also labels 2 and 5.
FEW_DECADES = 2.5
TWIN_CAPTION = " Dotted lines are {twin} of the same trials: the gap to the solid line is what does not generalise."


def curves_title(metric: str) -> str:
    """What the plot of a metric is called."""
    return f"{metric}: training curves"


def curves_drawing(table: TrialTable, data: CurvesData, name: str = "curves-0") -> Drawing:
    """Curves of one metric."""
    infeasible = table.infeasible[data.trials]
    traces = [
        _background(data.background, ~infeasible, "other trials", FAINT),
        _background(data.background, infeasible, "infeasible trials", RED),
        _breaks(table, data, infeasible),
        *[trace for number, curve in enumerate(data.front) for trace in _front(table, data, number, curve)],
    ]
    twin = TWIN_CAPTION.format(twin=data.twin) if data.twin else ""
    return Drawing(
        id=name,
        title=curves_title(data.metric),
        caption=CAPTION.format(metric=data.metric, n_front=len(data.front), twin=twin),
        traces=tuple(trace for trace in traces if len(trace["x"])),
        layout=_layout(data),
        height=460,
        is_wide=True,
    )


def _layout(data: CurvesData) -> dict[str, Any]:
    return {
        "updatemenus": [_switch(data)] if data.log else [],
        "xaxis": {"title": {"text": "training step"}, "range": _step_range(data)},
        "yaxis": {"title": {"text": escape(clipped(data.metric))}, **_value_axis(data, data.is_log)},
        # A hidden axis from 0 to 1, so that the crosses stay at the edge when the other is zoomed or switched.
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "legend": {"traceorder": "normal"},
    }


def _step_range(data: CurvesData) -> list[float]:
    steps = [data.background.steps, *[curve.steps for curve in data.front]]
    first, last = (
        min(int(part.min()) for part in steps if len(part)),
        max(int(part.max()) for part in steps if len(part)),
    )
    room = STEP_ROOM * ((last - first) or 1)
    return [first - room, last + room]


def _value_axis(data: CurvesData, is_log: bool) -> dict[str, Any]:
    if is_log and data.log:
        ends = np.log10(data.log).tolist()
        return {"type": "log", "range": ends, "dtick": 1 if ends[1] - ends[0] > FEW_DECADES else "D2"}
    return {"type": "linear", "range": list(data.linear), "dtick": None}


def _switch(data: CurvesData) -> dict[str, Any]:
    """Buttons for a linear and a logarithmic value axis."""
    buttons = [
        {
            "label": name,
            "method": "relayout",
            "args": [{f"yaxis.{key}": value for key, value in _value_axis(data, is_log).items()}],
        }
        for name, is_log in (("linear", False), ("log", True))
    ]
    place = {"x": 1, "xanchor": "right", "y": 0, "yanchor": "top", "pad": {"t": 26}}
    look = {"bgcolor": "rgba(0,0,0,0)", "bordercolor": GREY, "font": {"size": 11}}
    return {"type": "buttons", "direction": "right", "showactive": False, "buttons": buttons, **place, **look}


def _breaks(table: TrialTable, data: CurvesData, infeasible: BoolArray) -> dict[str, Any]:
    """A cross at the worse edge where each infeasible trial had its last finite value."""
    is_up = table.objective.sign > 0 or data.metric != table.objective.metric
    broke = infeasible & (data.ends >= 0)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "infeasible: broke here",
        "x": data.ends[broke],
        "y": np.full(int(broke.sum()), WALL if is_up else 1 - WALL),
        "yaxis": "y2",
        "customdata": data.trials[broke],
        "hovertemplate": HOVER,
        "cliponaxis": False,
        "marker": {"symbol": "x-thin", "size": 8, "line": {"width": 1.6, "color": RED}, "opacity": 0.75},
    }


def _background(curves: Curves, chosen: BoolArray, name: str, colour: str) -> dict[str, Any]:
    x, y = joined([curves[trial] for trial in np.flatnonzero(chosen).tolist()])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name} ({int(chosen.sum())})",
        "x": x,
        "y": np.where(np.isfinite(y), y, np.nan),
        "hoverinfo": "skip",
        "line": {"color": colour, "width": 1},
        "opacity": 0.5 if colour == RED else 1,
    }


def _front(table: TrialTable, data: CurvesData, number: int, curve: FrontCurve) -> list[dict[str, Any]]:
    colour = SERIES[number % len(SERIES)]
    group = f"best-{number}"
    name = f"{number + 1}. {clipped(table.names[curve.trial], 18)}"
    main = _line(curve.trial, curve.steps, curve.values, colour) | {
        "name": escape(name),
        "legendgroup": group,
        "mode": "lines+markers" if len(curve.steps) <= 12 else "lines",
    }
    twin = _line(curve.trial, curve.twin_steps, curve.twin_values, colour) | {
        "name": escape(f"{name} ({data.twin})"),
        "legendgroup": group,
        "showlegend": False,
    }
    twin["line"] |= {"dash": "dot", "width": 1.6}
    return [twin, main]


def _line(trial: int, steps: Any, values: Any, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": steps,
        "y": np.where(np.isfinite(values), values, np.nan),
        "customdata": np.full(len(steps), trial),
        "hovertemplate": "%{y:.4g} at step %{x}<br>" + HOVER,
        "line": {"color": colour, "width": 2.4},
    }

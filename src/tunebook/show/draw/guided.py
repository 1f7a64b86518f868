"""Plots of the guided procedures as Plotly's traces and layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tunebook.evidence import FloatArray
from tunebook.show.data.numbers import short
from tunebook.show.data.plot import Plot, Scale, Series, Style
from tunebook.show.draw.drawing import Drawing, escape
from tunebook.show.theme import FAINT, GREY, RED, series

#: More ticks than this touch, so that only every second one stays, or every third.
MOST_TICKS = 8
#: Room beyond the outermost value, as a share of a logarithmic axis.
ROOM = 0.05


def plot_drawing(plot: Plot) -> Drawing:
    """One plot, drawn."""
    traces: list[dict[str, Any]] = []
    n_coloured = 0
    for one in plot.series:
        traces.append(_trace(plot, one, series(n_coloured)[0]))
        n_coloured += one.style not in (Style.CROSSES, Style.DASHED)
    return Drawing(
        id=plot.id,
        title=plot.title,
        caption=plot.caption,
        traces=tuple(trace for trace in traces if len(trace["x"])),
        layout={
            "xaxis": _x_axis(plot),
            "yaxis": _axis(plot.y),
            "showlegend": len(plot.series) > 1,
            "bargap": 0.04,
            # Above the words of the marks, which stand on the frame.
            "legend": {"y": 1.08 if plot.marks else 1.0},
            "shapes": [*_band(plot), *_lines(plot)],
            "annotations": _words(plot),
        },
        height=380,
    )


def _trace(plot: Plot, one: Series, colour: str) -> dict[str, Any]:
    if one.style is Style.BARS:
        edges = np.log10(one.x) if plot.x.is_log else one.x
        middles, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
        # Bars of a logarithmic axis are drawn on a linear one of logarithms: Plotly's own get their widths wrong.
        return {
            "type": "bar",
            "x": middles,
            "y": one.y,
            "width": widths,
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": "%{y}<extra></extra>",
            "name": escape(one.name),
        }
    common = {"type": "scatter", "name": escape(one.name), "x": one.x, "y": one.y}
    hover = {"hovertemplate": "%{x:.4g}: %{y:.4g}<extra>" + escape(one.name) + "</extra>"}
    if one.style is Style.CROSSES:
        marker = {"symbol": "x-thin", "size": 9, "line": {"width": 2, "color": RED}}
        return common | hover | {"mode": "markers", "marker": marker, "cliponaxis": False}
    if one.style is Style.DASHED:
        return common | hover | {"mode": "lines", "line": {"color": GREY, "dash": "dash", "width": 1.5}}
    if one.style is Style.LINE:
        return common | hover | {"mode": "lines", "line": {"color": colour, "width": 2}}
    mode = "lines+markers" if one.style is Style.LINKED else "markers"
    drawn = {"mode": mode, "marker": {"color": colour, "size": 8}, "line": {"color": colour, "width": 1.5}}
    return common | hover | drawn | ({"error_y": _whiskers(one, colour)} if one.low is not None else {})


def _whiskers(one: Series, colour: str) -> dict[str, Any]:
    assert one.low is not None
    assert one.high is not None
    below, above = np.maximum(one.y - one.low, 0.0), np.maximum(one.high - one.y, 0.0)
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": colour, "thickness": 1.5}


def _x_axis(plot: Plot) -> dict[str, Any]:
    """The axis with everything on it in sight: series, marks and no more of a band than they need."""
    at = _on_axis(plot, np.array([x for one in plot.series for x in one.x] + [at for _, at in plot.marks]))
    if not len(at):
        return _axis(plot.x)
    low, high = float(at.min()), float(at.max())
    room = ROOM * ((high - low) or 1.0)
    shown = {"range": [low - room, high + room]}
    if _is_binned(plot) and plot.x.is_log:
        powers = np.arange(np.floor(low), np.ceil(high) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in ((1, 2, 5) if len(powers) < 4 else (1,))]
        return _titled(plot.x) | shown | {"tickvals": np.log10(ticks).tolist(), "ticktext": [f"{x:g}" for x in ticks]}
    return _axis(plot.x) | shown


def _axis(scale: Scale) -> dict[str, Any]:
    made = _titled(scale)
    if scale.is_log:
        # Labels of a power and its double and fivefold, and not of all nine: those touch.
        made |= {"type": "log", "dtick": "D2" if not scale.ticks else None, "exponentformat": "power"}
    if scale.ticks:
        ticks = scale.ticks[:: math.ceil(len(scale.ticks) / MOST_TICKS)]
        words = scale.words or tuple(short(tick) for tick in ticks)
        made |= {"tickvals": list(ticks), "ticktext": [escape(word) for word in words]}
    if scale.words:
        room = 0.5 * (scale.ticks[-1] - scale.ticks[0])
        made |= {"range": [scale.ticks[0] - room, scale.ticks[-1] + room]}
    return {key: value for key, value in made.items() if value is not None}


def _titled(scale: Scale) -> dict[str, Any]:
    return {"title": {"text": escape(scale.label)}}


def _on_axis(plot: Plot, x: FloatArray) -> FloatArray:
    """Places in units of the drawn axis: Plotly counts a logarithmic one in powers of ten."""
    return np.asarray(np.log10(x) if plot.x.is_log else x, dtype=np.float64)


def _is_binned(plot: Plot) -> bool:
    return any(one.style is Style.BARS for one in plot.series)


def _in_shapes(plot: Plot, at: float) -> float:
    """Shapes take values where annotations take powers, except on the linear axis that bars are drawn on."""
    return float(_on_axis(plot, np.array([at]))[0]) if _is_binned(plot) else at


def _band(plot: Plot) -> list[dict[str, Any]]:
    if plot.band is None:
        return []
    x0, x1 = (_in_shapes(plot, at) for at in plot.band)
    fill = {"fillcolor": FAINT, "line": {"width": 0}, "layer": "below"}
    return [{"type": "rect", "xref": "x", "yref": "paper", "x0": x0, "x1": x1, "y0": 0, "y1": 1, **fill}]


def _lines(plot: Plot) -> list[dict[str, Any]]:
    line = {"color": RED, "width": 1.5, "dash": "dash"}
    places = [_in_shapes(plot, at) for _, at in plot.marks]
    return [
        {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line} for x in places
    ]


def _words(plot: Plot) -> list[dict[str, Any]]:
    """The words of the marks above the frame, away from each other where there are two."""
    common = {"xref": "x", "yref": "paper", "y": 1.0, "yanchor": "bottom", "showarrow": False, "font": {"size": 12}}
    order = sorted(at for _, at in plot.marks)
    sides = ("right", "left") if len(order) == 2 else ("center",)
    return [
        {
            **common,
            "x": float(_on_axis(plot, np.array([at]))[0]),
            "text": escape(word),
            "xanchor": sides[order.index(at) % len(sides)],
        }
        for word, at in plot.marks
    ]

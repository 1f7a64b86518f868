"""The feasibility map as a plot: probability as shades, trials as points, the refined space as a frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.exploit.feasibility_map import FeasibilityMap
from tunebook.show.draw.drawing import Drawing, clipped, escape
from tunebook.show.theme import BLUE, GREEN, RED

CAPTION = (
    "How likely training is at every place, all other hyperparameters as in the best trial: blue is safe, red fails. "
    "Crosses are trials that could not be trained. {frame}Suggestions come from where training is likely, up to the "
    "edge, because the best configurations often lie beside it."
)
FRAME = "The frame is the space that is searched on. "
#: From sure failure to sure success: red and blue differ for every kind of colour vision, pale in between.
SHADES = [[0.0, "#D3212D"], [0.5, "#F4EDE4"], [1.0, "#0072B2"]]


def feasibility_drawing(data: FeasibilityMap) -> Drawing:
    """The map over two hyperparameters."""
    return Drawing(
        id="feasibility",
        title=f"Where training works: {clipped(data.across.label)} and {clipped(data.up.label)}",
        caption=CAPTION.format(frame=FRAME if data.box else ""),
        traces=(
            {
                "type": "heatmap",
                "x": data.x,
                "y": data.y,
                "z": data.probability.tolist(),
                "zmin": 0.0,
                "zmax": 1.0,
                "colorscale": SHADES,
                "opacity": 0.75,
                "colorbar": {"title": {"text": "probability<br>of training"}, "tickformat": ".0%"},
                "hovertemplate": "%{z:.0%}<extra></extra>",
            },
            _trials(data, True),
            _trials(data, False),
        ),
        layout={
            "xaxis": _axis(data.across),
            "yaxis": _axis(data.up),
            "shapes": _frame(data),
            "showlegend": True,
            "legend": {"orientation": "h", "y": 1.08},
        },
        height=480,
        is_wide=True,
    )


def _trials(data: FeasibilityMap, feasible: bool) -> dict[str, Any]:
    own = data.is_feasible == feasible
    marker = {"symbol": "circle", "color": BLUE, "size": 7} if feasible else {"symbol": "x", "color": RED, "size": 9}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "trained" if feasible else "infeasible",
        "x": data.trials_x[own],
        "y": data.trials_y[own],
        "marker": {**marker, "line": {"width": 1.2, "color": "white"}},
        "hovertemplate": "%{x:.3g}, %{y:.3g}<extra></extra>",
    }


def _axis(item: Hyperparameter) -> dict[str, Any]:
    is_log = isinstance(item.domain, Range) and item.domain.scale == "log"
    return {"title": {"text": escape(item.label)}, "type": "log" if is_log else "linear", "showgrid": False}


def _frame(data: FeasibilityMap) -> list[dict[str, Any]]:
    if data.box is None:
        return []
    low_x, high_x, low_y, high_y = (float(np.float64(end)) for end in data.box)
    place = {"x0": low_x, "x1": high_x, "y0": low_y, "y1": high_y, "xref": "x", "yref": "y"}
    return [{"type": "rect", **place, "line": {"color": GREEN, "width": 3}}]

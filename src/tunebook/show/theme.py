"""Colours and the look of all plots, in light and dark."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Theme: TypeAlias = Literal["light", "dark"]

#: Okabe and Ito's palette (2008), which people with any colour vision can tell apart. Its black and
#: yellow vanish on one of the two backgrounds; its vermillion is kept for what went wrong.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY)
SYMBOLS = ("circle", "square", "diamond", "triangle-up")

#: Infeasible trials; always a cross as well, so that nothing hangs on the colour.
RED = "#D3212D"
GREY = "#8A8F98"
FAINT = "rgba(138,143,152,0.35)"

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK = {"light": "#1F2328", "dark": "#E6EDF3"}
PAPER = {"light": "#FFFFFF", "dark": "#15181D"}
GRID = {"light": "#E7EAEE", "dark": "#2B3038"}


def series(number: int) -> tuple[str, str]:
    """Colour and marker symbol of the ``number``-th series; twenty in a row differ."""
    return SERIES[number % len(SERIES)], SYMBOLS[number // len(SERIES) % len(SYMBOLS)]


def template(theme: Theme) -> dict[str, Any]:
    """The Plotly template of one theme: thin grid, no frame, legible sizes, transparent paper."""
    axis = {
        "gridcolor": GRID[theme],
        "linecolor": GREY,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "tickcolor": GREY,
        "ticklen": 4,
        "automargin": True,
        "title": {"standoff": 8},
        "minor": {"showgrid": False},
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": INK[theme]},
            "title": {"font": {"size": 15}, "x": 0, "xanchor": "left", "xref": "container", "pad": {"l": 12}},
            "paper_bgcolor": PAPER[theme],
            "plot_bgcolor": PAPER[theme],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "align": "left",
                "bgcolor": PAPER[theme],
                "bordercolor": GREY,
                "font": {"family": FONT, "size": 12, "color": INK[theme]},
            },
            "annotationdefaults": {"bgcolor": PAPER[theme], "borderpad": 1},
            "hovermode": "closest",
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.0,
                "yanchor": "bottom",
                "itemsizing": "constant",
                "font": {"size": 11},
            },
            "margin": {"l": 60, "r": 16, "t": 66, "b": 48},
            "colorway": list(SERIES),
        }
    }

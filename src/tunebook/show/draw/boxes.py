"""Best-of-n boxes and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunebook.show.data.best_of_n import BestOfN
from tunebook.show.data.curves import CurvesData
from tunebook.show.data.histograms import GradNorm, Histogram
from tunebook.show.data.table import TrialTable
from tunebook.show.draw.curves import curves_drawing
from tunebook.show.draw.drawing import Drawing, clipped, escape, value_axis
from tunebook.show.theme import BLUE, ORANGE, RED, series

#: Boxes of more studies than this cannot be told apart.
MOST_STUDIES = 6

BEST_OF_N_CAPTION = (
    "How good the best of n trials would have been: the line is the median, the box the lucky and the unlucky quarter, "
    "the whiskers 5 % and 95 %. Infeasible trials count as the worst{cut}. Boxes still falling at the right mean more "
    "trials will help; flat and narrow boxes mean the space, not the number of trials, is the limit."
)
BEST_STEP_CAPTION = (
    "When each trial reached its best value, as a share of its run. All left of the first line: trained far too long. "
    "Nearly all right of the second: try longer, unless the learning rate decays, which makes nearly every best late."
)
GRAD_NORM_CAPTION = (
    "Gradient norms over the run of the best trial ({trial}), on a log axis. A long right tail is what clipping is "
    "for; the line is the 90th percentile, where to start looking for a threshold."
)


def best_of_n_drawing(table: TrialTable, data: Sequence[BestOfN]) -> Drawing:
    """Boxes over budgets, side by side for the studies."""
    shown = _leading(table, data)
    budgets = sorted({int(n) for item in shown for n in item.budgets})
    cut = ", and boxes end at the edge where an infeasible best is that likely" if table.infeasible.any() else ""
    return Drawing(
        id="best-of-n",
        title="Best of n trials",
        caption=BEST_OF_N_CAPTION.format(cut=cut),
        traces=tuple(_boxes(table, item, *series(number)[:1], budgets) for number, item in enumerate(shown)),
        layout={
            "boxmode": "group",
            "xaxis": {
                "title": {"text": "number of trials n"},
                "tickvals": list(range(len(budgets))),
                "ticktext": [str(n) for n in budgets],
                "showgrid": False,
            },
            "yaxis": value_axis(table),
            "showlegend": len(shown) > 1,
        },
        height=400,
        is_wide=True,
    )


def _leading(table: TrialTable, data: Sequence[BestOfN]) -> list[BestOfN]:
    ranked = [table.studies[study] for study in dict.fromkeys(table.study[table.order].tolist())]
    leading = set(ranked[:MOST_STUDIES])
    return [item for item in data if item.study in leading]


def _boxes(table: TrialTable, item: BestOfN, colour: str, budgets: list[int]) -> dict[str, Any]:
    filled = np.where(np.isfinite(item.quantiles), item.quantiles, table.shown.wall)
    parts = ("lowerfence", "q1", "median", "q3", "upperfence")
    columns = filled.T if table.objective.sign > 0 else filled.T[::-1]
    return {
        "type": "box",
        "name": escape(clipped(item.study)),
        "x": [budgets.index(int(n)) for n in item.budgets],
        **dict(zip(parts, columns, strict=True)),
        "marker": {"color": colour},
        "line": {"width": 1.8},
        "hoverinfo": "y+name",
    }


def best_step_drawing(data: Histogram) -> Drawing:
    """When trials reached their best value."""
    return Drawing(
        id="best-step",
        title="Where in the run the best value was reached",
        caption=BEST_STEP_CAPTION,
        traces=(_bars(data, BLUE),),
        layout={
            "xaxis": {"title": {"text": "share of the run"}, "range": [-0.01, 1.01], "tickformat": ".0%"},
            "yaxis": {"title": {"text": "trials"}, "rangemode": "tozero"},
            "bargap": 0.04,
            **_marks(data, ("first 10 %", "last 25 %"), log=False),
        },
        height=320,
    )


def grad_norm_drawings(table: TrialTable, data: GradNorm) -> tuple[Drawing, Drawing]:
    """The history of all trials, and the histogram of the best one."""
    history: CurvesData = data.history
    low, high = np.log10(data.histogram.edges[[0, -1]]).tolist()
    bars = _bars(data.histogram, ORANGE)
    bars |= {"x": np.log10(bars["x"]), "width": np.diff(np.log10(data.histogram.edges))}
    first, last = int(np.floor(low)), int(np.ceil(high))
    ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    ticks = [tick for tick in ticks if low - 0.1 <= np.log10(tick) <= high + 0.1]
    ticks = ticks if len(ticks) <= 9 else [10.0**power for power in range(first, last + 1)]
    histogram = Drawing(
        id="grad-norm-histogram",
        title="Gradient norms of the best trial",
        caption=GRAD_NORM_CAPTION.format(trial=clipped(table.names[data.trial], 60)),
        traces=(bars,),
        layout={
            "xaxis": {
                "title": {"text": "gradient norm"},
                "range": [low - 0.03, high + 0.03],
                "tickvals": np.log10(ticks).tolist(),
                "ticktext": [f"{tick:g}" for tick in ticks],
            },
            "yaxis": {"title": {"text": "steps"}, "rangemode": "tozero"},
            **_marks(data.histogram, ("90th percentile",), log=True),
        },
        height=320,
    )
    return curves_drawing(table, history, "grad-norm"), histogram


def _bars(data: Histogram, colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": (data.edges[:-1] + data.edges[1:]) / 2,
        "y": data.counts,
        "width": np.diff(data.edges),
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{y}<extra></extra>",
        "showlegend": False,
    }


def _marks(data: Histogram, words: tuple[str, ...], log: bool) -> dict[str, Any]:
    places = [float(np.log10(at)) if log else at for _, at in data.marks]
    line = {"color": RED, "width": 1.5, "dash": "dash"}
    common = {"xref": "x", "yref": "paper"}
    notes = {"showarrow": False, "yanchor": "bottom", "y": 1.0, "font": {"size": 12}}
    return {
        "shapes": [{"type": "line", **common, "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line} for x in places],
        "annotations": [{**common, **notes, "x": x, "text": word} for x, word in zip(places, words, strict=True)],
    }

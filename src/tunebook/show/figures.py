"""Plotly figures, one call each: for notebooks, and for whoever wants to change or save a plot (L7)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from tunebook._optional import require
from tunebook.core.hyperparameter import Hyperparameter
from tunebook.core.objective import Objective
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.show.data.axes import axis_data, axis_of
from tunebook.show.data.best_of_n import best_of_n_data
from tunebook.show.data.curves import curves_data
from tunebook.show.data.histograms import best_step_data, grad_norm_data
from tunebook.show.data.isolation import isolation_data
from tunebook.show.data.parallel import parallel_data
from tunebook.show.data.table import TrialTable, trial_table
from tunebook.show.draw.axes import axis_drawing, isolation_drawing
from tunebook.show.draw.boxes import best_of_n_drawing, best_step_drawing, grad_norm_drawings
from tunebook.show.draw.curves import curves_drawing
from tunebook.show.draw.drawing import Drawing, escape, hover_lines
from tunebook.show.draw.parallel import parallel_drawing
from tunebook.show.guided_report import Concluded, drawings
from tunebook.show.theme import Theme, template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plotly.graph_objects import Figure

#: Letters in one line of the caption below a figure, and the height of such a line in pixels.
CAPTION_WIDTH, CAPTION_LINE = 100, 17
#: Pixels above the plot: for a title and a legend of two rows; and how many the height of a drawing counts on.
TOP, REPORT_TOP = 96, 44


def axis(
    evidence: Evidence, hyperparameter: str, *, objective: Objective | None = None, theme: Theme = "light"
) -> Figure:
    """The objective against one hyperparameter; ``InputError`` when the round has no such one."""
    table = trial_table(evidence, objective)
    found = searched(evidence, hyperparameter)
    return figure(axis_drawing(table, axis_of(table, found, evidence.round.role_of(found))), table, theme)


def isolation(
    evidence: Evidence,
    hyperparameter: str,
    *,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    objective: Objective | None = None,
    theme: Theme = "light",
) -> Figure:
    """The best trial of every setting (or bucket) of one hyperparameter, all else optimised away."""
    table = trial_table(evidence, objective)
    found = searched(evidence, hyperparameter)
    data = isolation_data(table, axis_of(table, found, evidence.round.role_of(found)), intervals)
    return figure(isolation_drawing(table, data), table, theme)


def curves(
    evidence: Evidence, metric: str | None = None, *, objective: Objective | None = None, theme: Theme = "light"
) -> Figure:
    """Training curves of all trials, by default of the objective's metric."""
    table = trial_table(evidence, objective)
    data = curves_data(evidence, table, metric)
    if data is None:
        logged = ", ".join(evidence.metrics) or "nothing"
        raise InputError(f"no trial logged {metric or table.objective.metric}; logged: {logged}")
    return figure(curves_drawing(table, data), table, theme)


def best_of_n(evidence: Evidence, *, objective: Objective | None = None, theme: Theme = "light") -> Figure:
    """How good the best of n trials would have been, for smaller n."""
    table = trial_table(evidence, objective)
    return figure(best_of_n_drawing(table, best_of_n_data(table)), table, theme)


def parallel(evidence: Evidence, *, objective: Objective | None = None, theme: Theme = "light") -> Figure:
    """All trials in parallel coordinates."""
    table = trial_table(evidence, objective)
    return figure(parallel_drawing(table, parallel_data(table, axis_data(table, evidence.round))), table, theme)


def best_step(evidence: Evidence, *, objective: Objective | None = None, theme: Theme = "light") -> Figure:
    """Where in the run trials reached their best value."""
    table = trial_table(evidence, objective)
    data = best_step_data(evidence, table)
    if data is None:
        raise InputError(f"no trial has two evaluations of {table.objective.metric}, so no best step can be told")
    return figure(best_step_drawing(data), table, theme)


def grad_norm(
    evidence: Evidence, metric: str = "grad_norm", *, objective: Objective | None = None, theme: Theme = "light"
) -> tuple[Figure, Figure]:
    """The history of gradient norms of all trials, and their histogram in the best one."""
    table = trial_table(evidence, objective)
    data = grad_norm_data(evidence, table, metric)
    if data is None:
        raise InputError(f"no trial with a finite objective logged {metric}; log it to see gradients")
    history, histogram = grad_norm_drawings(table, data)
    return figure(history, table, theme), figure(histogram, table, theme)


def guided(found: Concluded, *, theme: Theme = "light") -> dict[str, Figure]:
    """The plots of a guided procedure's conclusion, by their ids: ``throughput``, ``sweep``, ``steps-to-goal`` …"""
    return {drawing.id: _figure(drawing, [], theme) for drawing in drawings(found)}


def searched(evidence: Evidence, label: str) -> Hyperparameter:
    """The searched hyperparameter of that label, or of that name when only one has it."""
    known = evidence.round.searched
    found = [item for item in known if item.label == label] or [item for item in known if item.name == label]
    if len(found) == 1:
        return found[0]
    labels = ", ".join(item.label for item in (found or known))
    said = "names several hyperparameters" if found else "is no searched hyperparameter of this round"
    raise InputError(f"{label} {said}: {labels}")


def figure(drawing: Drawing, table: TrialTable, theme: Theme = "light") -> Figure:
    """A drawing as a Plotly figure with its caption below and what pointing at a trial says."""
    return _figure(drawing, hover_lines(table), theme)


def _figure(drawing: Drawing, lines: list[str], theme: Theme) -> Figure:
    traces = [_with_text(trace, lines) for trace in drawing.traces]
    caption = "<br>".join(escape(line) for line in textwrap.wrap(drawing.caption, CAPTION_WIDTH))
    n_lines = caption.count("<br>") + 1
    layout = {**drawing.layout, "template": template(theme), "title": {"text": escape(drawing.title)}}
    margin = {"l": 60, "r": 20, "b": 60, **drawing.layout.get("margin", {}), "t": TOP}
    below = {
        "text": caption,
        "align": "left",
        "showarrow": False,
        "xref": "paper",
        "x": 0,
        "yref": "paper",
        "y": 0,
        "yanchor": "top",
        "yshift": -margin["b"] + 4,
        "font": {"size": 12},
    }
    layout["annotations"] = [*drawing.layout.get("annotations", ()), below]
    layout["margin"] = margin | {"b": margin["b"] + 12 + CAPTION_LINE * n_lines}
    layout["height"] = drawing.height + TOP - REPORT_TOP + 12 + CAPTION_LINE * n_lines
    made: Figure = require("plotly.graph_objects").Figure({"data": traces, "layout": layout})
    return made


def _with_text(trace: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    if "customdata" not in trace:
        return trace
    return {**trace, "text": [lines[trial] for trial in trace["customdata"].tolist()]}

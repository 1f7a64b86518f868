"""Drawing: one plot as Plotly's traces and layout, and the pieces that several plots share."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tunebook.core.config import spelled
from tunebook.evidence import FloatArray
from tunebook.show.data.axes import Axis
from tunebook.show.data.marks import Mark
from tunebook.show.data.numbers import short
from tunebook.show.data.table import TrialTable
from tunebook.show.theme import GREY, RED

Mapping = dict[str, Any]

#: Hover text is looked up by the page from the number of the trial, so that it is stored once.
HOVER = "%{text}<extra></extra>"
#: Longest label of a tick, a study or a title that does not push the plot aside.
LONGEST_LABEL = 28
#: Golden ratio: its multiples spread evenly, so points in one category do not hide each other.
GOLDEN = 0.6180339887498949
#: Share of the gap to the next category or whole number over which points of one value are spread.
CATEGORY_SPREAD, WHOLE_SPREAD = 0.6, 0.3
MOST_WHOLE_TICKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One plot. ``id`` is unique in a page; ``caption`` says how to read it.

    ``subject`` is the label of the hyperparameter it is about, if it is about one;
    ``is_wide`` when it needs the width of a page.
    Traces with ``customdata`` carry the number of a trial in the table at every point.
    """

    id: str
    title: str
    caption: str
    traces: tuple[Mapping, ...]
    layout: Mapping
    height: int = 360
    subject: str | None = None
    is_wide: bool = False

    def to_mapping(self) -> Mapping:
        """JSON-ready, arrays packed as Plotly packs them (base64 of the bytes)."""
        layout = {"title": {"text": escape(self.title)}, "height": self.height, **self.layout}
        return {"id": self.id, "data": [packed(trace) for trace in self.traces], "layout": packed(layout)}


def packed(value: Any) -> Any:
    """``value`` with every array as Plotly's typed-array mapping."""
    if isinstance(value, dict):
        return {key: packed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [packed(item) for item in value]
    if isinstance(value, np.ndarray):
        return _packed_array(value)
    return value


def _packed_array(array: npt.NDArray[Any]) -> Mapping:
    if array.dtype.kind in "iu":
        small, code = array.astype("<i4"), "i4"
    elif np.abs(array[np.isfinite(array)], dtype=np.float64).max(initial=0.0) < 1e30:
        small, code = array.astype("<f4"), "f4"
    else:
        small, code = array.astype("<f8"), "f8"
    return {"dtype": code, "bdata": base64.b64encode(small.tobytes()).decode("ascii")}


def escape(text: str) -> str:
    """Text that Plotly shows as it is: its labels understand some HTML."""
    return html.escape(text, quote=False)


def clipped(text: str, longest: int = LONGEST_LABEL) -> str:
    """``text``, shortened in the middle when it is longer than a plot has room for."""
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[-(longest - 1 - head) :]}"


def hover_lines(table: TrialTable) -> list[str]:
    """What pointing at a trial says: its name, study, objective and configuration."""
    return [_hover(table, number) for number in range(len(table))]


def _hover(table: TrialTable, number: int) -> str:
    value = table.values[number]
    status = table.statuses[number]
    metric = table.objective.metric
    reached = f"{metric} = {short(value)} at step {table.steps[number]}" if np.isfinite(value) else str(status)
    note = "<br>counted as infeasible" if table.infeasible[number] and np.isfinite(value) else ""
    settings = [
        f"{escape(name)} = {escape(clipped(short(item) if isinstance(item, float) else spelled(item)))}"
        for name, item in table.configs[number].items()
    ]
    study = table.studies[table.study[number]]
    head = f"<b>{escape(clipped(table.names[number], 60))}</b><br>{escape(clipped(study, 60))}"
    return "<br>".join([head, f"<b>{escape(reached)}</b>{note}", *settings])


def value_axis(table: TrialTable) -> Mapping:
    """The axis of the objective, with room for the wall of infeasible trials."""
    shown = table.shown
    return {"title": {"text": objective_label(table)}, "range": [shown.low, shown.high]}


def objective_label(table: TrialTable) -> str:
    """The objective with its direction: ``valid/error (lower is better)``."""
    objective = table.objective
    better = "lower" if objective.sign > 0 else "higher"
    reduction = "" if objective.reduction.kind == "best" else f", {objective.reduction}"
    return escape(f"{clipped(objective.metric)}{reduction} ({better} is better)")


def wall(table: TrialTable, x: FloatArray, trials: npt.NDArray[np.int64], where: str = "y") -> Mapping:
    """Infeasible trials as red crosses at the edge of the plot, on the side of bad values."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"infeasible ({len(trials)})",
        "x": x,
        where: np.full(len(trials), table.shown.wall),
        "customdata": trials,
        "hovertemplate": HOVER,
        "cliponaxis": False,
        "marker": {"symbol": "x-thin", "size": 8, "line": {"width": 1.6, "color": RED}, "opacity": 0.75},
    }


def joined(parts: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> tuple[FloatArray, FloatArray]:
    """Several lines as one trace: the points of all, with a gap (NaN) between them."""
    gap = np.array([np.nan])
    xs = [piece for x, _ in parts for piece in (np.asarray(x, dtype=np.float64), gap)]
    ys = [piece for _, y in parts for piece in (np.asarray(y, dtype=np.float64), gap)]
    return (np.concatenate(xs), np.concatenate(ys)) if parts else (np.empty(0), np.empty(0))


def place(axis: Axis, x: FloatArray, trials: npt.NDArray[np.int64]) -> FloatArray:
    """Where ``trials`` lie on the drawn axis: 1 - x for a reverse log, spread out within a category."""
    spread = (trials * GOLDEN) % 1.0 - 0.5
    if axis.scale == "reverse_log":
        return 1 - x
    if axis.scale == "category":
        return np.asarray(x + CATEGORY_SPREAD * spread, dtype=np.float64)
    if has_few_whole(axis):
        return np.asarray(x + WHOLE_SPREAD * spread, dtype=np.float64)
    return x


def has_few_whole(axis: Axis) -> bool:
    """Whether the axis has so few whole numbers that each gets a tick."""
    return axis.is_whole and axis.scale == "linear" and axis.high - axis.low < MOST_WHOLE_TICKS


def hyperparameter_axis(axis: Axis, marks: Sequence[Mark] = ()) -> Mapping:
    """The Plotly axis of a hyperparameter: its scale, its ticks, a little more than its bounds and ``marks``."""
    title = {"text": escape(clipped(axis.label, 44))}
    if axis.scale == "category":
        n_categories = len(axis.categories)
        ticks = [escape(clipped(name, max(6, 44 // max(n_categories, 1)))) for name in axis.categories]
        return {
            "title": title,
            "range": [-0.6, n_categories - 0.4],
            "tickvals": list(range(n_categories)),
            "ticktext": ticks,
            "showgrid": False,
        }
    if axis.scale == "linear":
        room = max(0.04 * (axis.high - axis.low), WHOLE_SPREAD if has_few_whole(axis) else 0.0)
        whole: Mapping = {"dtick": 1, "tick0": 0} if has_few_whole(axis) else {}
        low, high = _ends(axis, marks)
        return {"title": title, "range": [low - room, high + room], **whole}
    ends = np.log10(drawn_places(axis, *_ends(axis, marks)))
    room = 0.04 * (ends[1] - ends[0])
    found: Mapping = {
        "title": title,
        "type": "log",
        "range": [ends[0] - room, ends[1] + room],
        "exponentformat": "power",
    }
    if axis.scale == "reverse_log":
        # Not 0.999...: beyond six nines a label is longer than the gap to the next one.
        powers = np.arange(np.floor(ends.min()), np.ceil(ends.max()) + 1)
        found |= {"tickvals": (10.0**powers).tolist(), "ticktext": [f"{1 - 10.0**power:.6g}" for power in powers]}
    else:
        found["dtick"] = 1 if abs(ends[1] - ends[0]) >= 1.5 else "D2"
    return found


def bounds(axis: Axis) -> list[Mapping]:
    """The searched bounds as dotted lines; a category has none."""
    if axis.scale == "category" or axis.is_derived:
        return []
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return [
        {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}
        for x in drawn_places(axis, axis.low, axis.high)
    ]


def _ends(axis: Axis, marks: Sequence[Mark]) -> tuple[float, float]:
    low, high = min([axis.low, *(mark.low for mark in marks)]), max([axis.high, *(mark.high for mark in marks)])
    return low, high


def drawn_places(axis: Axis, low: float, high: float) -> list[float]:
    """Where two values lie on the drawn axis."""
    return [1 - low, 1 - high] if axis.scale == "reverse_log" else [low, high]

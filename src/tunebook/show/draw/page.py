"""All drawings of one round, in the order in which a page shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunebook.show.data.page import PlotData
from tunebook.show.draw.axes import axis_drawing, isolation_drawing
from tunebook.show.draw.boxes import best_of_n_drawing, best_step_drawing, grad_norm_drawings
from tunebook.show.draw.curves import curves_drawing
from tunebook.show.draw.drawing import Drawing
from tunebook.show.draw.parallel import parallel_drawing

CURVES_CHAPTER, NORMS_CHAPTER = "How training went", "How large gradients are"


@dataclass(frozen=True, slots=True)
class Chapter:
    """Drawings that answer one question."""

    title: str
    drawings: tuple[Drawing, ...]


def chapters(data: PlotData) -> tuple[Chapter, ...]:
    """Chapters with at least one drawing."""
    return tuple(chapter for chapter in _all(data) if chapter.drawings)


def _all(data: PlotData) -> Iterator[Chapter]:
    table = data.table
    isolated = tuple(isolation_drawing(table, item, number) for number, item in enumerate(data.isolation))
    yield Chapter("Which setting is better", isolated)
    drawn = tuple(
        axis_drawing(table, axis, number, data.marks) for number, axis in enumerate((*data.axes, *data.derived))
    )
    yield Chapter("Is the search space wide enough", drawn)
    boxes = (best_of_n_drawing(table, data.best_of_n),) if data.best_of_n else ()
    yield Chapter("Were there enough trials", boxes)
    curves = tuple(curves_drawing(table, item, f"curves-{number}") for number, item in enumerate(data.curves))
    yield Chapter(CURVES_CHAPTER, curves)
    lines = (parallel_drawing(table, data.parallel),) if data.parallel else ()
    yield Chapter("What good trials have in common", lines)
    yield Chapter("Was the run long enough", (best_step_drawing(data.best_step),) if data.best_step else ())
    norms = grad_norm_drawings(table, data.grad_norm) if data.grad_norm else ()
    yield Chapter(NORMS_CHAPTER, norms)

"""How a guided procedure ended, as one HTML file that opens from disk: answer, findings, plots, the changed design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

from tunebook.core.finding import Finding
from tunebook.show.data.guided import guided_plots
from tunebook.show.draw.drawing import Drawing
from tunebook.show.draw.guided import plot_drawing
from tunebook.show.report import figure_block, finding_cards, plot_script, plotly_script
from tunebook.show.report_page import PAGE, POLICY, SCRIPT, STYLE


class Concluded(Protocol):
    """What is shown of a conclusion; ``tunebook.procedures.procedure.Conclusion`` is one."""

    @property
    def procedure(self) -> str:
        """The procedure, as its command is called."""

    @property
    def answer(self) -> str:
        """One word of the procedure's own."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What it found."""

    @property
    def numbers(self) -> Mapping[str, Any]:
        """What that rests on."""

    @property
    def changes(self) -> tuple[str, ...]:
        """What differs in the design."""

    @property
    def patch(self) -> str:
        """The text of the changed design; empty where nothing is to change."""


def drawings(found: Concluded) -> tuple[Drawing, ...]:
    """All plots of a conclusion."""
    return tuple(plot_drawing(plot) for plot in guided_plots(found.procedure, found.numbers))


def render_conclusion(found: Concluded, *, title: str = "") -> str:
    """The page. ``MissingExtra`` when Plotly, whose script is put into the file, is not installed."""
    script = plotly_script()
    shown = drawings(found)
    title = title or found.procedure
    return PAGE.substitute(
        policy=POLICY,
        title=escape(title),
        style=STYLE,
        body="\n".join([_head(title, found), finding_cards(found.findings), _plots(shown), _design(found)]),
        plots=plot_script(shown),
        plotly=script,
        script=SCRIPT,
    )


def _head(title: str, found: Concluded) -> str:
    return (
        f"<header><h1>{escape(title)}</h1><p>{escape(found.procedure)}: <strong>{escape(found.answer)}</strong></p>"
        "<noscript><p>The plots need JavaScript; everything in words is here without it.</p></noscript></header>"
    )


def _plots(shown: Sequence[Drawing]) -> str:
    figures = "\n".join(figure_block(drawing) for drawing in shown)
    body = f'<div class="plots">{figures}</div>' if figures else "<p>There was nothing to draw.</p>"
    return f'<section id="plots-of-it"><h2>Plots</h2>{body}</section>'


def _design(found: Concluded) -> str:
    if not found.patch:
        return '<section id="design"><h2>The design</h2><p>It stays as it is.</p></section>'
    changes = "".join(f"<li>{escape(change)}</li>" for change in found.changes)
    return (
        f'<section id="design"><h2>The design with the result</h2><ul>{changes}</ul><pre>{escape(found.patch)}</pre>'
        "</section>"
    )

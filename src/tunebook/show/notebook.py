"""What a notebook shows of an analysis: a readable summary, as HTML and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rich.console import Group

from tunebook.core.finding import Finding, Severity
from tunebook.show.data.numbers import short
from tunebook.show.data.studies import StudySummary
from tunebook.show.terminal import findings_view, plain, studies_view
from tunebook.show.words import confidence_text, config_text, next_step, sorted_findings, subject_text

#: Legible on white and on a dark notebook alike.
COLOURS = {Severity.BLOCKING: "#D3212D", Severity.WARNING: "#B87A00", Severity.NOTE: "#2F86C1"}
CELL = "text-align:left;padding:2px 10px;vertical-align:top"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Findings and studies of one round. ``metric`` is that of the objective."""

    title: str
    metric: str
    findings: tuple[Finding, ...]
    studies: tuple[StudySummary, ...]

    def __str__(self) -> str:
        return plain(Group(self.title, studies_view(self.studies, self.metric), findings_view(self.findings)))

    def _repr_html_(self) -> str:
        return summary_html(self.findings, self.studies, title=self.title, metric=self.metric)


def summary_html(
    findings: Sequence[Finding], studies: Sequence[StudySummary], *, title: str = "", metric: str = "value"
) -> str:
    """Studies and findings as a fragment of HTML; all texts escaped, no script, nothing loaded."""
    head = f"<h3>{escape(title)}</h3>" if title else ""
    cards = "".join(_card(finding) for finding in sorted_findings(list(findings)))
    return f"<div>{head}{_studies(studies, metric)}{cards or '<p>No findings.</p>'}</div>"


def _card(finding: Finding) -> str:
    colour = COLOURS[finding.severity]
    step = next_step(finding)
    about = " · ".join(part for part in (finding.code, subject_text(finding)) if part)
    return (
        f'<div style="border-left:4px solid {colour};padding:2px 12px;margin:8px 0">'
        f'<strong style="color:{colour}">{str(finding.severity).upper()}</strong> <small>{escape(about)}, '
        f"{escape(confidence_text(finding.confidence))}</small><br><strong>{escape(finding.says)}</strong><br>"
        f"{escape(finding.why)}{'<br><em>Next:</em> ' + escape(step) if step else ''}</div>"
    )


def _studies(studies: Sequence[StudySummary], metric: str) -> str:
    head = ("study", "trials", "infeasible", f"best {metric}", "best trial")
    titles = "".join(f'<th style="{CELL}">{escape(text)}</th>' for text in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(_row(item) for item in studies)}</tbody></table>"


def _row(item: StudySummary) -> str:
    best = item.best
    value = short(best.value) if best else "–"
    said = f"{best.trial}: {config_text(best.config)}" if best else "none has a finite objective"
    texts = (item.study, f"{item.trials:,}", f"{item.infeasible:,}", value, said)
    return "<tr>" + "".join(f'<td style="{CELL}">{escape(text)}</td>' for text in texts) + "</tr>"

"""Findings, studies and diagnoses for a terminal: values in, Rich renderables out; nothing is printed.

Every colour repeats what a word says, so that plain text without a terminal loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tunebook.core.finding import Finding, Severity
from tunebook.show.data.numbers import short
from tunebook.show.data.studies import StudySummary
from tunebook.show.words import (
    SEVERITY_WORDS,
    confidence_text,
    config_text,
    count_text,
    next_step,
    sorted_findings,
    subject_text,
)

STYLES = {Severity.BLOCKING: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
#: Indent of what belongs to a heading, in columns.
INDENT = 2
#: Labels of a curve that is in no trouble.
NOTHING_WRONG = "–"


def findings_view(findings: Sequence[Finding]) -> RenderableType:
    """All findings, the important ones first, under a line that counts them."""
    if not findings:
        return Text("No findings: no check saw anything to say with these trials.")
    parts: list[RenderableType] = [findings_count(findings)]
    for finding in sorted_findings(list(findings)):
        parts += [Text(), finding_view(finding)]
    return Group(*parts)


def findings_count(findings: Sequence[Finding]) -> Text:
    """How many of each severity: ``1 blocking, 2 warnings, 0 notes``."""
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    parts = [
        f"{counts[Severity.BLOCKING]} blocking",
        count_text(counts[Severity.WARNING], "warning"),
        count_text(counts[Severity.NOTE], "note"),
    ]
    return Text(f"Findings: {', '.join(parts)}", style="bold")


def finding_view(finding: Finding) -> RenderableType:
    """One finding: severity, what was seen, why it matters, how sure, what next."""
    head = Text.assemble(
        (SEVERITY_WORDS[finding.severity].upper(), STYLES[finding.severity]),
        f"  {finding.code} ({finding.requirement})",
        (f"  {subject_text(finding)}" if subject_text(finding) else "", "dim"),
    )
    lines: list[RenderableType] = [Text(finding.says, style="bold"), Text(finding.why)]
    lines.append(Text.assemble(("How sure: ", "dim"), confidence_text(finding.confidence)))
    step = next_step(finding)
    if step:
        lines.append(Text.assemble(("Next: ", "green"), step))
    return Group(head, Padding(Group(*lines), (0, 0, 0, INDENT)))


def studies_view(studies: Sequence[StudySummary], metric: str) -> RenderableType:
    """Counts of every study with the value of its best trial, and below the configurations of those."""
    columns = ("study", "trials", "complete", "infeasible", "failed", "best", "step", "best trial")
    table = _table(f"Studies (best {metric})", columns)
    for item in studies:
        best = item.best
        table.add_row(
            Text(item.study),
            *(f"{count:,}" for count in (item.trials, item.complete, item.infeasible, item.failed)),
            short(best.value) if best else "–",
            _step(best.step if best else None),
            Text(best.trial if best else "none is complete with a finite objective"),
        )
    found = [item.best for item in studies if item.best]
    lines = [Text.assemble((f"{best.trial}: ", "bold"), config_text(best.config)) for best in found]
    return Group(table, *lines, Text())


def diagnosis_table(trials: Sequence[Mapping[str, Any]]) -> Table:
    """The diagnosis of every trial, as ``curves --json`` lists it under ``trials``."""
    table = _table("Curves", ("trial", "study", "best step", "last step", "labels (score)"))
    for trial in trials:
        scores = trial["scores"]
        labels = ", ".join(f"{label} ({scores[label]:.2f})" for label in trial["labels"])
        table.add_row(
            Text(str(trial["trial"])),
            Text(str(trial["study"])),
            _step(trial.get("best_step")),
            _step(trial.get("last_step")),
            Text(labels or NOTHING_WRONG, style="yellow" if labels else "dim"),
        )
    return table


def plain(renderable: RenderableType, width: int = 100) -> str:
    """``renderable`` as text without colours, for files, logs and notebooks."""
    console = Console(width=width, color_system=None, force_terminal=False, no_color=True, legacy_windows=False)
    with console.capture() as captured:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _table(title: str, columns: Sequence[str]) -> Table:
    """Words to the left, numbers to the right; names are wrapped rather than cut."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    wide = ("study", "trial", "best trial", "labels (score)")
    for name in columns:
        table.add_column(name, justify="left" if name in wide else "right", overflow="fold")
    return table


def _step(step: int | None) -> str:
    return f"{step:,}" if step is not None and step >= 0 else "–"

"""Reports: self-contained HTML pages, written where a person asked for them."""

from __future__ import annotations

from pathlib import Path

from tunebook.learn.analyse import Analysis
from tunebook.plan.folder import write_file
from tunebook.procedures.procedure import Conclusion
from tunebook.show.guided_report import render_conclusion
from tunebook.show.report import render


def report(analysis: Analysis, path: Path) -> Path:
    """Write the report of an analysis."""
    evidence = analysis.view.evidence
    commands = [f"tunebook learn {evidence.name} --html {path.name}"]
    text = render(evidence, analysis.findings, objective=analysis.view.objective, reproduce=commands)
    write_file(path, text.encode())
    return path


def procedure_report(conclusion: Conclusion, path: Path) -> Path:
    """Write how a guided procedure ended."""
    write_file(path, render_conclusion(conclusion).encode())
    return path

"""What the guided procedures show a person: what will be run, each round's plan, and how it ends."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tunebook.plan.summary import PlanSummary
from tunebook.procedures.procedure import Conclusion, Procedure
from tunebook.show.tables import duration, table, value_text
from tunebook.show.terminal import findings_view

#: Longest list of numbers that is shown as a line; the JSON has all of them.
MOST_SHOWN = 16


def outlook(procedure: Procedure, seconds_per_step: float | None) -> RenderableType:
    """Before anything is run: what the whole procedure will do."""
    said = Text.assemble((f"{procedure.name}: ", "bold"), procedure.outlook)
    pace = "" if seconds_per_step is None else f"A step took {seconds_per_step:.3g} s so far. "
    return Group(said, Text(f"{pace}What has been run before is not run again.", style="dim"))


def planned(summary: PlanSummary) -> RenderableType:
    """One line a round: its question, its trials and what they cost."""
    cost = summary.cost
    time = "time unknown" if cost.seconds is None else f"about {duration(cost.seconds)}"
    money = "" if cost.cost is None else f", cost {cost.cost:.4g}"
    trials = f"{summary.n_trials} trial" + ("s" if summary.n_trials > 1 else "")
    return Text.assemble(
        (f"{summary.round}: ", "bold"),
        f"{summary.goal} {trials} of {summary.max_train_steps} steps, {time}{money}",
    )


def conclusion(found: Conclusion, out: Path | None) -> RenderableType:
    """The answer, its numbers, the findings, and the design with the result applied."""
    parts: list[RenderableType] = [Text(f"{found.procedure}: {found.answer}", style="bold"), Text()]
    parts += [part for key, value in found.numbers.items() for part in _number(key, value)]
    parts += [Text(), findings_view(found.findings), Text()]
    if found.design is None:
        return Group(*parts, Text("The design stays as it is."))
    changes = [Text(f"  {change}") for change in found.changes]
    where = [Text(f"Written to {out}")] if out is not None else [Text("The design with it (-o FILE writes it):")]
    text = [] if out is not None else [Text(found.patch)]
    return Group(*parts, Text("What changes in the design:", style="bold"), *changes, *where, *text)


def _number(key: str, value: Any) -> list[RenderableType]:
    """A line for a number, a table for a list of records, nothing for what is too long to read."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        made = table(_spaced(key), [_spaced(name) for name in value[0] if name != "config"])
        for row in value:
            made.add_row(*(_cell(cell) for name, cell in row.items() if name != "config"))
        return [made]
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, dict):
        plain = [f"{name}: {_cell(cell)}" for name, cell in plain.items() if not isinstance(cell, list | dict)]
    if isinstance(plain, list):
        return [Text(f"{_spaced(key)}: {', '.join(map(_cell, plain))}")] if 0 < len(plain) <= MOST_SHOWN else []
    return [Text(f"{_spaced(key)}: {_cell(plain)}")]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value_text(value) if isinstance(value, bool | int | str) else str(value)


def _spaced(key: str) -> str:
    return key.replace("_", " ")

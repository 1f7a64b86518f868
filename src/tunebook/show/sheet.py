"""The experiment tracking sheet: one row a study, for people, spreadsheets and data frames (E7)."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tunebook._optional import require
from tunebook.core.objective import Objective
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.show.data.numbers import short
from tunebook.show.data.studies import StudySummary, study_summaries
from tunebook.show.data.table import trial_table

#: A spreadsheet takes a cell that begins with one of these for a formula and carries it out.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One study. ``best_value`` and what follows of the best trial is None when no trial has a finite objective."""

    round: str
    study: str
    design: str
    description: str
    trials: int
    complete: int
    infeasible: int
    failed: int
    unfinished: int
    metric: str
    direction: str
    best_value: float | None
    best_step: int | None
    best_trial: str | None
    best_config: str | None
    reproduce: str
    note: str = ""


COLUMNS = tuple(item.name for item in fields(SheetRow))


def rows(
    evidence: Evidence, *, design: str = "", reproduce: str = "", objective: Objective | None = None, note: str = ""
) -> tuple[SheetRow, ...]:
    """The rows of one round.

    ``design`` links to the design file. ``reproduce`` is the command that reproduces a best trial,
    in which ``{trial}`` stands for the name of that trial.
    """
    table = trial_table(evidence, objective)
    common = {
        "round": evidence.name,
        "design": design,
        "description": evidence.round.goal,
        "metric": table.objective.metric,
        "direction": table.objective.direction,
        "note": note,
    }
    return tuple(_row(item, common, reproduce) for item in study_summaries(table))


def _row(item: StudySummary, common: dict[str, str], reproduce: str) -> SheetRow:
    best = item.best
    return SheetRow(
        study=item.study,
        trials=item.trials,
        complete=item.complete,
        infeasible=item.infeasible,
        failed=item.failed,
        unfinished=item.unfinished,
        best_value=best.value if best else None,
        best_step=best.step if best else None,
        best_trial=best.trial if best else None,
        best_config=best.config.to_json() if best else None,
        reproduce=reproduce.replace("{trial}", shlex.quote(best.trial)) if best else "",
        **common,
    )


def to_csv(sheet: Sequence[SheetRow]) -> str:
    """The sheet as CSV with a header. Texts a spreadsheet would carry out as formulas get a leading ``'``."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_csv_cell(value) for value in asdict(row).values()] for row in sheet)
    return written.getvalue()


def to_markdown(sheet: Sequence[SheetRow]) -> str:
    """The sheet as a Markdown table, without the columns that are empty in every row."""
    shown = [name for name in COLUMNS if any(getattr(row, name) not in (None, "") for row in sheet)]
    lines = [shown, ["---"] * len(shown)]
    lines += [[_linked(name, _markdown_cell(getattr(row, name))) for name in shown] for row in sheet]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write_parquet(sheet: Sequence[SheetRow], path: Path | io.BytesIO) -> None:
    """The sheet as a Parquet file; ``MissingExtra`` when pyarrow is not installed."""
    arrow, parquet = require("pyarrow"), require("pyarrow.parquet")
    kinds = {"int": arrow.int64(), "float": arrow.float64()}
    schema = arrow.schema(
        [(item.name, kinds.get(str(item.type).removesuffix(" | None"), arrow.string())) for item in fields(SheetRow)]
    )
    parquet.write_table(arrow.Table.from_pylist([asdict(row) for row in sheet], schema=schema), path)


def encode(sheet: Sequence[SheetRow], form: str) -> bytes:
    """The sheet as the bytes of a file: ``csv``, ``md`` or ``parquet``; ``InputError`` for another word."""
    if form == "csv":
        return to_csv(sheet).encode()
    if form == "md":
        return to_markdown(sheet).encode()
    if form == "parquet":
        buffer = io.BytesIO()
        write_parquet(sheet, buffer)
        return buffer.getvalue()
    raise InputError(f"--format {form!r} is not accepted; accepted: csv, md, parquet")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _linked(column: str, cell: str) -> str:
    """The path of a design as a link, when nothing in it could end the link."""
    return f"[{cell}]({cell})" if column == "design" and re.fullmatch(r"[\w./-]+", cell) else cell


def _markdown_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return short(value, 6)
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("\\", "\\\\").replace("|", "\\|")
    return " ".join(text.split())

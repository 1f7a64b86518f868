"""``export`` and ``sheet``: what was kept, for other programs and for people."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli.options import JsonOption, ProjectOption, RoundArgument, StoreOption
from tunebook.cli.output import Output, reported


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(export)
    app.command()(sheet)


def export(
    round_name: RoundArgument,
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .csv, .json or .parquet file, or a folder for all three tables.")
    ],
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a round's trials and curves for other programs."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project

        with Project.open(project, store=store) as opened:
            files = opened.export(round_name, target)
        output.show({"files": [str(file) for file in files]}, lambda: "\n".join(f"wrote {file}" for file in files))


def sheet(
    form: Annotated[str | None, typer.Option("--format", help="csv, md or parquet; else a table on screen.")] = None,
    target: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where; else on screen.")
    ] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """The experiment tracking sheet: every study, its trials, its best value, how to reproduce it."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.plan.folder import write_file
        from tunebook.project import Project
        from tunebook.show import screens
        from tunebook.show import sheet as sheets

        with Project.open(project, store=store) as opened:
            rows = opened.sheet()
        wanted = form or (target.suffix.lstrip(".") if target else None)
        if wanted is None:
            output.show({"sheet": [asdict(row) for row in rows]}, lambda: screens.sheet(rows))
            return
        data = sheets.encode(rows, wanted)
        if target is None:
            sys.stdout.buffer.write(data)
        else:
            write_file(target, data)
            output.show({"file": str(target)}, lambda: f"wrote {target}")

"""``learn``, ``curves`` and ``import``: what the evidence shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli.options import JsonOption, ProjectOption, RoundArgument, StoreOption
from tunebook.cli.output import Output, exit_if_blocked, reported

ObjectiveOption = Annotated[
    str | None,
    typer.Option("--objective", metavar="EXPR", help="Another objective, such as 'train/loss final minimize'."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(learn)
    app.command()(curves)
    app.command(name="import")(import_runs)


def learn(
    round_name: RoundArgument,
    objective: ObjectiveOption = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained report.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a blocking finding stands.")] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the checks over a round and show their findings, the important ones first."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import screens

        with Project.open(project, store=store) as opened:
            analysis = opened.learn(round_name, objective=objective)
            if html is not None:
                opened.report(analysis, html)
                output.say(f"The report is in {html}") if as_json else None
            output.show(
                analysis.to_mapping(),
                lambda: screens.analysis(analysis),
                *([lambda: f"The report is in {html}"] if html else []),
            )
        exit_if_blocked(strict, (finding.severity for finding in analysis.findings))


def curves(
    round_name: RoundArgument,
    objective: ObjectiveOption = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """The diagnosis of every trial's curves."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import screens

        with Project.open(project, store=store) as opened:
            diagnosis = opened.curves(round_name, objective=objective)
            output.show(diagnosis.to_mapping(), lambda: screens.curves(diagnosis))


def import_runs(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Where the runs come from: algoperf or csv.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder that holds them.")],
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in runs made elsewhere; the same checks apply to them. Importing again changes nothing."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import screens

        with Project.open(project, store=store) as opened:
            report = opened.import_runs(kind, path)
            output.show(report.to_mapping(), lambda: screens.imported(report))

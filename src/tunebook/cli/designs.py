"""``init``, ``check`` and ``suggest``: before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunebook.cli.options import DesignArgument, JsonOption, ProjectOption, StoreOption
from tunebook.cli.output import Output, exit_if_blocked, reported


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(check)
    app.command()(suggest)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; made when it is missing.")] = Path(),
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a project: tunebook.toml, rounds/ and a small working example."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project

        made = Project.init(project or folder, store=store)
        files = [str(path.relative_to(made.root)) for path in made.template_files()]
        design = made.root / "rounds" / "01-learning-rate.toml"
        output.show(
            {"project": str(made.root), "files": files},
            lambda: f"A project in {made.root}: {', '.join(files)}\nNext: tunebook run {design} --project {made.root}",
        )


def check(
    design: DesignArgument,
    workers: Annotated[int, typer.Option("--workers", min=1, help="For the predicted time.")] = 1,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a blocking finding stands.")] = False,
) -> None:
    """Lint a design and print the plan: studies, trials, time, chance of a hit, caveats."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import screens

        opened = Project.for_design(design, folder=project, store=store)
        wanted = opened.design(design)
        summary = opened.check(wanted, workers=workers)
        output.show(summary.to_mapping(), lambda: screens.plan(summary, wanted))
        refused = opened.why_not_run(wanted)
        if refused:
            output.say(f"`tunebook run` will refuse this: {refused}")
        exit_if_blocked(strict, (finding.severity for finding in summary.findings))


def suggest(
    design: DesignArgument,
    count: Annotated[int | None, typer.Option("-n", min=1, help="Trials per study, instead of the design's.")] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the configurations that would be run, without running any."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import tables

        opened = Project.for_design(design, folder=project, store=store)
        name, specs = opened.suggest(design, trials=count)
        output.show(
            {
                "round": name,
                "configurations": [
                    {"study": spec.study, "config": dict(spec.config), "trial": spec.id, "seed": spec.seed}
                    for spec in specs
                ],
            },
            lambda: tables.configurations(specs),
        )

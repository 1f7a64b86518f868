"""``run`` and ``status``: while trials train."""

from __future__ import annotations

from typing import Annotated

import typer

from tunebook.cli.options import (
    AddressOption,
    ArraySizeOption,
    DesignArgument,
    ExecutorOption,
    GresOption,
    JsonOption,
    PartitionOption,
    ProjectOption,
    ResourcesOption,
    StoreOption,
    TimeOption,
    executor_options,
)
from tunebook.cli.output import Output, reported


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)
    app.command()(status)


def run(
    design: DesignArgument,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Trials at a time; never changes which run.")] = 1,
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    resources: ResourcesOption = None,
    partition: PartitionOption = None,
    time: TimeOption = None,
    gres: GresOption = None,
    array_size: ArraySizeOption = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Give failed trials another try, after their code was mended.")
    ] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run or resume a round, with live progress. Ctrl-C stops; the same command goes on."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.cli.progress import following
        from tunebook.project import Project
        from tunebook.show import screens, tables

        with Project.for_design(design, folder=project, store=store) as opened:
            wanted = opened.design(design)
            options = executor_options(
                address=address,
                resources=resources,
                partition=partition,
                time=time,
                gres=gres,
                array_size=array_size,
            )
            with following(output, wanted) as on_event:
                opened.run(
                    wanted,
                    workers=workers,
                    executor=executor,
                    on_event=on_event,
                    retry_failed=retry_failed,
                    options=options,
                )
            [reached] = opened.status(wanted.name)
            evidence = opened.evidence(wanted.name)
            output.show(
                reached.to_mapping() | {"store": opened.store_url},
                lambda: tables.best_trials(evidence),
                lambda: screens.failures(opened.failures(wanted.name)),
                lambda: f"Everything is kept in {opened.store.place}",
            )
        if reached.has_only_failed:
            raise SystemExit(1)


def status(
    round_name: Annotated[str | None, typer.Argument(metavar="[ROUND]", help="A round's name or number.")] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is running, done, infeasible and failed; time left."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import tables

        with Project.open(project, store=store) as opened:
            rounds = opened.status(round_name)
            output.show(
                {"rounds": [entry.to_mapping() for entry in rounds]},
                lambda: tables.statuses(rounds),
            )

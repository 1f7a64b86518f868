"""``baseline``, ``repeat``, ``decide``, ``next`` and ``ledger``: from evidence to the next round."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook.cli.learning import ObjectiveOption
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
    RoundArgument,
    StoreOption,
    TimeOption,
    executor_options,
)
from tunebook.cli.output import Output, reported
from tunebook.errors import InputError

NoteOption = Annotated[str, typer.Option("--note", help="A sentence for the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(baseline)
    app.command()(repeat)
    app.command()(decide)
    app.command(name="next")(next_round)
    app.command()(ledger)


def baseline(
    design: DesignArgument,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A value of the first configuration.")
    ] = None,
    executor: ExecutorOption = "local",
    note: NoteOption = "",
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the initial configuration, check it against chance, and make it launch 0."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.cli.progress import following
        from tunebook.project import Project
        from tunebook.show import decisions

        given = dict(read_assignment(word) for word in values or [])
        with (
            Project.for_design(design, folder=project, store=store) as opened,
            following(output, opened.design(design)) as on_event,
        ):
            launch = opened.start(design, config=given, on_event=on_event, executor=executor, note=note)
        output.show(launch.to_mapping(), lambda: decisions.launch(launch))


def repeat(
    round_name: RoundArgument,
    trials: Annotated[
        list[str] | None, typer.Option("--trial", metavar="ID", help="This trial instead of the best and the baseline.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many further seeds.")] = 5,
    study: Annotated[bool, typer.Option("--study", help="Search again with another search seed instead.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Trials at a time.")] = 1,
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    resources: ResourcesOption = None,
    partition: PartitionOption = None,
    time: TimeOption = None,
    gres: GresOption = None,
    array_size: ArraySizeOption = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the best trial of every setting and the baseline again with other seeds."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.cli.progress import following
        from tunebook.project import Project
        from tunebook.show import decisions

        with Project.open(project, store=store) as opened:
            evidence = opened.evidence(round_name)
            options = executor_options(
                address=address,
                resources=resources,
                partition=partition,
                time=time,
                gres=gres,
                array_size=array_size,
            )
            with following(output, evidence.round) as on_event:
                how: dict[str, Any] = {"workers": workers, "executor": executor, "options": options}
                if study:
                    done = opened.repeat_study(round_name, on_event=on_event, **how)
                else:
                    done = opened.repeat(round_name, trials=trials, seeds=seeds, on_event=on_event, **how)
            [reached] = opened.status(done.round)
            evidence = opened.evidence(round_name)
        output.show(reached.to_mapping(), lambda: decisions.repeats(evidence))


def decide(
    round_name: RoundArgument,
    adopt: Annotated[bool, typer.Option("--adopt", help="Write the candidate to the ledger as the baseline.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Record that the baseline stays.")] = False,
    note: NoteOption = "",
    complexity: Annotated[
        str, typer.Option("--complexity", help="What the change adds: none, some or much; more has to gain more.")
    ] = "some",
    objective: ObjectiveOption = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """The verdict on a round's candidate; with --adopt or --keep, write it down."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project
        from tunebook.show import decisions

        if adopt and keep:
            raise InputError("--adopt and --keep are both given; choose one")
        with Project.open(project, store=store) as opened:
            verdict = opened.decide(round_name, complexity=complexity, objective=objective)
            entry = opened.adopt(verdict, note=note) if adopt else opened.keep(verdict, note=note) if keep else None
        document = verdict.to_mapping() | ({"entry" if entry.keeps else "launch": entry.number} if entry else {})
        shown = [
            lambda: decisions.verdict(verdict, is_written=entry is not None),
            *([lambda: decisions.launch(entry)] if entry else []),
        ]
        output.show(document, *shown)


def next_round(
    round_name: RoundArgument,
    target: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where; else on screen.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE when it is there already.")] = False,
    longer: Annotated[
        str | None, typer.Option("--longer", metavar="4x", help="Plan the same for a longer run instead.")
    ] = None,
    objective: ObjectiveOption = None,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """A ready-to-run design for the next round, each change traced to a finding."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.decide.render import render
        from tunebook.plan.folder import write_file
        from tunebook.project import Project
        from tunebook.show import decisions

        if target is not None and target.exists() and not overwrite:
            raise InputError(f"{target} is there already; choose another name, or replace it with --overwrite")
        with Project.open(project, store=store) as opened:
            title = target.stem if target else ""
            proposed = opened.next_round(round_name, name=title, longer=longer, objective=objective)
        text = render(proposed)
        if target is not None:
            write_file(target, text.encode())
        document = decisions.next_document(proposed, text, target)
        if target is None and not as_json:
            sys.stdout.write(text)
        output.show(document, lambda: decisions.next_steps(proposed, target))


def ledger(
    action: Annotated[str, typer.Argument(metavar="[show|rollback]", help="What to do; nothing lists launches.")] = "",
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="The launch.")] = None,
    note: NoteOption = "",
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """The launches and which one is in force; `ledger show N`, `ledger rollback N`."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.core.launch import current_launch
        from tunebook.project import Project
        from tunebook.show import decisions

        if action not in ("", "show", "rollback"):
            raise InputError(f"ledger {action!r} is not accepted; accepted: show N, rollback N, or nothing")
        if action and number is None:
            raise InputError(f"ledger {action} needs the number of a launch, as in: tunebook ledger {action} 0")
        with Project.open(project, store=store) as opened:
            if action == "rollback" and number is not None:
                opened.rollback(number, note=note)
            launches = opened.launches()
        if action == "show":
            launch = next((one for one in launches if one.number == number), None)
            if launch is None:
                known = ", ".join(str(one.number) for one in launches) or "none"
                raise InputError(f"the ledger has no launch {number}; there are: {known}")
            output.show(launch.to_mapping(), lambda: decisions.launch(launch))
            return
        current = current_launch(launches)
        output.show(
            {
                "current": current.number if current else None,
                "launches": [launch.to_mapping() for launch in launches],
            },
            lambda: decisions.ledger(launches, current),
        )


def read_assignment(word: str) -> tuple[str, bool | int | float | str]:
    """``learning_rate=0.1`` as a name and a value, read as a design file would; ``InputError`` otherwise."""
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise InputError(f"--set {word!r} is not NAME=VALUE, such as learning_rate=0.1")
    if text in ("true", "false"):
        return name, text == "true"
    for kind in (int, float):
        try:
            return name, kind(text)
        except ValueError:
            continue
    return name, text

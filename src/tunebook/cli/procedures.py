"""``batch-size``, ``steps``, ``stability``, ``warmup``, ``clipping`` and ``scaling``: the guided procedures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from tunebook.cli.deciding import read_assignment
from tunebook.cli.options import DesignArgument, JsonOption, ProjectOption, StoreOption
from tunebook.cli.output import Output, check_folder, exit_if_blocked, reported
from tunebook.cli.shared import shares_options
from tunebook.core.config import Value

if TYPE_CHECKING:
    from tunebook.core.round import Round
    from tunebook.evidence import Evidence
    from tunebook.procedures.procedure import Procedure
    from tunebook.project import Project

GIB = 1024**3
#: Without a limit of its own a ladder of batch sizes may take this share of what memory is free.
FREE_SHARE = 0.8

SetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A value of the configuration; else the design's, or its middle."),
]
NameOption: TypeAlias = Annotated[str | None, typer.Option("--name", help="Which hyperparameter is the batch size.")]
SeedOption: TypeAlias = Annotated[int, typer.Option("--seed", min=0, help="Another seed runs everything anew.")]
WorkersOption: TypeAlias = Annotated[int, typer.Option("--workers", min=1, help="Trials at a time.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """A sweep over learning rates."""

    values: SetOption = None
    rate_name: Annotated[
        str | None, typer.Option("--rate-name", metavar="NAME", help="Which hyperparameter is the learning rate.")
    ] = None
    low: Annotated[float | None, typer.Option("--low", help="Lowest learning rate; else the design's.")] = None
    high: Annotated[float | None, typer.Option("--high", help="Highest learning rate.")] = None
    rates: Annotated[int, typer.Option("--rates", min=5, help="How many learning rates.")] = 9
    seed: SeedOption = 0
    workers: WorkersOption = 1

    def fields(self) -> dict[str, Any]:
        """The fields that all procedures with a sweep have."""
        return {
            "config": assignments(self.values),
            "hyperparameter": self.rate_name,
            "low": self.low,
            "high": self.high,
            "rates": self.rates,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How a procedure is carried out, and what it leaves behind."""

    executor: Annotated[str, typer.Option("--executor", help="local, inline, ray or slurm.")] = "local"
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write the design with the result applied.")
    ] = None
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained page with the plots.")
    ] = None
    project: ProjectOption = None
    store: StoreOption = None
    as_json: JsonOption = False
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a blocking finding stands.")] = False


SeedsOption: TypeAlias = Annotated[int, typer.Option("--seeds", min=1, help="Runs of each configuration.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for name, command in (
        ("batch-size", batch_size),
        ("steps", steps),
        ("stability", stability),
        ("warmup", warmup),
        ("clipping", clipping),
        ("scaling", scaling),
    ):
        app.command(name=name)(shares_options(command))


def batch_size(
    design: DesignArgument,
    *,
    values: SetOption = None,
    name: NameOption = None,
    least: Annotated[int, typer.Option("--least", min=1, help="Smallest batch size.")] = 8,
    most: Annotated[int, typer.Option("--most", min=1, help="Largest batch size, if memory lasts.")] = 65536,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="How often each size is measured.")] = 3,
    timed_steps: Annotated[int, typer.Option("--steps", min=1, help="Steps timed, after 10 to warm up.")] = 50,
    memory_gib: Annotated[
        float | None,
        typer.Option("--memory-gib", help="Memory of a trial; else the design's, or 80 % of what is free."),
    ] = None,
    seed: SeedOption = 0,
    running: Running,
) -> None:
    """Measure which batch sizes fit, and up to which one doubling pays."""

    def made(wanted: Round) -> Procedure:
        from tunebook.procedures.batch_size import BatchSize

        return BatchSize(
            design=wanted,
            config=assignments(values),
            hyperparameter=name,
            least=least,
            most=most,
            repeats=repeats,
            timed_steps=timed_steps,
            memory_gib=memory_gib or wanted.run.memory_gib or free_memory_gib(),
            seed=seed,
        )

    _carry_out(made, design, running)


def steps(
    design: DesignArgument,
    *,
    keep: Annotated[list[str] | None, typer.Option("--keep", help="A regulariser that stays on.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Measured on the whole training set.")] = None,
    perfect: Annotated[float | None, typer.Option("--perfect", help="Its value when that is fitted perfectly.")] = None,
    most: Annotated[int | None, typer.Option("--steps", min=1, help="Steps to try; else the design's.")] = None,
    sweeping: Sweeping,
    running: Running,
) -> None:
    """A first value for max_train_steps: how long the fastest constant learning rate takes to fit the training set."""

    def made(wanted: Round) -> Procedure:
        from tunebook.procedures.train_steps import TrainSteps

        kept = tuple(keep or ())
        return TrainSteps(
            design=wanted, keep=kept, metric=metric, perfect=perfect, max_train_steps=most, **sweeping.fields()
        )

    _carry_out(made, design, running, sweeping.workers)


def stability(design: DesignArgument, *, seeds: SeedsOption = 1, sweeping: Sweeping, running: Running) -> None:
    """Find out whether training is unstable at the learning rates just above the best one."""

    def made(wanted: Round) -> Procedure:
        from tunebook.procedures.stability import Stability

        return Stability(design=wanted, seeds=seeds, **sweeping.fields())

    _carry_out(made, design, running, sweeping.workers)


def warmup(
    design: DesignArgument,
    *,
    warmup_name: Annotated[
        str, typer.Option("--warmup-name", help="Which hyperparameter is the warmup.")
    ] = "warmup_steps",
    factor: Annotated[float, typer.Option("--factor", help="Base rate, in unstable rates.")] = 10.0,
    lengths: Annotated[
        list[int] | None, typer.Option("--length", help="A warmup to try, instead of 10, 100, …")
    ] = None,
    seeds: SeedsOption = 2,
    sweeping: Sweeping,
    running: Running,
) -> None:
    """Where training is unstable, look for the shortest warmup that lets it survive ten times the failing rate."""

    def made(wanted: Round) -> Procedure:
        from tunebook.procedures.warmup import Warmup

        wanted_lengths = tuple(lengths or ())
        return Warmup(
            design=wanted,
            warmup_name=warmup_name,
            factor=factor,
            lengths=wanted_lengths,
            seeds=seeds,
            **sweeping.fields(),
        )

    _carry_out(made, design, running, sweeping.workers)


def clipping(
    design: DesignArgument,
    *,
    clip_name: Annotated[str, typer.Option("--clip-name", help="Which hyperparameter is the threshold.")] = "clip_norm",
    threshold: Annotated[float | None, typer.Option("--threshold", help="Instead of the 90th percentile.")] = None,
    seeds: SeedsOption = 2,
    sweeping: Sweeping,
    running: Running,
) -> None:
    """Where training is unstable, look for a norm to clip gradients at that lets it survive the failing rate."""

    def made(wanted: Round) -> Procedure:
        from tunebook.procedures.clipping import Clipping

        return Clipping(design=wanted, clip_name=clip_name, threshold=threshold, seeds=seeds, **sweeping.fields())

    _carry_out(made, design, running, sweeping.workers)


def scaling(
    design: DesignArgument,
    *,
    sizes: Annotated[list[int], typer.Option("--batch-size", "-b", min=1, help="A batch size; give four or more.")],
    name: NameOption = None,
    goal: Annotated[
        float | None, typer.Option("--goal", help="A value of the metric; else what all sizes reach.")
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Trials a size; else the design's.")] = None,
    workers: WorkersOption = 1,
    running: Running,
) -> None:
    """Steps to a goal against batch size, with everything else tuned anew at every size."""

    def made(wanted: Round) -> Procedure:
        from tunebook.procedures.scaling import Scaling

        return Scaling(design=wanted, batch_sizes=tuple(sizes), hyperparameter=name, goal=goal, trials=trials)

    _carry_out(made, design, running, workers)


def assignments(words: list[str] | None) -> Mapping[str, Value]:
    """``NAME=VALUE`` words as a mapping."""
    return dict(read_assignment(word) for word in words or [])


def free_memory_gib() -> float | None:
    """What a ladder may use: most of the free memory of the machine, which it would else take down with it."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
    return FREE_SHARE * free / GIB


def _carry_out(make: Callable[[Round], Procedure], design: str, running: Running, workers: int = 1) -> None:
    """Say what will be run, run it, and show what follows."""
    output = Output(as_json=running.as_json)
    with reported(output):
        from tunebook._optional import require
        from tunebook.cli import procedure_screens as screens
        from tunebook.procedures.procedure import carry_out
        from tunebook.project import Project

        # Before anything is trained, not after hours of it.
        for target in (running.out, running.html):
            check_folder(target)
        if running.html is not None:
            require("plotly")
        with Project.for_design(design, folder=running.project, store=running.store) as opened:
            procedure = make(opened.design(design))
            output.say(screens.outlook(procedure, opened.seconds_per_step(opened.design(design))))
            conclusion = carry_out(procedure, _runner(opened, output, workers, running.executor))
            if running.html is not None:
                opened.procedure_report(conclusion, running.html)
        if running.out is not None and conclusion.design is not None:
            # A round of its own: under the old name, running it would put the old round's trials away.
            replace(conclusion.design, name="").save(running.out)
        output.show(conclusion.to_mapping(), lambda: screens.conclusion(conclusion, running.out))
        if running.html is not None:
            output.say(f"The plots are in {running.html}")
        exit_if_blocked(running.strict, (finding.severity for finding in conclusion.findings))


def _runner(opened: Project, output: Output, workers: int, executor: str) -> Callable[[Round], Evidence]:
    """Runs a round in the project and shows its plan first, and its progress."""
    from tunebook.cli import procedure_screens as screens
    from tunebook.cli.progress import following

    def run(planned: Round) -> Evidence:
        output.say(screens.planned(opened.check(planned, workers=workers)))
        with following(output, planned) as on_event:
            opened.run(planned, workers=workers, executor=executor, on_event=on_event)
        return opened.evidence(planned.name)

    return run

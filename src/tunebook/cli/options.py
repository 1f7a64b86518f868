"""Options that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

ProjectOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--project", help="The project's folder; by default the nearest one above that has a tunebook.toml."),
]
StoreOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--store", envvar="TUNEBOOK_STORE", help="sqlite:///FILE or postgresql://…; else tunebook.toml says."),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON document; words for people go to standard error.")
]
RoundArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ROUND", help="A round's name or number.")]
DesignArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="DESIGN", help="A design file, or the name or number of one in the project's rounds folder."
    ),
]

ExecutorOption: TypeAlias = Annotated[
    str,
    typer.Option("--executor", help="local: a process per trial; inline: in this one; ray or slurm: on a cluster."),
]
AddressOption: TypeAlias = Annotated[
    str | None, typer.Option("--address", metavar="HOST:PORT", help="Ray: the cluster; else the one that is found.")
]
ResourcesOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--resources", metavar="NAME=N,…", help="Ray, SLURM: for a trial, as in cpus=2,gpus=1,memory_gib=4."),
]
PartitionOption: TypeAlias = Annotated[str | None, typer.Option("--partition", help="SLURM: where jobs queue.")]
TimeOption: TypeAlias = Annotated[
    str | None, typer.Option("--time", metavar="MINUTES", help="SLURM: limit of a job, in minutes or as [D-]HH:MM:SS.")
]
GresOption: TypeAlias = Annotated[
    str | None, typer.Option("--gres", help="SLURM: generic resources, as in gpu:a100:1.")
]
ArraySizeOption: TypeAlias = Annotated[
    int | None, typer.Option("--array-size", min=1, help="SLURM: at most this many trials in one submission.")
]


def executor_options(**given: Any) -> dict[str, Any]:
    """Those that were given; an executor refuses what it does not have."""
    return {name: value for name, value in given.items() if value is not None}

"""Options that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

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
    str, typer.Argument(metavar="DESIGN", help="A design file, or the name of one in the project's rounds folder.")
]

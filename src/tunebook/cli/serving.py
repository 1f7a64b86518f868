"""``serve``: the live page."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated

import typer

from tunebook.cli.options import JsonOption, ProjectOption, StoreOption
from tunebook.cli.output import Output, reported

if TYPE_CHECKING:
    from tunebook.web.server import Address

#: The page is another face of the project; this one names it and imports none of it.
PAGE = "tunebook.web.server"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(serve)


def serve(
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="The port; else 8765 or the next free one.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="Let other machines in through this address; a token is then needed."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="A further host name it answers to, such as a tunnel's.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, change nothing.")] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """The live page of the project in the browser, on this machine only unless --host is given."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook._optional import require

        require("starlette")
        require("uvicorn")
        from tunebook.project import Project

        serve_page = importlib.import_module(PAGE).serve

        def ready(address: Address) -> None:
            output.show(
                {"url": address.url, "token": address.token},
                lambda: f"The page is at {address.with_token} (Ctrl-C stops it)",
            )

        with Project.open(project, store=store) as opened:
            serve_page(opened, host=host, port=port, is_read_only=read_only, names=tuple(name or ()), on_ready=ready)

"""The ``tunebook`` command: every subcommand parses, calls the project and prints."""

from __future__ import annotations

import typer

from tunebook.cli import (
    deciding,
    designs,
    exploiting,
    keeping,
    learning,
    procedures,
    records,
    running,
    serving,
)

app = typer.Typer(
    name="tunebook",
    help="Plan rounds of hyperparameter tuning, run them, and learn what the evidence shows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (designs, running, learning, deciding, exploiting, procedures, records, keeping, serving):
    module.register(app)


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """Plan rounds of hyperparameter tuning, run them, and learn what the evidence shows."""
    if version:
        from tunebook import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Entry point of the command."""
    app(prog_name="tunebook")

"""Write the reference pages that are read off the code: `python docs/generate.py`. A test fails when they are stale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from tunebook.cli.main import app

FOLDER = Path(__file__).parent / "reference"
COMMON = ("project", "store", "as_json")


def commands_page() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Read off the code by `python docs/generate.py`. Every command also takes `--project DIR` (the project's",
        "folder; by default the nearest one above that has a `tunebook.toml`), `--store URL` (else `TUNEBOOK_STORE`,",
        "else `tunebook.toml`, else `tunebook.db` beside it) and `--json` (standard output is exactly one JSON",
        "document; words for people go to standard error).",
        "",
        "Exit status: 0 done, 1 it failed, 2 the input is wrong, 3 `--strict` was given and a blocking finding stands.",
    ]
    for name in sorted(group.commands):
        lines += ["", *_command(name, group.commands[name])]
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> list[str]:
    own = [item for item in command.params if item.name not in (*COMMON, "help")]
    arguments = [item for item in own if item.param_type_name == "argument"]
    options = [item for item in own if item.param_type_name == "option"]
    usage = " ".join(["tunebook", name, *(item.metavar or item.name.upper() for item in arguments)])
    lines = [
        f"## {name}",
        "",
        " ".join((command.help or "").split()),
        "",
        "```",
        usage + (" [OPTIONS]" if options else ""),
        "```",
    ]
    if own:
        lines += ["", "| | |", "|---|---|"]
    lines += [f"| `{item.metavar or item.name.upper()}` | {item.help or ''} |" for item in arguments]
    lines += [f"| `{_spelled(item)}` | {_cell(item)} |" for item in options]
    return lines


def _spelled(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _cell(option: Any) -> str:
    shown = "" if option.default in (None, False, ()) or option.is_flag else f" (default: {option.default})"
    return (option.help or "").replace("|", "\\|") + shown


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

"""``merge``, ``doctor`` and ``backup``: keeping what is remembered."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunebook.cli.options import JsonOption, ProjectOption, StoreOption
from tunebook.cli.output import Output, reported
from tunebook.errors import InputError

if TYPE_CHECKING:
    from tunebook.store.doctor import Examination
    from tunebook.store.merge import MergedRound, MergeReport


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(merge)
    app.command()(doctor)
    app.command()(backup)


def merge(
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="The other store: its file, its project's folder or its URL.")
    ],
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="ROUND=NEW", help="Bring a round of theirs in under another name."),
    ] = None,
    keep_ours: Annotated[
        bool, typer.Option("--keep-ours", help="Leave out results, runs and a ledger that contradict ours.")
    ] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in everything that another store has and this one has not; the other one is left as it is."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project

        names = dict(_renaming(word) for word in rename or ())
        with Project.open(project, store=store) as opened:
            report = opened.merge(other, rename=names, keep_ours=keep_ours)
        output.show(asdict(report), lambda: escaped(_merged(report)))


def doctor(
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at the whole store for damage and say what to do; changes nothing. Exit status 1 when it is damaged."""
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project

        with Project.open(project, store=store) as opened:
            seen = opened.doctor()
        output.show({**asdict(seen), "is_sound": seen.is_sound}, lambda: escaped(_examined(seen)))
        if not seen.is_sound:
            raise SystemExit(1)


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The SQLite file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the store into one SQLite file, also while trials run. Copy it back, or merge it, to restore.

    For a PostgreSQL store this is a portable copy of what tunebook keeps; pg_dump makes one for the server.
    """
    output = Output(as_json=as_json)
    with reported(output):
        from tunebook.project import Project

        with Project.open(project, store=store) as opened:
            size = opened.backup(target, overwrite=force)
            is_file = opened.store_url.startswith("sqlite")
        lines = [f"wrote {target} ({size:,} bytes), checked"]
        if not is_file:
            lines.append(f"To restore: tunebook merge {target} --store postgresql://… (or pg_dump and pg_restore)")
        output.show({"file": str(target), "bytes": size}, lambda: escaped("\n".join(lines)))


def escaped(words: str) -> str:
    """Words as they are: square brackets in a name are no markup."""
    from rich.markup import escape

    return escape(words)


def _renaming(word: str) -> tuple[str, str]:
    name, sign, other = word.partition("=")
    if not (name and sign and other):
        raise InputError(f"--rename {word!r} is not understood; accepted: ROUND=NEW")
    return name, other


def _merged(report: MergeReport) -> str:
    lines = [_of_round(one) for one in report.rounds]
    if report.launches or report.notes:
        lines.append(f"{report.launches} launches and {report.notes} notes are new")
    return "\n".join(lines or ["their store has no rounds"]) + ("\nnothing was new" if report.is_empty else "")


def _of_round(one: MergedRound) -> str:
    said = [f"{one.trials} new trials", f"{one.results} new results"]
    counted = {"results here already": one.same, "of theirs left out for ours": one.kept}
    counted["begun there and not ended, left out"] = one.left_out
    said += [f"{number} {words}" for words, number in counted.items() if number]
    return f"{one.round}{' (new)' if one.is_new else ''}: {', '.join(said)}"


def _examined(seen: Examination) -> str:
    read = f"{seen.n_rounds} rounds, {seen.n_trials} trials, {seen.n_points:,} points in {seen.n_chunks:,} chunks"
    lines = [f"{seen.place}: {read}"]
    for one in seen.complaints:
        lines += [f"{one.severity}: {one.check}: {one.says}", f"  what to do: {one.advice}"]
    lines.append("everything is sound" if seen.is_sound else "this store is damaged")
    return "\n".join(lines)

"""The design file: TOML in, a ``Round`` out, and back again (R1).

Everything wrong with a file is reported at once, each problem with its line and column.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import InlineTable, Item, Table

from tunebook.core.round import Round
from tunebook.errors import InputError, Problem
from tunebook.plan.locate import START, KeyPath, Place, place_of, positions

#: A design is a page of text; what is larger was named by mistake.
MAX_BYTES = 1_000_000

_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: str | Path) -> Round:
    """Read a design file. ``InputError`` names file, line, column and key of everything wrong in it."""
    file = Path(path)
    return loads(_read(file), str(file))


def loads(text: str, file: str | None = None) -> Round:
    """Read a design from text; ``file`` is its name in messages and, without its folder, the round's name."""
    tables = _parse(text, file)
    if file is not None:
        tables.setdefault("name", Path(file).stem)
    try:
        return Round.from_mapping(tables)
    except InputError as error:
        raise InputError(_placed(error.problems, text, file)) from None
    except RecursionError:
        raise _at(file, START, "tables are nested too deeply") from None


def dumps(design: Round) -> str:
    """The text of a design file; ``loads`` of it is ``design``."""
    document = tomlkit.document()
    tables = design.to_mapping()
    for key, value in tables.items():
        if not isinstance(value, Mapping):
            document.add(key, _literal(value))
    for key, value in tables.items():
        if isinstance(value, Mapping):
            document.add(key, _section(value))
    return tomlkit.dumps(document)


def save(design: Round, path: str | Path) -> None:
    """Write a design file; a reader sees the old file or the new one, never a part."""
    file = Path(path)
    own_name = "" if design.name == file.stem else design.name
    text = dumps(replace(design, name=own_name))
    try:
        _write_whole(file, text.encode())
    except (OSError, UnicodeEncodeError) as error:
        raise InputError([Problem(key=(), file=str(file), message=f"cannot be written: {error}")]) from error


def set_value(path: str | Path, key: tuple[str, str], value: int) -> None:
    """Change one value of a design file and nothing else: comments and layout stay."""
    file = Path(path)
    document = tomlkit.parse(_read(file))
    table, name = key
    if table not in document:
        document.add(table, tomlkit.table())
    document[table][name] = value
    _write_whole(file, tomlkit.dumps(document).encode())


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError([Problem(key=(), file=str(file), message=f"cannot be read: {reason}")]) from error
    if len(raw) > MAX_BYTES:
        message = f"is larger than {MAX_BYTES:,} bytes, so it is no design file"
        raise InputError([Problem(key=(), file=str(file), message=message)])
    return _decoded(raw, str(file))


def _decoded(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise _at(file, (line, column), "is not UTF-8 text; save the file as UTF-8") from error


def _parse(text: str, file: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, file) from None
    except RecursionError:
        raise _at(file, START, "lists or tables are nested too deeply") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise _at(file, START, str(error)) from None


def _syntax_error(message: str, text: str, file: str | None) -> InputError:
    found = _SYNTAX_PLACE.search(message)
    said = message[: found.start()] if found else message
    if found and found[1]:
        place = (int(found[1]), int(found[2]))
    else:
        lines = text.split("\n")
        place = (len(lines), len(lines[-1]) + 1)
    return _at(file, place, f"not valid TOML: {said}")


def _at(file: str | None, place: Place, message: str) -> InputError:
    return InputError([Problem(key=(), message=message, file=file, line=place[0], column=place[1])])


def _placed(problems: tuple[Problem, ...], text: str, file: str | None) -> list[Problem]:
    """The problems with their places, in the order in which a reader of the file meets them."""
    found = _positions(text)
    placed = []
    for problem in problems:
        line, column = place_of(found, problem.key)
        placed.append(replace(problem, file=file, line=line, column=column))
    return sorted(placed, key=lambda problem: (problem.line or 0, problem.column or 0))


def _positions(text: str) -> dict[KeyPath, Place]:
    try:
        return positions(text)
    except RecursionError:
        return {}


def _section(values: Mapping[str, Any]) -> Table:
    """A table with a header of its own; ``when`` becomes headers, ranges stay on one line."""
    table = tomlkit.table(is_super_table=all(_is_branching(key, value) for key, value in values.items()))
    for key, value in values.items():
        if key != "when":
            table.add(key, _literal(value))
    if "when" in values:
        table.add("when", _when(values["when"]))
    return table


def _is_branching(key: str, value: object) -> bool:
    return key == "when" and isinstance(value, Mapping)


def _when(parents: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    table = tomlkit.table(is_super_table=True)
    for parent, branches in parents.items():
        below = tomlkit.table(is_super_table=True)
        for value, children in branches.items():
            below.add(value, _section(children))
        table.add(parent, below)
    return table


def _literal(value: Any) -> Item:
    if isinstance(value, Mapping):
        return _inline(value)
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        rows = tomlkit.array().multiline(True)
        rows.extend([_inline(item) for item in value])
        return rows
    item: Item = tomlkit.item(value)
    return item


def _inline(values: Mapping[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    for key, value in values.items():
        table.add(key, _literal(value))
    return table


def _write_whole(file: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(_mode_of(file))
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode_of(file: Path) -> int:
    """The mode the file has, or what a new file is given here."""
    if file.exists():
        return file.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

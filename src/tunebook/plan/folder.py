"""The folder of a project: where it is, what its tunebook.toml says, and the example it starts from."""

from __future__ import annotations

import getpass
import shutil
import tomllib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from tunebook.core.problems import Problems
from tunebook.errors import InputError

PROJECT_FILE = "tunebook.toml"
ROUNDS = "rounds"
#: Of tunebook.toml: a table of options for each executor, as in [executor.ray].
EXECUTOR = "executor"
SETTINGS = ("name", "store", EXECUTOR)
TEMPLATE = "template"
#: Endings of the example's files; what a Python run leaves beside them is not part of it.
TEMPLATE_ENDINGS = (".toml", ".py")


def nearest_project(folder: Path) -> Path | None:
    """The first of ``folder`` and the folders above it that has a tunebook.toml."""
    return next((place for place in (folder, *folder.parents) if (place / PROJECT_FILE).is_file()), None)


def read_settings(root: Path) -> dict[str, Any]:
    """What tunebook.toml says; nothing where there is none. ``InputError`` lists what is wrong with it."""
    path = root / PROJECT_FILE
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    problems = Problems((str(path),))
    problems.unknown_keys(table, SETTINGS)
    for key, value in table.items():
        if key == EXECUTOR:
            if not (isinstance(value, dict) and all(isinstance(options, dict) for options in value.values())):
                problems.add("it has to hold a table for each executor, such as [executor.ray]", key)
        elif not isinstance(value, str):
            problems.add(f"{value!r} is not a string", key)
    problems.raise_if_any()
    return table


def start_project(root: Path) -> None:
    """Copy the example into ``root``; ``InputError`` when a file would be overwritten."""
    if (root / PROJECT_FILE).exists():
        raise InputError(f"{root / PROJECT_FILE} is there already: this folder is a project")
    files = dict(example_files(root))
    taken = [str(target) for target in files if target.exists()]
    if taken:
        raise InputError(f"{', '.join(taken)} would be overwritten; choose an empty folder")
    try:
        for target, source in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            with resources.as_file(source) as path:
                shutil.copyfile(path, target)
    except OSError as error:
        raise InputError(f"{root} cannot be written: {error.strerror}") from error


def example_files(root: Path) -> Iterator[tuple[Path, Traversable]]:
    """Every file of the example: where it goes in ``root`` and where it comes from."""

    def walk(folder: Traversable, target: Path) -> Iterator[tuple[Path, Traversable]]:
        for item in sorted(folder.iterdir(), key=lambda item: item.name):
            if item.is_dir():
                yield from walk(item, target / item.name)
            elif item.name.endswith(TEMPLATE_ENDINGS):
                yield target / item.name, item

    yield from walk(resources.files("tunebook") / TEMPLATE, root)


def write_file(path: Path, data: bytes) -> None:
    """Write a file the user asked for; ``InputError`` when it cannot be."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def user() -> str | None:
    """Who is at the keyboard, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None

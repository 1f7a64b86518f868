"""The bridges: which kinds of runs can be brought in, and which kinds of files can be written."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunebook.bridges.imported import Imported
from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError
from tunebook.evidence import Evidence

Reader = Callable[[Path], Imported]
Writer = Callable[[Path, Evidence], list[Path]]

READERS = {
    "algoperf": "tunebook.bridges.algoperf:read",
    "csv": "tunebook.bridges.files:read",
}
#: By the ending of the target; the empty one is a folder.
WRITERS = {
    "": "tunebook.bridges.exports:write_folder",
    ".csv": "tunebook.bridges.exports:write_csv",
    ".json": "tunebook.bridges.exports:write_json",
    ".parquet": "tunebook.bridges.exports:write_parquet",
}


def reader(kind: str) -> Reader:
    """The reader of one kind; ``InputError`` names the kinds there are."""
    if kind not in READERS:
        raise InputError(f"KIND {kind!r} is not known{did_you_mean(kind, READERS)}; accepted: {', '.join(READERS)}")
    made: Reader = _load(READERS[kind])
    return made


def writer(target: Path) -> Writer:
    """The writer for a target; ``InputError`` names the endings there are."""
    ending = "" if target.is_dir() else target.suffix.lower()
    if ending not in WRITERS:
        endings = ", ".join(known for known in WRITERS if known)
        raise InputError(f"FILE {target}: the ending {ending!r} is not known; accepted: {endings}, or a folder")
    made: Writer = _load(WRITERS[ending])
    return made


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)

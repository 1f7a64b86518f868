"""Which project and which store are meant: a folder or the nearest one, an address or what tunebook.toml says."""

from __future__ import annotations

import os
from pathlib import Path

from tunebook.errors import InputError
from tunebook.plan.folder import PROJECT_FILE, nearest_project, read_settings

STORE_FILE = "tunebook.db"
STORE_VARIABLE = "TUNEBOOK_STORE"


def locate(folder: str | Path | None, store: str | None) -> tuple[Path, str]:
    """The folder of a project and the address of its store; ``InputError`` when there is no such folder."""
    named = store or os.environ.get(STORE_VARIABLE)
    root = Path(folder) if folder is not None else nearest_project(Path.cwd())
    if root is None and named:
        root = Path.cwd()
    if root is None:
        raise InputError(
            f"no {PROJECT_FILE} in {Path.cwd()} or above: run `tunebook init`, or name a folder with --project"
        )
    if not root.is_dir():
        raise InputError(f"the project folder {root} does not exist")
    settings = read_settings(root)
    return root, named or settings.get("store") or default_store(root)


def folder_for(design: str | Path) -> Path | None:
    """The folder of the project that a design file belongs to; None where the current folder or nothing says it."""
    if nearest_project(Path.cwd()) is not None or not Path(design).is_file():
        return None
    beside = Path(design).resolve().parent
    return nearest_project(beside) or beside


def default_store(root: Path) -> str:
    """The store of a project that names no other."""
    return f"sqlite:///{(root / STORE_FILE).resolve()}"


def store_address(other: str | Path) -> str:
    """The address of a store: as it is, or that of a file or of a project's folder."""
    if "://" in str(other):
        return str(other)
    path = Path(other)
    if path.is_dir():
        return read_settings(path).get("store") or default_store(path)
    return f"sqlite:///{path.resolve()}"


def may_be_there(url: str) -> bool:
    """Whether there may be something in the store at an address: a file that is not there holds nothing."""
    scheme, _, path = url.partition(":///")
    return scheme != "sqlite" or path == ":memory:" or Path(path).exists()


def check_is_there(url: str, root: Path) -> None:
    """``InputError`` when there is nothing to read: reading from a mistyped address must not make a store there."""
    if may_be_there(url):
        return
    if url == default_store(root):
        raise InputError(f"no round of {root} has run yet; `tunebook run DESIGN` runs one")
    raise InputError(
        f"there is no store at {url}: check the address (--store, {STORE_VARIABLE} or {PROJECT_FILE}); "
        "`tunebook run DESIGN` makes one"
    )

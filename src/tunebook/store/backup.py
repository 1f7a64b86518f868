"""A copy of a store in one SQLite file, made while others write."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from tunebook.errors import InputError, StoreUnavailable
from tunebook.store.engine import FILE, Database
from tunebook.store.faults import Place, fault_of, translated
from tunebook.store.merge_write import copy_rows
from tunebook.store.schema import metadata


def back_up(source: Database, target: Path, *, overwrite: bool) -> int:
    """Copy everything to ``target``; its size in bytes. The file appears whole or not at all.

    An SQLite store is copied page by page by SQLite itself, a PostgreSQL one row by row. ``InputError`` for a
    target that is there already or cannot be one, ``StoreFull`` when it does not fit.
    """
    path = target.expanduser().absolute()
    _check(source, path, overwrite)
    with _appearing(path) as unfinished:
        if source.place.folder is None:
            _copy_rows(source, unfinished)
        else:
            _copy_pages(source.place, unfinished)
        _check_copy(unfinished)
    return path.stat().st_size


def _check(source: Database, path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist")
    if source.place.folder is not None and path.exists() and path.samefile(source.place.words):
        raise InputError(f"{path} is the store itself; name another file")
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already; name another file, or overwrite it with --force")


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place at the end of the block, when all went well."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    place = Place(str(path), path.parent)
    try:
        with translated(place):
            yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as fault:
        raise StoreUnavailable(f"{path} cannot be written: {fault.strerror}") from fault
    finally:
        for leftover in (
            unfinished,
            *(unfinished.with_name(unfinished.name + end) for end in ("-wal", "-shm", "-journal")),
        ):
            leftover.unlink(missing_ok=True)


def _copy_pages(place: Place, unfinished: Path) -> None:
    """In one step, which is one reader's view: writers go on meanwhile, and are not in it."""
    path = Path(place.words)
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened,
        closing(sqlite3.connect(unfinished)) as copy,
    ):
        try:
            opened.backup(copy)
        except sqlite3.DatabaseError as fault:
            is_source = fault.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
            told = fault_of(fault, place) if is_source else None
            if told is None:
                raise
            raise told from fault


def _copy_rows(source: Database, unfinished: Path) -> None:
    copy = Database(f"{FILE}{unfinished}", read_only=False)

    def fill(target: Connection, opened: Connection) -> None:
        for table in metadata.sorted_tables:
            copy_rows(target, opened, table)

    try:
        source.read(lambda opened: copy.write(fill, opened))
    finally:
        copy.close()
    with closing(sqlite3.connect(unfinished)) as alone:
        alone.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check_copy(unfinished: Path) -> None:
    """A backup that cannot be read is none."""
    with closing(sqlite3.connect(unfinished)) as copy:
        said = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if said != "ok":
        raise StoreUnavailable(f"the copy is damaged, and so is the store, most likely: {said}; run `tunebook doctor`")

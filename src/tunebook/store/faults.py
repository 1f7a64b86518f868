"""Errors of the drivers, translated once: one error for one cause, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from tunebook.errors import StoreError, StoreFull, StoreReadOnly, StoreUnavailable

#: Below this many free bytes an input/output error of SQLite is taken for a full disk.
FULL_BELOW = 1 << 20

#: ``.recover`` would save more, but shells as Debian builds them do not have it.
REPAIR = (
    "restore the newest backup (`tunebook backup` makes them), or save what can be read with: "
    "sqlite3 {place} .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 new.db"
)

#: Beginning of SQLite's name of the error -> the error and what to say. The first that fits is taken.
SQLITE_FAULTS: tuple[tuple[str, type[StoreError], str], ...] = (
    ("SQLITE_FULL", StoreFull, "no space is left for {place}; free some and run the same command again"),
    ("SQLITE_READONLY", StoreReadOnly, "{place} can be read but not written; check the rights of file and folder"),
    ("SQLITE_CORRUPT", StoreUnavailable, "{place} is damaged or cut short; " + REPAIR),
    ("SQLITE_NOTADB", StoreUnavailable, "{place} is not an SQLite database; " + REPAIR),
    ("SQLITE_BUSY", StoreUnavailable, "{place} was locked by another program for more than a minute"),
    ("SQLITE_LOCKED", StoreUnavailable, "{place} was locked by another program for more than a minute"),
    (
        "SQLITE_CANTOPEN",
        StoreUnavailable,
        "{place} cannot be opened; check that file and folder exist and their rights",
    ),
    ("SQLITE_PERM", StoreUnavailable, "{place} may not be opened; check the rights of file and folder"),
    ("SQLITE_AUTH", StoreUnavailable, "{place} may not be opened; check the rights of file and folder"),
    ("SQLITE_IOERR", StoreUnavailable, "reading or writing {place} failed; check the disk"),
    ("SQLITE_NOMEM", StoreUnavailable, "no memory is left to read {place}"),
)

#: Beginning of the SQLSTATE -> the same. https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRES_FAULTS: tuple[tuple[str, type[StoreError], str], ...] = (
    ("53100", StoreFull, "no space is left for {place}; free some and run the same command again"),
    ("53", StoreUnavailable, "{place} is out of resources (memory or connections)"),
    ("25006", StoreReadOnly, "{place} can be read but not written: the server or the connection is read-only"),
    ("42501", StoreReadOnly, "{place} may not be written by this user; grant it the right"),
    ("55P03", StoreUnavailable, "{place} was locked by another program for more than a minute"),
    ("08", StoreUnavailable, "{place} cannot be reached"),
    ("28", StoreUnavailable, "{place} does not accept this user or password"),
    ("3D000", StoreUnavailable, "{place} does not exist; create it with createdb"),
    ("57", StoreUnavailable, "{place} ended the connection or is starting or stopping"),
    ("58", StoreUnavailable, "{place} has trouble with its disk"),
    ("XX", StoreUnavailable, "{place} reports that it is damaged"),
)

#: Serialisation failure and deadlock: the transaction is to be run again.
POSTGRES_RETRY = ("40001", "40P01")

#: What a server says, or what is said of it, while it stops, starts, is out of reach or is overrun: it may pass.
POSTGRES_PASSING = ("08", "57P01", "57P02", "57P03", "53300")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is: the words for people, and the folder when it is a file."""

    words: str
    folder: Path | None = None


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """Turn a driver's error of the block into the one of our tree that fits; leave the others as they are."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        fault = fault_of(error, place)
        if fault is None:
            raise
        raise fault from error


def is_worth_retrying(error: DBAPIError) -> bool:
    """Whether the same transaction can succeed when run again."""
    return getattr(error.orig, "sqlstate", None) in POSTGRES_RETRY


def is_passing(fault: StoreError) -> bool:
    """Whether the store may be there again without anybody's doing: a server that restarts, a network that was cut."""
    error = fault.__cause__
    return isinstance(error, DBAPIError) and _state_of(error).startswith(POSTGRES_PASSING)


def fault_of(error: DBAPIError | sqlite3.Error, place: Place) -> StoreError | None:
    """The error of our tree for a driver's error; None for what is a mistake of the program."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return _sqlite_fault(original, place)
    return _first(POSTGRES_FAULTS, _state_of(error), place, original) if isinstance(error, DBAPIError) else None


def _state_of(error: DBAPIError) -> str:
    """The SQLSTATE, found from the server's words where the driver gives none; empty for what is no such error."""
    if isinstance(error.orig, sqlite3.Error):
        return ""
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None and _is_connection_trouble(error):
        state = _state_in_words(str(error.orig))
    return state or ""


def _sqlite_fault(error: sqlite3.Error, place: Place) -> StoreError | None:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _is_full(place.folder):
        name = "SQLITE_FULL"
    return _first(SQLITE_FAULTS, name, place, error)


def _first(
    table: tuple[tuple[str, type[StoreError], str], ...], code: str, place: Place, original: object
) -> StoreError | None:
    for beginning, kind, words in table:
        if code.startswith(beginning):
            return kind(f"{words.format(place=place.words)} ({_one_line(original)})")
    return None


def _is_connection_trouble(error: DBAPIError) -> bool:
    names = {kind.__name__ for kind in type(error.orig).__mro__}
    return error.connection_invalidated or not names.isdisjoint(("OperationalError", "InterfaceError"))


def _state_in_words(message: str) -> str:
    """The SQLSTATE of a refused connection, for which psycopg has only the server's sentence."""
    if "does not exist" in message and "database" in message:
        return "3D000"
    return "28000" if "authentication failed" in message else "08000"


def _is_full(folder: Path | None) -> bool:
    try:
        return folder is not None and shutil.disk_usage(folder).free < FULL_BELOW
    except OSError:
        return False


def _one_line(original: object) -> str:
    return " ".join(str(original).split())

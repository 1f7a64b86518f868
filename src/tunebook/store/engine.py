"""A database, and functions run on it inside transactions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from tunebook.errors import InputError, StoreReadOnly, StoreUnavailable
from tunebook.store import postgres, sqlite
from tunebook.store.faults import Place, is_worth_retrying, translated
from tunebook.store.upgrade import HEAD, upgrade, version_of

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between tries of a transaction that another one got in the way of.
RETRY_PAUSES = (0.01, 0.05, 0.2, 0.5, 1.0)

FILE = "sqlite:///"
BACK_ENDS: dict[str, tuple[Callable[[URL], Place], Callable[[URL, bool], tuple[Engine, bool]]]] = {
    "sqlite": (sqlite.place_of, sqlite.open_engine),
    "postgresql": (postgres.place_of, postgres.open_engine),
}

#: Engines a forked child inherited. Closing them there would end the parent's connections, so they are kept.
_inherited: list[Engine] = []


class Database:
    """Runs functions of a connection, each in one transaction; safe to share between threads and to fork."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        self.url = _parsed(url)
        self._place_of, self._open_engine = BACK_ENDS[self.url.get_backend_name()]
        self.place = self._place_of(self.url)
        with translated(self.place):
            self._engine, self.is_read_only = self._open_engine(self.url, read_only)
        self._pid = os.getpid()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """The URL with an absolute path, or with its password."""
        is_file = self.place.folder is not None
        return FILE + self.place.words if is_file else self.url.render_as_string(hide_password=False)

    def read(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of ``function``, which sees one unchanging state of the store."""
        return self._run(False, function, *args, **kwargs)

    def write(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of ``function``, whose changes are all kept or none; it may be run more than once."""
        if self.is_read_only:
            raise StoreReadOnly(f"{self.place.words} can be read but not written")
        return self._run(True, function, *args, **kwargs)

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def _run(
        self, writes: bool, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        for pause in (*RETRY_PAUSES, None):
            try:
                with translated(self.place), self._connect(writes) as connection, connection.begin():
                    return function(connection, *args, **kwargs)
            except DBAPIError as error:
                if pause is None or not is_worth_retrying(error):
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _connect(self, writes: bool) -> Connection:
        if self._pid != os.getpid():
            _inherited.append(self._engine)
            self._engine, self.is_read_only = self._open_engine(self.url, self.is_read_only)
            self._pid = os.getpid()
        connection = self._engine.connect()
        return connection.execution_options(writes=True) if writes else connection

    def _prepare(self) -> None:
        """Create the tables or bring them up to date, where there is something to do."""
        version = self._run(False, version_of)
        if version == HEAD:
            return
        if self.is_read_only:
            _raise_unready(self.place, version)
        self._run(True, upgrade)


def _raise_unready(place: Place, version: str | None) -> None:
    said = "is empty" if version is None else f"has the tables of an older tunebook ({version})"
    raise StoreUnavailable(f"{place.words} {said} and may not be written; open it once with the right to write")


def _parsed(url: str) -> URL:
    """The address as its parts; whatever stands behind ``sqlite:///`` is a path, odd characters and all."""
    accepted = "accepted: sqlite:///FILE and postgresql://USER@HOST/DATABASE"
    if url.startswith(FILE):
        return URL.create("sqlite", database=url.removeprefix(FILE))
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError(f"{url!r} is not the address of a store; {accepted}") from None
    if parsed.get_backend_name() not in BACK_ENDS:
        raise InputError(f"a store cannot be on {parsed.get_backend_name()!r}; {accepted}")
    return parsed


def lock(connection: Connection, key: int) -> None:
    """Let one transaction at a time pass; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"key": key})


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")

"""A database, and functions run on it inside transactions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from tunebook.errors import InputError, StoreError, StoreReadOnly, StoreUnavailable
from tunebook.store import postgres, sqlite
from tunebook.store.faults import Place, is_passing, is_worth_retrying, translated
from tunebook.store.upgrade import HEAD, upgrade, version_of

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between tries of a transaction that another one got in the way of.
RETRY_PAUSES = (0.01, 0.05, 0.2, 0.5, 1.0)
#: Seconds between tries to reach a server that is away: the first, and the longest, each twice the one before.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

FILE = "sqlite:///"
BACK_ENDS: dict[str, tuple[Callable[[URL], Place], Callable[[URL, bool], tuple[Engine, bool]]]] = {
    "sqlite": (sqlite.place_of, sqlite.open_engine),
    "postgresql": (postgres.place_of, postgres.open_engine),
}

#: PostgreSQL's default shows every statement another state; a reader wants one.
READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

OnWait: TypeAlias = Callable[[str], bool]
"""Told in words what is waited for, before every pause; whether to go on waiting."""

#: Engines a forked child inherited. Closing them there would end the parent's connections, so they are kept.
_inherited: list[Engine] = []


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a server that is away is waited for, and who is told; nobody waits without one."""

    seconds: float
    on_wait: OnWait


class Database:
    """Runs functions of a connection, each in one transaction; safe to share between threads and to fork."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        self.url = _parsed(url)
        self._place_of, self._open_engine = BACK_ENDS[self.url.get_backend_name()]
        self.place = self._place_of(self.url)
        with translated(self.place):
            self._engine, self.is_read_only = self._open_engine(self.url, read_only)
        self._pid = os.getpid()
        self._patience: Patience | None = None
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

    @contextmanager
    def patient(self, seconds: float, on_wait: OnWait) -> Iterator[None]:
        """In this block a server that restarts or is out of reach is waited for, up to ``seconds`` each time."""
        before, self._patience = self._patience, Patience(seconds, on_wait)
        try:
            yield
        finally:
            self._patience = before

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def _run(
        self, writes: bool, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        tries = _Tries(self.place, self._patience)
        while True:
            try:
                with translated(self.place), self._connect(writes, tries.n > 0) as connection, connection.begin():
                    return function(connection, *args, **kwargs)
            except DBAPIError as error:
                if not is_worth_retrying(error):
                    raise
                tries.pause_after_conflict(error)
            except StoreError as error:
                if not is_passing(error):
                    raise
                tries.pause_while_away(error)

    def _connect(self, writes: bool, is_again: bool) -> Connection:
        if self._pid != os.getpid():
            _inherited.append(self._engine)
            self._engine, self.is_read_only = self._open_engine(self.url, self.is_read_only)
            self._pid = os.getpid()
        connection = self._engine.connect()
        if writes:
            return connection.execution_options(writes=True, again=is_again)
        return connection.execution_options(**READING) if self.place.folder is None else connection

    def _prepare(self) -> None:
        """Create the tables or bring them up to date, where there is something to do."""
        version = self._run(False, version_of)
        if version == HEAD:
            return
        if self.is_read_only:
            _raise_unready(self.place, version)
        self._run(True, upgrade)


class _Tries:
    """Counts the tries of one transaction; its pauses raise when there were enough."""

    def __init__(self, place: Place, patience: Patience | None) -> None:
        self.n = 0
        self._place = place
        self._patience = patience
        self._pauses = iter(RETRY_PAUSES)
        self._away_since: float | None = None
        self._pause = FIRST_PAUSE

    def pause_after_conflict(self, error: DBAPIError) -> None:
        """Others were in the way: once more, a few times."""
        self.n += 1
        pause = next(self._pauses, None)
        if pause is None:
            raise StoreUnavailable(
                f"{self._place.words}: others got in the way of the same change {self.n} times; run the command again"
            ) from error
        time.sleep(pause)

    def pause_while_away(self, error: StoreError) -> None:
        """Nobody answers: wait as long as there is patience, and somebody who wants to."""
        self.n += 1
        if self._patience is None:
            raise error
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        waited = now - self._away_since
        if waited > self._patience.seconds:
            raise StoreUnavailable(
                f"{error}; waited for {waited:.0f} s. Nothing stored is lost: run the same again once it is back"
            ) from error
        if not self._patience.on_wait(f"waiting for {self._place.words} since {waited:.0f} s"):
            raise error
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


def is_again(connection: Connection) -> bool:
    """Whether this transaction was tried before and may have been kept: the answer to a commit can get lost."""
    return bool(connection.get_execution_options().get("again", False))


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

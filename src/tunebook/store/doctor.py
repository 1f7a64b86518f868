"""What may be wrong with a store, and what to do about it. Looks, and changes nothing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from tunebook.errors import InputError
from tunebook.store.packing import Encoding, unpack_steps, unpack_values
from tunebook.store.rounds import read_design
from tunebook.store.schema import (
    Record,
    chunks,
    designs,
    launches,
    metadata,
    metric_sets,
    owners,
    queue,
    rounds,
    trials,
)
from tunebook.store.trials import SPEC_COLUMNS, spec_of
from tunebook.store.values import Owner, time_of

#: Rows that are held in memory at a time.
BATCH = 200
#: Cases of one kind that are named; the others are counted.
NAMED = 5

RESTORE = (
    "restore the newest backup (`tunebook backup` makes them), then bring in what this store still has with "
    "`tunebook merge`"
)
REPORT = "the results that are not named here are sound; " + RESTORE


class Severity(StrEnum):
    """How bad it is: an error means that something is damaged, a note that a person may want to know."""

    ERROR = "error"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing that is not as it should be: which check saw it, in words, and what to do."""

    check: str
    severity: Severity
    says: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was looked at and what was found. ``n_points`` is how many logged values could be read."""

    place: str
    version: str
    n_rounds: int
    n_trials: int
    n_chunks: int
    n_points: int
    complaints: tuple[Complaint, ...]

    def with_more(self, complaints: Sequence[Complaint]) -> Examination:
        """The same with what was seen from outside, first."""
        return replace(self, complaints=(*complaints, *self.complaints))

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged; there may be notes."""
        return not any(one.severity is Severity.ERROR for one in self.complaints)


IsDead = Callable[[Owner], bool]
"""Whether the process that holds a lease is known to be gone."""

#: Check, what is wrong with the trials or attempts it finds, and the query that finds their names.
RULES: tuple[tuple[str, str, str], ...] = (
    (
        "endings",
        "ended by an attempt of another trial",
        "SELECT t.name FROM outcomes o JOIN trials t ON t.id = o.trial_id "
        "LEFT JOIN attempts a ON a.id = o.attempt_id WHERE a.id IS NULL OR a.trial_id <> o.trial_id",
    ),
    (
        "endings",
        "ended, and waiting to be run as well",
        "SELECT t.name FROM outcomes o JOIN queue q ON q.trial_id = o.trial_id JOIN trials t ON t.id = o.trial_id",
    ),
    (
        "endings",
        "with an attempt that ended twice",
        "SELECT t.name FROM outcomes o JOIN attempt_ends e ON e.attempt_id = o.attempt_id "
        "JOIN trials t ON t.id = o.trial_id",
    ),
    (
        "queue",
        "of the plan, neither ended nor waiting to be run",
        "SELECT t.name FROM trials t LEFT JOIN outcomes o ON o.trial_id = t.id LEFT JOIN queue q ON q.trial_id = t.id "
        "WHERE t.active AND o.trial_id IS NULL AND q.trial_id IS NULL",
    ),
    (
        "queue",
        "held by an attempt that is over or belongs to another trial",
        "SELECT t.name FROM queue q JOIN trials t ON t.id = q.trial_id LEFT JOIN attempts a ON a.id = q.attempt_id "
        "LEFT JOIN attempt_ends e ON e.attempt_id = q.attempt_id WHERE q.token IS NOT NULL "
        "AND (a.id IS NULL OR a.trial_id <> q.trial_id OR a.token <> q.token OR e.attempt_id IS NOT NULL)",
    ),
    (
        "attempts",
        "with an attempt that neither ended nor is running",
        "SELECT DISTINCT t.name FROM attempts a JOIN trials t ON t.id = a.trial_id "
        "LEFT JOIN attempt_ends e ON e.attempt_id = a.id LEFT JOIN outcomes o ON o.attempt_id = a.id "
        "LEFT JOIN queue q ON q.attempt_id = a.id "
        "WHERE e.attempt_id IS NULL AND o.attempt_id IS NULL AND q.attempt_id IS NULL",
    ),
    (
        "rounds",
        "in a round without a design",
        "SELECT t.name FROM trials t LEFT JOIN designs d ON d.round_id = t.round_id WHERE d.id IS NULL",
    ),
)

_CHUNKS = (
    select(chunks, metric_sets.c.names)
    .join_from(chunks, metric_sets)
    .order_by(chunks.c.attempt_id, chunks.c.set_id, chunks.c.first_row)
)
_NAME_OF_ATTEMPT = text("SELECT t.name FROM attempts a JOIN trials t ON t.id = a.trial_id WHERE a.id = :attempt")
_SPECS = select(trials.c.name, trials.c.spec_id, *SPEC_COLUMNS)
_LEASES = (
    select(trials.c.name, queue.c.expires_at, owners)
    .join_from(queue, trials, trials.c.id == queue.c.trial_id)
    .join(owners, owners.c.id == queue.c.owner_id)
    .where(queue.c.token.is_not(None))
    .order_by(queue.c.trial_id)
)


def examine(connection: Connection, place: str, version: str, is_dead: IsDead, now: float) -> Examination:
    """Look at everything the store holds, with bounded memory."""
    reader = _ChunkReader(connection)
    checks: tuple[Callable[[], Iterable[Complaint]], ...] = (
        lambda: _file(connection),
        lambda: _references(connection),
        lambda: _rules(connection),
        lambda: _designs(connection),
        lambda: _specs(connection),
        lambda: _ledger(connection),
        reader.complaints,
        lambda: _leases(connection, is_dead, now),
    )
    found: list[Complaint] = []
    for check in checks:
        try:
            found += check()
        except DBAPIError as fault:
            found.append(error("file", f"part of it cannot be read: {_one_line(fault.orig)}", RESTORE))
            if connection.dialect.name != "sqlite":
                break
    return Examination(
        place=place,
        version=version,
        n_rounds=_count(connection, rounds),
        n_trials=_count(connection, trials),
        n_chunks=reader.n_chunks,
        n_points=reader.n_points,
        complaints=tuple(found),
    )


def unreadable(place: str, why: str) -> Examination:
    """A store that cannot even be opened."""
    complaint = error("file", f"it cannot be opened: {why}", RESTORE)
    return Examination(place=place, version="", n_rounds=0, n_trials=0, n_chunks=0, n_points=0, complaints=(complaint,))


def error(check: str, says: str, advice: str = REPORT) -> Complaint:
    """Something is damaged."""
    return Complaint(check=check, severity=Severity.ERROR, says=says, advice=advice)


def note(check: str, says: str, advice: str) -> Complaint:
    """Nothing is damaged, but somebody may want to know."""
    return Complaint(check=check, severity=Severity.NOTE, says=says, advice=advice)


def _file(connection: Connection) -> Iterator[Complaint]:
    """SQLite's own check of its pages and indices; PostgreSQL has tools of its own (pg_amcheck)."""
    if connection.dialect.name != "sqlite":
        return
    lines = [str(row[0]) for row in connection.execute(text(f"PRAGMA integrity_check({NAMED})"))]
    if lines != ["ok"]:
        yield error("file", f"SQLite finds its file damaged: {_listed(lines, len(lines))}", RESTORE)


def _references(connection: Connection) -> Iterator[Complaint]:
    """Rows that point to rows which are not there."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            own, other = key.parent, key.column
            lost = connection.execute(
                text(
                    f"SELECT count(*) FROM {table.name} x "
                    f"LEFT JOIN {other.table.name} y ON y.{other.name} = x.{own.name} "
                    f"WHERE x.{own.name} IS NOT NULL AND y.{other.name} IS NULL"
                )
            ).scalar_one()
            if lost:
                yield error("references", f"{lost} rows of {table.name} point to {other.table.name} that are not there")


def _rules(connection: Connection) -> Iterator[Complaint]:
    return (complaint for rule in RULES if (complaint := _broken(connection, *rule)))


def _broken(connection: Connection, check: str, what: str, query: str) -> Complaint | None:
    names = list(connection.execute(text(query)).scalars())
    return error(check, f"{_counted(len(names), 'trial')} {what}: {_listed(names, len(names))}") if names else None


def _designs(connection: Connection) -> Iterator[Complaint]:
    for row in connection.execute(select(designs.c.round_id, designs.c.version, designs.c.design)):
        try:
            read_design(row.design)
        except (InputError, ValueError, TypeError, KeyError, RecursionError) as fault:
            yield error(
                "designs", f"version {row.version} of the design of round {row.round_id} cannot be read: {fault}"
            )


def _specs(connection: Connection) -> Iterator[Complaint]:
    """A trial is named by its content: another content is damage."""
    names = []
    for part in connection.execution_options(yield_per=BATCH).execute(_SPECS).partitions(BATCH):
        names += [row.name for row in part if not _is_itself(row)]
    if names:
        yield error(
            "trials",
            f"{_counted(len(names), 'trial')} whose content is not what names it: {_listed(names, len(names))}",
        )


def _is_itself(row: Record) -> bool:
    try:
        return bool(spec_of(row).id == row.spec_id)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _ledger(connection: Connection) -> Iterator[Complaint]:
    rows = connection.execute(select(launches.c.number, launches.c.record).order_by(launches.c.number)).all()
    if [row.number for row in rows] != list(range(len(rows))):
        yield error("ledger", f"the ledger has gaps: launches {', '.join(str(row.number) for row in rows)}")
    for row in rows:
        try:
            json.loads(row.record)["config"]
        except (ValueError, TypeError, KeyError):
            yield error("ledger", f"launch {row.number} cannot be read")


class _ChunkReader:
    """Opens every packed chunk once, and counts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.n_chunks = 0
        self.n_points = 0

    def complaints(self) -> list[Complaint]:
        """What is wrong with the curves."""
        bad: dict[str, list[int]] = {}
        stream: tuple[int, int] | None = None
        expected = 0
        found = self._connection.execution_options(yield_per=BATCH).execute(_CHUNKS)
        for part in found.partitions(BATCH):
            for row in part:
                if (row.attempt_id, row.set_id) != stream:
                    stream, expected = (row.attempt_id, row.set_id), 0
                for fault in self._faults(row, expected):
                    bad.setdefault(fault, []).append(row.attempt_id)
                expected = row.first_row + row.n_rows
        return [
            error("curves", f"{fault}: {self._names(list(dict.fromkeys(attempts)))}") for fault, attempts in bad.items()
        ]

    def _faults(self, row: Record, expected: int) -> Iterator[str]:
        self.n_chunks += 1
        if row.first_row != expected:
            yield "curves with rows missing or twice"
        try:
            n_metrics = len(json.loads(row.names))
            values = unpack_values([Encoding(row.encoding)], [row.data], n_metrics)
            steps = unpack_steps(row.first_step, row.stride, row.steps, row.n_rows)
        except (ValueError, TypeError, IndexError, zlib.error, MemoryError, OverflowError) as fault:
            yield f"curves that cannot be unpacked ({' '.join(str(fault).split())[:80]})"
            return
        if len(values) != row.n_rows or len(steps) != row.n_rows or row.n_rows < 1 or np.any(steps < 0):
            yield "curves whose number of rows is not the one noted"
        self.n_points += values.size

    def _names(self, attempt_keys: Sequence[int]) -> str:
        names = [
            self._connection.execute(_NAME_OF_ATTEMPT, {"attempt": key}).scalar() or f"attempt {key}"
            for key in attempt_keys[:NAMED]
        ]
        return _listed(names, len(attempt_keys))


def _leases(connection: Connection, is_dead: IsDead, now: float) -> Iterator[Complaint]:
    dead, old = [], []
    for row in connection.execute(_LEASES):
        owner = Owner(id=row.id, host=row.host, pid=row.pid, started=time_of(row.started))
        if is_dead(owner):
            dead.append(row.name)
        elif row.expires_at < now:
            old.append(row.name)
    if dead:
        says = (
            f"{_counted(len(dead), 'trial')} held by a process of this machine that is gone: {_listed(dead, len(dead))}"
        )
        yield note("leases", says, "run the round again: it takes them back at once and goes on from their checkpoints")
    if old:
        says = f"{_counted(len(old), 'trial')} whose lease ran out: {_listed(old, len(old))}"
        yield note("leases", says, "run the round again: whoever runs it takes them over")


def _count(connection: Connection, table: Table) -> int:
    try:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
    except DBAPIError:
        return 0


def _one_line(words: object) -> str:
    return " ".join(str(words).split())


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _listed(names: Sequence[object], number: int) -> str:
    shown = ", ".join(str(name) for name in names[:NAMED])
    return f"{shown} and {number - NAMED} more" if number > NAMED else shown

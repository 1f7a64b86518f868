"""Writing what a merge brings: trials, attempts with their curves, outcomes, notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update

from tunebook.store import curves
from tunebook.store.schema import (
    Record,
    attempt_ends,
    attempts,
    chunks,
    metric_sets,
    outcomes,
    owners,
    provenances,
    queue,
    resumes,
    trials,
)

#: Attempts, or rows of chunks, that are held in memory at a time.
BATCH = 200

_ADD_TRIALS = insert(trials).returning(trials.c.id, sort_by_parameter_order=True)
_ADD_ATTEMPTS = insert(attempts).returning(attempts.c.id, sort_by_parameter_order=True)
_ENDS = select(attempt_ends).where(attempt_ends.c.attempt_id.in_(bindparam("attempts", expanding=True)))
_CHUNKS = select(chunks).where(chunks.c.attempt_id.in_(bindparam("attempts", expanding=True)))
_SETS = select(metric_sets)
_LEAVE_QUEUE = queue.delete().where(queue.c.trial_id == bindparam("trial"))
_FREE = (
    update(queue)
    .where(queue.c.trial_id == bindparam("trial"))
    .values(attempt_id=None, token=None, owner_id=None, expires_at=None)
)
_LAST_NUMBER = select(func.coalesce(func.max(attempts.c.number), 0)).where(attempts.c.trial_id == bindparam("trial"))
_ADD_OWNER = text(
    "INSERT INTO owners (id, host, pid, started) VALUES (:id, :host, :pid, :started) ON CONFLICT DO NOTHING"
)
_ADD_PROVENANCE = text("INSERT INTO provenances (id, record) VALUES (:id, :record) ON CONFLICT DO NOTHING")


def add_trials(target: Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows of trials; their keys in the same order."""
    return [int(key) for key in target.execute(_ADD_TRIALS, list(rows)).scalars()] if rows else []


def trial_row(row: Record, **changed: Any) -> dict[str, Any]:
    """A trial of another store as a row for this one."""
    return {**_plain(row, trials), **changed}


def copy_attempts(
    target: Connection, source: Connection, wanted: Sequence[tuple[int, Sequence[Record], bool]]
) -> dict[int, int]:
    """Copy attempts with their ends and curves behind those that a trial has.

    ``wanted`` holds the key of the trial here, its attempts there, and whether these start its curves anew.
    Returns the key here of every attempt there.
    """
    known: dict[int, int] = {}
    for part in _parts([(key, row, fresh and row is rows[0]) for key, rows, fresh in wanted for row in rows], BATCH):
        _copy_named(target, source, {row.owner_id for _, row, _ in part}, owners, _ADD_OWNER)
        _copy_named(target, source, {row.provenance_id for _, row, _ in part}, provenances, _ADD_PROVENANCE)
        last = {key: target.execute(_LAST_NUMBER, {"trial": key}).scalar_one() for key, _, _ in part}
        rows = []
        for key, row, _ in part:
            last[key] += 1
            rows.append({**_plain(row, attempts), "trial_id": key, "number": last[key]})
        made = target.execute(_ADD_ATTEMPTS, rows).scalars().all()
        own = {row.id: int(key) for (_, row, _), key in zip(part, made, strict=True)}
        _copy_ends(target, source, own)
        _insert(
            target,
            resumes,
            [
                {"attempt_id": own[row.id], "start_step": 0 if starts_anew else row.start_step}
                for _, row, starts_anew in part
                if starts_anew or row.start_step is not None
            ],
        )
        _copy_chunks(target, source, own)
        known |= own
    return known


def end_trial(target: Connection, trial_key: int, attempt_key: int, outcome: Record) -> None:
    """Give a trial the outcome it has in the other store."""
    row = {**_plain(outcome, outcomes), "trial_id": trial_key, "attempt_id": attempt_key}
    target.execute(insert(outcomes), row)
    target.execute(_LEAVE_QUEUE, {"trial": trial_key})


def take_back(target: Connection, trial_key: int, attempt_key: int, detail: str, now: float) -> None:
    """End an attempt whose lease ran out, so that nobody holds its trial."""
    row = {"attempt_id": attempt_key, "reason": "lost", "detail": detail, "ended_at": now}
    target.execute(insert(attempt_ends), row)
    target.execute(_FREE, {"trial": trial_key})


def copy_rows(target: Connection, source: Connection, table: Table) -> int:
    """Copy a whole table as it is, a batch at a time; how many rows."""
    n_rows = 0
    found = source.execution_options(yield_per=BATCH).execute(select(table))
    for part in found.mappings().partitions(BATCH):
        target.execute(insert(table), [dict(row) for row in part])
        n_rows += len(part)
    return n_rows


def _copy_ends(target: Connection, source: Connection, own: Mapping[int, int]) -> None:
    found = source.execute(_ENDS, {"attempts": list(own)}).mappings()
    _insert(target, attempt_ends, [{**row, "attempt_id": own[row["attempt_id"]]} for row in found])


def _copy_chunks(target: Connection, source: Connection, own: Mapping[int, int]) -> None:
    """Chunks are copied as they are packed, none is opened."""
    names = {row.id: row.names for row in source.execute(_SETS)}
    sets: dict[int, int] = {}
    found = source.execution_options(yield_per=BATCH).execute(_CHUNKS, {"attempts": list(own)})
    for part in found.mappings().partitions(BATCH):
        for key in {row["set_id"] for row in part} - sets.keys():
            sets[key] = curves.intern_text(target, names[key])
        target.execute(
            insert(chunks),
            [{**row, "attempt_id": own[row["attempt_id"]], "set_id": sets[row["set_id"]]} for row in part],
        )


def _copy_named(target: Connection, source: Connection, keys: Iterable[str | None], table: Table, add: Any) -> None:
    wanted = [key for key in keys if key is not None]
    found = source.execute(select(table).where(table.c.id.in_(wanted))).mappings().all() if wanted else []
    if found:
        target.execute(add, [dict(row) for row in found])


def _insert(target: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        target.execute(insert(table), list(rows))


def _plain(row: Record, table: Table) -> dict[str, Any]:
    """The columns of a row without its key, which is another one in another store."""
    return {column.name: getattr(row, column.name) for column in table.columns if column.name != "id"}


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))

"""Trials: what the plan of a round holds, and how each of them stands."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.store.rounds import key_of
from tunebook.store.schema import Record, attempts, outcomes, queue, rounds, trials
from tunebook.store.values import SyncReport, TrialRow, optional_time

SPEC_COLUMNS = (
    trials.c.study,
    trials.c.config,
    trials.c.seed,
    trials.c.max_train_steps,
    trials.c.way_to_train,
    trials.c.purpose,
    trials.c.position,
    trials.c.point,
)

_HOLD = select(rounds.c.id).where(rounds.c.id == bindparam("round")).with_for_update()
_STANDING = select(trials.c.spec_id, trials.c.id, trials.c.rank, trials.c.active, trials.c.purpose).where(
    trials.c.round_id == bindparam("round")
)
_ADD = insert(trials)
_PLACE = (
    update(trials).where(trials.c.id == bindparam("key")).values(rank=bindparam("to"), active=bindparam("is_active"))
)
_PLACE_QUEUED = update(queue).where(queue.c.trial_id == bindparam("key")).values(rank=bindparam("to"))
_ENQUEUE = text(
    "INSERT INTO queue (trial_id, round_id, rank) SELECT t.id, t.round_id, t.rank FROM trials t "
    "WHERE t.round_id = :round AND t.active AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.trial_id = t.id) "
    "AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.trial_id = t.id)"
)
_WORK = (
    select(trials.c.id.label("key"), trials.c.name, trials.c.active, trials.c.rank, *SPEC_COLUMNS)
    .where(trials.c.round_id == bindparam("round"))
    .order_by(trials.c.rank, trials.c.id)
)
_ACTIVE = _WORK.where(trials.c.active)
_OUTCOMES = select(outcomes).join(trials).where(trials.c.round_id == bindparam("round"))
_ATTEMPTS = (
    select(attempts.c.trial_id, func.count(), func.max(attempts.c.started_at))
    .join(trials)
    .where(trials.c.round_id == bindparam("round"))
    .group_by(attempts.c.trial_id)
)
_HELD = select(queue.c.trial_id).where(queue.c.round_id == bindparam("round"), queue.c.token.is_not(None))
_STATUSES = (
    select(func.coalesce(outcomes.c.status, "pending"), func.count())
    .join_from(trials, outcomes, isouter=True)
    .where(trials.c.round_id == bindparam("round"), trials.c.active)
    .group_by(outcomes.c.status)
)
_N_HELD = (
    select(func.count())
    .join_from(queue, trials)
    .where(queue.c.round_id == bindparam("round"), queue.c.token.is_not(None), trials.c.active)
)


def sync(connection: Connection, name: str, specs: Sequence[TrialSpec], now: float) -> SyncReport:
    """Make the search trials of the round those of ``specs``, in their order; what is done stays done."""
    round_key = hold_round(connection, name)
    planned = {spec.id: (rank, spec) for rank, spec in enumerate(specs)}
    standing = {row.spec_id: row for row in connection.execute(_STANDING, {"round": round_key})}
    new = [_row(round_key, spec, spec.id, rank, now) for key, (rank, spec) in planned.items() if key not in standing]
    _insert(connection, round_key, new)
    kept = [key for key in planned if key in standing]
    out = [row for key, row in standing.items() if key not in planned and row.purpose == "search" and row.active]
    moves = [_move(standing[key].id, planned[key][0], True) for key in kept if _differs(standing[key], planned[key][0])]
    _place(connection, moves, [_move(row.id, row.rank, False) for row in out])
    return SyncReport(added=len(new), kept=len(kept), retired=len(out))


def add(connection: Connection, name: str, specs: Iterable[TrialSpec], now: float) -> int:
    """Put trials behind all others of the round, those it has already excepted; how many were new."""
    round_key = hold_round(connection, name)
    standing = connection.execute(_STANDING, {"round": round_key}).all()
    known = {row.spec_id for row in standing}
    new = {spec.id: spec for spec in specs if spec.id not in known}
    rank = 1 + max((row.rank for row in standing), default=-1)
    rows = [_row(round_key, spec, spec.id, rank + place, now) for place, spec in enumerate(new.values())]
    _insert(connection, round_key, rows)
    return len(rows)


def extend(connection: Connection, name: str, specs: Iterable[TrialSpec], expected: int, now: float) -> int:
    """Add search trials behind the others if there are ``expected`` of them; a retired one comes back."""
    round_key = hold_round(connection, name)
    standing = {row.spec_id: row for row in connection.execute(_STANDING, {"round": round_key})}
    if sum(row.active and row.purpose == "search" for row in standing.values()) != expected:
        return 0
    new = {spec.id: spec for spec in specs if spec.id not in standing or not standing[spec.id].active}
    rank = 1 + max((row.rank for row in standing.values()), default=-1)
    ranked = {key: rank + place for place, key in enumerate(new)}
    _insert(
        connection,
        round_key,
        [_row(round_key, spec, key, ranked[key], now) for key, spec in new.items() if key not in standing],
    )
    _place(connection, [_move(standing[key].id, ranked[key], True) for key in new if key in standing], [])
    return len(new)


def specs(connection: Connection, name: str, retired: bool) -> tuple[TrialSpec, ...]:
    """The trials of the round in the order of the plan; with ``retired`` also those no longer in it."""
    found = connection.execute(_WORK if retired else _ACTIVE, {"round": key_of(connection, name)})
    return tuple(spec_of(row) for row in found)


def rows(connection: Connection, name: str, retired: bool) -> tuple[TrialRow, ...]:
    """The trials of the round with how they stand."""
    parameters = {"round": key_of(connection, name)}
    ended = {row.trial_id: row for row in connection.execute(_OUTCOMES, parameters)}
    started = {row[0]: (row[1], row[2]) for row in connection.execute(_ATTEMPTS, parameters)}
    held = set(connection.execute(_HELD, parameters).scalars())
    found = connection.execute(_WORK if retired else _ACTIVE, parameters)
    return tuple(_trial_row(row, ended.get(row.key), started.get(row.key, (0, None)), row.key in held) for row in found)


def counts(connection: Connection, name: str) -> dict[Status, int]:
    """How many trials of the plan stand where; every status has its number."""
    parameters = {"round": key_of(connection, name)}
    found = dict.fromkeys(Status, 0)
    for status, number in connection.execute(_STATUSES, parameters):
        found[Status(status)] = number
    running = connection.execute(_N_HELD, parameters).scalar_one()
    found[Status.RUNNING] = running
    found[Status.PENDING] -= running
    return found


def spec_of(row: Record) -> TrialSpec:
    """The trial of a row that has ``SPEC_COLUMNS``."""
    return TrialSpec(
        study=row.study,
        config=Config.from_json(row.config),
        seed=row.seed,
        max_train_steps=row.max_train_steps,
        way_to_train=row.way_to_train,
        purpose=TrialPurpose(row.purpose),
        index=row.position,
        point=None if row.point is None else struct.unpack(f"<{len(row.point) // 8}d", row.point),
    )


def insert_named(
    connection: Connection, round_key: int, named: Sequence[tuple[str, TrialSpec]], rank: int, now: float
) -> None:
    """Put trials that have names of their own into the round, from place ``rank`` on."""
    rows = [_row(round_key, spec, name, rank + place, now) for place, (name, spec) in enumerate(named)]
    _insert(connection, round_key, rows)


def hold_round(connection: Connection, name: str) -> int:
    """The key of the round, whose plan nobody else changes until this transaction ends."""
    round_key = key_of(connection, name)
    connection.execute(_HOLD, {"round": round_key})
    return round_key


def _insert(connection: Connection, round_key: int, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_ADD, rows)
        connection.execute(_ENQUEUE, {"round": round_key})


def _place(connection: Connection, moves: list[dict[str, Any]], retired: list[dict[str, Any]]) -> None:
    if moves or retired:
        connection.execute(_PLACE, moves + retired)
        connection.execute(_PLACE_QUEUED, moves + [{**row, "to": None} for row in retired])


def _move(key: int, rank: int, is_active: bool) -> dict[str, Any]:
    return {"key": key, "to": rank, "is_active": is_active}


def _differs(row: Record, rank: int) -> bool:
    return not row.active or row.rank != rank


def _row(round_key: int, spec: TrialSpec, name: str, rank: int, now: float) -> dict[str, Any]:
    point = spec.point
    return {
        "round_id": round_key,
        "spec_id": spec.id,
        "name": name,
        "study": spec.study,
        "config": spec.config.to_json(),
        "seed": spec.seed,
        "max_train_steps": spec.max_train_steps,
        "way_to_train": spec.way_to_train,
        "purpose": spec.purpose.value,
        "position": spec.index,
        "point": None if point is None else struct.pack(f"<{len(point)}d", *point),
        "rank": rank,
        "active": True,
        "created_at": now,
    }


def _trial_row(row: Record, ended: Record | None, started: tuple[int, float | None], is_held: bool) -> TrialRow:
    common: dict[str, Any] = {
        "name": row.name,
        "spec": spec_of(row),
        "attempts": started[0],
        "started_at": optional_time(started[1]),
        "is_retired": not row.active,
    }
    if ended is None:
        return TrialRow(status=Status.RUNNING if is_held else Status.PENDING, **common)
    return TrialRow(
        status=Status(ended.status),
        cause=None if ended.cause is None else Cause(ended.cause),
        detail=ended.detail,
        seconds=ended.seconds,
        ended_at=optional_time(ended.ended_at),
        **common,
    )

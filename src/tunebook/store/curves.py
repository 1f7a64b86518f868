"""Curves in the store: every logged row once, however often it is delivered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from tunebook.errors import LeaseLost, StoreError
from tunebook.store.packing import CurveBlock, Packed, pack, unpack_steps, unpack_values
from tunebook.store.schema import Record, attempts, chunks, metric_sets, outcomes

#: Rows of a full chunk; fuller ones are left alone. 64 KiB a metric: large enough to read fast, small enough to hold.
ROWS_PER_CHUNK = 8192
#: A stream of small chunks is packed anew whenever it has grown by this many.
COMPACT_EVERY = 64

_INTERN = text("INSERT INTO metric_sets (names) VALUES (:names) ON CONFLICT DO NOTHING")
_SET_ID = select(metric_sets.c.id).where(metric_sets.c.names == bindparam("names"))
_ENDS = (
    select(
        chunks.c.attempt_id,
        chunks.c.set_id,
        func.max(chunks.c.first_row + chunks.c.n_rows),
        func.max(chunks.c.serial),
    )
    .where(chunks.c.attempt_id.in_(bindparam("attempts", expanding=True)))
    .group_by(chunks.c.attempt_id, chunks.c.set_id)
)
# In one order, so that two writers with several attempts each wait for one another and never in a ring.
_HOLD = (
    select(attempts.c.id, attempts.c.trial_id)
    .where(attempts.c.id.in_(bindparam("attempts", expanding=True)))
    .order_by(attempts.c.id)
    .with_for_update()
)
_FINISHED = select(outcomes.c.trial_id).where(outcomes.c.trial_id.in_(bindparam("trials", expanding=True)))
_ADD = insert(chunks)
_STREAMS = (
    select(chunks.c.attempt_id, chunks.c.set_id)
    .where(chunks.c.attempt_id.in_(bindparam("attempts", expanding=True)), chunks.c.n_rows < ROWS_PER_CHUNK)
    .group_by(chunks.c.attempt_id, chunks.c.set_id)
    .having(func.count() > 1)
)
_SMALL = (
    select(chunks)
    .where(
        chunks.c.attempt_id == bindparam("attempt"),
        chunks.c.set_id == bindparam("set"),
        chunks.c.n_rows < ROWS_PER_CHUNK,
    )
    .order_by(chunks.c.first_row)
)
_DROP = delete(chunks).where(
    chunks.c.attempt_id == bindparam("attempt"),
    chunks.c.set_id == bindparam("set"),
    chunks.c.first_row == bindparam("row"),
)
_WIDTH = select(metric_sets.c.names).where(metric_sets.c.id == bindparam("set"))
_STORED = (
    select(metric_sets.c.names, func.max(chunks.c.first_row + chunks.c.n_rows))
    .join_from(chunks, metric_sets)
    .where(chunks.c.attempt_id == bindparam("attempt"))
    .group_by(metric_sets.c.names)
)
_RESUME = text(
    "INSERT INTO resumes (attempt_id, start_step) VALUES (:attempt, :step) "
    "ON CONFLICT (attempt_id) DO UPDATE SET start_step = excluded.start_step"
)


@dataclass(slots=True)
class _Streams:
    """How far the streams of some attempts are stored, while more is added to them."""

    trials: dict[int, int]
    finished: frozenset[int]
    ends: dict[tuple[int, int], tuple[int, int]]
    added: list[dict[str, Any]] = field(default_factory=list)
    grown: list[tuple[int, int]] = field(default_factory=list)


def append(connection: Connection, attempt_key: int, block: CurveBlock, first_row: int) -> int:
    """Store what is new of rows ``first_row`` and on; how many rows of these metrics the attempt then has.

    ``StoreError`` for a gap before ``first_row``, ``LeaseLost`` for new rows of a trial that is finished.
    """
    return append_many(connection, [(attempt_key, block, first_row)])[0]


def append_many(connection: Connection, parts: Sequence[tuple[int, CurveBlock, int]]) -> tuple[int, ...]:
    """``append`` for several ``(attempt_key, block, first_row)``, all or none."""
    streams = _held(connection, sorted({attempt_key for attempt_key, _, _ in parts}))
    sets = {metrics: intern(connection, metrics) for metrics in dict.fromkeys(block.metrics for _, block, _ in parts)}
    counts = tuple(_extend(streams, key, sets[block.metrics], block, first_row) for key, block, first_row in parts)
    if streams.added:
        connection.execute(_ADD, streams.added)
    for attempt_key, set_id in dict.fromkeys(streams.grown):
        compact_stream(connection, attempt_key, set_id)
    return counts


def _held(connection: Connection, attempt_keys: Sequence[int]) -> _Streams:
    """The streams of these attempts, which nobody else adds to until the transaction ends."""
    keys = {"attempts": attempt_keys}
    trials = {int(row[0]): int(row[1]) for row in connection.execute(_HOLD, keys)}
    ends = {(int(row[0]), int(row[1])): (int(row[2]), int(row[3])) for row in connection.execute(_ENDS, keys)}
    finished = connection.execute(_FINISHED, {"trials": list(trials.values())}).scalars()
    return _Streams(trials, frozenset(finished), ends)


def _extend(streams: _Streams, attempt_key: int, set_id: int, block: CurveBlock, first_row: int) -> int:
    """Take down what is new of a block; how many rows its stream then has."""
    if attempt_key not in streams.trials:
        raise StoreError(f"there is no attempt {attempt_key}")
    stored, serial = streams.ends.get((attempt_key, set_id), (0, -1))
    if first_row > stored or first_row < 0:
        raise StoreError(f"rows {stored} to {first_row} of attempt {attempt_key} are missing: deliver them first")
    if first_row + len(block) <= stored:
        return stored
    if streams.trials[attempt_key] in streams.finished:
        raise LeaseLost(f"the trial of attempt {attempt_key} is finished; nothing more is stored for it")
    new = block.since(stored - first_row)
    streams.added.extend(chunk_rows(attempt_key, set_id, new, stored, serial + 1))
    streams.ends[attempt_key, set_id] = first_row + len(block), serial + 1
    if (serial + 1) % COMPACT_EVERY == COMPACT_EVERY - 1:
        streams.grown.append((attempt_key, set_id))
    return first_row + len(block)


def add(connection: Connection, attempt_key: int, set_id: int, block: CurveBlock, row: int, serial: int) -> None:
    """Store a block as rows ``row`` and on of its stream."""
    connection.execute(_ADD, chunk_rows(attempt_key, set_id, block, row, serial))


def chunk_rows(attempt_key: int, set_id: int, block: CurveBlock, row: int, serial: int) -> list[dict[str, Any]]:
    """A block as rows of the table, in chunks that are not too large."""
    parts = (slice(start, start + ROWS_PER_CHUNK) for start in range(0, len(block), ROWS_PER_CHUNK))
    return [
        _row_of(attempt_key, set_id, row + part.start, serial, pack(block.steps[part], block.values[part]))
        for part in parts
    ]


def rows_stored(connection: Connection, attempt_key: int) -> dict[tuple[str, ...], int]:
    """How many rows the attempt has of every set of metrics it logged."""
    found = connection.execute(_STORED, {"attempt": attempt_key})
    return {tuple(json.loads(names)): int(rows) for names, rows in found}


def set_resume(connection: Connection, attempt_key: int, start_step: int) -> None:
    """Note the step that the attempt goes on from; the last word counts."""
    connection.execute(_RESUME, {"attempt": attempt_key, "step": start_step})


def intern(connection: Connection, metrics: Sequence[str]) -> int:
    """The key of a tuple of metric names."""
    return intern_text(connection, json.dumps(metrics, ensure_ascii=False))


def intern_text(connection: Connection, written: str) -> int:
    """The key of a tuple of metric names as it is stored."""
    names = {"names": written}
    found = connection.execute(_SET_ID, names).scalar()
    if found is None:
        connection.execute(_INTERN, names)
        found = connection.execute(_SET_ID, names).scalar_one()
    return int(found)


def compact(connection: Connection, attempt_keys: Sequence[int]) -> None:
    """Join the small chunks of these attempts; what is read stays the same."""
    for attempt_key, set_id in connection.execute(_STREAMS, {"attempts": list(attempt_keys)}).all():
        compact_stream(connection, attempt_key, set_id)


def compact_stream(connection: Connection, attempt_key: int, set_id: int) -> None:
    """Join the small chunks of one stream; only its last full chunks' worth is ever read."""
    small = connection.execute(_SMALL, {"attempt": attempt_key, "set": set_id}).mappings().all()
    names = json.loads(connection.execute(_WIDTH, {"set": set_id}).scalar_one())
    for run in _runs(small):
        if len(run) == 1:
            continue
        keys = [{"attempt": attempt_key, "set": set_id, "row": row["first_row"]} for row in run]
        connection.execute(_DROP, keys)
        add(connection, attempt_key, set_id, _joined(names, run), run[0]["first_row"], run[-1]["serial"])


def _runs(small: Sequence[Record]) -> list[list[Record]]:
    """Small chunks in groups of direct neighbours: full chunks may lie between them."""
    runs: list[list[Record]] = []
    end = -1
    for row in small:
        if row["first_row"] != end:
            runs.append([])
        runs[-1].append(row)
        end = row["first_row"] + row["n_rows"]
    return runs


def _joined(names: Sequence[str], run: Sequence[Record]) -> CurveBlock:
    steps = [unpack_steps(row["first_step"], row["stride"], row["steps"], row["n_rows"]) for row in run]
    values = unpack_values([row["encoding"] for row in run], [row["data"] for row in run], len(names))
    return CurveBlock(tuple(names), np.concatenate(steps), values)


def _row_of(attempt_key: int, set_id: int, first_row: int, serial: int, packed: Packed) -> dict[str, Any]:
    return {
        "attempt_id": attempt_key,
        "set_id": set_id,
        "first_row": first_row,
        "serial": serial,
        "n_rows": packed.n_rows,
        "first_step": packed.first_step,
        "stride": packed.stride,
        "steps": packed.steps,
        "encoding": packed.encoding,
        "data": packed.data,
    }

"""A round as evidence: trials in the order of the plan, curves as arrays, decoded together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, bindparam, select

from tunebook.core.collecting import without_collecting
from tunebook.core.config import Config, Value
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import WHOLE_ROUND, Study, TrialPurpose
from tunebook.evidence import Curves, Evidence, FloatArray, IntArray, TrialRecord
from tunebook.store import lineage, rounds
from tunebook.store.packing import unpack_steps, unpack_values
from tunebook.store.schema import Record, attempts, chunks, metric_sets, outcomes, queue, resumes, trials

_TRIALS = (
    select(
        trials.c.id,
        trials.c.name,
        trials.c.study,
        trials.c.config,
        trials.c.seed,
        trials.c.purpose,
        outcomes.c.status,
        outcomes.c.cause,
        outcomes.c.detail,
        outcomes.c.seconds,
        queue.c.token,
    )
    .join_from(trials, outcomes, outcomes.c.trial_id == trials.c.id, isouter=True)
    .join(queue, queue.c.trial_id == trials.c.id, isouter=True)
    .where(trials.c.round_id == bindparam("round"))
    .order_by(trials.c.rank, trials.c.id)
)
_ACTIVE_TRIALS = _TRIALS.where(trials.c.active)
_NAMES = (
    select(trials.c.id, trials.c.name)
    .where(trials.c.round_id == bindparam("round"), trials.c.active)
    .order_by(trials.c.rank, trials.c.id)
)
_ATTEMPTS = (
    select(attempts.c.id, attempts.c.trial_id, resumes.c.start_step)
    .join_from(attempts, trials)
    .join(resumes, resumes.c.attempt_id == attempts.c.id, isouter=True)
    .where(trials.c.round_id == bindparam("round"))
    .order_by(attempts.c.number)
)
_CHUNKS = (
    select(
        chunks.c.attempt_id,
        chunks.c.set_id,
        chunks.c.first_row,
        chunks.c.n_rows,
        chunks.c.first_step,
        chunks.c.stride,
        chunks.c.steps,
        chunks.c.encoding,
        chunks.c.data,
    )
    .join_from(chunks, attempts)
    .join(trials)
    .where(trials.c.round_id == bindparam("round"))
)
_SETS = select(metric_sets.c.id, metric_sets.c.names)
_LOGGED_SETS = (
    select(chunks.c.set_id)
    .distinct()
    .join_from(chunks, attempts)
    .join(trials)
    .where(trials.c.round_id == bindparam("round"), trials.c.active)
)
#: Chunks decoded at a time: what they were decoded from is dropped before the next are fetched.
BATCH = 1000

_STATUSES = {status.value: status for status in Status}
_CAUSES: dict[str | None, Cause | None] = {None: None, **{cause.value: cause for cause in Cause}}
_PURPOSES = {purpose.value: purpose for purpose in TrialPurpose}


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Logged rows of one set of metrics: the attempt (n,) as a place, steps (n,), values (n, k)."""

    metrics: tuple[str, ...]
    attempts: IntArray
    steps: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Attempts:
    """Attempts by trial and number: their place by key, their trial's place and the step they resumed from."""

    place: Mapping[int, int]
    trials: IntArray
    starts: IntArray


def take(
    connection: Connection,
    name: str,
    retired: bool,
    metrics: Collection[str] | None = None,
    trial: str | None = None,
) -> Evidence:
    """Everything the round has shown, as one unchanging value.

    With ``metrics`` only the curves of those, with ``trial`` only that one.
    """
    round_key = rounds.key_of(connection, name)
    design = rounds.newest(connection, round_key)
    with without_collecting():
        return _evidence(connection, name, round_key, design, retired, metrics, trial)


def curves_of(
    connection: Connection, name: str, metrics: Collection[str] | None = None
) -> tuple[tuple[str, ...], dict[str, Curves]]:
    """The names of the trials of the plan, in its order, and their curves: a snapshot without configurations."""
    round_key = rounds.key_of(connection, name)
    with without_collecting():
        rows = connection.execute(_NAMES, {"round": round_key}).all()
        return tuple(row[1] for row in rows), _curves(connection, round_key, [row[0] for row in rows], metrics, None)


def logged(connection: Connection, name: str) -> tuple[str, ...]:
    """All metrics that a trial of the plan logged, sorted."""
    round_key = rounds.key_of(connection, name)
    keys = set(connection.execute(_LOGGED_SETS, {"round": round_key}).scalars())
    names = {key: json.loads(text) for key, text in connection.execute(_SETS)} if keys else {}
    return tuple(sorted({metric for key in keys for metric in names[key]}))


def _evidence(
    connection: Connection,
    name: str,
    round_key: int,
    design: Round,
    retired: bool,
    metrics: Collection[str] | None,
    trial: str | None,
) -> Evidence:
    wanted = _TRIALS if retired else _ACTIVE_TRIALS
    rows = connection.execute(_only(wanted, trial), {"round": round_key}).all()
    configs = json.loads(f"[{','.join(row.config for row in rows)}]")
    records = tuple(_record(Config(config), *row) for config, row in zip(configs, rows, strict=True))
    return Evidence(
        name=name,
        round=design,
        studies=studies_of(design, records),
        trials=records,
        curves=_curves(connection, round_key, [row[0] for row in rows], metrics, trial),
    )


def _only(statement: Select[Any], trial: str | None) -> Select[Any]:
    return statement if trial is None else statement.where(trials.c.name == trial)


def studies_of(design: Round, records: Sequence[TrialRecord]) -> tuple[Study, ...]:
    """The studies of the trials in their order; a setting is what all trials of a study share."""
    names = [item.name for item in design.scientific]
    members: dict[str, list[Config]] = {}
    for record in records:
        members.setdefault(record.study, []).append(record.config)
    return tuple(Study(study, _setting(study, names, configs)) for study, configs in members.items())


def _setting(study: str, names: Sequence[str], configs: Sequence[Config]) -> Config:
    if study == WHOLE_ROUND:
        return Config()
    shared: dict[str, Value] = {name: configs[0][name] for name in names if name in configs[0]}
    for config in configs:
        for name in [name for name, value in shared.items() if name not in config or config[name] != value]:
            del shared[name]
    return Config(shared)


def _record(
    config: Config,
    _key: int,
    name: str,
    study: str,
    _config: str,
    seed: int,
    purpose: str,
    status: str | None,
    cause: str | None,
    detail: str | None,
    seconds: float | None,
    token: str | None,
) -> TrialRecord:
    unfinished = Status.PENDING if token is None else Status.RUNNING
    return TrialRecord(
        name=name,
        study=study,
        config=config,
        seed=seed,
        status=unfinished if status is None else _STATUSES[status],
        purpose=_PURPOSES[purpose],
        cause=_CAUSES[cause],
        detail=detail or "",
        seconds=seconds,
    )


def _curves(
    connection: Connection,
    round_key: int,
    trial_keys: Sequence[int],
    wanted: Collection[str] | None,
    trial: str | None,
) -> dict[str, Curves]:
    if wanted is not None and not wanted:
        return {}
    runs = _attempts(connection, _only(_ATTEMPTS, trial), round_key, trial_keys)
    found = _points(connection, _only(_CHUNKS, trial), round_key, runs, wanted)
    found = _surviving(found, runs)
    metrics = sorted({metric for points in found for metric in points.metrics})
    places: dict[tuple[int, ...], _Place] = {}
    return {metric: _curve_of(metric, found, runs.trials, len(trial_keys), places) for metric in metrics}


def _attempts(connection: Connection, statement: Select[Any], round_key: int, trial_keys: Sequence[int]) -> _Attempts:
    place = {key: number for number, key in enumerate(trial_keys)}
    found = connection.execute(statement, {"round": round_key}).all()
    known = sorted(((place[trial], key, start) for key, trial, start in found if trial in place), key=_trial_place)
    starts = [lineage.NEVER if start is None else start for _, _, start in known]
    return _Attempts(
        {key: number for number, (_, key, _) in enumerate(known)},
        np.array([trial for trial, _, _ in known], dtype=np.int64),
        np.array(starts, dtype=np.int64),
    )


def _trial_place(row: tuple[int, int, int | None]) -> int:
    return row[0]


def _points(
    connection: Connection,
    statement: Select[Any],
    round_key: int,
    runs: _Attempts,
    wanted: Collection[str] | None,
) -> list[_Points]:
    """All chunks, one entry for every set of metrics, each by attempt and row.

    With ``wanted`` only the values of those metrics are kept; the steps of the others still tell which
    attempt replaced which.
    """
    names = {key: tuple(json.loads(text)) for key, text in connection.execute(_SETS)}
    parts: dict[int, list[_Chunks]] = {}
    result = connection.execute(statement, {"round": round_key}, execution_options={"yield_per": BATCH})
    for rows in result.partitions():
        for key, batch in _by_set(rows, runs):
            parts.setdefault(key, []).append(_decoded(names[key], batch, runs, wanted))
    return [_joined(_shown(names[key], wanted), parts[key]) for key in sorted(parts)]


@dataclass(frozen=True, slots=True, eq=False)
class _Chunks:
    """Some decoded chunks of one set: by chunk the attempt's place, first row and length, by row steps and values."""

    places: IntArray
    first_rows: IntArray
    lengths: IntArray
    steps: IntArray
    values: FloatArray


def _by_set(rows: Sequence[Record], runs: _Attempts) -> Iterator[tuple[int, list[Record]]]:
    found: dict[int, list[Record]] = {}
    for row in rows:
        if row[0] in runs.place:
            found.setdefault(row[1], []).append(row)
    yield from found.items()


def _shown(metrics: Sequence[str], wanted: Collection[str] | None) -> tuple[str, ...]:
    return tuple(metric for metric in metrics if wanted is None or metric in wanted)


def _decoded(
    metrics: tuple[str, ...], rows: Sequence[Record], runs: _Attempts, wanted: Collection[str] | None
) -> _Chunks:
    attempt_keys, _, first_rows, n_rows, first_steps, strides, steps, encodings, datas = zip(*rows, strict=True)
    lengths = np.array(n_rows, dtype=np.int64)
    shown = _shown(metrics, wanted)
    values = np.empty((int(lengths.sum()), 0))
    if shown:
        values = unpack_values(encodings, datas, len(metrics))
        if shown != metrics:
            values = values[:, [metrics.index(metric) for metric in shown]]
    return _Chunks(
        np.array([runs.place[key] for key in attempt_keys], dtype=np.int64),
        np.array(first_rows, dtype=np.int64),
        lengths,
        _decoded_steps(lengths, first_steps, strides, steps),
        values,
    )


def _joined(metrics: tuple[str, ...], parts: list[_Chunks]) -> _Points:
    """The chunks of one set by attempt and row. Takes ``parts`` apart, so that nothing is held twice."""
    places = np.concatenate([part.places for part in parts])
    first_rows = np.concatenate([part.first_rows for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    order = np.lexsort((first_rows, places))
    starts = np.empty_like(lengths)
    starts[order] = np.cumsum(lengths[order]) - lengths[order]
    n_rows = int(lengths.sum())
    # Column by column, so that the curve of a metric is a piece of it and no copy.
    steps, values = np.empty(n_rows, np.int64), np.empty((n_rows, len(metrics)), order="F")
    end = len(lengths)
    while parts:
        part = parts.pop()
        end -= len(part.lengths)
        before = np.cumsum(part.lengths) - part.lengths
        rows = np.arange(len(part.steps)) + np.repeat(starts[end : end + len(part.lengths)] - before, part.lengths)
        steps[rows], values[rows] = part.steps, part.values
    return _Points(metrics, np.repeat(places[order], lengths[order]), steps, values)


def _decoded_steps(
    lengths: IntArray, first_steps: Sequence[int], strides: Sequence[int | None], packed: Sequence[bytes | None]
) -> IntArray:
    """Regular stretches all at once, the others one by one; trials of one round mostly share theirs."""
    known: dict[tuple[int, bytes], IntArray] = {}
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    regular = np.array([stride or 0 for stride in strides], dtype=np.int64)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    steps: IntArray = np.repeat(np.array(first_steps, dtype=np.int64), lengths) + within * np.repeat(regular, lengths)
    for chunk, data in enumerate(packed):
        if data is not None:
            key = (first_steps[chunk], data)
            if key not in known:
                known[key] = unpack_steps(first_steps[chunk], None, data, int(lengths[chunk]))
            steps[offsets[chunk] : offsets[chunk + 1]] = known[key]
    return steps


def _surviving(found: Sequence[_Points], runs: _Attempts) -> list[_Points]:
    """The points that no later attempt took the place of."""
    n_attempts = len(runs.trials)
    if n_attempts == len(np.unique(runs.trials)):
        return list(found)
    owners = np.concatenate([points.attempts for points in found] or [np.empty(0, np.int64)])
    steps = np.concatenate([points.steps for points in found] or [np.empty(0, np.int64)])
    limits = lineage.limits(runs.trials, runs.starts, lineage.first_steps(owners, steps, n_attempts))
    return [_kept(points, points.steps < limits[points.attempts]) for points in found]


def _kept(points: _Points, keep: lineage.BoolArray) -> _Points:
    if keep.all():
        return points
    return _Points(points.metrics, points.attempts[keep], points.steps[keep], points.values[keep])


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where the points of some sets lie as curves: the order to take them in (None for as they are), whose, when."""

    order: IntArray | None
    offsets: IntArray
    steps: IntArray


def _curve_of(
    metric: str, found: Sequence[_Points], trial_of: IntArray, n_trials: int, places: dict[tuple[int, ...], _Place]
) -> Curves:
    """The curves of ``metric``; ``places`` keeps what metrics that were logged together share."""
    own = tuple(number for number, points in enumerate(found) if metric in points.metrics)
    if own not in places:
        places[own] = _place([found[number] for number in own], trial_of, n_trials)
    place = places[own]
    columns = [found[number].values[:, found[number].metrics.index(metric)] for number in own]
    values = np.concatenate(columns) if len(columns) > 1 else np.ascontiguousarray(columns[0])
    return Curves(place.offsets, place.steps, values if place.order is None else values[place.order])


def _place(parts: Sequence[_Points], trial_of: IntArray, n_trials: int) -> _Place:
    owners = trial_of[np.concatenate([points.attempts for points in parts])]
    steps = np.concatenate([points.steps for points in parts]) if len(parts) > 1 else parts[0].steps
    order = lineage.in_order(owners, steps)
    if order is not None:
        owners, steps = owners[order], steps[order]
    offsets = np.searchsorted(owners, np.arange(n_trials + 1)).astype(np.int64)
    return _Place(order, offsets, steps)

"""A round as evidence: trials in the order of the plan, curves as arrays, decoded together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

#: The place of an attempt whose trial is not asked for.
NOWHERE = -1

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


def take(connection: Connection, name: str, retired: bool) -> Evidence:
    """Everything the round has shown, as one unchanging value."""
    round_key = rounds.key_of(connection, name)
    design = rounds.newest(connection, round_key)
    with without_collecting():
        return _evidence(connection, name, round_key, design, retired)


def _evidence(connection: Connection, name: str, round_key: int, design: Round, retired: bool) -> Evidence:
    rows = connection.execute(_TRIALS if retired else _ACTIVE_TRIALS, {"round": round_key}).all()
    configs = json.loads(f"[{','.join(row.config for row in rows)}]")
    records = tuple(_record(Config(config), *row) for config, row in zip(configs, rows, strict=True))
    return Evidence(
        name=name,
        round=design,
        studies=studies_of(design, records),
        trials=records,
        curves=_curves(connection, round_key, [row[0] for row in rows]),
    )


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


def _curves(connection: Connection, round_key: int, trial_keys: Sequence[int]) -> dict[str, Curves]:
    runs = _attempts(connection, round_key, trial_keys)
    found = _points(connection, _CHUNKS, {"round": round_key}, runs)
    found = _surviving(found, runs)
    metrics = sorted({metric for points in found for metric in points.metrics})
    return {metric: _curve_of(metric, found, runs.trials, len(trial_keys)) for metric in metrics}


def _attempts(connection: Connection, round_key: int, trial_keys: Sequence[int]) -> _Attempts:
    place = {key: number for number, key in enumerate(trial_keys)}
    found = connection.execute(_ATTEMPTS, {"round": round_key}).all()
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
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any], runs: _Attempts
) -> list[_Points]:
    """All chunks, one entry for every set of metrics, each by attempt and row."""
    rows = connection.execute(statement, dict(parameters)).all()
    keys = np.array([(runs.place.get(row[0], NOWHERE), row[1], row[2]) for row in rows], dtype=np.int64).reshape(-1, 3)
    places, sets, first_rows = keys.T
    names = {key: tuple(json.loads(text)) for key, text in connection.execute(_SETS)} if rows else {}
    found = []
    for key in np.unique(sets[places != NOWHERE]).tolist():
        own = np.flatnonzero((sets == key) & (places != NOWHERE))
        own = own[np.lexsort((first_rows[own], places[own]))]
        found.append(_decoded(names[key], places[own], [rows[place] for place in own.tolist()]))
    return found


def _decoded(metrics: tuple[str, ...], places: IntArray, rows: Sequence[Record]) -> _Points:
    _, _, _, n_rows, first_steps, strides, steps, encodings, datas = zip(*rows, strict=True)
    lengths = np.array(n_rows, dtype=np.int64)
    return _Points(
        metrics,
        np.repeat(places, lengths),
        _decoded_steps(lengths, first_steps, strides, steps),
        unpack_values(encodings, datas, len(metrics)),
    )


def _decoded_steps(
    lengths: IntArray, first_steps: Sequence[int], strides: Sequence[int | None], packed: Sequence[bytes | None]
) -> IntArray:
    """Regular stretches all at once, the others one by one."""
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    regular = np.array([stride or 0 for stride in strides], dtype=np.int64)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    steps: IntArray = np.repeat(np.array(first_steps, dtype=np.int64), lengths) + within * np.repeat(regular, lengths)
    for chunk, data in enumerate(packed):
        if data is not None:
            part = slice(offsets[chunk], offsets[chunk + 1])
            steps[part] = unpack_steps(first_steps[chunk], None, data, int(lengths[chunk]))
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


def _curve_of(metric: str, found: Sequence[_Points], trial_of: IntArray, n_trials: int) -> Curves:
    parts = [(points, points.metrics.index(metric)) for points in found if metric in points.metrics]
    attempts_ = np.concatenate([points.attempts for points, _ in parts])
    steps = np.concatenate([points.steps for points, _ in parts])
    values = np.concatenate([points.values[:, column] for points, column in parts])
    owners = trial_of[attempts_]
    order = lineage.in_order(owners, steps)
    if order is not None:
        owners, steps, values = owners[order], steps[order], values[order]
    offsets = np.searchsorted(owners, np.arange(n_trials + 1)).astype(np.int64)
    return Curves(offsets, np.ascontiguousarray(steps), np.ascontiguousarray(values))

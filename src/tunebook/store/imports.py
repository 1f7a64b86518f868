"""Rounds that were run elsewhere, stored at once with their outcomes and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, bindparam, func, insert, select

from tunebook.core.outcome import Outcome
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.errors import InputError
from tunebook.store import curves, rounds
from tunebook.store.leases import outcome_row
from tunebook.store.packing import CurveBlock
from tunebook.store.schema import attempts, outcomes, queue, trials
from tunebook.store.trials import hold_round, insert_named

_KEYS = select(trials.c.spec_id, trials.c.id, trials.c.name).where(trials.c.round_id == bindparam("round"))
_RANK = select(func.coalesce(func.max(trials.c.rank) + 1, 0)).where(trials.c.round_id == bindparam("round"))
_DONE = select(outcomes.c.trial_id).join(trials).where(trials.c.round_id == bindparam("round"))
_N_ATTEMPTS = (
    select(attempts.c.trial_id, func.max(attempts.c.number))
    .join(trials)
    .where(trials.c.round_id == bindparam("round"))
    .group_by(attempts.c.trial_id)
)
_ADD_ATTEMPT = insert(attempts).returning(attempts.c.id)
_ADD_OUTCOMES = insert(outcomes)
_LEAVE_QUEUE = queue.delete().where(queue.c.trial_id == bindparam("trial"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedTrial:
    """A finished trial from elsewhere. ``curves`` maps a metric to its steps (n,) and values (n,)."""

    name: str
    spec: TrialSpec
    outcome: Outcome
    curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]] = field(default_factory=dict)
    seconds: float | None = None


def store_round(
    connection: Connection, name: str, design: Round, found: Sequence[ImportedTrial], now: float, origin: str
) -> int:
    """Store the round and those of its trials that are not there yet; how many those were."""
    _check_distinct(found)
    rounds.save(connection, name, design, now, origin)
    key = {"round": hold_round(connection, name)}
    known = {row.spec_id for row in connection.execute(_KEYS, key)}
    new = [(trial.name, trial.spec) for trial in found if trial.spec.id not in known]
    _check_names(connection, key, new)
    insert_named(connection, key["round"], new, connection.execute(_RANK, key).scalar_one(), now)
    keys = {row.spec_id: row.id for row in connection.execute(_KEYS, key)}
    done = set(connection.execute(_DONE, key).scalars())
    earlier = {row[0]: row[1] for row in connection.execute(_N_ATTEMPTS, key)}
    missing = [(keys[trial.spec.id], trial) for trial in found if keys[trial.spec.id] not in done]
    for trial_key, trial in missing:
        _store_trial(connection, trial_key, earlier.get(trial_key, 0) + 1, trial, now)
    return len(missing)


def blocks_of(found: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]) -> list[CurveBlock]:
    """Curves as few blocks: metrics with the same steps share one."""
    groups: dict[bytes, list[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.float64]]]] = {}
    for metric, (steps, values) in found.items():
        own_steps, own_values = np.asarray(steps, dtype=np.int64), np.asarray(values, dtype=np.float64)
        if own_steps.shape != own_values.shape or own_steps.ndim != 1:
            raise ValueError(f"{metric}: {own_values.shape} values for {own_steps.shape} steps")
        if len(own_steps):
            groups.setdefault(own_steps.tobytes(), []).append((metric, own_steps, own_values))
    return [
        CurveBlock(tuple(metric for metric, _, _ in group), group[0][1], np.column_stack([v for _, _, v in group]))
        for group in groups.values()
    ]


def _store_trial(connection: Connection, trial_key: int, number: int, trial: ImportedTrial, now: float) -> None:
    attempt = {"trial_id": trial_key, "number": number, "token": "", "started_at": now}
    attempt_key = int(connection.execute(_ADD_ATTEMPT, attempt).scalar_one())
    connection.execute(_ADD_OUTCOMES, outcome_row(trial_key, attempt_key, trial.outcome, trial.seconds, now))
    connection.execute(_LEAVE_QUEUE, {"trial": trial_key})
    for block in blocks_of(trial.curves):
        curves.add(connection, attempt_key, curves.intern(connection, block.metrics), block, 0, 0)


def _check_distinct(found: Sequence[ImportedTrial]) -> None:
    seen: dict[str, str] = {}
    for trial in found:
        other = seen.setdefault(trial.spec.id, trial.name)
        if other != trial.name:
            raise InputError(
                f"{trial.name} and {other} have the same configuration, seed and steps and would be one trial: "
                "give repeats different seeds"
            )


def _check_names(connection: Connection, key: dict[str, int], new: Sequence[tuple[str, TrialSpec]]) -> None:
    names = [row.name for row in connection.execute(_KEYS, key)] + [name for name, _ in new]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise InputError(f"these names stand for two trials of the round: {', '.join(sorted(twice))}")

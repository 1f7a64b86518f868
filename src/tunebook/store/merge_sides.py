"""The two sides of a merge: what a round holds in one store, and what differs between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, select

from tunebook.evidence import Evidence
from tunebook.store import rounds, snapshot
from tunebook.store.schema import Record, attempt_ends, attempts, designs, outcomes, queue, resumes, trials

_KEY = "round"
_OF_ROUND = trials.c.round_id == bindparam(_KEY)
_DESIGNS = select(designs).where(designs.c.round_id == bindparam(_KEY)).order_by(designs.c.version)
_TRIALS = select(trials).where(_OF_ROUND).order_by(trials.c.rank, trials.c.id)
_ATTEMPTS = (
    select(attempts, attempt_ends.c.reason, resumes.c.start_step)
    .join_from(attempts, trials)
    .join(attempt_ends, attempt_ends.c.attempt_id == attempts.c.id, isouter=True)
    .join(resumes, resumes.c.attempt_id == attempts.c.id, isouter=True)
    .where(_OF_ROUND)
    .order_by(attempts.c.trial_id, attempts.c.number)
)
_OUTCOMES = select(outcomes).join(trials).where(_OF_ROUND)
_HELD = select(queue).where(queue.c.round_id == bindparam(_KEY), queue.c.token.is_not(None))


@dataclass(slots=True)
class Side:
    """A round in one store. Attempts, outcomes and leases are found by the key of their trial there."""

    name: str
    key: int
    designs: Sequence[Record]
    trials: Mapping[str, Record]
    attempts: Mapping[int, list[Record]]
    outcomes: Mapping[int, Record]
    held: Mapping[int, Record]
    connection: Connection
    _evidence: Evidence | None = field(default=None, repr=False)

    @classmethod
    def read(cls, connection: Connection, name: str) -> Side:
        """Everything about the round but its curves."""
        key = rounds.key_of(connection, name)
        wanted = {_KEY: key}
        tries: dict[int, list[Record]] = {}
        for row in connection.execute(_ATTEMPTS, wanted):
            tries.setdefault(row.trial_id, []).append(row)
        return cls(
            name=name,
            key=key,
            designs=connection.execute(_DESIGNS, wanted).all(),
            trials={row.spec_id: row for row in connection.execute(_TRIALS, wanted)},
            attempts=tries,
            outcomes={row.trial_id: row for row in connection.execute(_OUTCOMES, wanted)},
            held={row.trial_id: row for row in connection.execute(_HELD, wanted)},
            connection=connection,
        )

    def attempts_of(self, trial_key: int) -> list[Record]:
        """The attempts at a trial in their order."""
        return self.attempts.get(trial_key, [])

    def winner(self, trial_key: int) -> Record | None:
        """The attempt that gave the trial its outcome."""
        ended = self.outcomes.get(trial_key)
        if ended is None:
            return None
        return next((row for row in self.attempts_of(trial_key) if row.id == ended.attempt_id), None)

    def curves_of(self, trial: str) -> dict[str, tuple[bytes, bytes]]:
        """The curves of a trial, bit for bit, by metric; the round is read whole when first asked."""
        if self._evidence is None:
            self._evidence = snapshot.take(self.connection, self.name, True)
        place = next(number for number, record in enumerate(self._evidence.trials) if record.name == trial)
        found = {metric: self._evidence.curves[metric][place] for metric in self._evidence.metrics}
        return {
            metric: (steps.tobytes(), np.ascontiguousarray(values).tobytes())
            for metric, (steps, values) in found.items()
            if len(steps)
        }

    def value_of(self, trial: str) -> float:
        """The objective of a trial whose curves were asked for before."""
        assert self._evidence is not None
        place = next(number for number, record in enumerate(self._evidence.trials) if record.name == trial)
        return float(self._evidence.scores().values[place])


class Newer(Enum):
    """Whose design is in force after a merge."""

    SAME = "same"
    OURS = "ours"
    THEIRS = "theirs"
    NEITHER = "neither"


def newer(ours: Sequence[str], theirs: Sequence[str]) -> Newer:
    """Which of two histories of designs, oldest first, goes on from where the other one ends."""
    if ours[-1] == theirs[-1]:
        return Newer.SAME
    if theirs[-1] in ours:
        return Newer.OURS
    return Newer.THEIRS if ours[-1] in theirs else Newer.NEITHER


def texts(rows: Iterable[Record]) -> list[str]:
    """Designs in one spelling, without the name that another store may give the round."""
    return [json.dumps(_unnamed(json.loads(row.design)), sort_keys=True) for row in rows]


def _unnamed(design: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in design.items() if key != "name"}


def tokens(rows: Iterable[Record]) -> set[str]:
    """What names attempts in any store; imported ones have nothing."""
    return {row.token for row in rows if row.token}

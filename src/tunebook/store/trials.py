"""Trials: what the plan of a round holds, and how each of them stands."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, update

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.store.rounds import key_of
from tunebook.store.schema import attempts, outcomes, queue, rounds, trials
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
_PLACE = update(trials).where(trials.c.id == bindparam("key")).values(rank=bindparam("to"), active=bindparam("is_active"))
_PLACE_QUEUED = update(queue).where(queue.c.trial_id == bindparam("key")).values(rank=bindparam("to"))
_ENQUEUE = text(
    "INSERT INTO queue (trial_id, round_id, rank) SELECT t.id, t.round_id, t.rank FROM trials t "
    "WHERE t.round_id = :round AND t.active AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.trial_id = t.id) "
    "AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.trial_id = t.id)"
)
_SPECS = (
    select(*SPEC_COLUMNS)
    .where(trials.c.round_id == bindparam("round"), trials.c.active | bindparam("retired", type_=None))
    .order_by(trials.c.rank, trials.c.id)
)

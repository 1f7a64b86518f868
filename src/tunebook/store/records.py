"""What was recorded beside the trials: provenance, launches, notes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, text

from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.errors import InputError, StoreError
from tunebook.store.engine import is_again
from tunebook.store.rounds import key_of
from tunebook.store.schema import attempts, launches, notes, outcomes, provenances, rounds, trials
from tunebook.store.values import Note, time_of

_ADD_PROVENANCE = text("INSERT INTO provenances (id, record) VALUES (:id, :record) ON CONFLICT DO NOTHING")
_PROVENANCE = (
    select(provenances.c.record)
    .join_from(provenances, attempts)
    .join(trials)
    .where(or_(trials.c.name == bindparam("trial"), trials.c.spec_id == bindparam("trial")))
    .order_by(attempts.c.id.desc())
    .limit(1)
)
_PROVENANCE_IN = _PROVENANCE.where(trials.c.round_id == bindparam("round"))
_PROVENANCES_OF = (
    select(provenances.c.record, func.count())
    .join_from(provenances, attempts)
    .join(outcomes, outcomes.c.attempt_id == attempts.c.id)
    .join(trials, trials.c.id == outcomes.c.trial_id)
    .where(trials.c.round_id == bindparam("round"), trials.c.active)
    .where(outcomes.c.status.in_(("complete", "infeasible")))
    .group_by(provenances.c.id, provenances.c.record)
    .order_by(provenances.c.id)
)
_ADD_LAUNCH = text("INSERT INTO launches (number, record) VALUES (:number, :record) ON CONFLICT DO NOTHING")
_LAUNCHES = select(launches.c.record).order_by(launches.c.number)
_ADD_NOTE = insert(notes)
_SAME_NOTE = select(notes.c.id).where(
    notes.c.round_id == bindparam("round"), notes.c.text == bindparam("text"), notes.c.at == bindparam("at")
)
_ONE_LAUNCH = select(launches.c.record).where(launches.c.number == bindparam("number"))
_TRIAL = select(trials.c.id).where(
    trials.c.round_id == bindparam("round"),
    or_(trials.c.name == bindparam("trial"), trials.c.spec_id == bindparam("trial")),
)
_NOTES = (
    select(rounds.c.name.label("round"), trials.c.name.label("trial"), notes.c.text, notes.c.at)
    .join_from(notes, rounds, rounds.c.id == notes.c.round_id)
    .join(trials, trials.c.id == notes.c.trial_id, isouter=True)
    .order_by(notes.c.id)
)


def save_provenance(connection: Connection, record: Mapping[str, Any]) -> str:
    """Store a record once; the hash of its content, which names it."""
    written = json.dumps(record, sort_keys=True, ensure_ascii=False)
    key = hashlib.blake2b(written.encode(), digest_size=16).hexdigest()
    connection.execute(_ADD_PROVENANCE, {"id": key, "record": written})
    return key


def provenance(connection: Connection, trial: str, round_name: str | None) -> dict[str, Any] | None:
    """The record of the newest attempt that has one, of the trial with this name or id."""
    if round_name is None:
        record = connection.execute(_PROVENANCE, {"trial": trial}).scalar()
    else:
        wanted = {"trial": trial, "round": key_of(connection, round_name)}
        record = connection.execute(_PROVENANCE_IN, wanted).scalar()
    return None if record is None else dict(json.loads(record))


def provenances_of(connection: Connection, round_name: str) -> list[tuple[dict[str, Any], int]]:
    """The records under which the results of a round came about, each with the number of its trials."""
    found = connection.execute(_PROVENANCES_OF, {"round": key_of(connection, round_name)}).all()
    return [(dict(json.loads(record)), count) for record, count in found]


def append_launch(connection: Connection, launch: Launch) -> None:
    """Add to the ledger; ``StoreError`` when somebody else has added this number."""
    written = json.dumps(_launch_mapping(launch))
    added = connection.execute(_ADD_LAUNCH, {"number": launch.number, "record": written})
    if added.rowcount != 1 and not (is_again(connection) and _is_there(connection, launch.number, written)):
        raise StoreError(f"launch {launch.number} is already in the ledger; read it again and decide again")


def all_launches(connection: Connection) -> list[Launch]:
    """The ledger from launch 0 on."""
    return [_launch(json.loads(record)) for record in connection.execute(_LAUNCHES).scalars()]


def add_note(connection: Connection, round_name: str, trial: str | None, words: str, now: float) -> None:
    """Keep a sentence about a round or one of its trials."""
    round_key = key_of(connection, round_name)
    trial_key = None if trial is None else _trial_key(connection, round_key, round_name, trial)
    row = {"round_id": round_key, "trial_id": trial_key, "text": words, "at": now}
    if not (is_again(connection) and connection.execute(_SAME_NOTE, {"round": round_key, **row}).first()):
        connection.execute(_ADD_NOTE, row)


def all_notes(connection: Connection, round_name: str | None) -> tuple[Note, ...]:
    """Notes in the order of their writing, of one round or of all."""
    statement = _NOTES if round_name is None else _NOTES.where(rounds.c.id == key_of(connection, round_name))
    found = connection.execute(statement)
    return tuple(Note(round=row.round, trial=row.trial, text=row.text, at=time_of(row.at)) for row in found)


def _is_there(connection: Connection, number: int, written: str) -> bool:
    return bool(connection.execute(_ONE_LAUNCH, {"number": number}).scalar() == written)


def _trial_key(connection: Connection, round_key: int, round_name: str, trial: str) -> int:
    key = connection.execute(_TRIAL, {"round": round_key, "trial": trial}).scalar()
    if key is None:
        raise InputError(f"round {round_name!r} has no trial {trial!r}")
    return int(key)


def _launch_mapping(launch: Launch) -> dict[str, Any]:
    mapping = {item.name: getattr(launch, item.name) for item in fields(launch)}
    return {
        **mapping,
        "config": dict(launch.config),
        "at": launch.at.isoformat(),
        "evidence": dict(launch.evidence),
    }


def _launch(record: dict[str, Any]) -> Launch:
    return Launch(**{**record, "config": Config(record["config"]), "at": datetime.fromisoformat(record["at"])})

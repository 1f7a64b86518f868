"""The ledger and the notes of a merge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from tunebook.store.schema import launches, notes, rounds, trials

_NAMES = select(rounds.c.id, rounds.c.name)
_LAUNCHES = select(launches.c.number, launches.c.record).order_by(launches.c.number)
_NOTES = select(notes, trials.c.spec_id).join_from(notes, trials, isouter=True).order_by(notes.c.id)
_SPECS = select(trials.c.id, trials.c.round_id, trials.c.spec_id)


def launches_of(
    target: Connection, source: Connection, rename: Mapping[str, str]
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Launches of theirs that go on from ours, and those that contradict ours."""
    ours = [tuple(row) for row in target.execute(_LAUNCHES)]
    theirs = [(number, _renamed(record, rename)) for number, record in source.execute(_LAUNCHES)]
    shared = 0
    while shared < min(len(ours), len(theirs)) and _equal(ours[shared], theirs[shared]):
        shared += 1
    if shared == len(ours):
        return theirs[shared:], []
    return [], theirs[shared:]


def _equal(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    return bool(ours[0] == theirs[0] and json.loads(ours[1]) == json.loads(theirs[1]))


def _renamed(record: str, rename: Mapping[str, str]) -> str:
    launch = json.loads(record)
    if launch.get("round") not in rename:
        return record
    return json.dumps({**launch, "round": rename[launch["round"]]})


def as_notes(disputed: Sequence[tuple[int, str]], now: float) -> list[tuple[str, str | None, str, float]]:
    """Launches that our ledger does not take, as notes: round, trial, text, time."""
    return [
        (json.loads(record)["round"], None, f"launch {number} of a merged store: {record}", now)
        for number, record in disputed
    ]


def copy_notes(
    target: Connection,
    source: Connection,
    rename: Mapping[str, str],
    more: Sequence[tuple[str, str | None, str, float]],
) -> int:
    """Add the notes that are not here yet; how many. The time of a launch that became one does not count."""
    names = {row.id: row.name for row in source.execute(_NAMES)}
    here = {row.name: row.id for row in target.execute(_NAMES)}
    theirs = [
        (rename.get(names[row.round_id], names[row.round_id]), row.spec_id, row.text, row.at)
        for row in source.execute(_NOTES)
    ]
    known = {(row.round_id, row.spec_id, row.text, row.at) for row in target.execute(_NOTES)}
    said = {(row[0], row[2]) for row in known}
    new = [(here[name], spec, words, at) for name, spec, words, at in theirs if name in here]
    new = [row for row in new if row not in known]
    new += [(here[name], None, words, at) for name, _, words, at in more if (here.get(name), words) not in said]
    keys = {(row.round_id, row.spec_id): row.id for row in target.execute(_SPECS)}
    rows = [
        {"round_id": key, "trial_id": keys[key, spec] if spec else None, "text": words, "at": at}
        for key, spec, words, at in new
    ]
    if rows:
        target.execute(insert(notes), rows)
    return len(rows)

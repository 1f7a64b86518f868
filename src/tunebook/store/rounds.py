"""Rounds and the versions of their designs."""

from __future__ import annotations

import json
import re
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select

from tunebook.core.numbered import is_number, numbered
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Purpose, Round
from tunebook.errors import InputError
from tunebook.store.engine import lock
from tunebook.store.schema import designs, rounds
from tunebook.store.values import RoundRow, time_of

#: Key of the lock under which rounds are numbered; any fixed number other than that of the upgrade.
ROUNDS_LOCK = 7_083_902

_LEADING = re.compile(r"[0-9]")
_KEY = select(rounds.c.id).where(rounds.c.name == bindparam("name"))
_NUMBERED = select(rounds.c.number, rounds.c.name).order_by(rounds.c.number)
_DESIGNS = (
    select(designs.c.version, designs.c.created_at, designs.c.design)
    .where(designs.c.round_id == bindparam("round"))
    .order_by(designs.c.version)
)
_NEWEST = (
    select(designs.c.version, designs.c.design)
    .where(designs.c.round_id == bindparam("round"))
    .order_by(designs.c.version.desc())
    .limit(1)
)
_LAST = select(designs.c.round_id, func.max(designs.c.version).label("version")).group_by(designs.c.round_id).subquery()
_ROWS = (
    select(rounds.c.number, rounds.c.name, rounds.c.origin, rounds.c.created_at, designs.c.design)
    .join_from(rounds, designs, designs.c.round_id == rounds.c.id)
    .join(_LAST, (_LAST.c.round_id == designs.c.round_id) & (_LAST.c.version == designs.c.version))
    .order_by(rounds.c.number)
)
_NUMBER = select(rounds.c.number).where(rounds.c.id == bindparam("round"))
_COUNT = select(func.coalesce(func.max(rounds.c.number), 0))
_ADD = insert(rounds).returning(rounds.c.id)
_ADD_DESIGN = insert(designs)


def save(connection: Connection, name: str, design: Round, now: float, origin: str) -> int:
    """Store a round, or a new version of its design where it differs; the number of the round."""
    lock(connection, ROUNDS_LOCK)
    key = connection.execute(_KEY, {"name": name}).scalar()
    if key is None:
        key = _add(connection, name, now, origin)
    version, newest = connection.execute(_NEWEST, {"round": key}).first() or (0, "")
    written = json.dumps(design.to_mapping(), ensure_ascii=False)
    if written != newest:
        row = {"round_id": key, "version": version + 1, "design": written, "created_at": now}
        connection.execute(_ADD_DESIGN, row)
    return int(connection.execute(_NUMBER, {"round": key}).scalar_one())


def key_of(connection: Connection, name: str) -> int:
    """The key of the round with exactly this name; ``InputError`` when there is none."""
    key = connection.execute(_KEY, {"name": name}).scalar()
    if key is None:
        raise _no_round(connection, name)
    return int(key)


def resolve(connection: Connection, name_or_number: str) -> str:
    """The name of the round with this name, or else with this number.

    A number is the one a name begins with (``4`` is ``04-warmup``), or else the place in the order of making of a round
    whose name begins with no number.
    ``InputError`` lists the rounds when there is none, or the number could mean several.
    """
    rows = connection.execute(_NUMBERED).all()
    names = [row.name for row in rows]
    if name_or_number in names:
        return name_or_number
    if is_number(name_or_number):
        wanted = int(name_or_number)
        named = numbered(names, wanted)
        if len(named) > 1:
            raise InputError(f"round {wanted} could be {' or '.join(named)}; give the name")
        made = [name for number, name in rows if number == wanted and not _LEADING.match(name)]
        for name in named or made:
            return str(name)
    raise _no_round(connection, name_or_number)


def rows(connection: Connection) -> tuple[RoundRow, ...]:
    """All rounds in the order of their making."""
    return tuple(
        RoundRow(
            number=number,
            name=name,
            origin=origin,
            created_at=time_of(at),
            goal=own["goal"],
            purpose=Purpose(own.get("purpose", Purpose.TUNING)),
        )
        for number, name, origin, at, design in connection.execute(_ROWS)
        for own in (json.loads(design),)
    )


def versions(connection: Connection, name: str) -> tuple[tuple[int, datetime, Round], ...]:
    """Version (from 1), time and content of all designs the round had."""
    found = connection.execute(_DESIGNS, {"round": key_of(connection, name)}).all()
    return tuple((version, time_of(at), read_design(text)) for version, at, text in found)


def newest(connection: Connection, round_key: int) -> Round:
    """The design in force."""
    row = connection.execute(_NEWEST, {"round": round_key}).one()
    return read_design(row.design)


def design(connection: Connection, name: str) -> Round:
    """The design in force of the round with this name."""
    return newest(connection, key_of(connection, name))


def read_design(text: str) -> Round:
    """A design as it was stored."""
    return Round.from_mapping(json.loads(text))


def _add(connection: Connection, name: str, now: float, origin: str) -> int:
    if not name.strip():
        raise InputError("a round needs a name")
    number = connection.execute(_COUNT).scalar_one() + 1
    row = {"number": number, "name": name, "origin": origin, "created_at": now}
    return int(connection.execute(_ADD, row).scalar_one())


def _no_round(connection: Connection, name: str) -> InputError:
    names = [row.name for row in connection.execute(_NUMBERED)]
    if not names:
        return InputError(f"there is no round {name!r}: this store has no rounds yet")
    return InputError(f"there is no round {name!r}{did_you_mean(name, names)}; there are: {', '.join(names)}")

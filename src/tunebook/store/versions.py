"""A short text that changes whenever a round does: what a face that polls asks, once a second."""

from __future__ import annotations

from sqlalchemy import Connection, text

#: One statement, index look-ups only. Ending a trial takes it out of the queue, running one moves its lease and
#: its rows of curves, planning and importing change the number of trials; the ledger and the notes only grow.
_VERSION = text(
    "SELECT "
    "(SELECT max(version) FROM designs WHERE round_id = r.id), "
    "(SELECT count(*) FROM trials WHERE round_id = r.id AND active), "
    "(SELECT count(*) FROM queue WHERE round_id = r.id), "
    "(SELECT count(*) FROM queue WHERE round_id = r.id AND token IS NOT NULL), "
    "(SELECT sum(c.n_rows) FROM queue q JOIN chunks c ON c.attempt_id = q.attempt_id WHERE q.round_id = r.id), "
    "(SELECT max(id) FROM attempts), "
    "(SELECT max(number) FROM launches), "
    "(SELECT max(id) FROM notes) "
    "FROM rounds r WHERE r.name = :name"
)
_ALL = text(
    "SELECT (SELECT count(*) FROM rounds), (SELECT max(id) FROM designs), (SELECT max(id) FROM trials), "
    "(SELECT count(*) FROM queue), (SELECT count(*) FROM queue WHERE token IS NOT NULL), "
    "(SELECT max(id) FROM attempts), (SELECT max(number) FROM launches), (SELECT max(id) FROM notes)"
)


def of(connection: Connection, name: str | None) -> str:
    """The version of one round, or of the whole store; empty for a round that is not there."""
    row = connection.execute(_ALL).first() if name is None else connection.execute(_VERSION, {"name": name}).first()
    return "" if row is None else "-".join("" if part is None else str(part) for part in row)

"""The tables, for SQLite and PostgreSQL alike.

Rows are appended. What changes in place is only how a trial stands in the plan (``trials.rank`` and
``active``), who works on it (``queue``, one row for every trial without an outcome) and where an attempt
resumed. Times are seconds since 1970 UTC, texts that hold structure are JSON, arrays are packed bytes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

Record: TypeAlias = Any
"""A row of a result; its own type has other parameters in SQLAlchemy 2.0 than in 2.1."""

metadata = MetaData()

#: SQLite numbers rows by itself only where the key is called INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")

rounds = Table(
    "rounds",
    metadata,
    Column("id", Key, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

designs = Table(
    "designs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("round_id", Key, ForeignKey("rounds.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("design", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("round_id", "version"),
)

#: ``position`` is the index in the sequence of the study, ``rank`` the place in the plan of the round.
trials = Table(
    "trials",
    metadata,
    Column("id", Key, primary_key=True),
    Column("round_id", Key, ForeignKey("rounds.id"), nullable=False),
    Column("spec_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("max_train_steps", BigInteger, nullable=False),
    Column("way_to_train", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("position", BigInteger),
    Column("point", LargeBinary),
    Column("rank", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("round_id", "spec_id"),
    UniqueConstraint("round_id", "name"),
)

owners = Table(
    "owners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", Double, nullable=False),
)

provenances = Table(
    "provenances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("record", Text, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("trial_id", Key, ForeignKey("trials.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("token", Text, nullable=False),
    Column("owner_id", Text, ForeignKey("owners.id")),
    Column("provenance_id", Text, ForeignKey("provenances.id")),
    Column("started_at", Double, nullable=False),
    UniqueConstraint("trial_id", "number"),
)

#: Attempts that ended without giving the trial an outcome.
attempt_ends = Table(
    "attempt_ends",
    metadata,
    Column("attempt_id", Key, ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("ended_at", Double, nullable=False),
)

#: The step an attempt went on from; none for one that started afresh or did not say.
resumes = Table(
    "resumes",
    metadata,
    Column("attempt_id", Key, ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
    Column("start_step", BigInteger, nullable=False),
)

#: The primary key is what makes an outcome final.
outcomes = Table(
    "outcomes",
    metadata,
    Column("trial_id", Key, ForeignKey("trials.id"), primary_key=True, autoincrement=False),
    Column("attempt_id", Key, ForeignKey("attempts.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("cause", Text),
    Column("detail", Text, nullable=False),
    Column("seconds", Double),
    Column("ended_at", Double, nullable=False),
)

#: Trials still to be ended. ``rank`` is empty for one the plan no longer holds, the lease for one nobody runs.
queue = Table(
    "queue",
    metadata,
    Column("trial_id", Key, ForeignKey("trials.id"), primary_key=True, autoincrement=False),
    Column("round_id", Key, ForeignKey("rounds.id"), nullable=False),
    Column("rank", BigInteger),
    Column("attempt_id", Key, ForeignKey("attempts.id")),
    Column("token", Text),
    Column("owner_id", Text, ForeignKey("owners.id")),
    Column("expires_at", Double),
    Index("ix_queue_order", "round_id", "rank", "trial_id"),
    Index("ix_queue_owner", "owner_id"),
)

metric_sets = Table(
    "metric_sets",
    metadata,
    Column("id", Key, primary_key=True),
    Column("names", Text, nullable=False, unique=True),
)

#: Rows ``first_row`` to ``first_row + n_rows`` of what one attempt logged of one set of metrics; see ``packing``.
chunks = Table(
    "chunks",
    metadata,
    Column("attempt_id", Key, ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
    Column("set_id", Key, ForeignKey("metric_sets.id"), primary_key=True, autoincrement=False),
    Column("first_row", BigInteger, primary_key=True, autoincrement=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("stride", BigInteger),
    Column("steps", LargeBinary),
    Column("encoding", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

launches = Table(
    "launches",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("id", Key, primary_key=True),
    Column("round_id", Key, ForeignKey("rounds.id"), nullable=False),
    Column("trial_id", Key, ForeignKey("trials.id")),
    Column("text", Text, nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_notes_round", "round_id"),
)

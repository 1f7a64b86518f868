"""The first tables. Frozen: ``schema`` moves on, this file stays as released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them all."""
    op.create_table(
        "rounds",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "designs",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("round_id", KEY, sa.ForeignKey("rounds.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("design", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.UniqueConstraint("round_id", "version"),
    )
    op.create_table(
        "trials",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("round_id", KEY, sa.ForeignKey("rounds.id"), nullable=False),
        sa.Column("spec_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("max_train_steps", sa.BigInteger, nullable=False),
        sa.Column("way_to_train", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger),
        sa.Column("point", sa.LargeBinary),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.UniqueConstraint("round_id", "spec_id"),
        sa.UniqueConstraint("round_id", "name"),
    )
    op.create_table(
        "owners",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
    )
    op.create_table(
        "provenances",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("trial_id", KEY, sa.ForeignKey("trials.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Text, sa.ForeignKey("owners.id")),
        sa.Column("provenance_id", sa.Text, sa.ForeignKey("provenances.id")),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.UniqueConstraint("trial_id", "number"),
    )
    op.create_table(
        "attempt_ends",
        sa.Column("attempt_id", KEY, sa.ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
    )
    op.create_table(
        "resumes",
        sa.Column("attempt_id", KEY, sa.ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
        sa.Column("start_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("trial_id", KEY, sa.ForeignKey("trials.id"), primary_key=True, autoincrement=False),
        sa.Column("attempt_id", KEY, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("ended_at", sa.Double, nullable=False),
    )
    op.create_table(
        "queue",
        sa.Column("trial_id", KEY, sa.ForeignKey("trials.id"), primary_key=True, autoincrement=False),
        sa.Column("round_id", KEY, sa.ForeignKey("rounds.id"), nullable=False),
        sa.Column("rank", sa.BigInteger),
        sa.Column("attempt_id", KEY, sa.ForeignKey("attempts.id")),
        sa.Column("token", sa.Text),
        sa.Column("owner_id", sa.Text, sa.ForeignKey("owners.id")),
        sa.Column("expires_at", sa.Double),
    )
    op.create_table(
        "metric_sets",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("names", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "chunks",
        sa.Column("attempt_id", KEY, sa.ForeignKey("attempts.id"), primary_key=True, autoincrement=False),
        sa.Column("set_id", KEY, sa.ForeignKey("metric_sets.id"), primary_key=True, autoincrement=False),
        sa.Column("first_row", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("first_step", sa.BigInteger, nullable=False),
        sa.Column("stride", sa.BigInteger),
        sa.Column("steps", sa.LargeBinary),
        sa.Column("encoding", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "launches",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "notes",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("round_id", KEY, sa.ForeignKey("rounds.id"), nullable=False),
        sa.Column("trial_id", KEY, sa.ForeignKey("trials.id")),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("ix_queue_order", "queue", ["round_id", "rank", "trial_id"])
    op.create_index("ix_queue_owner", "queue", ["owner_id"])
    op.create_index("ix_notes_round", "notes", ["round_id"])

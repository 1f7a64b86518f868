"""Bringing a store to the tables of this tunebook; Alembic is loaded only when there is something to do."""

from __future__ import annotations

import importlib
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tunebook.errors import StoreError, StoreUnavailable

#: Every version of the tables that was ever released, oldest first.
VERSIONS = ("0001",)
HEAD = VERSIONS[-1]

VERSION_TABLE = "tunebook_version"
MIGRATIONS = Path(__file__).parent / "migrations"

#: Key of the lock under which PostgreSQL upgrades; any fixed number.
UPGRADE_LOCK = 7_083_901

_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")


def version_of(connection: Connection) -> str | None:
    """The version of the tables; None where there are none. ``StoreError`` when it is not one we know."""
    if not inspect(connection).has_table(VERSION_TABLE):
        _check_not_foreign(connection)
        return None
    version: str | None = connection.execute(_VERSION).scalar()
    if version is not None and version not in VERSIONS:
        raise StoreError(
            f"this store was written by a newer tunebook (tables {version}, this one knows up to {HEAD}); "
            "run: pip install --upgrade tunebook"
        )
    return version


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, in the transaction of ``connection``, one caller at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    if version_of(connection) == HEAD:
        return
    command = importlib.import_module("alembic.command")
    config = importlib.import_module("alembic.config").Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check_not_foreign(connection: Connection) -> None:
    """An SQLite file with somebody else's tables is a slip of the hand; a PostgreSQL database may be shared."""
    if connection.dialect.name == "sqlite" and inspect(connection).get_table_names():
        raise StoreUnavailable("this is an SQLite database, but not a tunebook store; name another file")

"""The clock that leases are measured by: that of the server that holds the store."""

from __future__ import annotations

from sqlalchemy import Connection, text

_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


def now(connection: Connection) -> float | None:
    """Seconds since 1970 by the server's clock; None where the store is a file, which only one machine uses."""
    if connection.dialect.name != "postgresql":
        return None
    return float(connection.execute(_NOW).scalar_one())

"""PostgreSQL: one server, many machines."""

from __future__ import annotations

from sqlalchemy import URL, Engine, create_engine

from tunebook._optional import require
from tunebook.store.faults import Place

CONNECT_SECONDS = 10
READ_ONLY = "-c default_transaction_read_only=on"


def place_of(url: URL) -> Place:
    """The server and database, without the password."""
    return Place(url.render_as_string(hide_password=True))


def open_engine(url: URL, read_only: bool) -> tuple[Engine, bool]:
    """An engine on psycopg 3 that replaces connections a restarted server has dropped."""
    require("psycopg")
    options = [str(url.query.get("options", "")), READ_ONLY] if read_only else [str(url.query.get("options", ""))]
    arguments = {
        "options": " ".join(options).strip(),
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "tunebook",
    }
    address = url.set(drivername="postgresql+psycopg").difference_update_query(["options"])
    return create_engine(address, connect_args=arguments, pool_size=2, max_overflow=-1, pool_pre_ping=True), read_only

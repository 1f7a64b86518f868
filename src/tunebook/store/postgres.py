"""PostgreSQL: one server, many machines."""

from __future__ import annotations

import logging

from sqlalchemy import URL, Engine, create_engine

from tunebook._optional import require
from tunebook.store.faults import Place

CONNECT_SECONDS = 10
READ_ONLY = "-c default_transaction_read_only=on"

#: A connection that a cut network swallowed is noticed within half a minute, on our side …
CLIENT_SIDE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: … and on the server's, where it would otherwise hold its locks for hours; nobody waits for a lock for ever.
SERVER_SIDE = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
    "idle_in_transaction_session_timeout": "120s",
    "lock_timeout": "60s",
}


def place_of(url: URL) -> Place:
    """The server and database, without the password."""
    return Place(url.render_as_string(hide_password=True))


def open_engine(url: URL, read_only: bool) -> tuple[Engine, bool]:
    """An engine on psycopg 3 that replaces connections a restarted server has dropped."""
    require("psycopg")
    # What it warns of (a pipeline that a lost connection broke) comes to us as an error; nobody else has to read it.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    # What the address says comes last, so that it wins.
    settings = [f"-c {name}={value}" for name, value in SERVER_SIDE.items()]
    options = [*settings, *([READ_ONLY] if read_only else []), str(url.query.get("options", ""))]
    arguments = {
        "options": " ".join(options).strip(),
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "tunebook",
        **CLIENT_SIDE,
    }
    address = url.set(drivername="postgresql+psycopg").difference_update_query(["options"])
    return create_engine(address, connect_args=arguments, pool_size=2, max_overflow=-1, pool_pre_ping=True), read_only

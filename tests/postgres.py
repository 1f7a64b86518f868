"""A PostgreSQL server for tests: the one named by TUNEBOOK_TEST_PG, else one of Debian's, started here.

The fixture ``postgres_url`` (session) is the address of an empty database that tests share;
``fresh_schema(url)`` is an address under which a test finds an empty store of its own.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa

#: Set where a missing PostgreSQL is an error instead of a reason to skip.
REQUIRED = "TUNEBOOK_REQUIRE_POSTGRES"
GIVEN = "TUNEBOOK_TEST_PG"
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "32MB",
}

_numbers = itertools.count()


def find_binaries() -> Path | None:
    """The folder that holds initdb and pg_ctl."""
    on_path = shutil.which("initdb")
    candidates = [*([Path(on_path).resolve().parent] if on_path else []), *FOLDERS]
    return next((folder for folder in candidates if (folder / "pg_ctl").exists()), None)


def as_user() -> list[str]:
    """The beginning of a command that makes it run as somebody other than root, whom PostgreSQL refuses."""
    return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []


def why_not() -> str | None:
    """Why no server can be started here, or None."""
    if os.environ.get(GIVEN):
        return None
    if find_binaries() is None:
        return f"no PostgreSQL: set {GIVEN} to a server's URL or install Debian's package postgresql"
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root and there is no user postgres"
    return None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """One cluster in a folder of its own below the system's temporary folder."""

    def __init__(self, folder: Path | None = None, **changed: str) -> None:
        self.binaries = find_binaries()
        assert self.binaries is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="tunebook-pg-"))
        self.port = free_port()
        self.url = f"postgresql://tunebook@127.0.0.1:{self.port}/postgres"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.command("initdb", "--auth=trust", "--username=tunebook", "--encoding=UTF8", "--no-sync", "--locale=C")
        settings = {**SETTINGS, **changed, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        lines = "".join(f"{key} = '{value}'\n" for key, value in settings.items())
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(lines)

    def command(self, name: str, *arguments: str) -> None:
        words = [*as_user(), str(self.binaries / name), "--pgdata", str(self.folder / "data"), *arguments]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def start(self) -> None:
        self.command("pg_ctl", "--wait", "--log", str(self.folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        self.command("pg_ctl", "--wait", "--mode", mode, "stop")

    def kill(self) -> None:
        """kill -9 of the server and every process of it; what they had not handed to the kernel is gone."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)  # else it would restart the others first
        tasks = Path(f"/proc/{pid}/task")
        children = [int(child) for task in tasks.glob("*/children") for child in task.read_text().split()]
        for victim in (*children, pid):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        while any(_runs(victim) for victim in (*children, pid)):
            time.sleep(0.02)
        # A dead one that nobody has reaped yet still counts as running for the next.
        for leftover in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            leftover.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def server(folder: Path | None = None, **changed: str) -> Iterator[Server]:
    """A running server that only this block uses, so that it may be stopped and started again.

    Its files lie in ``folder``; ``changed`` are settings other than ``SETTINGS``.
    """
    reason = why_not()
    if reason is not None or find_binaries() is None:
        missing(reason or "no PostgreSQL to start here")
    made = Server(folder, **changed)
    try:
        made.start()
        yield made
    finally:
        subprocess.run(
            [*as_user(), str(made.binaries / "pg_ctl"), "-D", str(made.folder / "data"), "-m", "immediate", "stop"],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=made.folder,
        )
        shutil.rmtree(made.folder, ignore_errors=True)


def missing(reason: str) -> NoReturn:
    """Skip, or fail where the environment says that PostgreSQL has to be there."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, but: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a database; skips with a word where there is none."""
    given = os.environ.get(GIVEN)
    if given:
        yield given
        return
    with server() as started:
        yield started.url


def fresh_schema(url: str) -> str:
    """An address on the same database whose tables nobody else sees."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    engine.dispose()
    made = sa.make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
    return made.render_as_string(hide_password=False)

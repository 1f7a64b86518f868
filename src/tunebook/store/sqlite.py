"""SQLite: one file, many processes of one machine."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event

from tunebook.errors import InputError, StoreReadOnly, StoreUnavailable
from tunebook.store.faults import Place

BUSY_SECONDS = 60
#: Seconds between tries of what SQLite itself does not wait for: two processes creating one file.
BUSY_PAUSE = 0.02
MOUNTS = Path("/proc/mounts")

#: File systems whose locks and shared memory are not the ones SQLite relies on (https://sqlite.org/wal.html).
NETWORK = re.compile(
    r"(fuse\.)?(9p|afs|beegfs|ceph|cifs|davfs|gcsfuse|glusterfs|gpfs|lustre|ncpfs|nfs|orangefs|rclone|s3fs|smb|sshfs)"
)

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
)


def place_of(url: URL) -> Place:
    """The file of an ``sqlite:///`` URL; ``InputError`` when it names none."""
    if not url.database or url.database == ":memory:":
        raise InputError("a store has to be a file that several processes can open, as in sqlite:///tunebook.db")
    path = Path(url.database).expanduser().absolute()
    return Place(str(path), path.parent)


def open_engine(url: URL, read_only: bool) -> tuple[Engine, bool]:
    """An engine and whether it can only read, which is so too where file or folder may not be written."""
    path = Path(place_of(url).words)
    _check_place(path, read_only)
    read_only = read_only or not _is_writable(path)
    if read_only and not path.exists():
        raise StoreReadOnly(f"{path} does not exist and cannot be created: {path.parent} may not be written")
    if not read_only and (not path.exists() or path.stat().st_size == 0):
        _write_ahead(path)
    address = _address(path, read_only)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=2, max_overflow=-1, pool_reset_on_return="rollback"
    )
    event.listen(engine, "begin", _begin)
    return engine, read_only


def network_file_system(path: Path, mounts: str) -> str | None:
    """The kind of network file system that holds ``path``, or None; ``mounts`` is the text of /proc/mounts."""
    kinds = {}
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        kinds[Path(point.encode().decode("unicode_escape"))] = kind
    for folder in (path, *path.parents):
        if folder in kinds:
            return kinds[folder] if NETWORK.match(kinds[folder]) else None
    return None


def pages(path: Path) -> tuple[int, int]:
    """How many pages a file has room for and how many its header says it has; (0, 0) when that cannot be told.

    https://sqlite.org/fileformat.html, 1.3: page size at 16, number of pages at 28. With a write-ahead log
    beside it the file may lawfully lag behind its header.
    """
    log = path.with_name(path.name + "-wal")
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0") or (log.exists() and log.stat().st_size):
        return 0, 0
    size = int.from_bytes(header[16:18], "big")
    size = 65536 if size == 1 else size
    return path.stat().st_size // max(size, 1), int.from_bytes(header[28:32], "big")


def _check_place(path: Path, read_only: bool) -> None:
    if not path.parent.is_dir():
        raise StoreUnavailable(f"{path} cannot be opened: the folder {path.parent} does not exist")
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder; name a file in it, as in sqlite:///{path}/tunebook.db")
    if read_only and not path.exists():
        raise StoreUnavailable(f"{path} does not exist; run something first, or name the right store")
    kind = network_file_system(path.resolve(), MOUNTS.read_text()) if MOUNTS.exists() else None
    if kind is not None:
        raise StoreUnavailable(
            f"{path} is on a network file system ({kind}), where SQLite loses data; put the store on a local disk "
            "with --store sqlite:////local/path/tunebook.db, or share one through --store postgresql://…"
        )


def _write_ahead(path: Path) -> None:
    """Let readers and the writer of a new file stop waiting for each other; the file keeps it for ever."""
    deadline = time.monotonic() + BUSY_SECONDS
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(BUSY_PAUSE)


def _is_writable(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _address(path: Path, read_only: bool) -> str:
    """In a folder that cannot be written, a file nobody else has open is read without its lock files."""
    mode = "ro" if read_only else "rwc"
    log = path.with_name(path.name + "-wal")
    alone = read_only and not os.access(path.parent, os.W_OK) and not log.exists()
    return f"file:{quote(str(path))}?mode={mode}" + ("&immutable=1" if alone else "")


def _begin(connection: Connection) -> None:
    """A writer takes its lock at once, so that two never wait for each other."""
    is_writer = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

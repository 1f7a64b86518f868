"""Writes ``released/<version>.<back end>.sql``: a store as this release makes it, for later releases to upgrade.

Run once when a release has new tables, never again for old ones: ``python tests/store/make_released.py``.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from postgres import as_user, server  # noqa: E402
from store_cases import a_lived_store  # noqa: E402
from tunebook.store.store import Store  # noqa: E402
from tunebook.store.upgrade import HEAD  # noqa: E402

RELEASED = HERE / "released"


def main() -> None:
    """Write both files; an old one is never overwritten."""
    sqlite_file, postgres_file = (RELEASED / f"{HEAD}.{kind}.sql" for kind in ("sqlite", "postgresql"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Store.open(f"sqlite:///{path}") as store:
            a_lived_store(store)
        with closing(sqlite3.connect(path)) as opened:
            write(sqlite_file, "\n".join(opened.iterdump()) + "\n")
    with server() as started:
        with Store.open(started.url) as store:
            a_lived_store(store)
        dump = [*as_user(), str(started.binaries / "pg_dump"), "--inserts", "--no-owner", started.url]  # type: ignore[operator]
        said = subprocess.run(dump, check=True, capture_output=True, text=True, cwd=started.folder).stdout
    kept = [
        line
        for line in said.splitlines()
        if line and not line.startswith(("--", "SET ", "SELECT pg_catalog.set_", "\\"))
    ]
    write(postgres_file, "\n".join(kept) + "\n")


def write(file: Path, text: str) -> None:
    """Write a new file."""
    with file.open("x", encoding="utf-8") as opened:
        opened.write(text)


if __name__ == "__main__":
    main()

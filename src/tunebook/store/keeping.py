"""Keeping stores: joining two, copying one, looking for damage (B1, E5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, make_url

from tunebook.errors import InputError, StoreError
from tunebook.store import backup, doctor, sqlite
from tunebook.store.doctor import Complaint, Examination, IsDead
from tunebook.store.engine import FILE
from tunebook.store.merge import MergeReport, merge
from tunebook.store.store import Store
from tunebook.store.upgrade import HEAD
from tunebook.store.values import seconds_of


def merge_stores(
    ours: Store, theirs: Store, *, now: datetime, rename: Mapping[str, str] | None = None, keep_ours: bool = False
) -> MergeReport:
    """Bring everything of ``theirs`` that is not in ``ours`` into it; again changes nothing.

    ``rename`` gives rounds of theirs another name here. ``InputError`` lists every conflict before anything is
    written; with ``keep_ours`` results, runs and a ledger that contradict ours are left out instead.
    """
    if theirs.url == ours.url:
        raise InputError(f"{theirs.place} is this store itself; name another one")

    def read(source: Connection) -> MergeReport:
        return ours.database.write(merge, source, rename=rename or {}, keep_ours=keep_ours, now=seconds_of(now))

    return theirs.database.read(read)


def back_up(store: Store, target: str | Path, *, overwrite: bool = False) -> int:
    """Copy everything into an SQLite file while others write; its size in bytes."""
    return backup.back_up(store.database, Path(target), overwrite=overwrite)


def examine(url: str, *, is_dead: IsDead, now: datetime) -> Examination:
    """Look at the store at ``url`` for damage and change nothing; what keeps it from being read is a complaint.

    ``is_dead`` knows which owners of leases are gone. ``InputError`` and ``StoreUnavailable`` for a store that
    is not there.
    """
    path = _file_of(url)
    found = list(_outside(path)) if path is not None and path.is_file() else []
    try:
        with Store.open(url, read_only=True) as store:
            seen = store.database.read(doctor.examine, store.place, HEAD, is_dead, seconds_of(now))
    except StoreError as fault:
        if path is None or not path.is_file():
            raise
        seen = doctor.unreadable(str(path), str(fault))
    return seen.with_more(found)


def _file_of(url: str) -> Path | None:
    return (
        Path(sqlite.place_of(make_url("sqlite://").set(database=url.removeprefix(FILE))).words)
        if url.startswith(FILE)
        else None
    )


def _outside(path: Path) -> list[Complaint]:
    """What the file itself shows before anybody opens it."""
    held, said = sqlite.pages(path)
    if held >= said:
        return []
    words = f"{path} is cut short: it holds {held} of the {said} pages that it says it has"
    return [doctor.error("file", words, doctor.RESTORE)]

"""Keeping stores: looking for damage, copying one, and opening another one to merge it (B1, E5)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tunebook.errors import InputError
from tunebook.run.processes import is_gone
from tunebook.store import keeping
from tunebook.store.doctor import Examination
from tunebook.store.store import Store
from tunebook.use_cases.opening import store_address


def examine(url: str, *, now: datetime) -> Examination:
    """Look at the store at an address for damage; owners of leases on this machine that died are known."""
    return keeping.examine(url, is_dead=is_gone, now=now)


def open_sound(other: str | Path, *, now: datetime) -> Store:
    """Another store, only to read; ``InputError`` when it is damaged."""
    url = store_address(other)
    examined = examine(url, now=now)
    if not examined.is_sound:
        said = "; ".join(complaint.says for complaint in examined.complaints)
        raise InputError(f"{examined.place} is damaged and is not merged: {said}; see `tunebook doctor --store {url}`")
    return Store.open(url, read_only=True)


def back_up(url: str, target: str | Path, *, overwrite: bool) -> int:
    """Copy the store at an address into an SQLite file while others write; its size in bytes."""
    with Store.open(url, read_only=True) as opened:
        return keeping.back_up(opened, target, overwrite=overwrite)

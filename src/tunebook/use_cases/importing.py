"""Bringing runs that were made elsewhere into the store (B1)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tunebook.bridges.imported import ImportedRound
from tunebook.errors import InputError
from tunebook.store.store import Store


def store_round(store: Store, found: ImportedRound, *, now: datetime, kind: str, path: str | Path) -> None:
    """Store a round of ``kind`` that was read from ``path``; what is there already changes nothing."""
    try:
        store.import_round(found.name, found.design, found.trials, now=now, origin=kind)
    except InputError as error:
        raise InputError(
            f"round {found.name} of {path} does not go with the round of that name in the store: {error}; "
            "import it into a project of its own with --project"
        ) from error

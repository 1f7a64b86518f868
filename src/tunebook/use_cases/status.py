"""How far the rounds of a store are."""

from __future__ import annotations

from tunebook.show.tables import RoundStatus
from tunebook.store.store import Store


def statuses(store: Store, round_name: str | None) -> tuple[RoundStatus, ...]:
    """The counts of every round, or of one of them."""
    wanted = store.resolve(round_name) if round_name else None
    return tuple(
        RoundStatus(round=row.name, counts=store.counts(row.name), origin=row.origin)
        for row in store.rounds()
        if wanted in (None, row.name)
    )

"""Recovery: the trials of runners that died are pending again."""

from __future__ import annotations

from datetime import datetime

from tunebook.run.processes import is_alive, kill_strays
from tunebook.store.store import Store
from tunebook.store.values import Owner


def recover(store: Store, name: str, here: Owner, now: datetime) -> int:
    """Take back the trials of runners on this machine that died, after ending what they left running; how many.

    What their trials logged is stored when the next attempt begins.
    """
    owners = {lease.owner for lease in store.leases(name)}
    dead = [owner for owner in owners if owner.host == here.host and not _lives(owner, here)]
    for owner in dead:
        kill_strays(owner.id)
    return store.expire([owner.id for owner in dead], now=now) if dead else 0


def _lives(owner: Owner, here: Owner) -> bool:
    return owner.id == here.id or is_alive(owner.pid, owner.started)

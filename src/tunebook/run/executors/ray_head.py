"""The head of a Ray cluster: whether it still answers."""

from __future__ import annotations

import socket

#: How often the cluster's head is looked at, and for how long it may be silent. Ray itself ends the process after 60 s.
ALIVE_SECONDS = 5.0
GONE_SECONDS = 30.0


class Head:
    """The head at ``address``, which answered at ``now``; times are those of a monotonic clock."""

    def __init__(self, address: str, now: float) -> None:
        self._address = address
        self._alive_at = self._looked_at = now

    def check(self, now: float) -> None:
        """``ConnectionError`` when it has been silent for long."""
        if now - self._looked_at < ALIVE_SECONDS:
            return
        self._looked_at = now
        if answers(self._address):
            self._alive_at = now
        elif now - self._alive_at > GONE_SECONDS:
            raise ConnectionError(f"its head at {self._address} has been silent for {now - self._alive_at:.0f} s")


def answers(address: str) -> bool:
    """Whether somebody listens at ``HOST:PORT``."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ALIVE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True

"""The two clocks of a run, as an argument, so that tests bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tunebook.errors import StoreError

#: How often it is measured how far this machine's clock is from the store's.
MEASURE_SECONDS = 300.0


class Clock(Protocol):
    """``now`` is what is stored; ``monotonic`` measures how long something took, in seconds."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()


class Timed(Protocol):
    """The part of a store that knows the time."""

    def time(self) -> datetime | None:
        """The time by the clock of the server that holds the store; None where this machine holds it."""


class StoreClock:
    """A machine's clock set by that of the store's server.

    Several machines lend trials to themselves by times in one store, and one whose own clock is ahead would
    take leases for run out that are not. While the server does not answer, the last measurement holds.
    """

    def __init__(self, store: Timed, own: Clock) -> None:
        self._store = store
        self._own = own
        self._ahead = timedelta(0)
        self._measured_at: float | None = None

    def now(self) -> datetime:
        """The server's time, aware, in UTC."""
        at = self._own.monotonic()
        if self._measured_at is None or at - self._measured_at > MEASURE_SECONDS:
            self._measure(at)
        return self._own.now() - self._ahead

    def monotonic(self) -> float:
        """Seconds since some fixed moment, by the machine's own clock."""
        return self._own.monotonic()

    def _measure(self, at: float) -> None:
        self._measured_at = at
        try:
            before = self._own.now()
            there = self._store.time()
            after = self._own.now()
        except StoreError:
            return
        if there is not None:
            self._ahead = before + (after - before) / 2 - there

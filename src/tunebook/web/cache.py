"""What was computed once, kept while the store says that nothing changed."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A value, the version of the round it was made from, when (seconds of a clock) and how long that took."""

    version: str
    value: T
    at: float
    seconds: float


class Cache:
    """The newest ``size`` values by key. Threads that ask for the same wait for the first of them."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[Hashable, Kept[Any]] = OrderedDict()
        self._locks: dict[Hashable, Lock] = {}
        self._own = Lock()

    def get(self, key: Hashable, version: str, make: Callable[[], T], *, rest: float = 0.0) -> Kept[T]:
        """What is kept for ``key`` when it is of this ``version``, else what ``make`` returns.

        With ``rest`` an older one is good enough until ``rest`` times the seconds its making took have
        passed: what is asked for all the time must not cost all the time.
        """
        with self._lock_of(key):
            kept: Kept[T] | None = self._kept.get(key)
            if kept is not None and (kept.version == version or self._clock() - kept.at < rest * kept.seconds):
                with self._own:
                    self._kept.move_to_end(key)
                return kept
            began = self._clock()
            value = make()
            made = Kept(version, value, self._clock(), self._clock() - began)
            with self._own:
                self._kept[key] = made
                self._kept.move_to_end(key)
                while len(self._kept) > self._size:
                    dropped, _ = self._kept.popitem(last=False)
                    self._locks.pop(dropped, None)
            return made

    def _lock_of(self, key: Hashable) -> Lock:
        with self._own:
            return self._locks.setdefault(key, Lock())

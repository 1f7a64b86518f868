"""Memory that was needed for a moment goes back to the system at once (glibc; elsewhere nothing is done)."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

#: Codes of mallopt(3).
MMAP_THRESHOLD, ARENA_MAX = -3, -8
#: From so many bytes on a block is the system's own and goes back when it is freed. Left alone glibc raises this
#: with every large block that is freed, and keeps the next ones; a lower one costs time, as such blocks come zeroed.
LARGE = 2 * 1024**2


@cache
def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def keep_little() -> None:
    """From now on hold on to little of what is freed."""
    libc = _libc()
    if libc is not None:
        for option, value in ((MMAP_THRESHOLD, LARGE), (ARENA_MAX, 2)):
            libc.mallopt(option, value)


def give_back() -> None:
    """Return what is free."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)

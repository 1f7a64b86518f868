"""Which of several names a number means: the round that a person counts by it."""

from __future__ import annotations

import re
from collections.abc import Collection

_NUMBER = re.compile(r"[0-9]{1,9}")
_LEADING = re.compile(r"[0-9]{1,9}(?![0-9])")


def is_number(text: str) -> bool:
    """Whether a round is asked for by number."""
    return _NUMBER.fullmatch(text) is not None


def numbered(names: Collection[str], number: int) -> list[str]:
    """The names that begin with ``number``, sorted, without those made from another of them.

    ``4`` is ``04-warmup``, also where ``04-warmup-exploit`` and ``04-warmup-again-1`` stand beside it.
    """
    found = [name for name in sorted(names) if (mark := _LEADING.match(name)) and int(mark[0]) == number]
    return [name for name in found if not any(name.startswith(f"{other}-") for other in found)]

"""Collecting everything that is wrong in one pass, so that the user mends it in one go."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tunebook.errors import InputError, Problem

Path = tuple[str, ...]


class Problems:
    """A list of problems under one path of keys; ``below`` shares the list one level down."""

    __slots__ = ("_found", "_path")

    def __init__(self, path: Path = (), found: list[Problem] | None = None) -> None:
        self._path = path
        self._found: list[Problem] = [] if found is None else found

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def below(self, *keys: str) -> Problems:
        """The same list, for problems of what stands under ``keys``."""
        return Problems((*self._path, *keys), self._found)

    def add(self, message: str, *keys: str) -> None:
        """Note a problem of this path, or of ``keys`` below it."""
        self._found.append(Problem(key=(*self._path, *keys), message=message))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems whose paths start from this one."""
        for problem in problems:
            self.add(problem.message, *problem.key)

    @contextmanager
    def catching(self, *keys: str) -> Iterator[None]:
        """Turn an ``InputError`` of the block into problems below ``keys``."""
        try:
            yield
        except InputError as error:
            self.below(*keys).extend(error.problems)

    def unknown_keys(self, table: Mapping[str, Any], accepted: Collection[str]) -> None:
        """Note every key of ``table`` that is not accepted, with the nearest that is."""
        for key in table:
            if key not in accepted:
                self.add(f"unknown key{did_you_mean(key, accepted)}; accepted: {', '.join(sorted(accepted))}", key)

    def raise_if_any(self) -> None:
        """Raise one ``InputError`` with all that was noted."""
        if self._found:
            raise InputError(self._found)


def did_you_mean(word: str, accepted: Collection[str]) -> str:
    """``, did you mean 'x'?`` for the nearest accepted word, or nothing when none is near."""
    near = difflib.get_close_matches(word, accepted, n=1)
    return f", did you mean {near[0]!r}?" if near else ""

"""The table of search algorithms, and how the sequence of a study is seeded."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias, cast

from tunebook.evidence import FloatArray

#: Number of cells along each dimension; 0 where it is continuous.
Axes: TypeAlias = tuple[int, ...]
#: Entropy of a sequence.
Key: TypeAlias = tuple[int, ...]


class Points(Protocol):
    """The contract of an index-addressed search algorithm."""

    def __call__(self, axes: Axes, start: int, stop: int, key: Key) -> FloatArray:
        """Points ``start`` to ``stop`` of the sequence, shape (stop - start, len(axes)), in [0, 1]."""


#: Where a point depends on its index alone.
INDEXED: Mapping[str, str] = MappingProxyType(
    {
        "halton": "tunebook.plan.search.halton:points",
        "grid": "tunebook.plan.search.grid:points",
        "random": "tunebook.plan.search.uniform:points",
    }
)

#: Where later points depend on what earlier trials showed, and the sequence that the first ones come from.
SEQUENTIAL: Mapping[str, str] = MappingProxyType({"bayes": "halton"})


def sequence(algorithm: str) -> Points:
    """The function that draws the points of ``algorithm``, or the first points of one that goes on from evidence."""
    module, _, name = INDEXED[SEQUENTIAL.get(algorithm, algorithm)].partition(":")
    return cast(Points, getattr(importlib.import_module(module), name))


def key_of(seed: int, *words: str) -> Key:
    """The entropy of one sequence: the round's seed, and what tells the sequence from its siblings.

    Studies and branches that shared a seed would share their points, and a coincidence in one would
    show up in all. Python's ``hash`` differs from process to process, so a digest takes its place.
    """
    content = "\x00".join(words).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return seed, int.from_bytes(digest, "little")

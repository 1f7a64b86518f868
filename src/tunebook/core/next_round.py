"""NextRound: a design that is ready to run, with every change traced to what it comes from (D5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tunebook.core.finding import Finding
from tunebook.core.round import Round

KeyPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key of the design that is different, in words, with where it comes from.

    ``key`` is the path in the file: ``("nuisance", "learning_rate")``. ``finding`` is None for what comes
    from the verdict, the linter or the request.
    """

    key: KeyPath
    text: str
    source: str
    finding: Finding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRound:
    """A design that is ready to run, what is different in it, and what else there is to know.

    ``first`` are steps to take before running it (repeats, the warmup procedure); ``left`` are
    proposals that gave way or do not fit, each with the reason; ``carries`` says what carries over to a
    longer run and how likely. ``is_saturated``: nothing asks for a change of the search any more.
    """

    design: Round
    changes: tuple[Change, ...]
    first: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()
    is_saturated: bool = False

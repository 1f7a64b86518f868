"""Objective: how a curve becomes one number (L1)."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from tunebook.core.hyperparameter import is_number
from tunebook.core.problems import Problems, did_you_mean
from tunebook.errors import InputError

Direction: TypeAlias = Literal["minimize", "maximize"]
DIRECTIONS = ("minimize", "maximize")

ReduceKind: TypeAlias = Literal["best", "final", "at", "last"]
REDUCTIONS = "best, final, at:STEP (such as at:1000), last:COUNT (such as last:5)"


@dataclass(frozen=True, slots=True)
class Reduce:
    """How the values of a curve become one: its best, its final, the one at a step, the mean of the last few.

    ``number`` is the step of ``at`` and the count of ``last``, and 0 for the others.
    """

    kind: ReduceKind
    number: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.kind in ("at", "last") else self.kind

    @classmethod
    def parse(cls, text: str) -> Reduce:
        """Read ``best``, ``final``, ``at:1000`` or ``last:5``; ``ValueError`` names what is accepted."""
        kind, colon, digits = text.partition(":")
        if kind in ("best", "final") and not colon:
            return cls(kind)  # type: ignore[arg-type]
        if kind in ("at", "last") and digits.isdigit() and (kind == "at" or int(digits) >= 1):
            return cls(kind, int(digits))  # type: ignore[arg-type]
        raise ValueError(f"{text!r} is not accepted{did_you_mean(kind, ('best', 'final'))}; accepted: {REDUCTIONS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric, a direction and a reduction.

    ``material`` is the smallest difference that matters and ``chance`` the value of an untrained
    model, both in units of the metric and both optional.
    """

    metric: str
    direction: Direction = "minimize"
    reduce: Reduce | str = Reduce("best")
    material: float | None = None
    chance: float | None = None

    def __post_init__(self) -> None:
        problems = Problems()
        if not isinstance(self.metric, str) or not self.metric.strip():
            problems.add("the objective needs the name of a metric that training logs, such as 'valid/error'", "metric")
        if self.direction not in DIRECTIONS:
            hint = did_you_mean(str(self.direction), DIRECTIONS)
            problems.add(f"{self.direction!r} is not accepted{hint}; accepted: minimize, maximize", "direction")
        if not isinstance(self.reduce, Reduce):
            try:
                object.__setattr__(self, "reduce", Reduce.parse(str(self.reduce)))
            except ValueError as error:
                problems.add(str(error), "reduce")
        if self.material is not None and not (is_number(self.material) and self.material > 0):
            problems.add(f"{self.material!r} is not a positive number", "material")
        if self.chance is not None and not is_number(self.chance):
            problems.add(f"{self.chance!r} is not a finite number", "chance")
        problems.raise_if_any()

    @property
    def reduction(self) -> Reduce:
        """The reduction, parsed."""
        assert isinstance(self.reduce, Reduce)
        return self.reduce

    @property
    def sign(self) -> int:
        """Multiply a value by this and lower is better."""
        return 1 if self.direction == "minimize" else -1

    def is_better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``; anything finite is better than what is not."""
        if not math.isfinite(a):
            return False
        return not math.isfinite(b) or self.sign * a < self.sign * b

    def beats_chance(self, value: float) -> bool:
        """Whether ``value`` is better than an untrained model; true when the chance level is unknown."""
        return self.chance is None or self.is_better(value, self.chance)

    def to_mapping(self) -> dict[str, Any]:
        """The ``[objective]`` table of a design file, without what was left out."""
        table = {
            "metric": self.metric,
            "direction": self.direction,
            "reduce": str(self.reduce),
            "material": self.material,
            "chance": self.chance,
        }
        return {key: value for key, value in table.items() if value is not None}

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Objective:
        """Read an ``[objective]`` table; ``InputError`` with every problem."""
        problems = Problems()
        problems.unknown_keys(table, OBJECTIVE_KEYS)
        known = {key: value for key, value in table.items() if key in OBJECTIVE_KEYS}
        with problems.catching():
            objective = cls(**{"metric": "", **known})
        problems.raise_if_any()
        return objective

    def revised(self, text: str) -> Objective:
        """This objective with the words of ``text`` laid over it, as ``--objective`` takes them.

        ``"train/loss final minimize"``: a metric, a reduction and a direction, each optional, in any
        order. What belongs to another metric (``material``, ``chance``) is dropped with it.
        """
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise InputError(f"--objective {text!r} cannot be read: {error}") from None
        metrics = [word for word in words if not _is_keyword(word)]
        if len(metrics) > 1:
            raise InputError(
                f"--objective {text!r} names {len(metrics)} metrics, {' and '.join(metrics)}; accepted: one metric, "
                f"one of {REDUCTIONS}, and {' or '.join(DIRECTIONS)}"
            )
        objective = self
        for word in words:
            objective = _with_word(objective, word)
        return objective


def revised(own: Objective, other: str | Objective | None) -> Objective:
    """The objective to judge by: another one, the round's own with some words changed, or its own."""
    if isinstance(other, Objective):
        return other
    return own.revised(other) if other else own


OBJECTIVE_KEYS = ("metric", "direction", "reduce", "material", "chance")


def _is_keyword(word: str) -> bool:
    return word in DIRECTIONS or word.partition(":")[0] in ("best", "final", "at", "last")


def _with_word(objective: Objective, word: str) -> Objective:
    if word in DIRECTIONS:
        return replace(objective, direction=word)  # type: ignore[arg-type]
    if word.partition(":")[0] in ("best", "final", "at", "last"):
        return replace(objective, reduce=word)
    if word == objective.metric:
        return objective
    return replace(objective, metric=word, material=None, chance=None)

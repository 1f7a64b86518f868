"""Hyperparameters: a name, the values it may take, and the branch of the space on which it exists."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias, cast, get_args

from tunebook.core.config import Value, same_value, spelled
from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError, Problem

Scale: TypeAlias = Literal["linear", "log", "reverse_log"]
NumberType: TypeAlias = Literal["float", "int"]

SCALES: tuple[str, ...] = get_args(Scale)
NUMBER_TYPES: tuple[str, ...] = get_args(NumberType)

#: Significant digits of a sampled value. Enough to place a point to a millionth of its range, few
#: enough that the last bit of ``exp`` on another processor never changes a configuration (R7).
SIGNIFICANT_DIGITS = 6

#: The least relative change of 1 - value over a reverse_log range that floats can still divide finely.
LEAST_REVERSE_WIDTH = 1e-9

#: Bounds of an int range stay where a float counts every whole number.
MAX_INT = 2**53


class Role(StrEnum):
    """What a round does with a hyperparameter (R2)."""

    SCIENTIFIC = "scientific"
    NUISANCE = "nuisance"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    ``scale`` says in which measure equal steps matter equally: ``linear``; ``log`` (``low`` > 0);
    ``reverse_log``, which is log in 1 - value (``high`` < 1; for momentum-like quantities).
    """

    low: float
    high: float
    scale: Scale = "linear"
    type: NumberType = "float"

    def __post_init__(self) -> None:
        problems = [Problem(key=(key,), message=message) for key, message in _range_faults(self)]
        if problems:
            raise InputError(problems)
        number = int if self.type == "int" else float
        object.__setattr__(self, "low", number(self.low))
        object.__setattr__(self, "high", number(self.high))

    def __contains__(self, value: object) -> bool:
        if not is_number(value):
            return False
        number = cast(float, value)
        return self.low <= number <= self.high and (self.type == "float" or number == int(number))

    @property
    def n_values(self) -> float:
        """How many distinct values there are; infinity for a continuous range."""
        return self.high - self.low + 1 if self.type == "int" else math.inf

    def describe(self) -> str:
        """The domain in a few words, for messages: ``1e-04 to 1 (log)``."""
        notes = [note for note in (self.scale, self.type) if note not in ("linear", "float")]
        return f"{self.low:g} to {self.high:g}" + (f" ({', '.join(notes)})" if notes else "")


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of several distinct values, in no order."""

    values: tuple[Value, ...]

    def __init__(self, *values: Value) -> None:
        fault = _choice_fault(values)
        if fault:
            raise InputError(fault)
        object.__setattr__(self, "values", tuple(values))

    def __contains__(self, value: object) -> bool:
        return any(same_value(value, own) for own in self.values)

    @property
    def n_values(self) -> int:
        """How many distinct values there are."""
        return len(self.values)

    def index(self, value: Value) -> int:
        """The position of ``value`` among the choices; ``ValueError`` when it is none of them."""
        for position, own in enumerate(self.values):
            if same_value(value, own):
                return position
        raise ValueError(f"{value!r} is none of {self.describe()}")

    def describe(self) -> str:
        """The domain in a few words, for messages: ``adam | sgd``."""
        return " | ".join(spelled(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Constant:
    """A single value; ``because`` is the user's reason for not tuning it, shown with the caveat (R2)."""

    value: Value
    because: str = ""

    def __post_init__(self) -> None:
        if not is_value(self.value):
            raise InputError(f"{self.value!r} is not a boolean, a finite number or a string")
        if not isinstance(self.because, str):
            raise InputError([Problem(key=("because",), message=f"{self.because!r} is not a sentence")])

    def __contains__(self, value: object) -> bool:
        return same_value(value, self.value)

    @property
    def n_values(self) -> int:
        """Always one."""
        return 1

    def describe(self) -> str:
        """The value as a design file spells it."""
        return spelled(self.value)


Domain: TypeAlias = Range | Choice | Constant


@dataclass(frozen=True, slots=True)
class Condition:
    """The parent hyperparameter has this value."""

    parent: str
    value: Value

    def __str__(self) -> str:
        return f"{self.parent}={spelled(self.value)}"


Branch: TypeAlias = tuple[Condition, ...]
"""Conditions that all have to hold, outermost first; empty for what always exists."""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A name, a domain and a branch. Two with one name on two branches are different ones (R4)."""

    name: str
    domain: Domain
    branch: Branch = ()

    def __post_init__(self) -> None:
        fault = _name_fault(self.name)
        if fault:
            raise InputError(fault)

    @property
    def label(self) -> str:
        """The name, with the branch where there is one: ``dropout_rate[use_dropout=true]``."""
        conditions = ",".join(str(condition) for condition in self.branch)
        return f"{self.name}[{conditions}]" if conditions else self.name

    def is_active(self, config: Mapping[str, Value]) -> bool:
        """Whether the hyperparameter exists in ``config``."""
        return all(
            condition.parent in config and same_value(config[condition.parent], condition.value)
            for condition in self.branch
        )


def excludes(a: Branch, b: Branch) -> bool:
    """Whether no configuration can lie on both branches."""
    values = {condition.parent: condition.value for condition in a}
    return any(
        condition.parent in values and not same_value(values[condition.parent], condition.value) for condition in b
    )


def is_number(value: object) -> bool:
    """A finite int or float, booleans excluded."""
    # A comparison, because math.isfinite raises on whole numbers that no float can hold.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_value(value: object) -> bool:
    """Something a hyperparameter can be set to."""
    return isinstance(value, bool | str) or is_number(value)


def _range_faults(domain: Range) -> list[tuple[str, str]]:
    faults = [
        (key, f"{getattr(domain, key)!r} is not a finite number")
        for key in ("low", "high")
        if not is_number(getattr(domain, key))
    ]
    for key, accepted in (("scale", SCALES), ("type", NUMBER_TYPES)):
        word = getattr(domain, key)
        if word not in accepted:
            hint = did_you_mean(str(word), accepted)
            faults.append((key, f"{word!r} is not accepted{hint}; accepted: {', '.join(accepted)}"))
    return faults or _bound_faults(domain)


def _bound_faults(domain: Range) -> list[tuple[str, str]]:
    low, high = domain.low, domain.high
    if domain.type == "int" and (fault := _int_fault(low, high)):
        return [("type", fault)]
    if low < high and not is_number(_width(domain)):
        return [("high", f"from {low} to {high} is wider than any number; give a range that training could use")]
    if low >= high:
        return [("low", f"low = {low} has to be below high = {high}; to keep one value, make it fixed")]
    if domain.scale == "log" and low <= 0:
        return [("low", f"low = {low} has to be above 0 on a log scale; use scale = 'linear' or a small positive low")]
    if domain.scale == "reverse_log" and high >= 1:
        return [("high", f"high = {high} has to be below 1 on a reverse_log scale, which is log in 1 - value")]
    return _reverse_faults(domain) if domain.scale == "reverse_log" else []


def _width(domain: Range) -> float:
    """The difference of the bounds, or their ratio where that is what is divided evenly."""
    low, high = float(domain.low), float(domain.high)
    if domain.scale == "log" and low > 0:
        return high / low
    return (1 - low) / (1 - high) if domain.scale == "reverse_log" and high < 1 else high - low


def _reverse_faults(domain: Range) -> list[tuple[str, str]]:
    if domain.type == "int":
        return [("type", "a reverse_log range holds fractions below 1 and cannot be of type int")]
    if 1 - domain.low <= (1 - domain.high) * (1 + LEAST_REVERSE_WIDTH):
        return [("high", f"from {domain.low} to {domain.high}, 1 - value hardly changes; use scale = 'linear'")]
    return []


def _int_fault(low: float, high: float) -> str:
    if not (float(low).is_integer() and float(high).is_integer()):
        return f"an int range needs whole bounds, not {low} and {high}"
    if max(abs(low), abs(high)) > MAX_INT:
        return f"the bounds of an int range stay within 2**53 on both sides of 0, unlike {low} and {high}"
    return ""


def _choice_fault(values: tuple[object, ...]) -> str:
    if not values:
        return "a choice needs at least one value"
    for value in values:
        if not is_value(value):
            return f"{value!r} is not a boolean, a finite number or a string"
    seen: set[tuple[bool, object]] = set()
    spellings: dict[str, object] = {}
    for value in values:
        # A boolean never equals a number (``same_value``).
        if (isinstance(value, bool), value) in seen:
            return f"the value {value!r} stands twice in the choice"
        seen.add((isinstance(value, bool), value))
        earlier = spellings.setdefault(spelled(value), value)  # type: ignore[arg-type]
        if earlier is not value:
            return f"{earlier!r} and {value!r} are spelled alike, so 'when' tables and studies cannot tell them apart"
    return ""


def _name_fault(name: str) -> str:
    if name == "when":
        return "'when' is the word for conditional hyperparameters and cannot be a name"
    if not name or not all(character.isalnum() or character in "_-./" for character in name):
        return f"{name!r} is not a name: use letters, digits and _ - . /"
    return ""

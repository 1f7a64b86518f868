"""Changing the number of steps without spoiling the schedule (T4).

A linear decay keeps its length in steps and the constant part before it grows; a cosine keeps its base
learning rate and is stretched. A warmup keeps its length in steps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from tunebook.core.hyperparameter import Choice, Constant, Domain, Hyperparameter, Range
from tunebook.core.round import Round
from tunebook.core.space import Space

_SCHEDULE = re.compile(
    r"(^|[_./])((lr|learning_?rate)_?)?(schedule|scheduler|decay_?type|decay_?shape)$", re.IGNORECASE
)
_DECAY = re.compile(r"(^|[_./])(lr_|learning_rate_)?(decay|cooldown|anneal\w*|warmdown)_?", re.IGNORECASE)
_WARMUP = re.compile(r"(^|[_./])(lr_|learning_rate_)?warm_?up", re.IGNORECASE)
_STEPS = re.compile(r"_?(steps|iterations|iters|updates|length)$", re.IGNORECASE)
_SHARE = re.compile(r"_?(fraction|frac|proportion|ratio|share|percent|pct)$", re.IGNORECASE)
_NOT_LENGTH = re.compile(r"weight|rate_?decay$|factor|power", re.IGNORECASE)


class Length(Enum):
    """What a hyperparameter says about the schedule, and in which unit."""

    DECAY_STEPS = "decay steps"
    DECAY_SHARE = "decay share"
    WARMUP_STEPS = "warmup steps"
    WARMUP_SHARE = "warmup share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescaled:
    """One hyperparameter of the schedule before and after, and the rule that moved it."""

    before: Hyperparameter
    after: Hyperparameter
    rule: str


def length_kind(name: str) -> Length | None:
    """Whether a name speaks of a length of the schedule: ``decay_steps``, ``warmup_fraction``."""
    if _NOT_LENGTH.search(name) and not _WARMUP.search(name):
        return None
    is_warmup, is_decay = bool(_WARMUP.search(name)), bool(_DECAY.search(name))
    if not (is_warmup or is_decay):
        return None
    if _STEPS.search(name):
        return Length.WARMUP_STEPS if is_warmup else Length.DECAY_STEPS
    if _SHARE.search(name):
        return Length.WARMUP_SHARE if is_warmup else Length.DECAY_SHARE
    return None


def is_schedule(name: str) -> bool:
    """Whether a name chooses the shape of the schedule."""
    return bool(_SCHEDULE.search(name))


def with_steps(design: Round, steps: int) -> tuple[Round, tuple[Rescaled, ...]]:
    """The round for ``steps`` training steps, with its schedule kept in the sense of T4."""
    factor = steps / design.max_train_steps
    moved = [
        rescaled for item in design.hyperparameters if (rescaled := _rescaled(item, design, factor, steps)) is not None
    ]
    changes = {item.before: item.after for item in moved}

    def swapped(space: Space) -> Space:
        return tuple(changes.get(item, item) for item in space)

    longer = replace(
        design,
        max_train_steps=steps,
        scientific=swapped(design.scientific),
        nuisance=swapped(design.nuisance),
        fixed=swapped(design.fixed),
    )
    return longer, tuple(moved)


def _rescaled(item: Hyperparameter, design: Round, factor: float, steps: int) -> Rescaled | None:
    length = length_kind(item.name)
    if length is None:
        return None
    is_cosine = "cos" in shape_of(item, design)
    times, most, rule = _rule(length, is_cosine=is_cosine, factor=factor, steps=steps)
    domain = _scaled(item.domain, times, most)
    if domain == item.domain:
        return None
    return Rescaled(before=item, after=Hyperparameter(item.name, domain, item.branch), rule=rule)


def _rule(length: Length, *, is_cosine: bool, factor: float, steps: int) -> tuple[float, float, str]:
    """What to multiply by, what not to exceed, and why."""
    if length is Length.WARMUP_STEPS:
        return 1.0, float(steps), "a warmup keeps its length, within the run"
    if length is Length.WARMUP_SHARE:
        return 1.0 / factor, 1.0, "a warmup keeps its length in steps, so its share of the run changes"
    if length is Length.DECAY_STEPS and is_cosine:
        return factor, float(steps), "a cosine is stretched with the run and keeps its base learning rate"
    if length is Length.DECAY_STEPS:
        return 1.0, float(steps), "a linear decay keeps its length, the constant part before it grows"
    if is_cosine:
        return 1.0, 1.0, "a cosine is stretched with the run"
    return 1.0 / factor, 1.0, "a linear decay keeps its length in steps, so its share of the run changes"


def shape_of(item: Hyperparameter, design: Round) -> str:
    """The shape of the schedule that ``item`` belongs to, in lower case; empty when nothing names it."""
    for condition in item.branch:
        if is_schedule(condition.parent):
            return str(condition.value).lower()
    held = [other.domain.value for other in design.fixed if is_schedule(other.name) and _is_held(other)]  # type: ignore[union-attr]
    if held:
        return str(held[0]).lower()
    return "cosine" if "cos" in item.name.lower() else ""


def _is_held(item: Hyperparameter) -> bool:
    return isinstance(item.domain, Constant)


def _scaled(domain: Domain, times: float, most: float) -> Domain:
    if isinstance(domain, Constant):
        return replace(domain, value=_number(domain.value, times, most))
    if isinstance(domain, Range):
        low, high = (float(_number(end, times, most)) for end in (domain.low, domain.high))
        whole = domain.type == "int"
        low, high = (round(low), round(high)) if whole else (low, high)
        return replace(domain, low=low, high=high) if low < high else domain
    values = tuple(dict.fromkeys(_number(value, times, most) for value in domain.values))
    return Choice(*values)


def _number(value: bool | int | float | str, times: float, most: float) -> bool | int | float | str:
    if isinstance(value, bool | str):
        return value
    scaled = min(value * times, most)
    if isinstance(value, int) and most > 1.0:
        return round(scaled)
    return value if scaled == value else float(f"{scaled:.4g}")

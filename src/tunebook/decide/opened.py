"""Lengths of a schedule that were held, opened for the next search (T2, I2)."""

from __future__ import annotations

from dataclasses import replace

from tunebook.core.hyperparameter import Constant, Hyperparameter, Range, Role
from tunebook.core.round import Round
from tunebook.core.space import Space
from tunebook.decide.schedule import Length, length_kind


def opened_decay(item: Hyperparameter, design: Round) -> Hyperparameter | None:
    """A length of a decay that was held, as a range from half to twice of it."""
    length = length_kind(item.name)
    if length not in (Length.DECAY_STEPS, Length.DECAY_SHARE) or not isinstance(item.domain, Constant):
        return None
    value = item.domain.value
    if isinstance(value, bool | str) or value <= 0:
        return None
    most = float(design.max_train_steps) if length is Length.DECAY_STEPS else 1.0
    low, high = value / 2.0, min(value * 2.0, most)
    if length is Length.DECAY_STEPS and isinstance(value, int):
        low, high = max(round(low), 1), round(high)
        return Hyperparameter(item.name, Range(low=low, high=high, scale="log", type="int"), item.branch)
    return Hyperparameter(item.name, Range(low=float(f"{low:.3g}"), high=float(f"{high:.3g}")), item.branch)


def replaced(design: Round, old: Hyperparameter, new: Hyperparameter) -> Round:
    """``old`` is fixed and becomes the nuisance ``new``."""
    fixed = tuple(item for item in design.fixed if item != old)
    return replace(design, fixed=fixed, nuisance=(*design.nuisance, new))


def opened_warmup(item: Hyperparameter, design: Round) -> Hyperparameter | None:
    """A warmup length searched up to a tenth of the run (I2); None when it is so already."""
    length = length_kind(item.name)
    if length not in (Length.WARMUP_STEPS, Length.WARMUP_SHARE):
        return None
    is_steps = length is Length.WARMUP_STEPS
    most = max(design.max_train_steps // 10, 2) if is_steps else 0.1
    if isinstance(item.domain, Range) and item.domain.high < most:
        return Hyperparameter(item.name, replace(item.domain, high=most), item.branch)
    if isinstance(item.domain, Constant) and not isinstance(item.domain.value, bool | str) and item.domain.value < most:
        kind = "int" if is_steps else "float"
        return Hyperparameter(item.name, Range(low=0, high=most, type=kind), item.branch)  # type: ignore[arg-type]
    return None


def with_range(design: Round, old: Hyperparameter, new: Hyperparameter) -> Round:
    """``new`` in the place of ``old``, or as a nuisance where that was fixed."""
    if design.role_of(old) is Role.FIXED:
        return replaced(design, old, new)

    def swapped(space: Space) -> Space:
        return tuple(new if item == old else item for item in space)

    return replace(design, scientific=swapped(design.scientific), nuisance=swapped(design.nuisance))

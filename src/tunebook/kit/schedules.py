"""Learning-rate schedules: constant, linear and cosine, with warmup and constant phases before them (P1).

A schedule is a function of the step that gives the factor of the base learning rate. A phase of ``n`` steps lies
between two steps: it has its start value at step 0 and its end value at step ``n``, both to the bit, as in
``torch.optim.lr_scheduler``. Training of ``n`` steps applies the values of 0 to ``n - 1`` and so stops one short of the
end value, which is as well when that is 0; give the schedule ``max_train_steps - 1`` steps to train with the end value.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any, TypeAlias

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tunebook.errors import InputError

#: Step, counted from 0 -> factor of the base learning rate.
Factor: TypeAlias = Callable[[int], float]

#: I2: the constant phase after a warmup is twice as long as the warmup.
HOLD_PER_WARMUP = 2


class Shape(StrEnum):
    """How a phase gets from its start value to its end value."""

    LINEAR = "linear"
    COSINE = "cosine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of ``n_steps`` over which the factor goes from ``start`` to ``end``."""

    n_steps: int
    start: float = 1.0
    end: float = 1.0
    shape: Shape = Shape.LINEAR

    def __post_init__(self) -> None:
        if self.n_steps < 0:
            raise InputError(f"a phase of {self.n_steps} steps: the number of steps must be at least 0")
        for name, value in (("start", self.start), ("end", self.end)):
            if not (math.isfinite(value) and value >= 0.0):
                raise InputError(f"a phase with {name} {value:g}: factors must be finite and at least 0")

    def __call__(self, step: int) -> float:
        """The factor ``step`` steps into the phase; its end value from ``n_steps`` on."""
        if step >= self.n_steps:
            return self.end
        if self.start == self.end:
            return self.start
        gone = step / self.n_steps
        if self.shape is Shape.COSINE:
            gone = 0.5 * (1.0 - math.cos(math.pi * gone))
        return self.start * (1.0 - gone) + self.end * gone


@dataclass(frozen=True, slots=True)
class Schedule:
    """Phases one after the other; at a joint the later phase counts. After the last one its end value stays."""

    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        if not self.phases:
            raise InputError("a schedule needs at least one phase")

    @property
    def joints(self) -> tuple[int, ...]:
        """The step at which each phase ends, counted from 0; the last one is ``n_steps``."""
        return tuple(accumulate(phase.n_steps for phase in self.phases))

    @property
    def n_steps(self) -> int:
        """The length of all phases together."""
        return self.joints[-1]

    def __call__(self, step: int) -> float:
        """The factor at ``step``, counted from 0."""
        if step < 0:
            raise InputError(f"step {step}: steps are counted from 0")
        joints = self.joints
        number = min(bisect_right(joints, step), len(joints) - 1)
        return self.phases[number](step - (joints[number - 1] if number else 0))

    def __add__(self, other: Schedule) -> Schedule:
        """This schedule and then ``other``."""
        return Schedule(self.phases + other.phases)


def constant_schedule(n_steps: int, *, warmup_steps: int = 0) -> Schedule:
    """Factor 1 for all of ``n_steps``, of which the first ``warmup_steps`` rise from 0.

    Raises ``InputError`` when the warmup is longer than the run.
    """
    return _composed(n_steps, warmup_steps, n_steps - warmup_steps, Phase(n_steps=0))


def linear_schedule(n_steps: int, *, warmup_steps: int = 0, constant_steps: int = 0, end: float = 0.0) -> Schedule:
    """Rise from 0, stay at 1, then fall in a straight line to ``end``: ``n_steps`` in total.

    To train longer keep the length of the decay and lengthen ``constant_steps`` (T4). Raises ``InputError`` when
    warmup and constant phase are longer than the run.
    """
    decay = Phase(n_steps=_rest(n_steps, warmup_steps, constant_steps), end=end)
    return _composed(n_steps, warmup_steps, constant_steps, decay)


def cosine_schedule(n_steps: int, *, warmup_steps: int = 0, constant_steps: int = 0, end: float = 0.0) -> Schedule:
    """Rise from 0, stay at 1, then fall along half a cosine to ``end``: ``n_steps`` in total.

    To train longer keep the base learning rate and raise ``n_steps`` (T4). Raises ``InputError`` when warmup and
    constant phase are longer than the run.
    """
    decay = Phase(n_steps=_rest(n_steps, warmup_steps, constant_steps), end=end, shape=Shape.COSINE)
    return _composed(n_steps, warmup_steps, constant_steps, decay)


def prepend_warmup(schedule: Schedule, warmup_steps: int, *, hold_steps: int | None = None) -> Schedule:
    """Put a warmup from 0, and a constant phase after it, before a schedule that starts at factor 1 (I2).

    ``hold_steps`` is twice the warmup unless given, which is how long the warmup procedure holds; give 0 to prepend the
    warmup alone. The run gets longer by both: train for ``n_steps`` of the result.
    """
    hold = HOLD_PER_WARMUP * warmup_steps if hold_steps is None else hold_steps
    return Schedule((Phase(n_steps=warmup_steps, start=0.0), Phase(n_steps=hold))) + schedule


class ScheduleLR(LRScheduler):
    """Drives the learning rate of an optimizer by a schedule, as ``torch.optim.lr_scheduler`` does.

    ``schedule`` is one function of the step, or one for each parameter group. Call ``step()`` once after every
    ``optimizer.step()``. The state dict holds the position and a description of the schedules, not the schedules: build
    the same ones before loading it; others are taken too, with a warning.
    """

    def __init__(self, optimizer: Optimizer, schedule: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        n_groups = len(optimizer.param_groups)
        self.schedules = [schedule] * n_groups if callable(schedule) else list(schedule)
        if len(self.schedules) != n_groups:
            raise InputError(f"{len(self.schedules)} schedules for {n_groups} parameter groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of every group at the current step."""
        return [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.schedules, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Plain values only, so that it loads with ``weights_only=True``."""
        state = {key: value for key, value in super().state_dict().items() if key != "schedules"}
        return state | {"described": self._described()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on at the saved step, under the schedules of this object."""
        state = dict(state_dict)
        described = state.pop("described", None)
        if described is not None and described != self._described():
            warnings.warn(
                f"the state was saved under {described} and training goes on under {self._described()}", stacklevel=2
            )
        super().load_state_dict(state)

    def _described(self) -> list[str]:
        # A plain function has nothing but its name to be told by; its repr would hold an address.
        return [repr(one) if isinstance(one, Schedule) else getattr(one, "__name__", "") for one in self.schedules]


def _rest(n_steps: int, warmup_steps: int, constant_steps: int) -> int:
    rest = n_steps - warmup_steps - constant_steps
    if rest < 0 or min(warmup_steps, constant_steps) < 0:
        raise InputError(
            f"a warmup of {warmup_steps} steps and a constant phase of {constant_steps} steps in a run of {n_steps} "
            f"steps: both must be at least 0 and together no longer than the run"
        )
    return rest


def _composed(n_steps: int, warmup_steps: int, constant_steps: int, decay: Phase) -> Schedule:
    _rest(n_steps, warmup_steps, max(constant_steps, 0))
    phases = (Phase(n_steps=warmup_steps, start=0.0), Phase(n_steps=constant_steps), decay)
    return Schedule(tuple(phase for phase in phases if phase.n_steps) or (Phase(n_steps=0),))

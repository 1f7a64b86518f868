"""Action: a change to a design that a finding proposes; a closed family (D5).

Every action turns a round into the next one and never edits in place. ``to_mapping`` is the
``next`` of a finding in JSON.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from tunebook.core.config import Value, same_value
from tunebook.core.hyperparameter import Choice, Constant, Domain, Hyperparameter, Range, Scale, is_number
from tunebook.core.round import Question, Round
from tunebook.core.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(ABC):
    """One change to a design."""

    kind: ClassVar[str]

    @abstractmethod
    def apply(self, design: Round) -> Round:
        """The round after this change; ``KeyError`` when it names something the round does not have."""

    def to_mapping(self) -> dict[str, Any]:
        """The action as JSON shows it."""
        return {"action": self.kind, **{key: value for key, value in asdict(self).items() if value is not None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Widen(Action):
    """Search from ``low`` to ``high`` instead; ``hyperparameter`` is a label.

    A list of numbers takes the new end in as one more value.
    """

    kind: ClassVar[str] = "widen"
    hyperparameter: str
    low: float
    high: float

    def apply(self, design: Round) -> Round:
        return change_domain(design, self.hyperparameter, self._new_domain)

    def _new_domain(self, domain: Domain) -> Domain:
        if isinstance(domain, Choice) and all(map(is_number, domain.values)):
            return Choice(*domain.values, *(end for end in (self.low, self.high) if end not in domain))
        if not isinstance(domain, Range):
            raise KeyError(f"{self.hyperparameter} has no range")
        return replace(domain, low=self.low, high=self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow(Widen):
    """Search only the good region from now on."""

    kind: ClassVar[str] = "narrow"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTrials(Action):
    """Continue the sequence of every study up to ``trials``."""

    kind: ClassVar[str] = "add_trials"
    trials: int
    study: str | None = None

    def apply(self, design: Round) -> Round:
        return replace(design, search=replace(design.search, trials=max(self.trials, design.search.trials)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix(Action):
    """Hold one searched hyperparameter at ``value`` from now on; what exists only for another value goes."""

    kind: ClassVar[str] = "fix"
    hyperparameter: str
    value: Value
    because: str = ""

    def apply(self, design: Round) -> Round:
        target = find(design, self.hyperparameter)
        kept = Hyperparameter(target.name, Constant(self.value, self.because), target.branch)
        return replace(
            design,
            scientific=_without(design.scientific, target, self.value),
            nuisance=_without(design.nuisance, target, self.value),
            fixed=(*_without(design.fixed, target, self.value), kept),
        )


def _without(space: Space, target: Hyperparameter, value: Value) -> Space:
    """The space without ``target`` and without what needs it to have another value."""
    own = set(target.branch)
    return tuple(
        item
        for item in space
        if item != target
        and not any(
            condition.parent == target.name and not same_value(condition.value, value) and own <= set(item.branch)
            for condition in item.branch
        )
    )


def find(design: Round, label: str) -> Hyperparameter:
    """The hyperparameter with this label, or with this name when only one has it; else ``KeyError``."""
    exact = [item for item in design.hyperparameters if item.label == label]
    found = exact or [item for item in design.hyperparameters if item.name == label]
    if len(found) != 1:
        raise KeyError(f"{label} names {len(found)} hyperparameters of this round")
    return found[0]


def change_domain(design: Round, label: str, new_domain: Callable[[Domain], Domain]) -> Round:
    """The round in which the domain of one hyperparameter is ``new_domain`` of the old one."""
    target = find(design, label)
    changed = Hyperparameter(target.name, new_domain(target.domain), target.branch)

    def changed_in(space: Space) -> Space:
        return tuple(changed if item == target else item for item in space)

    return replace(
        design,
        scientific=changed_in(design.scientific),
        nuisance=changed_in(design.nuisance),
        fixed=changed_in(design.fixed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp(Action):
    """Stabilise training before anything else: carry out the warmup procedure from this learning rate (I2).

    A warmup is a change to the training code's schedule, so the design stays as it is.
    """

    kind: ClassVar[str] = "warm_up"
    hyperparameter: str
    best: float

    def apply(self, design: Round) -> Round:
        find(design, self.hyperparameter)
        return design


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengthen(Action):
    """Train every trial for ``max_train_steps`` steps, more than now; stretch a decay schedule with it (T2)."""

    kind: ClassVar[str] = "lengthen"
    max_train_steps: int

    def apply(self, design: Round) -> Round:
        return replace(design, max_train_steps=max(self.max_train_steps, design.max_train_steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shorten(Action):
    """Train every trial for ``max_train_steps`` steps, fewer than now; shrink a decay schedule with it (T2)."""

    kind: ClassVar[str] = "shorten"
    max_train_steps: int

    def apply(self, design: Round) -> Round:
        return replace(design, max_train_steps=min(self.max_train_steps, design.max_train_steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regularise(Action):
    """Search a regulariser from ``low`` to ``high``: stronger than now, or at all where it was held at one value."""

    kind: ClassVar[str] = "regularise"
    hyperparameter: str
    low: float
    high: float
    scale: Scale = "linear"

    def apply(self, design: Round) -> Round:
        return search_range(design, self.hyperparameter, Range(low=self.low, high=self.high, scale=self.scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Action):
    """Clip gradients: search the norm to clip at, or clip by the procedure where the design has none (I3)."""

    kind: ClassVar[str] = "clip"
    hyperparameter: str | None = None
    low: float | None = None
    high: float | None = None

    def apply(self, design: Round) -> Round:
        if self.hyperparameter is None or self.low is None or self.high is None:
            return design
        return search_range(design, self.hyperparameter, Range(low=self.low, high=self.high, scale="log"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSeeds(Action):
    """Repeat baseline and candidate with ``seeds`` more seeds; that is no part of a design (D1)."""

    kind: ClassVar[str] = "add_seeds"
    seeds: int

    def apply(self, design: Round) -> Round:
        return design


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploit(Action):
    """Stop asking and minimise: everything that is left is searched for the best value only (X1)."""

    kind: ClassVar[str] = "exploit"

    def apply(self, design: Round) -> Round:
        return replace(design, question=Question.MINIMIZE)


def search_range(design: Round, label: str, domain: Range) -> Round:
    """The round in which one hyperparameter has this range: a searched one in its role, a fixed one as nuisance."""
    target = find(design, label)
    if target not in design.fixed:
        return change_domain(design, label, lambda _: domain)
    searched = Hyperparameter(target.name, domain, target.branch)
    return replace(
        design,
        nuisance=(*design.nuisance, searched),
        fixed=tuple(item for item in design.fixed if item != target),
    )

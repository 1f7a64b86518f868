"""Action: a change to a design that a finding proposes; a closed family (D5).

Every action turns a round into the next one and never edits in place. ``to_mapping`` is the
``next`` of a finding in JSON.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from tunebook.core.config import Value
from tunebook.core.hyperparameter import Constant, Domain, Hyperparameter, Range
from tunebook.core.round import Round
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
    """Search from ``low`` to ``high`` instead; ``hyperparameter`` is a label."""

    kind: ClassVar[str] = "widen"
    hyperparameter: str
    low: float
    high: float

    def apply(self, design: Round) -> Round:
        return change_domain(design, self.hyperparameter, self._new_domain)

    def _new_domain(self, domain: Domain) -> Domain:
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
    """Hold one searched hyperparameter at ``value`` from now on."""

    kind: ClassVar[str] = "fix"
    hyperparameter: str
    value: Value
    because: str = ""

    def apply(self, design: Round) -> Round:
        target = find(design, self.hyperparameter)
        kept = Hyperparameter(target.name, Constant(self.value, self.because), target.branch)
        return replace(
            design,
            scientific=tuple(item for item in design.scientific if item != target),
            nuisance=tuple(item for item in design.nuisance if item != target),
            fixed=(*design.fixed, kept),
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

"""Verdict: the answers to the two questions of a decision, and what they rest on (D3, L9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tunebook.core.config import Config


class Ruling(StrEnum):
    """What to do with the candidate."""

    ADOPT = "adopt"
    KEEP = "keep"
    """The baseline stays: the candidate is worse, or not better by enough to matter."""
    UNRESOLVED = "unresolved"
    """The runs do not tell; more seeds would."""


class RestsOn(StrEnum):
    """Where the variance behind a probability comes from."""

    REPEATS = "repeats"
    EARLIER = "earlier estimate"
    NONE = "none"


class Complexity(StrEnum):
    """How much code, tuning and upkeep a change adds; more of it has to pay for itself (D3)."""

    NONE = "none"
    SOME = "some"
    MUCH = "much"


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """How much better, in units of the objective and positive when better: an estimate and its interval."""

    estimate: float
    low: float
    high: float
    level: float = 0.95

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"an interval from {self.low} to {self.high}")

    def to_mapping(self) -> dict[str, float]:
        """The improvement as JSON shows it."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high, "level": self.level}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of the two configurations that are compared; ``repeats`` counts the runs its mean rests on.

    ``values`` are those runs and ``searched`` the one that the search chose it by, in units of the objective.
    """

    trial: str
    config: Config
    repeats: int
    infeasible: int = 0
    values: tuple[float, ...] = ()
    searched: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """The contender as JSON shows it; ``infeasible`` only where there is something to say."""
        shown = {"trial": self.trial, "config": dict(self.config), "repeats": self.repeats}
        return {**shown, "infeasible": self.infeasible} if self.infeasible else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationAnswer:
    """Is this configuration better than the baseline's? None where nothing tells."""

    probability: float | None = None
    improvement: Improvement | None = None
    rests_on: RestsOn = RestsOn.NONE

    def __post_init__(self) -> None:
        if self.rests_on is RestsOn.NONE and self.probability is not None:
            raise ValueError("a probability needs a variance that it rests on")

    def to_mapping(self) -> dict[str, Any]:
        """The answer as JSON shows it."""
        return {
            "probability_of_improvement": self.probability,
            "improvement": self.improvement.to_mapping() if self.improvement else None,
            "rests_on": str(self.rests_on),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingAnswer:
    """Is this scientific setting better than another, once everything else is tuned?"""

    setting: Config
    against: Config
    probability: float
    improvement: Improvement

    def to_mapping(self) -> dict[str, Any]:
        """The answer as JSON shows it."""
        return {
            "setting": dict(self.setting),
            "against": dict(self.against),
            "probability_of_improvement": self.probability,
            "improvement": self.improvement.to_mapping(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision on one round. Without a variance to rest on it can only be unresolved.

    ``seeds`` is how many further repeats of baseline and candidate would settle it, 0 when it is settled.
    """

    round: str
    baseline: Contender | None
    candidate: Contender | None
    configuration: ConfigurationAnswer
    settings: tuple[SettingAnswer, ...] = ()
    threshold: float
    ruling: Ruling
    because: tuple[str, ...]
    caveats: tuple[str, ...] = ()
    seeds: int = 0
    complexity: Complexity = field(default=Complexity.SOME)

    def __post_init__(self) -> None:
        if self.configuration.rests_on is RestsOn.NONE and self.ruling is not Ruling.UNRESOLVED:
            raise ValueError(f"a verdict that rests on no variance is unresolved, not {self.ruling}")

    def to_mapping(self) -> dict[str, Any]:
        """``decide --json``."""
        return {
            "round": self.round,
            "baseline": self.baseline.to_mapping() if self.baseline else None,
            "candidate": self.candidate.to_mapping() if self.candidate else None,
            "configuration": self.configuration.to_mapping(),
            "settings": [answer.to_mapping() for answer in self.settings],
            "threshold": self.threshold,
            "verdict": str(self.ruling),
            "because": list(self.because),
            "caveats": list(self.caveats),
            "needs": {"seeds": self.seeds},
        }

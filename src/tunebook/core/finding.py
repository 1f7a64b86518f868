"""Finding: what was seen, why it matters, how sure, and what to do next (L10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tunebook.core.action import Action


class Severity(StrEnum):
    """How much a finding stands in the way of a conclusion."""

    BLOCKING = "blocking"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about; all parts are optional."""

    study: str | None = None
    trial: str | None = None
    hyperparameter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The sentences of one kind of finding, with the names of evidence in braces.

    ``says`` is what was seen, ``why`` is why it matters, ``fix`` what a person can do about it.
    """

    says: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation with its evidence. The sentences are rendered from the evidence, so text and
    numbers cannot disagree: a word in braces that the evidence lacks is an error on construction.

    ``confidence`` is a probability in [0, 1]; 1 for what follows from the design alone.
    """

    code: str
    requirement: str
    severity: Severity
    words: Words
    evidence: Mapping[str, Any]
    confidence: float = 1.0
    subject: Subject = Subject()
    next: Action | None = None
    says: str = field(init=False)
    why: str = field(init=False)
    fix: str = field(init=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence {self.confidence} is outside of [0, 1]")
        object.__setattr__(self, "evidence", MappingProxyType(dict(self.evidence)))
        for part in ("says", "why", "fix"):
            object.__setattr__(self, part, getattr(self.words, part).format_map(self.evidence))

    def to_mapping(self) -> dict[str, Any]:
        """The finding as JSON shows it."""
        return {
            "code": self.code,
            "requirement": self.requirement,
            "severity": str(self.severity),
            "confidence": self.confidence,
            "subject": {
                "study": self.subject.study,
                "trial": self.subject.trial,
                "hyperparameter": self.subject.hyperparameter,
            },
            "evidence": dict(self.evidence),
            "says": self.says,
            "why": self.why,
            "fix": self.fix,
            "next": self.next.to_mapping() if self.next else None,
        }


def by_importance(finding: Finding) -> tuple[int, float]:
    """Sort key: blocking before warning before note, surer ones first."""
    return finding.severity.rank, -finding.confidence

"""What every guided procedure is: it names the next round to run, and concludes from what was seen.

A procedure is a value. ``next_round`` and ``conclude`` are pure functions of the evidence so far, so that
carrying one out again runs only what is not there yet, wherever it stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from tunebook.core.action import Action
from tunebook.core.finding import Finding, Severity, Subject, Words, by_importance
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.errors import RunError
from tunebook.evidence import Evidence
from tunebook.plan.design import dumps

#: Runs a round, or goes on with it, and returns what it has shown.
Run: TypeAlias = Callable[[Round], Evidence]
#: What was seen so far, in the order the rounds were run.
Seen: TypeAlias = Sequence[Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How a procedure ends.

    ``answer`` is one word of the procedure's own. ``numbers`` hold what it rests on and what a plot would
    show. ``design`` is the user's design with the result applied, None where nothing is to change, and
    ``changes`` says in words what differs in it.
    """

    procedure: str
    answer: str
    findings: tuple[Finding, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    design: Round | None = None
    changes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))
        object.__setattr__(self, "findings", tuple(sorted(self.findings, key=by_importance)))

    @property
    def patch(self) -> str:
        """The text of the design file with the result applied; empty where nothing is to change."""
        return "" if self.design is None else dumps(self.design)

    def to_mapping(self) -> dict[str, Any]:
        """The conclusion as JSON shows it."""
        return {
            "procedure": self.procedure,
            "answer": self.answer,
            "findings": [finding.to_mapping() for finding in self.findings],
            "numbers": dict(self.numbers),
            "changes": list(self.changes),
            "design": self.patch or None,
        }


class Procedure(ABC):
    """One guided procedure with everything it was asked for."""

    name: ClassVar[str]
    #: Whether trials may run side by side; not where their speed is what is measured.
    is_parallel: ClassVar[bool] = True

    @property
    @abstractmethod
    def outlook(self) -> str:
        """What will be run, in a sentence, before anything is."""

    @abstractmethod
    def next_round(self, seen: Seen) -> Round | None:
        """The round to run next; None when enough was seen."""

    @abstractmethod
    def conclude(self, seen: Seen) -> Conclusion:
        """What follows from the rounds that were run."""


def carry_out(procedure: Procedure, run: Run) -> Conclusion:
    """Run the rounds a procedure asks for until it has seen enough.

    ``RunError`` when a trial failed: an error in the training code says nothing about a configuration.
    """
    seen: tuple[Evidence, ...] = ()
    while (planned := procedure.next_round(seen)) is not None:
        seen = (*seen, without_failures(run(planned)))
    return procedure.conclude(seen)


def without_failures(evidence: Evidence) -> Evidence:
    """The evidence itself; ``RunError`` when a trial of it failed or never ended."""
    failed = [trial for trial in evidence.trials if trial.status is Status.FAILED]
    if failed:
        said = failed[0].detail.strip().splitlines()
        why = f": {said[-1]}" if said else ""
        raise RunError(
            f"{len(failed)} of {len(evidence.trials)} trials of {evidence.name} failed, {failed[0].name} by "
            f"{failed[0].cause}{why}. Mend the training code and run the same command again"
        )
    if not all(trial.status.is_final for trial in evidence.trials):
        raise RunError(f"trials of {evidence.name} have not ended; run the same command again to go on")
    return evidence


def latest(seen: Seen, name: str) -> Evidence | None:
    """The newest evidence of the round called ``name``; None before it was run."""
    return next((evidence for evidence in reversed(seen) if evidence.round.name == name), None)


def told(
    code: str,
    requirement: str,
    words: Words,
    evidence: Mapping[str, Any],
    *,
    severity: Severity,
    confidence: float = 1.0,
    action: Action | None = None,
) -> Finding:
    """A finding about the hyperparameter that its evidence names, if it names one."""
    named = evidence.get("hyperparameter")
    return Finding(
        code=code,
        requirement=requirement,
        severity=severity,
        words=words,
        evidence=evidence,
        confidence=confidence,
        subject=Subject(hyperparameter=str(named) if named else None),
        next=action,
    )

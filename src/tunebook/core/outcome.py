"""How a trial ended: complete, infeasible or failed, never two of them (E5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where a trial stands. The last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    INFEASIBLE = "infeasible"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in (Status.COMPLETE, Status.INFEASIBLE, Status.FAILED)


class Cause(StrEnum):
    """Why a trial is infeasible (first group: a result) or failed (second group: a mishap)."""

    DIVERGED = "diverged"
    """The objective ended non-finite."""
    OUT_OF_MEMORY = "out_of_memory"
    """The configuration did not fit."""
    RAISED = "raised"
    """Training raised ``tunebook.Infeasible``."""
    IMPORTED = "imported"
    """A record from elsewhere says so without a reason."""

    ERROR = "error"
    """Training raised another exception or exited with a status other than 0."""
    KILLED = "killed"
    """A signal ended the process, more often than it may be retried."""
    HUNG = "hung"
    """Nothing was logged for longer than allowed, or the trial exceeded its time."""
    LOST = "lost"
    """The worker or its machine vanished, more often than it may be retried."""
    NO_OBJECTIVE = "no_objective"
    """Training ended well but never logged the metric of the objective."""


INFEASIBLE_CAUSES = frozenset({Cause.DIVERGED, Cause.OUT_OF_MEMORY, Cause.RAISED, Cause.IMPORTED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A final status with its cause; ``detail`` is a sentence, or the traceback of a failure."""

    status: Status
    cause: Cause | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if not self.status.is_final:
            raise ValueError(f"{self.status} is not how a trial ends")
        if (self.cause is None) != (self.status is Status.COMPLETE):
            raise ValueError("a complete trial has no cause, any other needs one")
        if self.status is Status.INFEASIBLE and self.cause not in INFEASIBLE_CAUSES:
            raise ValueError(f"{self.cause} makes a trial failed, not infeasible")
        if self.status is Status.FAILED and self.cause in INFEASIBLE_CAUSES - {Cause.IMPORTED}:
            raise ValueError(f"{self.cause} makes a trial infeasible, not failed")

    @classmethod
    def complete(cls) -> Outcome:
        """Trained to the end with a finite objective."""
        return cls(Status.COMPLETE)

    @classmethod
    def infeasible(cls, cause: Cause, detail: str = "") -> Outcome:
        """Cannot be trained, which is a result."""
        return cls(Status.INFEASIBLE, cause, detail)

    @classmethod
    def failed(cls, cause: Cause, detail: str = "") -> Outcome:
        """Did not end for reasons that say nothing about the configuration."""
        return cls(Status.FAILED, cause, detail)

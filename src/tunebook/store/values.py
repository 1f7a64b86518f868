"""What goes into the store and comes out of it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Purpose
from tunebook.core.trial import TrialSpec

EndReason: TypeAlias = Literal["stopped", "killed", "hung", "lost", "failed"]
"""Why an attempt ended without an outcome: a person stopped it, a signal ended it, it stood still, it vanished, or
it failed and a person asked for another try.
"""

MISHAPS: tuple[EndReason, ...] = ("killed", "hung")
"""End reasons that may be the trial's own fault and therefore count against its retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process that runs trials. ``started`` (when it began) tells it from a later process with its ``pid``."""

    id: str
    host: str
    pid: int
    started: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to run one trial once, until its lease runs out.

    ``attempt`` counts from 1; ``mishaps`` of the earlier ones ended killed or hung. The last ``losses`` of
    them were lost, all having begun at step ``lost_from``. ``attempt_key`` names this attempt in the whole
    store, ``token`` proves that the lease is still this one.
    """

    round: str
    spec: TrialSpec
    trial_key: int
    attempt: int
    attempt_key: int
    token: str
    mishaps: int
    losses: int = 0
    lost_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A trial that somebody is running, or was when the lease was last renewed."""

    trial: str
    attempt_key: int
    owner: Owner
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What planning again changed: trials that are new, that were there, that the plan no longer holds."""

    added: int
    kept: int
    retired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """One round as a list of rounds shows it; ``origin`` is ``native`` or the kind of import."""

    number: int
    name: str
    origin: str
    created_at: datetime
    goal: str
    purpose: Purpose = Purpose.TUNING


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial and how it went. ``attempts`` counts all that were started, ``seconds`` is the last one's."""

    name: str
    spec: TrialSpec
    status: Status
    cause: Cause | None = None
    detail: str = ""
    attempts: int = 0
    seconds: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    is_retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A sentence a person wrote about a round, or about one of its trials."""

    round: str
    trial: str | None
    text: str
    at: datetime


def seconds_of(time: datetime) -> float:
    """Seconds since 1970 UTC; ``ValueError`` for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time.isoformat()} has no time zone")
    return time.timestamp()


def time_of(seconds: float) -> datetime:
    """The aware UTC time of ``seconds_of``."""
    return datetime.fromtimestamp(seconds, UTC)


def optional_time(seconds: float | None) -> datetime | None:
    """``time_of`` where there is one."""
    return None if seconds is None else time_of(seconds)

"""What a run tells while it goes on, so that a terminal, a notebook or a page can draw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tunebook.core.config import Config
from tunebook.core.outcome import Outcome, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best trial so far, by the round's objective."""

    trial: str
    study: str
    value: float
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """An attempt began in ``slot``; ``start_step`` is above 0 when it went on from a checkpoint."""

    trial: str
    study: str
    config: Config
    attempt: int
    slot: int
    start_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """An attempt ended: with the ``outcome`` of its trial, or ``released`` for the reason given there.

    ``value`` is the objective where it is known and finite, ``seconds`` how long the attempt ran.
    """

    trial: str
    study: str
    attempt: int
    seconds: float
    outcome: Outcome | None = None
    released: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something about a trial that a person should look at, such as lines that could not be read."""

    trial: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How the round stands, about once a second; ``eta_seconds`` is None until a trial has ended."""

    counts: Mapping[Status, int]
    running_here: int
    best: Best | None
    eta_seconds: float | None


Event: TypeAlias = TrialStarted | TrialEnded | Warned | Progress
OnEvent: TypeAlias = Callable[[Event], None]

"""Launch: a configuration adopted as the baseline, on recorded evidence (S1, D4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tunebook.core.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One entry of the ledger. ``number`` counts from 0, the first baseline.

    ``evidence`` holds the numbers the decision rests on, as the ``decide`` command shows them;
    ``rolls_back`` names a launch that this one takes out of force, ``examines`` one whose final training and
    evaluation on the test set this entry records (X2); an entry that ``keeps`` records that the baseline,
    whose trial and configuration it has, stayed (D4). None of these is a launch of its own.
    """

    number: int
    round: str
    trial: str
    config: Config
    at: datetime
    evidence: Mapping[str, Any] = field(default_factory=dict)
    revision: str | None = None
    command: str | None = None
    who: str | None = None
    note: str = ""
    test_set_looked_at: bool = False
    rolls_back: int | None = None
    examines: int | None = None
    keeps: bool = False

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("a launch needs an aware time")
        if self.number < 0:
            raise ValueError(f"launch numbers start at 0, not {self.number}")

    @property
    def is_launch(self) -> bool:
        """Whether the entry adopts a configuration, and is not about another entry."""
        return self.rolls_back is None and self.examines is None and not self.keeps

    def to_mapping(self) -> dict[str, Any]:
        """The entry as JSON shows it."""
        return {
            "launch": self.number,
            "round": self.round,
            "trial": self.trial,
            "config": dict(self.config),
            "at": self.at.isoformat(),
            "evidence": dict(self.evidence),
            "revision": self.revision,
            "command": self.command,
            "who": self.who,
            "note": self.note,
            "test_set_looked_at": self.test_set_looked_at,
            "rolls_back": self.rolls_back,
            "examines": self.examines,
            "keeps": self.keeps,
        }


def current_launch(launches: list[Launch]) -> Launch | None:
    """The baseline in force: the newest launch that was not rolled back."""
    out = {launch.rolls_back for launch in launches if launch.rolls_back is not None}
    standing = [launch for launch in launches if launch.number not in out and launch.is_launch]
    return max(standing, key=lambda launch: launch.number, default=None)

"""Study and TrialSpec: what is to be trained, before anything about how it went."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum

from tunebook.core.config import Config, spelled

#: The study of a round that has no scientific setting to split by.
WHOLE_ROUND = "all"


@dataclass(frozen=True, slots=True)
class Study:
    """A named share of a round's trials; ``setting`` holds the scientific values all of them have."""

    name: str
    setting: Config = Config()

    @classmethod
    def of(cls, setting: Config) -> Study:
        """The study of one scientific setting, named after it: ``optimizer=adam,use_dropout=true``."""
        name = ",".join(f"{key}={spelled(value)}" for key, value in setting.items())
        return cls(name or WHOLE_ROUND, setting)


class TrialPurpose(StrEnum):
    """Why a trial was run. Only ``search`` trials are the sample a study is judged by."""

    SEARCH = "search"
    REPEAT = "repeat"
    BASELINE = "baseline"
    EXPLOIT = "exploit"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpec:
    """One configuration to train for ``max_train_steps`` steps with one seed.

    ``id`` is a hash of what determines the result (configuration, seed, steps, way to train), so
    planning twice, resuming and importing again meet the same trial. ``index`` is its place in the
    sequence of its study and ``point`` the unit-cube coordinates it was drawn at, in the order of
    the searched hyperparameters that exist in it; both are None where no sequence was drawn from.
    """

    study: str
    config: Config
    seed: int
    max_train_steps: int
    way_to_train: str
    purpose: TrialPurpose = TrialPurpose.SEARCH
    index: int | None = None
    point: tuple[float, ...] | None = None
    _id: str = field(init=False, repr=False, compare=False, default="")

    @property
    def id(self) -> str:
        """16 hexadecimal digits, computed when first asked for."""
        if not self._id:
            object.__setattr__(self, "_id", self._hash())
        return self._id

    def _hash(self) -> str:
        way = json.dumps(self.way_to_train)
        content = f"{self.config.canonical()}|{self.seed}|{self.max_train_steps}|{way}"
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

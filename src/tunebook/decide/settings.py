"""Scientific settings of a round: which one a configuration belongs to, and in what order they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.hyperparameter import Choice, Hyperparameter, Range
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import Evidence, TrialRecord
from tunebook.plan.cube import from_unit, to_unit

#: A scientific range with more values than this among the trials is compared by stretches of it ...
MAX_VALUES = 8
#: ... this many, equally long on its scale.
N_STRETCHES = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """How configurations fall into settings. ``split`` are the scientific ranges compared by stretches, ``searched``
    the studies that searched something: a baseline that is only repeated here is no setting of the round.
    """

    evidence: Evidence
    split: frozenset[Hyperparameter]
    searched: frozenset[str]

    @classmethod
    def of(cls, evidence: Evidence) -> Settings:
        """Look at which values the trials have."""
        ranges = [item for item in evidence.round.scientific if isinstance(item.domain, Range)]
        seen = {
            item: {trial.config[item.name] for trial in evidence.trials if item.name in trial.config} for item in ranges
        }
        split = frozenset(item for item in ranges if len(seen[item]) > MAX_VALUES)
        again = (TrialPurpose.REPEAT, TrialPurpose.BASELINE)
        searched = frozenset(trial.study for trial in evidence.trials if trial.purpose not in again)
        return cls(evidence, split, searched)

    def setting(self, trial: TrialRecord) -> Config:
        """The scientific values of a trial, a stretch standing for a value of a range; where the design has no
        scientific hyperparameter, the setting of its study, or the study's name.
        """
        config = trial.config
        values = {
            item.name: self._shown(item, config[item.name])
            for item in self.evidence.round.scientific
            if item.name in config and item.is_active(config)
        }
        if values:
            return Config(values)
        studies = {study.name: study.setting for study in self.evidence.studies if study.name in self.searched}
        return studies.get(trial.study) or Config({"study": trial.study} if len(studies) > 1 else {})

    def _shown(self, item: Hyperparameter, value: Value) -> Value:
        if item not in self.split or not isinstance(item.domain, Range):
            return value
        return stretches(item.domain)[_stretch(item.domain, value)]

    @property
    def place(self) -> Callable[[Config], tuple[object, ...]]:
        """Sort key of settings: as the design lists choices, numbers and stretches ascending."""
        studies = [study.name for study in self.evidence.studies]

        def key(setting: Config) -> tuple[object, ...]:
            ranks = tuple(self._rank(item, setting) for item in self.evidence.round.scientific)
            name = setting.get("study")
            return ranks, studies.index(str(name)) if name in studies else -1, setting.canonical()

        return key

    def _rank(self, item: Hyperparameter, setting: Mapping[str, Value]) -> float:
        if item.name not in setting:
            return float("inf")
        value, domain = setting[item.name], item.domain
        if item in self.split and isinstance(domain, Range):
            return float(stretches(domain).index(str(value)))
        if isinstance(domain, Choice) and value in domain:
            return float(domain.index(value))
        return float(value) if not isinstance(value, str) else 0.0


@lru_cache
def stretches(domain: Range) -> tuple[str, ...]:
    """The stretches of a range in words, in their order: ``0.001 to 0.01``."""
    edges = [_edge(domain, number / N_STRETCHES) for number in range(N_STRETCHES + 1)]
    return tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges))


def _edge(domain: Range, unit: float) -> float:
    if unit in (0.0, 1.0):
        return domain.high if unit else domain.low
    continuous = Range(low=domain.low, high=domain.high, scale=domain.scale)
    return float(from_unit(continuous, np.array([unit]))[0])


def _stretch(domain: Range, value: Value) -> int:
    unit = float(to_unit(domain, [value])[0])
    if np.isnan(unit):  # an imported trial from outside of the range
        unit = float(isinstance(value, int | float) and value > domain.high)
    return min(max(int(unit * N_STRETCHES), 0), N_STRETCHES - 1)

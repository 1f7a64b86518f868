"""View: one round as the checks see it. Scores, masks, unit-cube columns and noise, computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tunebook.core.config import Value
from tunebook.core.hyperparameter import Hyperparameter
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.trial import Study, TrialPurpose
from tunebook.evidence import Evidence, FloatArray, IntArray, Scores, ranking, read_only
from tunebook.learn.material import Material, material
from tunebook.plan.cube import to_unit
from tunebook.stats.variance import Spread, near_the_best, pooled_spread

BoolArray = npt.NDArray[np.bool_]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Spread between runs of one configuration: a standard deviation, or None when nobody measured it.

    ``source`` is ``repeats``, ``earlier`` (an estimate from another round) or ``none``.
    """

    sd: float | None = None
    source: str = "none"
    degrees: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A round's evidence with everything that several checks need; arrays run over the trials.

    ``feasible``: complete, with a finite objective that beats the chance level where one is stated.
    ``infeasible``: ended as infeasible, or complete and no better than chance. Failed and unfinished
    trials are in neither. ``keys`` are the objective values with lower better, NaN where there is none.
    """

    evidence: Evidence
    objective: Objective
    earlier: Noise | None = None
    _made: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, evidence: Evidence, objective: Objective | None = None, earlier: Noise | None = None) -> View:
        """The view of ``evidence`` under its own or a revised ``objective`` (L1)."""
        return cls(evidence=evidence, objective=objective or evidence.round.objective, earlier=earlier)

    @property
    def n_trials(self) -> int:
        """How many trials there are, whatever their status and purpose."""
        return len(self.evidence.trials)

    @cached_property
    def scores(self) -> Scores:
        """The objective of every trial and the step it was reached at."""
        return self.evidence.scores(self.objective)

    @cached_property
    def keys(self) -> FloatArray:
        """The objective with its sign turned so that lower is better."""
        return read_only(self.objective.sign * self.scores.values)

    @cached_property
    def feasible(self) -> BoolArray:
        """Trials that trained to something."""
        return np.isfinite(self.scores.values) & self._beats_chance

    @cached_property
    def infeasible(self) -> BoolArray:
        """Trials that could not be trained, which is a result and not a mishap."""
        stuck = np.isfinite(self.scores.values) & ~self._beats_chance
        return self.evidence.mask(Status.INFEASIBLE) | stuck

    @cached_property
    def _beats_chance(self) -> BoolArray:
        if self.objective.chance is None:
            return np.ones(self.n_trials, dtype=bool)
        chance = self.objective.sign * self.objective.chance
        return np.less(self.keys, chance)

    @cached_property
    def searched_trials(self) -> BoolArray:
        """Trials of the search itself: what a study is judged by, without repeats and exploitation."""
        return self.evidence.mask(purpose=TrialPurpose.SEARCH)

    @cached_property
    def order(self) -> IntArray:
        """Feasible trials, best first."""
        order = ranking(self.scores, self.objective)
        return order[self.feasible[order]]

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """The round's studies; what trials name beyond those comes after them."""
        known = {study.name for study in self.evidence.studies}
        extra = dict.fromkeys(trial.study for trial in self.evidence.trials if trial.study not in known)
        return self.evidence.studies + tuple(Study(name) for name in extra)

    @cached_property
    def _study_masks(self) -> Mapping[str, BoolArray]:
        names = np.array([trial.study for trial in self.evidence.trials], dtype=object)
        return {study.name: np.asarray(names == study.name, dtype=bool) for study in self.studies}

    def in_study(self, name: str) -> BoolArray:
        """Search trials of one study."""
        return self._study_masks[name] & self.searched_trials

    def values(self, hyperparameter: Hyperparameter) -> list[Value | None]:
        """Its value in every trial; None where it does not exist (another branch, or not recorded)."""
        name = hyperparameter.name
        return [
            trial.config.get(name) if hyperparameter.is_active(trial.config) else None for trial in self.evidence.trials
        ]

    def units(self, hyperparameter: Hyperparameter) -> FloatArray:
        """Its unit-cube coordinate in every trial; NaN where it does not exist, or where an imported
        trial lies outside of the range. Computed once.
        """
        return self.once(hyperparameter, lambda: read_only(to_unit(hyperparameter.domain, self.values(hyperparameter))))

    def once(self, key: object, make: Callable[[], Made]) -> Made:
        """What ``make`` returns, made at the first call with this ``key`` and kept: for what checks share."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]  # type: ignore[return-value]

    @cached_property
    def noise(self) -> Noise:
        """Spread between seeds: from this round's repeats, else from an earlier estimate, else unknown."""
        spread = self.repeat_spread
        if spread is not None:
            return Noise(sd=spread.sd, source="repeats", degrees=spread.degrees)
        return self.earlier or Noise()

    @cached_property
    def repeat_spread(self) -> Spread | None:
        """The pooled spread over good configurations that ran with several seeds; None when none did."""
        keys = np.where(self.feasible, self.keys, np.nan)
        near = near_the_best(keys, self.evidence.configurations)
        return pooled_spread(keys[near], self.evidence.configurations[near])

    @cached_property
    def material(self) -> Material:
        """The smallest difference that matters, and who says so."""
        return material(self.evidence, self.objective, self.earlier.sd if self.earlier else None)

"""The table all plots share: one row a trial, so that no plot repeats names, values or configurations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.evidence import Evidence, FloatArray, IntArray, read_only
from tunebook.learn.view import View
from tunebook.show.data.numbers import ShownRange, rounded, shown_range

BoolArray = npt.NDArray[np.bool_]

#: How many of the best trials stand in front of the others (L7: "the best few brought forward"), and
#: the share of a small round that still is a few.
N_BEST = 5
BEST_SHARE = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialTable:
    """One row a trial, in the order of the evidence.

    ``study`` is a position in ``studies``, ``values`` and ``steps`` the objective and where it was
    reached (NaN and -1 where there is none), ``order`` the feasible trials, best first. ``feasible``
    and ``infeasible`` are those of ``View``, among the trials a search drew (``sampled``): repeats and
    baselines have curves but no place in the sample.
    """

    objective: Objective
    studies: tuple[str, ...]
    names: tuple[str, ...]
    configs: tuple[Config, ...]
    statuses: tuple[Status, ...]
    study: IntArray
    values: FloatArray
    steps: IntArray
    feasible: BoolArray
    infeasible: BoolArray
    order: IntArray
    sampled: BoolArray

    def __len__(self) -> int:
        return len(self.names)

    @property
    def best(self) -> IntArray:
        """The best few trials of the sample, best first."""
        return self.leaders[: math.ceil(BEST_SHARE * self.feasible.sum())]

    @property
    def leaders(self) -> IntArray:
        """The ``N_BEST`` best trials of the sample even when there are hardly more."""
        return self.order[self.feasible[self.order]][:N_BEST]

    @cached_property
    def shown(self) -> ShownRange:
        """The range in which plots show the objective."""
        return shown_range(self.values[self.feasible], self.objective.sign)

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready; statuses as positions in ``status_names``. Configurations are the plots' axes."""
        order = list(Status)
        return {
            "objective": self.objective.to_mapping(),
            "studies": list(self.studies),
            "status_names": [str(status) for status in order],
            "names": list(self.names),
            "status": [order.index(status) for status in self.statuses],
            "study": self.study.tolist(),
            "values": rounded(self.values),
            "steps": self.steps.tolist(),
            "infeasible": np.flatnonzero(self.infeasible).tolist(),
            "feasible": self.feasible.astype(int).tolist(),
            "shown": self.shown.to_mapping(),
        }


def trial_table(evidence: Evidence, objective: Objective | None = None) -> TrialTable:
    """The table of one round under ``objective``, by default the round's own (L1)."""
    return table_of(View.of(evidence, objective))


def table_of(view: View) -> TrialTable:
    """The table of a round as the checks see it."""
    trials = view.evidence.trials
    studies = tuple(study.name for study in view.studies)
    place = {name: number for number, name in enumerate(studies)}
    return TrialTable(
        objective=view.objective,
        studies=studies,
        names=tuple(trial.name for trial in trials),
        configs=tuple(trial.config for trial in trials),
        statuses=tuple(trial.status for trial in trials),
        study=read_only(np.array([place[trial.study] for trial in trials], dtype=np.int64)),
        values=view.scores.values,
        steps=view.scores.steps,
        feasible=view.feasible & view.searched_trials,
        infeasible=view.infeasible & view.searched_trials,
        order=view.order,
        sampled=view.searched_trials,
    )

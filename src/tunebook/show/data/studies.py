"""What each study came to: counts by status and the best trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.core.config import Config
from tunebook.core.outcome import Status
from tunebook.show.data.table import TrialTable


@dataclass(frozen=True, slots=True, kw_only=True)
class BestTrial:
    """The best trial of a study: its value, and the step that value was reached at."""

    trial: str
    value: float
    step: int
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """How many trials a study has in each status, and its best; None when no trial has a finite objective."""

    study: str
    trials: int
    complete: int
    infeasible: int
    failed: int
    best: BestTrial | None

    @property
    def unfinished(self) -> int:
        """Pending or running."""
        return self.trials - self.complete - self.infeasible - self.failed

    def to_mapping(self) -> dict[str, Any]:
        """As ``learn --json`` shows a study."""
        best = self.best
        return {
            "study": self.study,
            "trials": self.trials,
            "complete": self.complete,
            "infeasible": self.infeasible,
            "failed": self.failed,
            "best": best and {"trial": best.trial, "value": best.value, "step": best.step, "config": dict(best.config)},
        }


def study_summaries(table: TrialTable) -> tuple[StudySummary, ...]:
    """One for each study, in the order of the round: trials of the search by how they ended, repeats left out."""
    found = tuple(_summary(table, number) for number in range(len(table.studies)))
    # A baseline that is only repeated here has a study of its own and no trial of the search.
    return tuple(one for one in found if one.trials) or found


def _summary(table: TrialTable, number: int) -> StudySummary:
    own = (table.study == number) & table.sampled
    statuses = [table.statuses[trial] for trial in np.flatnonzero(own).tolist()]
    ranked = table.order[(own & table.feasible)[table.order]]
    return StudySummary(
        study=table.studies[number],
        trials=len(statuses),
        complete=statuses.count(Status.COMPLETE),
        infeasible=statuses.count(Status.INFEASIBLE),
        failed=statuses.count(Status.FAILED),
        best=_best(table, int(ranked[0])) if len(ranked) else None,
    )


def _best(table: TrialTable, trial: int) -> BestTrial:
    return BestTrial(
        trial=table.names[trial],
        value=float(table.values[trial]),
        step=int(table.steps[trial]),
        config=table.configs[trial],
    )

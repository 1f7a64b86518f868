"""The first launch: what the run of the initial configuration showed (S1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.core.outcome import Status
from tunebook.core.verdict import Contender
from tunebook.decide.baseline import beats_chance
from tunebook.errors import RunError
from tunebook.evidence import Evidence


def measured(evidence: Evidence) -> tuple[Contender, dict[str, Any]]:
    """The initial configuration and the numbers that make it launch 0.

    ``RunError`` when it did not train or does not clearly beat chance; then there is no baseline.
    """
    trial = evidence.trials[0]
    values = tuple(float(value) for value in evidence.scores().values if np.isfinite(value))
    if trial.status is not Status.COMPLETE or not values:
        cause = f": {trial.cause}, {trial.detail.strip().splitlines()[-1] if trial.detail.strip() else 'no detail'}"
        raise RunError(f"the initial configuration ended {trial.status}{cause if trial.cause else ''}")
    objective = evidence.round.objective
    finding = beats_chance(objective, values, trial.name)
    if finding is not None:
        raise RunError(f"{finding.says} {finding.fix}".strip())
    evidence_of_launch = {
        "values": list(values),
        "chance": objective.chance,
        "metric": objective.metric,
        "requirement": "S1",
    }
    return Contender(trial=trial.name, config=trial.config, repeats=len(values)), evidence_of_launch

"""The diagnosis of every trial's curves, as ``tunebook curves`` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunebook.core.objective import Objective
from tunebook.evidence import Evidence
from tunebook.learn.curve_diagnosis import CurveDiagnosis, diagnose
from tunebook.learn.material import Material, material


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReport:
    """All diagnoses of one round, and the unit in which a change of the metric counts as material."""

    round: str
    metric: str
    unit: Material
    trials: tuple[CurveDiagnosis, ...]

    def to_mapping(self) -> dict[str, Any]:
        """The document of ``curves --json``."""
        return {
            "round": self.round,
            "material": {"value": self.unit.value, "source": self.unit.source},
            "trials": [diagnosis.to_mapping() for diagnosis in self.trials],
        }


def diagnose_round(evidence: Evidence, objective: Objective) -> CurveReport:
    """Diagnose every trial of a round under ``objective``."""
    unit = material(evidence, objective)
    return CurveReport(
        round=evidence.name,
        metric=objective.metric,
        unit=unit,
        trials=diagnose(evidence, objective, unit.unit),
    )

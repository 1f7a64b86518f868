"""Learning from a round, under its own objective or another one (L1, L6)."""

from __future__ import annotations

from tunebook.core.objective import Objective, revised
from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.learn.analyse import Analysis, analyse
from tunebook.learn.curve_report import CurveReport, diagnose_round


def learn(evidence: Evidence, objective: str | Objective | None) -> Analysis:
    """Every check over a round; ``InputError`` for another objective that no trial logged."""
    return analyse(evidence, _wanted(evidence, objective))


def curves(evidence: Evidence, objective: str | Objective | None) -> CurveReport:
    """The diagnosis of every trial's curves; ``InputError`` for another objective that no trial logged."""
    return diagnose_round(evidence, _wanted(evidence, objective))


def _wanted(evidence: Evidence, objective: str | Objective | None) -> Objective:
    wanted = revised(evidence.round.objective, objective)
    if objective and evidence.metrics and wanted.metric not in evidence.metrics:
        hint = did_you_mean(wanted.metric, evidence.metrics)
        known = ", ".join(evidence.metrics)
        raise InputError(f"{evidence.name}: no trial logged {wanted.metric}{hint}; logged are: {known}")
    return wanted

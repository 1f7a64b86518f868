"""Learning from a round, under its own objective or another one (L1, L6)."""

from __future__ import annotations

from tunebook.core.objective import Objective, revised
from tunebook.evidence import Evidence
from tunebook.learn.analyse import Analysis, analyse
from tunebook.learn.curve_report import CurveReport, diagnose_round


def learn(evidence: Evidence, objective: str | Objective | None) -> Analysis:
    """Every check over a round."""
    return analyse(evidence, revised(evidence.round.objective, objective))


def curves(evidence: Evidence, objective: str | Objective | None) -> CurveReport:
    """The diagnosis of every trial's curves."""
    return diagnose_round(evidence, revised(evidence.round.objective, objective))

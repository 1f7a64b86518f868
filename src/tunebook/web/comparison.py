"""The parts of a comparison that take the verdict: repeats as points, and its sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.core.config import Config
from tunebook.core.verdict import Verdict
from tunebook.decide.arms import Arm, Arms
from tunebook.decide.baseline import Baseline
from tunebook.show.decisions import configuration_text, setting_text
from tunebook.show.words import config_text

#: Configurations whose repeats are shown; the best come first.
MOST_ARMS = 12


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """``decide --json`` with its sentences beside the numbers."""
    return {
        **verdict.to_mapping(),
        "configuration_text": configuration_text(verdict.configuration, verdict.threshold),
        "setting_texts": [setting_text(answer) for answer in verdict.settings],
        "baseline_text": config_text(verdict.baseline.config) if verdict.baseline else "",
        "candidate_text": config_text(verdict.candidate.config) if verdict.candidate else "",
    }


def repeats(arms: Arms, verdict: Verdict | None, baseline: Baseline | None, sign: int) -> list[dict[str, Any]]:
    """Configurations that ran more than once, with every run; baseline and candidate first."""
    part: dict[Config, str] = {}
    if verdict and verdict.candidate:
        part[verdict.candidate.config] = "candidate"
    if verdict and verdict.baseline:
        part[verdict.baseline.config] = "baseline"
    several = [arm for arm in arms.every if arm.n_runs > 1 or arm.config in part]
    several.sort(key=lambda arm: (arm.config not in part, arm.every[:1] or (np.inf,)))
    rows = [_row(arm, part.get(arm.config, ""), sign) for arm in several[:MOST_ARMS]]
    if baseline and baseline.values and all(row["part"] != "baseline" for row in rows):
        rows.insert(0, _baseline_row(baseline))
    return rows


def _row(arm: Arm, part: str, sign: int) -> dict[str, Any]:
    return {
        "trial": arm.trial,
        "part": part,
        "config": config_text(arm.config),
        "setting": config_text(arm.setting),
        "chosen_by": None if arm.first is None else sign * arm.first,
        "values": [sign * value for value in arm.fresh],
        "infeasible": arm.infeasible + arm.first_infeasible,
    }


def _baseline_row(baseline: Baseline) -> dict[str, Any]:
    return {
        "trial": baseline.trial,
        "part": "baseline",
        "config": config_text(baseline.config),
        "setting": f"from {baseline.round}",
        "chosen_by": None,
        "values": list(baseline.values),
        "infeasible": baseline.infeasible,
    }

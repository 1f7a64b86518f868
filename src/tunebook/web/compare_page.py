"""The document of a comparison: settings isolated, repeats as points, the verdict, caveats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from tunebook.core.config import Config
from tunebook.core.verdict import Verdict
from tunebook.decide.arms import Arm, Arms
from tunebook.decide.baseline import Baseline
from tunebook.show.data.axes import Axis
from tunebook.show.data.isolation import Isolation, isolation_data
from tunebook.show.decisions import configuration_text, setting_text
from tunebook.show.draw.axes import isolation_drawing
from tunebook.show.draw.drawing import Drawing
from tunebook.show.words import config_text
from tunebook.stats.isolation import LEVEL, best_of
from tunebook.web.reader import Picture
from tunebook.web.round_page import drawing_document

#: Configurations whose repeats are shown; the best come first.
MOST_ARMS = 12
#: Share of the shown values left free on either side.
ROOM = 0.15


def compare_document(
    picture: Picture, arms: Arms | None, verdict: Verdict | None, why_not: str, baseline: Baseline | None
) -> dict[str, Any]:
    """Everything of the comparison; ``why_not`` says why there is no ``verdict``."""
    objective = picture.data.table.objective
    return {
        "round": picture.evidence.name,
        "metric": objective.metric,
        "direction": objective.direction,
        "isolation": [drawing_document(picture, drawing) for drawing in isolation_drawings(picture)],
        "repeats": repeats(arms, verdict, baseline, objective.sign) if arms else [],
        "verdict": verdict_document(verdict) if verdict else None,
        "why_not": why_not,
    }


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """``decide --json`` with its sentences beside the numbers."""
    return {
        **verdict.to_mapping(),
        "configuration_text": configuration_text(verdict.configuration, verdict.threshold),
        "setting_texts": [setting_text(answer) for answer in verdict.settings],
        "baseline_text": config_text(verdict.baseline.config) if verdict.baseline else "",
        "candidate_text": config_text(verdict.candidate.config) if verdict.candidate else "",
    }


def isolation_drawings(picture: Picture) -> list[Drawing]:
    """The isolation plots of the report with the interval of each setting's expected best, and near to the bests."""
    found = []
    for number, item in enumerate(picture.data.isolation):
        data = isolation_data(picture.data.table, item.axis, intervals(picture, item.axis))
        found.append(_near(picture, data, isolation_drawing(picture.data.table, data, number)))
    return found


def _near(picture: Picture, data: Isolation, drawing: Drawing) -> Drawing:
    """The drawing with a value axis that shows the best of every setting and the intervals, and little else."""
    bests = [float(picture.data.table.values[item.best]) for item in data.settings if item.best is not None]
    ends = [end for item in data.settings if item.best is not None and item.interval for end in item.interval]
    if not ends:
        return drawing
    low, high = min(bests + ends), max(bests + ends)
    room = ROOM * ((high - low) or abs(high) or 1.0)
    axis = {**drawing.layout["yaxis"], "range": [low - room, high + room]}
    return replace(drawing, layout={**drawing.layout, "yaxis": axis})


def intervals(picture: Picture, axis: Axis) -> Mapping[str, tuple[float, float]]:
    """Setting -> interval of the expected best of as many trials in every setting, so that more trials are no merit."""
    table = picture.data.table
    if axis.scale != "category":
        return {}
    sign = table.objective.sign
    keys = np.where(table.feasible, sign * table.values, np.nan)
    sample = table.feasible | table.infeasible
    found = best_of([keys[sample & (axis.x == place)] for place in range(len(axis.categories))])
    ends = {
        name: (sign * (item.value - reach), sign * (item.value + reach))
        for name, item in zip(axis.categories, found, strict=True)
        if item is not None
        for reach in (float(stdtrit(item.degrees, (1 + LEVEL) / 2)) * item.error,)
    }
    return {name: (min(pair), max(pair)) for name, pair in ends.items()}


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

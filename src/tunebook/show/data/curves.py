"""Training curves of all trials, the best few in front (L7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.evidence import Curves, Evidence, FloatArray, IntArray, read_only
from tunebook.show.data.numbers import MARGIN, rounded, wants_log
from tunebook.show.data.table import TrialTable
from tunebook.show.data.thin import subset, thin

#: Points of a curve in front: two a pixel bucket of a plot some 100 buckets wide.
FRONT_POINTS = 200
#: Points of all background curves together; 1,000 trials get 40 each (measured: under 0.5 s to draw).
BACKGROUND_POINTS = 40_000
#: The fewest a background curve keeps however many there are: its ends and two buckets.
FEWEST_POINTS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontCurve:
    """One of the best trials: its curve and, where it was logged, the same quantity in training."""

    trial: int
    steps: IntArray
    values: FloatArray
    twin_steps: IntArray
    twin_values: FloatArray

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "trial": self.trial,
            "steps": self.steps.tolist(),
            "values": rounded(self.values),
            "twin_steps": self.twin_steps.tolist(),
            "twin_values": rounded(self.twin_values),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurvesData:
    """One metric of all trials, thinned. ``trials`` says whose curves ``background`` holds, in order.

    ``twin`` is the metric of the training set that shares the axis (None where there is none),
    ``low`` and ``high`` what the value axis should show, ``is_log`` whether it should be logarithmic.
    """

    metric: str
    twin: str | None
    trials: IntArray
    background: Curves
    front: tuple[FrontCurve, ...]
    low: float
    high: float
    is_log: bool

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready. Point ``i`` of the background lies at step ``grid[at[i]]``."""
        grid, at = np.unique(self.background.steps, return_inverse=True)
        return {
            "metric": self.metric,
            "twin": self.twin,
            "low": self.low,
            "high": self.high,
            "is_log": self.is_log,
            "trials": self.trials.tolist(),
            "lengths": np.diff(self.background.offsets).tolist(),
            "grid": grid.tolist(),
            "at": at.tolist(),
            "values": rounded(self.background.values),
            "front": [curve.to_mapping() for curve in self.front],
        }


def curves_data(evidence: Evidence, table: TrialTable, metric: str | None = None) -> CurvesData | None:
    """Curves of ``metric``, by default the objective's; None when no trial logged it."""
    metric = metric or table.objective.metric
    curves = evidence.curves.get(metric)
    if curves is None or not len(curves.steps):
        return None
    twin = train_twin(metric, evidence.metrics)
    best = [int(trial) for trial in table.best if curves.offsets[trial + 1] > curves.offsets[trial]]
    others = np.setdiff1d(np.flatnonzero(np.diff(curves.offsets)), np.array(best, dtype=np.int64))
    background = thin(subset(curves, others), points_each(len(others)))
    front = tuple(_front(trial, curves, evidence.curves[twin] if twin else None) for trial in best)
    low, high, is_log = _axis(curves, table, front)
    return CurvesData(
        metric=metric,
        twin=twin,
        trials=read_only(others.astype(np.int64)),
        background=background,
        front=front,
        low=low,
        high=high,
        is_log=is_log,
    )


def points_each(n_trials: int) -> int:
    """How many points each of ``n_trials`` background curves may keep."""
    return int(np.clip(BACKGROUND_POINTS // max(n_trials, 1), FEWEST_POINTS, FRONT_POINTS))


def train_twin(metric: str, metrics: tuple[str, ...]) -> str | None:
    """``train/error`` for ``valid/error`` or ``test/error``, when it was logged."""
    split, slash, quantity = metric.partition("/")
    twin = f"train/{quantity}"
    return twin if slash and split != "train" and twin in metrics else None


def _front(trial: int, curves: Curves, twin: Curves | None) -> FrontCurve:
    own = thin(subset(curves, np.array([trial])), FRONT_POINTS)
    paired = thin(subset(twin, np.array([trial])), FRONT_POINTS) if twin is not None else Curves.pack([])
    return FrontCurve(
        trial=trial, steps=own.steps, values=own.values, twin_steps=paired.steps, twin_values=paired.values
    )


def _axis(curves: Curves, table: TrialTable, front: tuple[FrontCurve, ...]) -> tuple[float, float, bool]:
    """Low end, high end and kind of the value axis: all of the front, nine tenths of the rest."""
    owner = np.repeat(np.arange(len(curves)), np.diff(curves.offsets))
    usual = curves.values[~table.infeasible[owner] & np.isfinite(curves.values)]
    in_front = [part[np.isfinite(part)] for curve in front for part in (curve.values, curve.twin_values)]
    rest = np.quantile(usual, [0.01, 0.95]) if len(usual) else np.array([0.0, 1.0])
    shown = np.concatenate([*in_front, rest])
    is_log = wants_log(np.concatenate([*in_front, usual]))
    if is_log:
        shown = np.log10(shown[shown > 0])
    low, high = float(shown.min()), float(shown.max())
    room = MARGIN * ((high - low) or abs(high) or 1.0)
    ends = np.array([low - room, high + room])
    low, high = (np.power(10.0, ends) if is_log else ends).tolist()
    return low, high, is_log

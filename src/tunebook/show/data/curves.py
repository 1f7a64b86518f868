"""Training curves of all trials, the best few in front (L7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tunebook.evidence import Curves, Evidence, FloatArray, IntArray, read_only
from tunebook.show.data.numbers import MARGIN, rounded, wants_log
from tunebook.show.data.table import TrialTable
from tunebook.show.data.thin import joined, subset, thin

#: Points of a curve in front: two a pixel bucket of a plot some 100 buckets wide.
FRONT_POINTS = 200
#: Points of all background curves together; 1,000 trials get 40 each (measured: under 0.5 s to draw).
BACKGROUND_POINTS = 40_000
#: The fewest a background curve keeps however many there are: its ends and two buckets.
FEWEST_POINTS = 6
#: Points that are thinned at a time.
PART = 200_000
#: Quantiles of all values that the value axis includes besides the curves in front.
REST_SHOWN = (0.01, 0.95)

ValueRange: TypeAlias = tuple[float, float]


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
    """One metric of all trials, thinned. ``trials`` says whose curves ``background`` holds, in order,
    and ``ends`` at which step each had its last finite value (-1 for never).

    ``twin`` is the metric of the training set that shares the axis (None where there is none),
    ``linear`` and ``log`` what a value axis of either kind should show (no log with values of 0 or
    less), ``is_log`` which of them is easier to read.
    """

    metric: str
    twin: str | None
    trials: IntArray
    background: Curves
    front: tuple[FrontCurve, ...]
    ends: IntArray
    linear: ValueRange
    log: ValueRange | None
    is_log: bool

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready. Point ``i`` of the background lies at step ``grid[at[i]]``."""
        grid, at = np.unique(self.background.steps, return_inverse=True)
        return {
            "metric": self.metric,
            "twin": self.twin,
            "linear": rounded(self.linear),
            "log": rounded(self.log) if self.log else None,
            "is_log": self.is_log,
            "trials": self.trials.tolist(),
            "lengths": np.diff(self.background.offsets).tolist(),
            "grid": grid.tolist(),
            "at": at.tolist(),
            "values": rounded(self.background.values),
            "ends": self.ends.tolist(),
            "front": [curve.to_mapping() for curve in self.front],
        }


def curves_data(evidence: Evidence, table: TrialTable, metric: str | None = None) -> CurvesData | None:
    """Curves of ``metric``, by default the objective's; None when no trial logged it."""
    metric = metric or table.objective.metric
    curves = evidence.curves.get(metric)
    if curves is None or not len(curves.steps):
        return None
    twin = train_twin(metric, evidence.metrics)
    best = [int(trial) for trial in table.leaders if curves.offsets[trial + 1] > curves.offsets[trial]]
    others = np.setdiff1d(np.flatnonzero(np.diff(curves.offsets)), np.array(best, dtype=np.int64))
    background, ends = _behind(curves, others)
    front = tuple(_front(trial, curves, evidence.curves[twin] if twin else None) for trial in best)
    linear, log, is_log = _value_ranges(curves, table, front)
    # The end of an accuracy that starts at chance is squeezed together on a log axis.
    is_log &= metric != table.objective.metric or table.objective.sign > 0
    return CurvesData(
        metric=metric,
        twin=twin,
        trials=read_only(others.astype(np.int64)),
        background=background,
        front=front,
        linear=linear,
        log=log,
        is_log=is_log,
        ends=read_only(ends),
    )


def _behind(curves: Curves, trials: IntArray) -> tuple[Curves, IntArray]:
    """The curves of ``trials``, thinned, and where each had its last finite value; in parts, to take little memory."""
    n_parts = 1 + len(curves.steps) // PART
    thinned, ends = [], []
    for chosen in np.array_split(trials, n_parts):
        part = subset(curves, chosen)
        thinned.append(thin(part, points_each(len(trials))))
        ends.append(_last_finite(part))
    return joined(thinned), np.concatenate(ends)


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


def _last_finite(curves: Curves) -> IntArray:
    """The step of the last finite value of every curve, -1 where there is none."""
    place = np.where(np.isfinite(curves.values), np.arange(len(curves.values)), -1)
    latest = np.maximum.accumulate(place) if len(place) else place
    last = curves.offsets[1:] - 1
    found = np.where(last >= 0, latest[np.maximum(last, 0)], -1) if len(place) else np.full(len(curves), -1)
    return np.where(found >= curves.offsets[:-1], curves.steps[np.maximum(found, 0)], -1).astype(np.int64)


def _value_ranges(
    curves: Curves, table: TrialTable, front: tuple[FrontCurve, ...]
) -> tuple[ValueRange, ValueRange | None, bool]:
    """Ends of the value axis that show all of the front and nine tenths of the rest: linear and logarithmic."""
    owner = np.repeat(np.arange(len(curves)), np.diff(curves.offsets))
    usual = curves.values[~table.infeasible[owner] & np.isfinite(curves.values)]
    in_front = [part[np.isfinite(part)] for curve in front for part in (curve.values, curve.twin_values)]
    rest = np.quantile(usual, REST_SHOWN) if len(usual) else np.empty(0)
    shown = np.concatenate([*in_front, rest]) if len(usual) or len(front) else np.array([0.0, 1.0])
    shown = shown if len(shown) else np.array([0.0, 1.0])
    positive = shown[shown > 0]
    log = _with_room(np.log10(positive)) if len(positive) == len(shown) else None
    return _with_room(shown), log and (10.0 ** log[0], 10.0 ** log[1]), log is not None and wants_log(shown)


def _with_room(values: FloatArray) -> ValueRange:
    low, high = float(values.min()), float(values.max())
    room = MARGIN * ((high - low) or abs(high) or 1.0)
    return low - room, high + room

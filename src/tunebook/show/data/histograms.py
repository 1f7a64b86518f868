"""Histograms: where the best checkpoint lies (T2) and how large gradients are (I3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tunebook.core.objective import Reduce
from tunebook.evidence import Curves, Evidence, FloatArray, IntArray, read_only, score_curves
from tunebook.show.data.curves import CurvesData, curves_data
from tunebook.show.data.numbers import rounded
from tunebook.show.data.table import TrialTable

#: A best checkpoint always before the first means far too long, consistently after the second
#: too short (T2).
EARLY, LATE = 0.10, 0.75
STEP_BINS = 20

#: Where a search for the clipping threshold starts (I3).
CLIPPING_QUANTILE = 0.90
NORM_BINS = 40
GRAD_NORM = "grad_norm"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """``counts[i]`` values lie between ``edges[i]`` and ``edges[i + 1]``; ``marks`` are named places."""

    edges: FloatArray
    counts: IntArray
    marks: tuple[tuple[str, float], ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "edges": rounded(self.edges),
            "counts": self.counts.tolist(),
            "marks": [{"label": label, "at": at} for label, at in self.marks],
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradNorm:
    """The history of gradient norms of all trials and the distribution of them in the best trial."""

    history: CurvesData
    trial: int
    histogram: Histogram

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "history": self.history.to_mapping(),
            "trial": self.trial,
            "histogram": self.histogram.to_mapping(),
        }


def best_step_data(evidence: Evidence, table: TrialTable) -> Histogram | None:
    """How many trials had their best value in each twentieth of their run; None without any.

    Always the step of the best value, whatever the reduction of the objective.
    """
    curves = evidence.curves.get(table.objective.metric)
    share = best_step_share(curves, table) if curves is not None else np.empty(0)
    if not len(share):
        return None
    return _histogram(share, np.linspace(0.0, 1.0, STEP_BINS + 1), (("early", EARLY), ("late", LATE)))


def best_step_share(curves: Curves, table: TrialTable) -> FloatArray:
    """Best step as a share of the last logged step, for trials with at least two evaluations."""
    objective = table.objective
    best = score_curves(curves, replace(objective, reduce=Reduce("best")))
    lengths = np.diff(curves.offsets)
    last = curves.steps[np.maximum(curves.offsets[1:] - 1, 0)] if len(curves.steps) else np.zeros(len(table), np.int64)
    usable = table.feasible & (lengths >= 2) & (last > 0) & (best.steps >= 0)
    return np.asarray(best.steps[usable] / last[usable], dtype=np.float64)


def grad_norm_data(evidence: Evidence, table: TrialTable, metric: str = GRAD_NORM) -> GradNorm | None:
    """History and histogram of ``metric``; None when no trial with a finite objective logged it."""
    history = curves_data(evidence, table, metric)
    if history is None or not history.front:
        return None
    trial = history.front[0].trial
    norms = evidence.curves[metric][trial][1]
    norms = norms[np.isfinite(norms) & (norms > 0)]
    if not len(norms):
        return None
    mark = (("90th percentile", float(np.quantile(norms, CLIPPING_QUANTILE))),)
    return GradNorm(history=history, trial=trial, histogram=_histogram(norms, _log_edges(norms), mark))


def _log_edges(values: FloatArray) -> FloatArray:
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low / 2, high * 2
    edges = np.geomspace(low, high, NORM_BINS + 1)
    edges[0], edges[-1] = low, high  # geomspace may miss its ends by a rounding error
    return edges


def _histogram(values: npt.NDArray[np.float64], edges: FloatArray, marks: tuple[tuple[str, float], ...]) -> Histogram:
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=read_only(edges), counts=read_only(counts.astype(np.int64)), marks=marks)

"""Parallel coordinates: every trial as one line through all searched hyperparameters (L7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.evidence import FloatArray, IntArray, read_only
from tunebook.show.data.axes import Axis
from tunebook.show.data.numbers import rounded
from tunebook.show.data.table import TrialTable

#: Lines behind the best few; more turn the plot into one grey block and slow the page down.
MOST_LINES = 300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parallel:
    """Heights in [0, 1] of ``trials`` (rows) on ``axes`` (columns); NaN where a trial lacks one.

    The last column is the objective, 1 for the best; infeasible trials have NaN there. ``trials``
    run from the least to the most important: some infeasible, some others, the best few last.
    """

    axes: tuple[Axis, ...]
    trials: IntArray
    heights: FloatArray
    n_best: int

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "axes": [axis.label for axis in self.axes],
            "trials": self.trials.tolist(),
            "heights": [rounded(row, 3) for row in self.heights],
            "n_best": self.n_best,
        }


def parallel_data(table: TrialTable, axes: tuple[Axis, ...]) -> Parallel:
    """Lines of the best few trials and of at most ``MOST_LINES`` others, evenly drawn from the ranking."""
    best = table.best
    ranked = table.order[table.feasible[table.order]][len(best) :][::-1]
    infeasible = np.flatnonzero(table.infeasible)
    share = MOST_LINES / max(len(ranked) + len(infeasible), MOST_LINES)
    trials = np.concatenate([_evenly(infeasible, share), _evenly(ranked, share), best[::-1]]).astype(np.int64)
    columns = [axis.unit()[trials] for axis in axes]
    heights = np.column_stack([*columns, _goodness(table)[trials]]) if len(trials) else np.empty((0, len(axes) + 1))
    return Parallel(axes=axes, trials=read_only(trials), heights=read_only(heights), n_best=len(best))


def _evenly(trials: IntArray, share: float) -> IntArray:
    n_kept = round(len(trials) * share)
    return trials[np.linspace(0, len(trials) - 1, n_kept).astype(np.int64)] if n_kept else trials[:0]


def _goodness(table: TrialTable) -> FloatArray:
    """The objective from 0 (worst shown) to 1 (best), NaN for infeasible trials."""
    keys = np.where(table.feasible, table.objective.sign * table.values, np.nan)
    if not table.feasible.any():
        return keys
    best, worst = np.nanmin(keys), table.objective.sign * table.shown.far
    return np.asarray(np.clip((worst - keys) / (worst - best), 0.0, 1.0), dtype=np.float64)

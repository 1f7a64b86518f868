"""Everything that is drawn of one round, in one value; the report and the live page show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tunebook.core.finding import Finding
from tunebook.core.hyperparameter import Role
from tunebook.core.objective import Objective
from tunebook.evidence import Evidence
from tunebook.show.data.axes import Axis, axis_data
from tunebook.show.data.best_of_n import BestOfN, best_of_n_data
from tunebook.show.data.curves import CurvesData, curves_data
from tunebook.show.data.histograms import GradNorm, Histogram, best_step_data, grad_norm_data
from tunebook.show.data.isolation import Isolation, isolation_data
from tunebook.show.data.marks import Mark, derived_axes, marks_of
from tunebook.show.data.parallel import Parallel, parallel_data
from tunebook.show.data.table import TrialTable, trial_table

#: The metric whose curves are worth seeing beside the objective's, where it was logged.
TRAIN_LOSS = "train/loss"

Intervals: TypeAlias = Mapping[str, Mapping[str, tuple[float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlotData:
    """All plots of L7. What the round cannot show (no gradient norms, nothing scientific) is None or empty."""

    table: TrialTable
    axes: tuple[Axis, ...]
    derived: tuple[Axis, ...]
    marks: tuple[Mark, ...]
    curves: tuple[CurvesData, ...]
    isolation: tuple[Isolation, ...]
    best_of_n: tuple[BestOfN, ...]
    parallel: Parallel | None
    grad_norm: GradNorm | None
    best_step: Histogram | None

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready; trials are positions in the table throughout."""
        return {
            "trials": self.table.to_mapping(),
            "axes": [axis.to_mapping() for axis in self.axes],
            "derived": [axis.to_mapping() for axis in self.derived],
            "marks": [mark.to_mapping() for mark in self.marks],
            "curves": [curves.to_mapping() for curves in self.curves],
            "isolation": [isolation.to_mapping() for isolation in self.isolation],
            "best_of_n": [item.to_mapping() for item in self.best_of_n],
            "parallel": self.parallel.to_mapping() if self.parallel else None,
            "grad_norm": self.grad_norm.to_mapping() if self.grad_norm else None,
            "best_step": self.best_step.to_mapping() if self.best_step else None,
        }


def plot_data(
    evidence: Evidence,
    objective: Objective | None = None,
    intervals: Intervals | None = None,
    findings: Sequence[Finding] = (),
) -> PlotData:
    """The data of all plots of one round under ``objective``, by default the round's own (L1).

    ``intervals``: label of a scientific hyperparameter -> label of a setting -> ends of its interval.
    What ``findings`` say about places on an axis is marked there.
    """
    table = trial_table(evidence, objective)
    axes = axis_data(table, evidence.round)
    return PlotData(
        table=table,
        axes=axes,
        derived=derived_axes(axes, findings),
        marks=marks_of(findings),
        curves=_all_curves(evidence, table),
        isolation=tuple(
            isolation_data(table, axis, (intervals or {}).get(axis.label))
            for axis in axes
            if axis.role is Role.SCIENTIFIC
        ),
        best_of_n=best_of_n_data(table),
        parallel=parallel_data(table, axes) if len(axes) > 1 else None,
        grad_norm=grad_norm_data(evidence, table),
        best_step=best_step_data(evidence, table),
    )


def _all_curves(evidence: Evidence, table: TrialTable) -> tuple[CurvesData, ...]:
    found = (curves_data(evidence, table, metric) for metric in dict.fromkeys((table.objective.metric, TRAIN_LOSS)))
    return tuple(item for item in found if item is not None)

"""Best-of-n: how good a search with a smaller budget would have been (L3), as boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.evidence import FloatArray, IntArray, read_only
from tunebook.show.data.numbers import rounded
from tunebook.show.data.table import TrialTable
from tunebook.stats.best_of_n import quantile_rank, worst_last

#: Ends of the whiskers, edges and middle of the box; 0.25 is the luckier quarter.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BUDGETS = (1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BestOfN:
    """Quantiles (columns, as ``QUANTILES``) of the best of ``budgets[i]`` trials (rows) of one study.

    Infeasible trials count as the worst: NaN means that so many trials may well be infeasible all.
    """

    study: str
    n_trials: int
    budgets: IntArray
    quantiles: FloatArray

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "study": self.study,
            "n_trials": self.n_trials,
            "budgets": self.budgets.tolist(),
            "quantiles": [rounded(row) for row in self.quantiles],
        }


def best_of_n_data(table: TrialTable) -> tuple[BestOfN, ...]:
    """One for each study with at least two trials that are feasible or infeasible."""
    found = [_of_study(table, number) for number in range(len(table.studies))]
    return tuple(item for item in found if item.n_trials >= 2)


def _of_study(table: TrialTable, number: int) -> BestOfN:
    own = table.study == number
    sign = table.objective.sign
    keys = np.where(table.feasible, sign * table.values, np.nan)
    keys = worst_last(keys[own & (table.feasible | table.infeasible)])
    budgets = np.array([n for n in BUDGETS if n <= max(len(keys) // 2, 1)], dtype=np.int64)
    ranks = [[quantile_rank(len(keys), int(n), q) for q in QUANTILES] for n in budgets]
    quantiles = sign * keys[np.array(ranks) - 1] if len(keys) else np.empty((0, len(QUANTILES)))
    quantiles[~np.isfinite(quantiles)] = np.nan
    return BestOfN(
        study=table.studies[number], n_trials=len(keys), budgets=read_only(budgets), quantiles=read_only(quantiles)
    )

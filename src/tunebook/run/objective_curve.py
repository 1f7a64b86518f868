"""ObjectiveCurve: what a run has to know of the objective's curve of one trial. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tunebook.core.objective import Objective
from tunebook.evidence import FloatArray, IntArray
from tunebook.run.spools import Names


@dataclass(slots=True)
class ObjectiveCurve:
    """What is known of the objective's curve of one trial, in constant memory.

    ``last`` is the value at the highest step; of several at one step the one logged last.
    """

    objective: Objective
    n_points: int = 0
    n_finite: int = 0
    last_step: int = -1
    last: float = float("nan")
    metrics: set[str] = field(default_factory=set)
    _best: tuple[float, int] = (float("nan"), -1)
    _recent: dict[int, float] = field(default_factory=dict)

    def add(self, names: Names, steps: IntArray, values: FloatArray) -> None:
        """Take in rows in the order they were logged; ``values`` has shape (n, len(names))."""
        self.metrics.update(names)
        if self.objective.metric not in names or not len(steps):
            return
        column = values[:, names.index(self.objective.metric)]
        self.n_points += len(column)
        self.n_finite += int(np.isfinite(column).sum())
        newest = len(steps) - 1 - int(np.argmax(steps[::-1]))
        if steps[newest] >= self.last_step:
            self.last_step, self.last = int(steps[newest]), float(column[newest])
        self._reduce(steps, column)

    @property
    def score(self) -> tuple[float, int]:
        """The objective and the step it was reached at; (NaN, -1) when it is not finite."""
        kind = self.objective.reduction.kind
        if kind == "best":
            return self._best
        recent = sorted(self._recent.items())
        if kind == "at":
            recent = [point for point in recent if point[0] <= self.objective.reduction.number]
        n_averaged = self.objective.reduction.number if kind == "last" else 1
        values = [value for _, value in recent[-n_averaged:]]
        if not values or not np.isfinite(values).all():
            return float("nan"), -1
        return float(np.mean(values)), recent[-1][0]

    def _reduce(self, steps: IntArray, column: FloatArray) -> None:
        kind, number = self.objective.reduction.kind, self.objective.reduction.number
        if kind == "best":
            keys = np.where(np.isfinite(column), self.objective.sign * column, np.inf)
            best = int(np.argmin(keys))
            if self.objective.is_better(float(column[best]), self._best[0]):
                self._best = float(column[best]), int(steps[best])
            return
        if kind == "at":
            steps, column = steps[steps <= number], column[steps <= number]
        n_kept = number if kind == "last" else 1
        # Only the newest points can matter; of several at one step the one logged last.
        for place in np.argsort(steps, kind="stable")[-4 * n_kept :]:
            self._recent[int(steps[place])] = float(column[place])
        for step in sorted(self._recent)[:-n_kept]:
            del self._recent[step]

    @property
    def is_diverged(self) -> bool:
        """Whether it was logged and ended non-finite, or never was finite."""
        return self.n_points > 0 and not np.isfinite(self.last)

"""Warping: bad trials pulled in, so that they do not decide how the surface looks where it is good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunebook.stats.arrays import FloatArray

#: The step of the warp as a share of the distance from the best trial to the median one. Of the
#: shares from 0.02 to 2, and against warping by rank, 0.6 lost least on synthetic studies
#: (``benchmarks/truth_boundary.py`` has the studies).
STEP_SHARE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWarp:
    """log(1 + (key - best) / step): almost linear near the best, and a tenfold error is one more of the same.

    Keys are lower better. One diverging trial is then last and not a thousand standard deviations away.
    """

    best: float
    step: float

    @classmethod
    def of(cls, keys: FloatArray) -> LogWarp:
        """The warp of these finite keys; the spread stands in for the median when half of them are equal."""
        best = float(keys.min())
        reach = float(np.median(keys)) - best or float(np.ptp(keys)) or 1.0
        return cls(best=best, step=STEP_SHARE * reach)

    def __call__(self, keys: FloatArray) -> FloatArray:
        """Warped keys; 0 is the best trial."""
        return np.asarray(np.log1p((keys - self.best) / self.step), dtype=np.float64)

    def undone(self, warped: FloatArray) -> FloatArray:
        """The keys again. Never lower than one step below the best trial, so extrapolation stays modest."""
        return np.asarray(self.best + self.step * np.expm1(warped), dtype=np.float64)

    def noise(self, sd: float | None) -> float | None:
        """What a standard deviation of keys is near the best trial, after warping."""
        return None if sd is None else sd / self.step

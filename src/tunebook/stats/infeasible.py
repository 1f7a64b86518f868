"""Infeasible: does one threshold separate the trials that could not be trained, and how cleanly? (L4)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy
from scipy.stats import mannwhitneyu

from tunebook.stats.arrays import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The best single threshold of one dimension.

    ``is_high``: infeasible trials lie above it. ``share_beyond`` and ``share_before`` are the shares of
    infeasible trials on its two sides. ``auc`` is the chance that a random infeasible trial lies further
    out than a random feasible one; ``p`` that of an AUC at least as far from one half when place and
    feasibility have nothing to do with each other.
    """

    threshold: float
    is_high: bool
    share_beyond: float
    share_before: float
    n_beyond: int
    n_before: int
    auc: float
    p: float


def best_split(values: FloatArray, infeasible: BoolArray) -> Split | None:
    """Split one column (NaN is left out); None when one kind is absent or all values are equal.

    The threshold is the one that makes the outcome likeliest (a decision stump by likelihood), halfway
    between two neighbouring values. The AUC and its p-value are those of the Mann-Whitney test.
    """
    known = np.isfinite(values)
    values, infeasible = values[known], infeasible[known]
    if not 0 < infeasible.sum() < len(values) or np.ptp(values) == 0.0:
        return None
    test = mannwhitneyu(values[infeasible], values[~infeasible], alternative="two-sided")
    auc = float(test.statistic) / (infeasible.sum() * (~infeasible).sum())
    is_high = bool(auc >= 0.5)
    threshold = _likeliest(values, infeasible, is_high)
    beyond = values > threshold if is_high else values < threshold
    return Split(
        threshold=threshold,
        is_high=is_high,
        share_beyond=float(infeasible[beyond].mean()),
        share_before=float(infeasible[~beyond].mean()),
        n_beyond=int(beyond.sum()),
        n_before=int((~beyond).sum()),
        auc=max(auc, 1.0 - auc),
        p=float(test.pvalue),
    )


def _likeliest(values: FloatArray, infeasible: BoolArray, is_high: bool) -> float:
    order = np.argsort(values, kind="stable")
    ordered, failed = values[order], infeasible[order]
    cuts = np.flatnonzero(np.diff(ordered) > 0)
    n_low = (cuts + 1).astype(np.float64)
    n_high = len(values) - n_low
    below = np.cumsum(failed, dtype=np.float64)[cuts]
    above = float(failed.sum()) - below
    likelihood = _binary(below, n_low) + _binary(above, n_high)
    right_way = (above / n_high > below / n_low) == is_high
    cut = cuts[np.argmax(np.where(right_way, likelihood, -np.inf))]
    return float((ordered[cut] + ordered[cut + 1]) / 2.0)


def _binary(hits: FloatArray, tries: FloatArray) -> FloatArray:
    """Log likelihood of that many hits at their own rate."""
    return np.asarray(xlogy(hits, hits / tries) + xlogy(tries - hits, 1.0 - hits / tries), dtype=np.float64)

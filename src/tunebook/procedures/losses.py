"""Whether one run was unstable, and from when on: a training loss in, numbers out (I1, methods 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from tunebook.core.outcome import Status
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray, IntArray

TRAIN_LOSS = "train/loss"
#: A loss that rises above its lowest so far by this share of what a good run gains is unstable: noise of
#: batches stays below it after smoothing, a spike or the way to divergence does not.
RISE = 1 / 3
#: The smoothing looks at this share of the points, and at 5 at least: the median drops single noisy steps.
SMOOTHED_SHARE = 0.05
LEAST_SMOOTHED = 5
#: Nor is it a rise that noise explains: highest and lowest of some tens of windows are this many of its
#: standard deviations apart.
NOISE = 8.0
#: Instability that sets in within this share of a run is early: what a warmup is for (methods 8).
EARLY = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one run went: ``onset`` is where in it the trouble began, from 0 to 1; None without trouble."""

    is_unstable: bool
    onset: float | None
    gain: float


def dense_loss(evidence: Evidence) -> str:
    """The training loss that was logged most often.

    ``InputError`` when trials ended well without one; where all of them failed at once there is none to read.
    """
    if not evidence.mask(Status.COMPLETE).any() and not evidence.metrics:
        return TRAIN_LOSS
    losses = [name for name in evidence.metrics if "loss" in name.lower() and not name.startswith(("valid", "test"))]
    if not losses:
        raise InputError(
            f"the trials of {evidence.name} logged no training loss ({', '.join(evidence.metrics) or 'nothing at all'} "
            "only): log 'train/loss', best after every step"
        )
    return max(losses, key=lambda name: len(evidence.curves[name].steps))


def course(evidence: Evidence, trial: int, metric: str, gain: float | None = None) -> Course:
    """How trial number ``trial`` went by its curve of ``metric``.

    ``gain`` is by how much the loss falls in a good run, which is what a rise is measured against; by
    default its own fall.
    """
    steps, values = loss_of(evidence, trial, metric)
    ended = evidence.trials[trial].status is not Status.COMPLETE
    length = max(evidence.round.max_train_steps - 1, 1)
    own = own_gain(values)
    trouble = first_trouble(values, own if gain is None else gain)
    if trouble is not None:
        return Course(is_unstable=True, onset=float(min(steps[trouble] / length, 1.0)), gain=own)
    if ended:
        last = float(steps[-1]) if len(steps) else 0.0
        return Course(is_unstable=True, onset=min(last / length, 1.0), gain=own)
    return Course(is_unstable=False, onset=None, gain=own)


def loss_of(evidence: Evidence, trial: int, metric: str) -> tuple[IntArray, FloatArray]:
    """Steps and values of one trial's loss; empty where it ended before it logged any."""
    curves = evidence.curves.get(metric)
    return (np.zeros(0, np.int64), np.zeros(0)) if curves is None else curves[trial]


def own_gain(values: FloatArray) -> float:
    """By how much the smoothed loss falls from its start to its lowest; 0 for a run without values."""
    smooth = smoothed(values)
    finite = smooth[np.isfinite(smooth)]
    return float(max(finite[0] - finite.min(), 0.0)) if len(finite) else 0.0


def first_trouble(values: FloatArray, gain: float) -> int | None:
    """Where the loss first is not finite or ``RISE`` times ``gain`` above its lowest so far; None if nowhere."""
    if not len(values):
        return None
    smooth = smoothed(values)
    with np.errstate(invalid="ignore"):  # infinity less infinity is no rise; that it is not finite is seen below
        rises = smooth - np.minimum.accumulate(smooth)
    limit = max(RISE * gain, NOISE * smoothed_noise(values, smooth), 1e-12)
    bad: IntArray = np.flatnonzero(~np.isfinite(values) | ~np.isfinite(smooth) | (rises > limit))
    return int(bad[0]) if len(bad) else None


def smoothed_noise(values: FloatArray, smooth: FloatArray) -> float:
    """The standard deviation that batches leave in the smoothed loss: of a median, 1.25 / sqrt(width) of theirs."""
    known = np.isfinite(values) & np.isfinite(smooth)
    left = values[known] - smooth[known]
    spread = 1.4826 * float(np.median(np.abs(left))) if len(left) else 0.0
    return 1.25 * spread / math.sqrt(_width(len(values)))


def smoothed(values: FloatArray) -> FloatArray:
    """A running median; what is not finite counts as larger than anything."""
    large = np.where(np.isfinite(values), values, np.finfo(np.float64).max / 4)
    kept: FloatArray = median_filter(large, size=_width(len(values)), mode="reflect") if len(values) else large
    return np.where(kept >= np.finfo(np.float64).max / 8, np.inf, kept)


def _width(n_points: int) -> int:
    return max(1, min(max(LEAST_SMOOTHED, int(SMOOTHED_SHARE * n_points)), n_points))

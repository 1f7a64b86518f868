"""Throughput against batch size: arrays in, numbers out (S3, methods 9).

Throughput is ``T(B) = B / t(B)`` examples per second with ``t(B)`` seconds per step, and the efficiency of
doubling ``e(B) = T(2B) / (2 T(B))``: 1 when a step takes as long as before, 1/2 when nothing is gained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tunebook.evidence import FloatArray

#: Doubling is as good as free from this efficiency on (methods 9).
LINEAR = 0.9
#: Doubling no longer pays below this efficiency (methods 9).
KNEE = 0.75
#: Doubling gives nothing when throughput grows by less than this factor (methods 9).
SATURATED = 1.1
#: Waiting for data is what holds training up above this share of a step (P6; as in tunebook.kit.DataWait).
INPUT_BOUND_SHARE = 0.1
#: Throughput is dominated by noise when repeats of one size differ by more than doubling would have to
#: give: a factor of 2 x 0.75, less 1.
NOISY_SPREAD = 2 * KNEE - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Repeated measurements of one batch size: seconds per step, shape (n,), each the median over a trial.

    ``waits`` are the seconds per step spent waiting for data, empty where nobody logged them.
    """

    batch_size: int
    seconds: FloatArray
    waits: FloatArray

    @property
    def step_seconds(self) -> float:
        """Median over the repeats."""
        return float(np.median(self.seconds))

    @property
    def examples_per_second(self) -> float:
        """Throughput at the median."""
        return self.batch_size / self.step_seconds

    @property
    def spread(self) -> float:
        """Largest minus smallest measurement, as a share of the median."""
        return float(np.ptp(self.seconds)) / self.step_seconds

    @property
    def wait_share(self) -> float | None:
        """Share of a step spent waiting for data; None where it was not logged."""
        return float(np.median(self.waits)) / self.step_seconds if len(self.waits) else None

    @property
    def compute_seconds(self) -> float:
        """Seconds per step without the waiting."""
        waited = float(np.median(self.waits)) if len(self.waits) else 0.0
        return max(self.step_seconds - waited, 0.0)

    def to_mapping(self) -> dict[str, Any]:
        """The size as JSON shows it."""
        return {
            "batch_size": self.batch_size,
            "seconds_per_step": self.step_seconds,
            "low": float(self.seconds.min()),
            "high": float(self.seconds.max()),
            "examples_per_second": self.examples_per_second,
            "spread": self.spread,
            "repeats": len(self.seconds),
            "wait_share": self.wait_share,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """From one size to twice that: the efficiency, and between what the spread of the repeats lets it be."""

    batch_size: int
    efficiency: float
    low: float
    high: float

    @property
    def label(self) -> str:
        """``linear``, ``diminishing``, ``does not pay`` or ``saturated``."""
        if self.efficiency >= LINEAR:
            return "linear"
        if self.efficiency >= KNEE:
            return "diminishing"
        return "does not pay" if 2 * self.efficiency >= SATURATED else "saturated"

    def to_mapping(self) -> dict[str, Any]:
        """The doubling as JSON shows it."""
        return {
            "from": self.batch_size,
            "to": 2 * self.batch_size,
            "efficiency": self.efficiency,
            "low": self.low,
            "high": self.high,
            "label": self.label,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """The largest size up to which every doubling pays.

    ``earliest`` and ``latest`` are what it would be were every doubling as bad or as good as its repeats
    allow; ``is_reached`` is false when doubling still paid at the largest size that fits.
    """

    batch_size: int
    earliest: int
    latest: int
    is_reached: bool


def doublings(sizes: Sequence[Size]) -> tuple[Doubling, ...]:
    """The efficiency of every doubling among ``sizes``, which ascend."""
    return tuple(_doubling(one, two) for one, two in pairwise(sizes))


def find_knee(sizes: Sequence[Size]) -> Knee:
    """Where doubling the batch stops to pay; ``sizes`` ascend, each twice the last, and there is at least one.

    The first size from which no number of doublings pays. Not the first doubling that does not: a library that takes
    another way from some size on makes one step down in a throughput that goes on rising.
    """
    fast = np.array([size.seconds.min() for size in sizes])
    slow = np.array([size.seconds.max() for size in sizes])
    middle = np.array([size.step_seconds for size in sizes])
    found = _knee_place(middle, middle, middle)
    return Knee(
        batch_size=sizes[found].batch_size,
        earliest=sizes[_knee_place(middle, fast, slow)].batch_size,
        latest=sizes[_knee_place(middle, slow, fast)].batch_size,
        is_reached=found < len(sizes) - 1,
    )


def _knee_place(middle: FloatArray, before: FloatArray, after: FloatArray) -> int:
    """The place of the knee; seconds per step: medians, of the size that is left, and of those that are gone to.

    ``k`` doublings pay when the efficiency is ``KNEE ** k`` at least; where throughput falls on the way, by the
    medians, when it comes back to what one doubling has to give.
    """
    for place in range(len(middle)):
        n_doublings = np.arange(1, len(middle) - place)
        efficiency = before[place] / after[place + 1 :]
        has_fallen = np.minimum.accumulate(middle[place] / middle[place + 1 :] * 2.0**n_doublings) < 1.0
        pays = (efficiency >= KNEE**n_doublings) | (has_fallen & (efficiency * 2.0**n_doublings >= 2 * KNEE))
        if not pays.any():
            return place
    return len(middle) - 1


def without_waiting(sizes: Sequence[Size]) -> tuple[Size, ...]:
    """The sizes as they would be if data never had to be waited for."""
    return tuple(
        Size(
            batch_size=size.batch_size,
            seconds=np.maximum(size.seconds - np.median(size.waits), 1e-9) if len(size.waits) else size.seconds,
            waits=np.zeros(0),
        )
        for size in sizes
    )


def is_noisy(sizes: Sequence[Size], knee: Knee) -> bool:
    """Whether repeats differ so much that the knee could be more than one doubling away from where it seems."""
    typical = float(np.median([size.spread for size in sizes]))
    return typical > NOISY_SPREAD or knee.latest > 2 * knee.batch_size or 2 * knee.earliest < knee.batch_size


def is_dominated_by_noise(sizes: Sequence[Size], knee: Knee) -> bool:
    """Whether repeats differ by more than doubling would have to give, so that no size can be chosen by them."""
    chosen = next(size for size in sizes if size.batch_size == knee.batch_size)
    return max(float(np.median([size.spread for size in sizes])), chosen.spread / 2.0) > NOISY_SPREAD


def _doubling(one: Size, two: Size) -> Doubling:
    # e = T(2B) / (2 T(B)) = t(B) / t(2B), because the sizes are a factor of two apart.
    return Doubling(
        batch_size=one.batch_size,
        efficiency=one.step_seconds / two.step_seconds,
        low=float(one.seconds.min() / two.seconds.max()),
        high=float(one.seconds.max() / two.seconds.min()),
    )

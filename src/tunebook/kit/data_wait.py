"""Time waiting for data against time computing, and whether the input is what holds training up (P6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tunebook.errors import InputError
from tunebook.kit.batches import n_examples
from tunebook.kit.logger import MetricLog

BatchType = TypeVar("BatchType")

#: Above this share of the time spent waiting, faster input would make training faster by more than a tenth.
INPUT_BOUND_SHARE = 0.1
#: Methods §9: the first steps hold compilation, caches and the start of loader processes.
WARM_STEPS = 10

USUAL_CAUSES = (
    "too few loader processes, or none (DataLoader num_workers), and too few batches prefetched (prefetch_factor)",
    "expensive preprocessing at every step that could be done once, ahead of training",
    "data on a slow or distant disk: bring it to the machine that trains, in files of many examples",
    "features or resolution read and decoded but never used: drop them as early as possible",
    "copies to the accelerator from memory that is not pinned (pin_memory, non_blocking)",
    "stages that wait for each other, such as a metric fetched from the accelerator between two batches",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataWait:
    """Sums over ``n_steps`` steps, the first ones left out; times in seconds."""

    n_steps: int
    n_examples: int
    wait_seconds: float
    compute_seconds: float

    @property
    def wait_share(self) -> float:
        """Share of the time spent waiting for data; 0 before anything was measured."""
        total = self.wait_seconds + self.compute_seconds
        return self.wait_seconds / total if total > 0.0 else 0.0

    @property
    def examples_per_second(self) -> float:
        """Examples over all time, waiting included; 0 before anything was measured."""
        total = self.wait_seconds + self.compute_seconds
        return self.n_examples / total if total > 0.0 else 0.0

    @property
    def is_input_bound(self) -> bool:
        """Whether more than a tenth of the time goes into waiting for data."""
        return self.wait_share > INPUT_BOUND_SHARE

    def __str__(self) -> str:
        if not self.n_steps:
            return "no step measured yet"
        seen = f"{self.wait_share:.0%} of {self.n_steps} steps went into waiting for data"
        speed = f"{self.examples_per_second:.4g} examples/s"
        if not self.is_input_bound:
            return f"{seen} ({speed}): the input keeps up"
        possible = self.n_examples / self.compute_seconds if self.compute_seconds > 0.0 else float("inf")
        causes = "\n".join(f"- {cause}" for cause in USUAL_CAUSES)
        return f"{seen} ({speed}; {possible:.4g} if it never had to): input-bound. Usual causes:\n{causes}"


class DataWaitMeter:
    """Wrap the loader of a training loop: ``for batch in meter(loader):``; once an epoch, counts go on.

    The time inside of the loader is waiting, the time in the body of the loop is computing. An accelerator computes
    while the loop goes on, so that the times of a loop that fetches nothing from it are only those of launching; pass
    ``synchronize=torch.cuda.synchronize`` for a few hundred steps to measure there. ``log`` gets the mean seconds per
    step as ``data_wait_seconds`` and the ``examples_per_second`` of every ``every`` steps, at the last of them. Steps
    are counted from ``start_step``; the first ``warm_steps`` are not measured. ``clock`` gives seconds.
    """

    def __init__(
        self,
        *,
        log: MetricLog | None = None,
        every: int = 50,
        start_step: int = 0,
        warm_steps: int = WARM_STEPS,
        synchronize: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if every < 1 or warm_steps < 0:
            raise InputError(
                f"every is {every} and must be at least 1; warm_steps is {warm_steps} and must be at least 0"
            )
        self._log, self._every, self._warm_left = log, every, warm_steps
        self._synchronize, self._clock = synchronize, clock
        self._step = start_step
        self._total = DataWait(n_steps=0, n_examples=0, wait_seconds=0.0, compute_seconds=0.0)
        self._window = self._total

    def __call__(self, batches: Iterable[BatchType]) -> Iterator[BatchType]:
        """Go through ``batches`` once, measuring; a loop that breaks off leaves its last step out."""
        source = iter(batches)
        asked = self._now()
        while True:
            try:
                batch = next(source)
            except StopIteration:
                return
            got = self._clock()
            yield batch
            done = self._now()
            self._count(n_examples(batch), got - asked, done - got)
            asked = done

    def report(self) -> DataWait:
        """Sums over everything measured so far."""
        return _joined(self._total, self._window)

    def _now(self) -> float:
        if self._synchronize is not None:
            self._synchronize()
        return self._clock()

    def _count(self, examples: int, wait: float, compute: float) -> None:
        step, self._step = self._step, self._step + 1
        if self._warm_left:
            self._warm_left -= 1
            return
        one = DataWait(n_steps=1, n_examples=examples, wait_seconds=wait, compute_seconds=compute)
        self._window = _joined(self._window, one)
        if self._window.n_steps == self._every:
            self._close_window(step)

    def _close_window(self, step: int) -> None:
        window = self._window
        self._total = self.report()
        self._window = DataWait(n_steps=0, n_examples=0, wait_seconds=0.0, compute_seconds=0.0)
        if self._log is not None:
            wait = window.wait_seconds / window.n_steps
            self._log.log(step, {"data_wait_seconds": wait, "examples_per_second": window.examples_per_second})


def _joined(first: DataWait, second: DataWait) -> DataWait:
    return DataWait(
        n_steps=first.n_steps + second.n_steps,
        n_examples=first.n_examples + second.n_examples,
        wait_seconds=first.wait_seconds + second.wait_seconds,
        compute_seconds=first.compute_seconds + second.compute_seconds,
    )

"""Timing that holds on a shared machine: the contestants in turn, medians and the ratio of each pair."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

Contest = dict[str, Callable[[], object]]


def in_turn(
    contest: Contest, *, rounds: int = 5, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Seconds of every contestant in every round: A B A B …, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contest}
    for number in range(rounds + 1):
        for name, call in contest.items():
            start = clock()
            call()
            if number:
                seconds[name].append(clock() - start)
    return seconds


def report(seconds: dict[str, list[float]], *, per: int = 1, unit: str = "µs", against: str | None = None) -> None:
    """Print median, range and, against a contestant, the median of the ratios pair by pair."""
    scale = {"s": 1.0, "ms": 1e3, "µs": 1e6}[unit] / per
    for name, values in seconds.items():
        line = f"{name:40s} {statistics.median(values) * scale:10.2f} {unit}"
        line += f"   ({min(values) * scale:.2f} … {max(values) * scale:.2f})"
        if against and name != against:
            ratios = [a / b for a, b in zip(values, seconds[against], strict=True)]
            line += f"   {statistics.median(ratios):7.2f} x {against}"
        print(line)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a stretch of work took, in seconds: by the clock, and of processors (user and system)."""

    wall: float
    processor: float


class Stopwatch:
    """Measures a block with all processes that it started and waited for; then ``taken`` says how long."""

    taken: Taken

    def __enter__(self) -> Self:
        self._began = time.perf_counter(), _processor()
        return self

    def __exit__(self, *_: object) -> None:
        wall, processor = self._began
        self.taken = Taken(time.perf_counter() - wall, _processor() - processor)


def _processor() -> float:
    """Processor time of this process and of its children that were waited for, and theirs."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(who)[:2]) for who in whose)

"""Decisions of a run, as pure functions of numbers and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tunebook.core.outcome import Status
from tunebook.core.search import RunOptions
from tunebook.run.outcome import HungWhy

#: Trials that take less than this are claimed a few at a time: one transaction for several.
LOOKAHEAD_SECONDS = 0.1
LARGEST_LOOKAHEAD = 32

#: How often metrics are fetched and progress is told, in seconds.
TICK_SECONDS = 1.0
#: Longest wait for a child, so that a request to stop is heard soon.
WAIT_SECONDS = 0.25
#: A lease outlives this many missed renewals.
LEASE_SECONDS = 60.0
RENEW_SECONDS = 10.0
#: How long a run waits for a PostgreSQL server that restarts or is out of reach, and how often it says so.
PATIENCE_SECONDS = 600.0
TELL_WAIT_SECONDS = 10.0
#: Training in this process may stand at a breakpoint for long; a dead process is noticed without its lease.
INLINE_LEASE_SECONDS = 24 * 3600.0
#: How long a child may take to end itself before it is killed.
GRACE_SECONDS = 5.0
#: A trial that was killed or lost waits before it is tried again: at first this long, then ever longer.
FIRST_PAUSE_SECONDS = 0.1
PAUSE_GROWTH = 4.0
LONGEST_PAUSE_SECONDS = 60.0
#: A round that others finish is looked at this often.
IDLE_SECONDS = 1.0


@dataclass(slots=True)
class Timer:
    """Comes due every ``every`` seconds, the first time one period after ``last``."""

    every: float
    last: float

    def is_due(self, now: float) -> bool:
        """Whether the period is over; if so the next one begins."""
        if now - self.last < self.every:
            return False
        self.last = now
        return True


def n_to_claim(free: int, waiting: int, workers: int, mean_seconds: float | None) -> int:
    """How many trials to claim: for the free slots, and a few ahead while trials are very short.

    ``waiting`` are claimed already and not started, ``mean_seconds`` is what a trial took so far.
    """
    ahead = 0
    if mean_seconds is not None and mean_seconds < LOOKAHEAD_SECONDS:
        ahead = min(int(LOOKAHEAD_SECONDS * workers / max(mean_seconds, 1e-3)), LARGEST_LOOKAHEAD)
    if free <= waiting:
        return 0
    return free + ahead - waiting


def pause_seconds(n_bad: int) -> float:
    """How long a trial waits of whose attempts ``n_bad`` were killed, hung or lost."""
    if n_bad == 0:
        return 0.0
    # The growth is bounded before it is computed: a power of a large count is no float.
    return min(FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** min(n_bad - 1, 10), LONGEST_PAUSE_SECONDS)


def hung(options: RunOptions, now: float, began: float, heard: float) -> tuple[HungWhy, float] | None:
    """Why an attempt that began at ``began`` and last logged at ``heard`` counts as hung, and the limit."""
    if options.max_seconds is not None and now - began > options.max_seconds:
        return "too_long", options.max_seconds
    if options.silent_seconds is not None and now - max(began, heard) > options.silent_seconds:
        return "silent", options.silent_seconds
    return None


def wait_seconds(options: RunOptions, is_running: bool) -> float:
    """How long to wait for a child before looking around again."""
    if not is_running:
        return IDLE_SECONDS / 4
    limits = [limit / 4 for limit in (options.max_seconds, options.silent_seconds) if limit is not None]
    return max(min([WAIT_SECONDS, *limits]), 0.01)


def eta_seconds(counts: Mapping[Status, int], mean_seconds: float | None, workers: int) -> float | None:
    """Time until all trials have ended, from what one took; a running one counts as half done."""
    if mean_seconds is None:
        return None
    left = counts[Status.PENDING] + counts[Status.RUNNING] / 2
    return left * mean_seconds / workers


def n_done(counts: Mapping[Status, int]) -> int:
    """How many trials have ended, one way or another."""
    return sum(count for status, count in counts.items() if status.is_final)


def is_over(counts: Mapping[Status, int]) -> bool:
    """Whether every trial of the plan has ended."""
    return counts[Status.PENDING] == 0 and counts[Status.RUNNING] == 0

"""Stopping: signals that ask a run to end, and ending attempts softly, firmly or because they are no longer ours."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tunebook.run import schedule
from tunebook.run.attempts import Attempt
from tunebook.run.jobs import Executor


class StopRequest:
    """Heard signals: the first asks to end, the second to end at once."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def listening(self, *, keep_interrupt: bool) -> Iterator[None]:
        """Hear SIGINT (unless it is to interrupt this process's own code) and SIGTERM; main thread only."""
        numbers = [signal.SIGTERM] if keep_interrupt else [signal.SIGINT, signal.SIGTERM]
        if threading.current_thread() is not threading.main_thread():
            numbers = []
        before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


def end_softly(executor: Executor, attempt: Attempt, now: float) -> None:
    """Ask an attempt to end itself, once."""
    if attempt.stopped_at is None:
        attempt.stopped_at = now
        executor.stop(attempt.claim.attempt_key, force=False)


def end_firmly(executor: Executor, attempt: Attempt, now: float, *, at_once: bool = False) -> None:
    """Kill an attempt that was asked to end and has had the time for it."""
    assert attempt.stopped_at is not None
    if not attempt.is_forced and (at_once or now - attempt.stopped_at > schedule.GRACE_SECONDS):
        attempt.is_forced = True
        executor.stop(attempt.claim.attempt_key, force=True)


def abandon(executor: Executor, attempt: Attempt) -> None:
    """Another runner has this trial now: end the attempt and write nothing more for it."""
    if not attempt.is_abandoned:
        attempt.is_abandoned = True
        executor.stop(attempt.claim.attempt_key, force=True)

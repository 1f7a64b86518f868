"""Clocks of several machines, and trials that kill whatever runs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postgres import fresh_schema, postgres_url  # noqa: F401
from run.round_kit import HONEST, Project, honest_curve, honest_loss
from store_cases import LEASE, an_owner, with_round
from tunebook.core.outcome import Cause, Status
from tunebook.errors import LeaseLost, StoreUnavailable
from tunebook.handle.trial import Trial
from tunebook.run import schedule
from tunebook.run.clock import MEASURE_SECONDS, StoreClock, SystemClock
from tunebook.run.events import TrialEnded, TrialStarted
from tunebook.run.executors.inline import Inline
from tunebook.run.jobs import HERE, Exit, Job, News, Setup, exit_of
from tunebook.store.store import Store

HOUR = timedelta(hours=1)


class SkewedClock:
    """The machine's clock, set wrong by ``skew``."""

    def __init__(self, skew: timedelta) -> None:
        self.skew = skew
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.slow
@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_a_wrong_clock_takes_no_lease_that_holds(postgres_url: str, skew: timedelta) -> None:  # noqa: F811
    with with_round(Store.open(fresh_schema(postgres_url)), 2, "r") as store:
        right, wrong = SystemClock(), SkewedClock(skew)
        claim = lambda name, now: store.claim("r", owner=an_owner(name), limit=9, now=now, lease_seconds=LEASE)  # noqa: E731
        first = claim("first", StoreClock(store, right).now())
        assert len(first) == 2
        assert claim("second", StoreClock(store, wrong).now()) == ()
        if skew > timedelta(0):  # and this is what would happen without
            assert len(claim("third", wrong.now())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_leases_of_a_wrong_clock_run_out_in_time(postgres_url: str, skew: timedelta) -> None:  # noqa: F811
    with with_round(Store.open(fresh_schema(postgres_url)), 1, "r") as store:
        claim = lambda name, now: store.claim("r", owner=an_owner(name), limit=9, now=now, lease_seconds=LEASE)  # noqa: E731
        assert len(claim("wrong", StoreClock(store, SkewedClock(skew)).now())) == 1
        now = StoreClock(store, SystemClock()).now()
        assert claim("early", now + timedelta(seconds=LEASE - 5)) == ()
        assert len(claim("late", now + timedelta(seconds=LEASE + 5))) == 1


class Server:
    def __init__(self, ahead: timedelta | None) -> None:
        self.ahead = ahead
        self.n_asked = 0
        self.is_there = True

    def time(self) -> datetime | None:
        self.n_asked += 1
        if not self.is_there:
            raise StoreUnavailable("gone")
        return None if self.ahead is None else datetime.now(UTC) + self.ahead


def test_the_difference_is_measured_now_and_then_and_kept_while_nobody_answers() -> None:
    server, own = Server(HOUR), SkewedClock(-HOUR)
    clock = StoreClock(server, own)
    for _ in range(5):
        assert abs(clock.now() - datetime.now(UTC) - HOUR) < timedelta(seconds=5)
    assert server.n_asked == 1
    own.seconds, server.is_there = MEASURE_SECONDS + 1, False
    assert abs(clock.now() - datetime.now(UTC) - HOUR) < timedelta(seconds=5)
    own.seconds, server.is_there, server.ahead = 2 * MEASURE_SECONDS + 2, True, timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert server.n_asked == 3


def test_a_store_in_a_file_goes_by_this_machines_clock() -> None:
    assert abs(StoreClock(Server(None), SkewedClock(HOUR)).now() - datetime.now(UTC) - HOUR) < timedelta(seconds=5)


def test_pauses_grow_up_to_a_minute() -> None:
    pauses = [schedule.pause_seconds(n_bad) for n_bad in range(8)]
    assert pauses[0] == 0
    assert pauses[1:5] == pytest.approx([0.1, 0.4, 1.6, 6.4])
    assert pauses == sorted(pauses)
    assert schedule.pause_seconds(10**9) == schedule.LONGEST_PAUSE_SECONDS


#: Kills the process that runs the round, as a trial in that process can.
POISON = """
    import os

    def train(trial):
        trial.log(0, {"valid/error": 1.0})
        if trial["x"] == 0.0:
            os.kill(os.getpid(), 9)
"""


def test_a_trial_that_kills_its_runner_three_times_is_failed_and_the_round_goes_on(tmp_path: Path) -> None:
    project = Project(tmp_path, POISON, n=2)
    for attempt in (1, 2, 3):
        runner = project.in_background(name=f"runner{attempt}", executor="inline")
        assert runner.wait(60) == -9
        assert project.trials[0].attempts == attempt
    report = project.run("inline")
    assert report.n_ended == 1  # the other one was done meanwhile
    poisoned, other = project.trials
    assert (poisoned.status, poisoned.cause) == (Status.FAILED, Cause.LOST)
    assert "vanished" in poisoned.detail
    assert other.status is Status.COMPLETE
    assert poisoned.spec.id not in {event.trial for event in project.heard(TrialStarted)}


#: As above, but a checkpoint is made first, each time a later one.
SLOW_BUT_STEADY = (
    HONEST
    + """
    import os

    def before_step(trial, step):
        if step == trial.start_step + 2 and step < 10:
            os.kill(os.getpid(), 9)
    """
)


def test_a_trial_that_gets_further_every_time_is_no_poison(tmp_path: Path) -> None:
    project = Project(tmp_path, SLOW_BUT_STEADY, steps=12)
    for attempt in range(1, 5):
        assert project.in_background(name=f"runner{attempt}", executor="inline").wait(60) == -9
    project.run("inline")
    assert project.trials[0].status is Status.COMPLETE
    assert project.trials[0].attempts == 5


def test_a_lost_trial_waits_before_it_is_tried_again_and_others_go_first(tmp_path: Path) -> None:
    code = HONEST + "\n    def before_step(trial, step):\n        import os\n"
    code += "        if trial['x'] == 0.0 and trial.directory.name == 'attempt-1': os.kill(os.getpid(), 9)\n"
    project = Project(tmp_path, code, n=3)
    project.run("local")
    assert project.count(Status.COMPLETE) == 3
    assert next(event.released for event in project.heard(TrialEnded)) == "killed"
    order = [(event.config["x"], event.attempt) for event in project.heard(TrialStarted)]
    assert order[0] == (0.0, 1)
    assert order.index((0.0, 2)) > 1


class Undead:
    """An executor that loses sight of the first attempt, whose process goes on for a while all the same."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        self._inner = Inline(setup)
        self._ended: list[Exit] = []
        self.left: Trial | None = None
        self.refused = ""

    def start(self, job: Job) -> None:
        if job.assignment.attempt == 1:
            self.left = Trial(job.assignment)
            self.train(range(6))
            self._ended.append(exit_of(job, seconds=0.0, code=None))
            return
        with pytest.raises(LeaseLost, match="another one has begun"):
            self.train(range(8, 10))
        self._inner.start(job)

    def train(self, steps: range) -> None:
        assert self.left is not None
        for step in steps:
            self.left.log(step, {"train/loss": step * (step + 1) / 2})
            if step % 2 == 1:
                self.left.log(step, {"valid/error": 1.0 / (1 + step)})
                self.left.checkpoint(step, lambda path, at=step: path.write_text(str(at * (at + 1) // 2)))

    def poll(self, timeout: float) -> list[Exit]:
        ended, self._ended = self._ended, []
        if not ended and self.left is not None and not self.refused:
            self.refused = "not yet"
            self.train(range(6, 8))  # after it was given up, and before the next attempt
        return ended + self._inner.poll(timeout if not ended else 0.0)

    def news(self, key: int) -> News:
        return HERE

    def stop(self, key: int, *, force: bool) -> None: ...

    def close(self) -> None: ...


def test_a_process_that_is_not_dead_yet_leaves_no_hole_and_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunebook.run.run.open_executor", lambda name, setup: Undead(setup))
    project = Project(tmp_path, HONEST)
    project.run("inline")
    assert project.trials[0].attempts == 2
    assert project.heard(TrialStarted)[1].start_step == 8
    assert project.curve("train/loss") == honest_loss()
    assert project.curve() == honest_curve(0.0)


class Waiting(Undead):
    """An executor whose jobs never get a place; every poll loses what waits."""

    def start(self, job: Job) -> None:
        if job.assignment.attempt <= 5:
            self._ended.append(exit_of(job, seconds=0.0, code=None))
        else:
            self._inner.start(job)


def test_losing_a_trial_that_waits_for_a_place_is_no_sign_of_poison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunebook.run.run.open_executor", lambda name, setup: Waiting(setup))
    monkeypatch.setattr(schedule, "LONGEST_PAUSE_SECONDS", 0.1)
    project = Project(tmp_path, HONEST)
    project.run("inline")
    assert project.trials[0].attempts == 6
    assert project.trials[0].status is Status.COMPLETE

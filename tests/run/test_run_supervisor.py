"""A whole run: stopped, killed, shared, robbed of its helpers, and what it keeps for later."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from run.round_kit import HONEST, NAME, Project, honest_curve, honest_loss, kill, wait_until
from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.errors import InputError, Interrupted
from tunebook.run import processes
from tunebook.run.events import Event, Progress, TrialEnded, TrialStarted
from tunebook.run.run import run_round
from tunebook.store.packing import CurveBlock
from tunebook.store.values import Owner

#: Waits at step 5 until somebody makes the file "go" beside the pipeline.
WAITING = (
    HONEST
    + """
    import pathlib, time

    def before_step(trial, step):
        while step == 5 and not pathlib.Path(__file__).with_name("go").exists():
            time.sleep(0.005)
    """
)


def descendants(token: str) -> list[int]:
    return list(processes._marked(f"{processes.RUN_VARIABLE}={token}".encode()))


def assert_whole(project: Project, n: int, steps: int = 10) -> None:
    """Every trial complete, with the curves it would have had undisturbed."""
    assert project.count(Status.COMPLETE) == n
    for number in range(n):
        assert project.curve(trial=number) == honest_curve(float(number), steps)
        assert project.curve("train/loss", number) == honest_loss(steps)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_goes_on_where_it_was(tmp_path: Path, number: signal.Signals) -> None:
    project = Project(tmp_path, WAITING, n=3)

    started: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, TrialStarted):
            started.append(event.trial)
        saved = list(tmp_path.glob(".tunebook/trials/round/*/checkpoints/step-00000003"))
        if isinstance(event, Progress) and len(started) == len(saved) == 2:
            started.clear()
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="goes on where it was"):
        project.run(workers=2, on_event=on_event)
    assert signal.getsignal(number) is before
    assert project.count(Status.PENDING) == 3
    assert {event.released for event in project.heard(TrialEnded)} == {"stopped"}
    assert project.curve("train/loss")[:4] == honest_loss()[:4]
    (tmp_path / "go").touch()
    project.events.clear()
    project.run(workers=2)
    assert sorted(event.start_step for event in project.heard(TrialStarted)) == [0, 4, 4]
    assert_whole(project, 3)


def test_interrupting_a_trial_in_this_process_stops_the_round(tmp_path: Path) -> None:
    code = "def train(trial):\n    trial.log(0, {'valid/error': 1.0})\n    raise KeyboardInterrupt\n"
    project = Project(tmp_path, code, n=2)
    with pytest.raises(Interrupted):
        project.run("inline")
    assert project.count(Status.PENDING) == 2
    assert project.curve() == [(0, 1.0)]


def test_the_next_run_takes_over_from_a_killed_one(tmp_path: Path) -> None:
    project = Project(tmp_path, WAITING, n=2)
    first = project.in_background(workers=2)
    wait_until(lambda: len(list(tmp_path.glob(".tunebook/trials/round/*/checkpoints/step-00000003"))) == 2)
    (token,) = {lease.owner.id for lease in project.store.leases(NAME)}
    assert len(descendants(token)) >= 3
    kill(first)
    # Not before the next run has begun: what the killed one left behind may live a little longer and train on.
    project.run(
        workers=2, on_event=lambda event: (tmp_path / "go").touch() if isinstance(event, TrialStarted) else None
    )
    assert descendants(token) == []
    assert [event.start_step for event in project.heard(TrialStarted)] == [4, 4]
    assert [row.attempts for row in project.trials] == [2, 2]
    assert_whole(project, 2)
    assert list(tmp_path.glob(".tunebook/trials/round/*/*/spool")) == []


def test_a_dead_runner_takes_its_children_with_it(tmp_path: Path) -> None:
    project = Project(tmp_path, WAITING, n=2)
    first = project.in_background(workers=2)
    wait_until(lambda: len(list(tmp_path.glob(".tunebook/trials/round/*/checkpoints/step-00000003"))) == 2)
    (token,) = {lease.owner.id for lease in project.store.leases(NAME)}
    assert descendants(token)
    kill(first)
    wait_until(lambda: not descendants(token))


def test_trials_outlive_the_parent_they_were_forked_from(tmp_path: Path) -> None:
    rob = """
    import os

    def before_step(trial, step):
        if step == 6 and trial.start_step == 0:
            os.kill(os.getppid(), 9)
    """
    project = Project(tmp_path, HONEST + rob, n=2)
    project.run(workers=2)
    assert "lost" in {event.released for event in project.heard(TrialEnded)}
    assert_whole(project, 2)


def test_a_trial_that_always_kills_its_parent_is_given_up(tmp_path: Path) -> None:
    code = "import os, time\ndef train(trial):\n    os.kill(os.getppid(), 9); time.sleep(60)\n"
    project = Project(tmp_path, code, run={"retries": 1})
    project.run()
    assert project.trials[0].cause is Cause.LOST


def test_two_runs_share_a_round(tmp_path: Path) -> None:
    project = Project(tmp_path, HONEST, n=30)
    runs = [project.in_background(workers=1, name=f"runner{number}") for number in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    started = [(tmp_path / f"runner{number}.log").read_text().splitlines() for number in range(2)]
    assert len(started[0]) + len(started[1]) == 30
    assert len({line.split()[0] for line in started[0] + started[1]}) == 30
    assert_whole(project, 30)


def test_a_run_waits_for_the_trials_of_another(tmp_path: Path) -> None:
    project = Project(tmp_path, WAITING, n=1)
    first = project.in_background()
    wait_until(lambda: project.count(Status.RUNNING) == 1)
    second = project.in_background(name="second")
    wait_until((tmp_path / "second.log").exists)
    (tmp_path / "go").touch()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert (tmp_path / "second.log").read_text() == ""
    assert_whole(project, 1)


def test_a_function_of_the_main_program_is_trained_too(tmp_path: Path) -> None:
    code = """
        from datetime import UTC, datetime
        from pathlib import Path
        from tunebook.core.config import Config
        from tunebook.core.round import Round
        from tunebook.core.trial import TrialSpec
        from tunebook.run.run import run_round
        from tunebook.store.store import Store

        def train(trial):
            trial.log(0, {"m": trial["x"]})

        folder, now = Path("."), datetime.now(UTC)
        space = {"x": {"low": 0.0, "high": 1.0}}
        design = Round(
            goal="g", question="minimize", pipeline="__main__:train", max_train_steps=1, objective={"metric": "m"},
            nuisance=space,
        )
        store = Store.open("sqlite:///tunebook.db")
        store.save_round("r", design, now=now)
        way = design.way_to_train
        spec = TrialSpec(study="all", config=Config({"x": 0.5}), seed=0, max_train_steps=1, way_to_train=way)
        store.sync_trials("r", [spec], now=now)
        print(run_round(store, "r", design, project=folder, workers=1, function=train).best.value)
    """
    import textwrap

    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "0.5", ran.stderr


def test_the_best_at_the_end_may_be_that_of_another_process(tmp_path: Path) -> None:
    code = "def train(trial):\n    trial.log(0, {'valid/error': trial['x']})\n"
    project = Project(tmp_path, code, n=1)
    other = Owner(id="other", host="h", pid=1, started=datetime.now(UTC))

    def another_joins(event: Event) -> None:
        if isinstance(event, TrialEnded) and len(project.store.specs(NAME)) == 1:
            [spec] = project.store.specs(NAME)
            now = datetime.now(UTC)
            project.store.add_trials(NAME, [replace(spec, config=Config({"x": 5.0}), index=1)], now=now)
            [claim] = project.store.claim(NAME, owner=other, limit=1, now=now, lease_seconds=60)
            project.store.append_curves(claim, CurveBlock(("valid/error",), np.array([0]), np.array([[-1.0]])), 0)
            project.store.finish(claim, Outcome.complete(), now=now, seconds=1.0)

    report = project.run("inline", on_event=another_joins)
    assert report.n_ended == 1
    assert report.best is not None
    assert report.best.value == -1.0
    last = project.heard(Progress)[-1]
    assert (last.best, last.counts[Status.COMPLETE]) == (report.best, 2)


def test_fixed_values_reach_the_trial(tmp_path: Path) -> None:
    code = "def train(trial):\n    trial.log(0, {'valid/error': trial['batch_size'] + trial['x']})\n"
    project = Project(tmp_path, code, fixed={"batch_size": 128})
    project.run("inline")
    assert project.curve() == [(0, 128.0)]


def test_files_of_another_store_are_not_taken_for_ours(tmp_path: Path) -> None:
    project = Project(tmp_path, HONEST)
    project.run("inline")
    project.store.close()
    for file in tmp_path.glob("tunebook.db*"):
        file.unlink()
    again = Project(tmp_path, HONEST)
    again.run("inline")
    assert again.heard(TrialStarted)[0].start_step == 0
    assert again.curve() == honest_curve(0.0)
    assert (again.attempt().parent.parent / f"{again.trials[0].spec.id}~1" / "checkpoints").is_dir()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"workers": 0}, "0 workers are not accepted"),
        ({"executor": "lokal"}, "'lokal' is not accepted, did you mean 'local'"),
        ({"executor": "inline", "workers": 2}, "one worker, not 2"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    project = Project(tmp_path, HONEST)
    with pytest.raises(InputError, match=words):
        run_round(project.store, NAME, project.design, project=tmp_path, **{"workers": 1, **more})


def test_what_ran_is_kept_with_the_trial(tmp_path: Path) -> None:
    project = Project(tmp_path, HONEST)
    project.run()
    record = project.store.provenance(project.trials[0].spec.id)
    assert record is not None
    assert record["pipeline"] == "train.py:train"
    assert record["environment"]["OMP_NUM_THREADS"]


def test_each_worker_shows_its_trials_its_own_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    code = (
        "import os\ndef train(trial):\n    trial.log(0, {'valid/error': float(os.environ['CUDA_VISIBLE_DEVICES'])})\n"
    )
    project = Project(tmp_path, code, n=6)
    project.run(workers=2)
    slots = {event.trial: event.slot for event in project.heard(TrialStarted)}
    for number, row in enumerate(project.trials):
        assert project.curve(trial=number)[0][1] == 4 + slots[row.spec.id]
    assert {value for number in range(6) for _, value in project.curve(trial=number)} == {4.0, 5.0}


def test_a_process_is_known_by_its_start(tmp_path: Path) -> None:
    started = processes.started_at(os.getpid())
    assert started is not None
    assert processes.is_alive(os.getpid(), started)
    assert not processes.is_alive(os.getpid(), started - 2 * processes.SAME_START)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not processes.is_alive(child.pid, started)


SLOW_STEPS = 60

#: Takes about a tenth of a second, so that kills hit it on its way.
STEADY = (
    HONEST
    + """
    import time

    def before_step(trial, step):
        time.sleep(0.004)
    """
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_under_fire_every_trial_ends_once_with_all_its_points(tmp_path: Path) -> None:
    # More trials than end before the last kill, also where kills happen to hit little.
    n, n_kills = 64, 50
    project = Project(tmp_path, STEADY, n=n, steps=SLOW_STEPS, run={"retries": 1000})
    chance = random.Random(0)
    runner = project.in_background(workers=2)
    killed = {"trial": 0, "parent": 0, "runner": 0}
    while sum(killed.values()) < n_kills:
        time.sleep(chance.uniform(0.02, 0.3))
        if runner.poll() is not None:
            assert runner.returncode == 0, (tmp_path / "runner.err").read_text()
            break
        what = chance.choice(["trial", "trial", "parent", "runner"])
        if what == "runner":
            kill(runner)
            runner = project.in_background(workers=2)
            killed["runner"] += 1
            wait_until(_holds_trials(project, runner))
            continue
        pids = _victims(runner.pid, what)
        if pids:
            processes.kill(chance.choice(pids), signal.SIGKILL)
            killed[what] += 1
    assert runner.wait(300) == 0, (tmp_path / "runner.err").read_text()
    assert min(killed.values()) >= 5, killed
    assert sum(killed.values()) == n_kills, killed
    assert_whole(project, n, SLOW_STEPS)
    assert all(row.status is Status.COMPLETE for row in project.trials)
    print(killed, "attempts:", sum(row.attempts for row in project.trials))


def _holds_trials(project: Project, runner: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Whether this runner began to work, or ended."""

    def is_so() -> bool:
        owners = {lease.owner.pid for lease in project.store.leases(NAME)}
        return runner.pid in owners or runner.poll() is not None

    return is_so


def _victims(runner: int, what: str) -> list[int]:
    """The preloaded parent of a runner, or the trials it forked."""
    parents = _children(runner)
    return parents if what == "parent" else [pid for parent in parents for pid in _children(parent)]


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if fields and folder.name.isdigit() and int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def test_strays_are_found_by_their_mark_and_nobody_else_is() -> None:
    marks = [f"mark-{os.getpid()}-{number}" for number in range(2)]
    programs = [
        subprocess.Popen(["sleep", "600"], env={**os.environ, processes.RUN_VARIABLE: mark}, start_new_session=True)
        for mark in marks
    ]
    assert processes.kill_strays(marks[0]) == 1
    assert programs[0].wait() == -signal.SIGKILL
    assert programs[1].poll() is None
    assert processes.kill_strays(marks[1]) == 1
    programs[1].wait()

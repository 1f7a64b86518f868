"""SLURM takes nodes away, drains and forgets; a real one of one node, and submitit's own processes as its twin."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clusters import SlurmCluster, slurm_cluster
from run.fire_kit import assert_ended_once, outcome_rows, stored_rows
from run.round_kit import HONEST, Project, honest_curve, honest_loss, kill, wait_until
from tunebook.core.outcome import Cause, Status
from tunebook.errors import InputError, RunError
from tunebook.run.events import TrialEnded, TrialStarted
from tunebook.run.executors.slurm_options import minutes
from tunebook.run.run import run_round

__all__ = ["slurm_cluster"]

STEPS = 20
#: Makes a checkpoint every second step and takes some seconds.
STEADY = (
    HONEST
    + """
    import time

    def before_step(trial, step):
        time.sleep(0.15)
    """
)


class OnSlurm:
    """A project on the cluster, and what an operator does to its jobs meanwhile."""

    def __init__(self, cluster: SlurmCluster, folder: Path, n: int = 1) -> None:
        self.cluster = cluster
        self.project = Project(folder, STEADY, n=n, steps=STEPS)

    def run_while(self, act: Callable[[], None], workers: int = 1) -> None:
        """Run the round, and once a trial has a checkpoint ``act``, in a thread of its own."""
        failed: list[BaseException] = []

        def operate() -> None:
            try:
                wait_until(self.has_checkpoint, 60)
                act()
            except BaseException as error:
                failed.append(error)

        operator = threading.Thread(target=operate)
        operator.start()
        self.project.run("slurm", workers=workers)
        operator.join()
        assert not failed, failed

    def has_checkpoint(self) -> bool:
        return any(self.project.folder.glob(".tunebook/trials/*/*/checkpoints/step-00000003"))

    @property
    def running(self) -> list[str]:
        return self.cluster.command("squeue", "-h", "-r", "-t", "R", "-o", "%i").split()

    def kill_seats(self) -> None:
        marks = (b"submitit.core._submit", str(self.project.folder).encode())
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes()
                if words.startswith(sys.executable.encode()) and all(mark in words for mark in marks):
                    os.kill(int(folder.name), signal.SIGKILL)

    def assert_whole(self, n: int = 1) -> None:
        assert_ended_once(self.project, n, STEPS)


@pytest.fixture
def on_slurm(slurm_cluster: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnSlurm:
    for variable, value in slurm_cluster.environment.items():
        monkeypatch.setenv(variable, value)
    return OnSlurm(slurm_cluster, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_preempted_trial_saves_leaves_and_goes_on_in_the_same_job(on_slurm: OnSlurm) -> None:
    seen: list[str] = []
    before: list[int] = []

    def preempt() -> None:
        seen.extend(on_slurm.running)
        before.append(sum(stored_rows(on_slurm.project).values()))
        on_slurm.cluster.command("scancel", "--signal=USR2", seen[0])
        wait_until(lambda: on_slurm.project.trials[0].attempts == 2, 60)
        seen.extend(on_slurm.cluster.command("squeue", "-h", "-r", "-o", "%i").split())

    on_slurm.run_while(preempt)
    project = on_slurm.project
    _, second = project.heard(TrialStarted)
    assert second.start_step > 4  # it went on to another checkpoint after the signal
    assert second.start_step < STEPS - 1
    assert [event.released for event in project.heard(TrialEnded)] == ["stopped", None]
    assert len(set(seen)) == 1  # the job was queued again, not replaced
    assert sum(stored_rows(project).values()) >= before[0]
    on_slurm.assert_whole()


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_trial_that_slurm_itself_queues_again_goes_on(on_slurm: OnSlurm) -> None:
    on_slurm.run_while(lambda: on_slurm.cluster.command("scontrol", "requeue", on_slurm.running[0]) and None)
    starts = [event.start_step for event in on_slurm.project.heard(TrialStarted)]
    assert len(starts) == 2
    assert starts[1] >= 4
    assert on_slurm.project.heard(TrialEnded)[0].released == "stopped"  # taken away, which costs no retry
    on_slurm.assert_whole()


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_trial_of_a_cancelled_job_is_submitted_again(on_slurm: OnSlurm) -> None:
    on_slurm.run_while(lambda: on_slurm.cluster.command("scancel", on_slurm.running[0]) and None)
    assert [event.released for event in on_slurm.project.heard(TrialEnded)] == ["stopped", None]
    on_slurm.assert_whole()


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_seat_that_is_killed_with_its_trial_is_lost(on_slurm: OnSlurm) -> None:
    on_slurm.run_while(on_slurm.kill_seats)
    assert [event.released for event in on_slurm.project.heard(TrialEnded)] == ["lost", None]
    assert on_slurm.project.heard(TrialStarted)[1].start_step >= 4
    on_slurm.assert_whole()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_drained_node_ends_what_it_runs_and_the_rest_waits(
    slurm_cluster: SlurmCluster,
    on_slurm: OnSlurm,
    tmp_path: Path,
) -> None:
    project = on_slurm.project
    project.plan([{"x": float(number)} for number in range(3)])

    def drain() -> None:
        node = f"nodename={slurm_cluster.host}"
        slurm_cluster.command("scontrol", "update", node, "state=drain", "reason=test")
        wait_until(lambda: project.count(Status.COMPLETE) == 1, 60)
        wait_until(lambda: not on_slurm.running, 30)
        assert project.count(Status.RUNNING) == 1  # claimed, and in the queue
        slurm_cluster.command("scontrol", "update", node, "state=resume")

    on_slurm.run_while(drain)
    assert [row.attempts for row in project.trials] == [1, 1, 1]
    on_slurm.assert_whole(3)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_jobs_of_a_dead_driver_are_cancelled_by_the_next_one(on_slurm: OnSlurm) -> None:
    project = on_slurm.project
    project.plan([{"x": float(number)} for number in range(2)])
    driver = project.in_background(workers=2, executor="slurm")
    wait_until(on_slurm.has_checkpoint, 90)
    before = stored_rows(project)
    orphans = on_slurm.running
    kill(driver)
    assert orphans
    project.run("slurm", workers=2)
    after = stored_rows(project)
    assert all(after.get(key, 0) >= rows for key, rows in before.items())
    assert [row.attempts for row in project.trials] == [2, 2]
    assert not set(orphans) & set(on_slurm.running)
    on_slurm.assert_whole(2)
    assert outcome_rows(project) == (2, 2)


@pytest.mark.slow
def test_what_slurm_refuses_is_said_and_no_trial_is_lost_to_it(on_slurm: OnSlurm) -> None:
    with pytest.raises(RunError, match=r"SLURM did not take the jobs: .*partition"):
        on_slurm.project.run("slurm", options={"partition": "nowhere"})
    assert on_slurm.project.count(Status.PENDING) == 1


class TestTwin:
    """The same executor on submitit's own processes."""

    def test_trials_are_complete_with_their_curves(self, tmp_path: Path) -> None:
        project = Project(tmp_path, HONEST, n=2)
        project.run("slurm", workers=2, options={"cluster": "local"})
        assert project.count(Status.COMPLETE) == 2
        for number in range(2):
            assert project.curve(trial=number) == honest_curve(float(number))
            assert project.curve("train/loss", number) == honest_loss()
        assert list(tmp_path.glob(".tunebook/trials/*/slurm-*")) == []

    def test_an_error_is_a_failure(self, tmp_path: Path) -> None:
        project = Project(tmp_path, "def train(trial):\n    raise ValueError('my bug')\n")
        project.run("slurm", options={"cluster": "local"})
        assert project.trials[0].cause is Cause.ERROR
        assert "my bug" in project.trials[0].detail


@pytest.mark.parametrize(
    ("given", "expected"),
    [("30", 30), (90, 90), ("1:30", 2), ("2:00:00", 120), ("1-0", 1440), ("1-2:30", 1590), ("1-00:00:30", 1441)],
)
def test_limits_of_time_are_read_as_slurm_does(given: object, expected: int) -> None:
    assert minutes(given) == expected


@pytest.mark.parametrize("given", ["", "soon", "0", "0:30", "-5", "1:2:3:4"])
def test_other_limits_are_refused(given: object) -> None:
    with pytest.raises(InputError, match="time = "):
        minutes(given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cluster": "slrum"}, "cluster = 'slrum' is not accepted"),
        ({"array_size": 0, "cluster": "local"}, "array_size = 0 is not accepted"),
        ({"resources": "tpu=1", "cluster": "local"}, "--gres"),
        ({"address": "x"}, "no option 'address'"),
    ],
)
def test_wrong_options_are_refused_before_any_trial(tmp_path: Path, options: dict[str, object], words: str) -> None:
    project = Project(tmp_path, HONEST)
    with pytest.raises(InputError, match=words):
        project.run("slurm", options=options)
    assert project.trials[0].attempts == 0


def test_without_slurm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, HONEST)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no SLURM here: sbatch is not on the PATH"):
        project.run("slurm")
    assert list(tmp_path.glob(".tunebook/trials/*/slurm-*")) == []


@pytest.mark.parametrize("executor", ["slurm", "ray"])
def test_a_function_of_the_main_program_is_refused(tmp_path: Path, executor: str) -> None:
    project = Project(tmp_path, HONEST)
    with pytest.raises(InputError, match="cannot be sent to a cluster; put it into a file"):
        run_round(
            project.store,
            "round",
            replace(project.design, pipeline="__main__:train"),
            project=tmp_path,
            workers=1,
            executor=executor,
            function=print,
        )


def test_a_ray_cluster_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    project = Project(tmp_path, HONEST)
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=r"there is no Ray cluster at 127.0.0.1:1 .*--address HOST:PORT"):
        project.run("ray", options={"address": "127.0.0.1:1"})

"""One suite for all executors: what happens to a trial does not depend on where it runs."""

from __future__ import annotations

import math
import os
import select
import signal
from pathlib import Path

import numpy as np
import pytest

from clusters import in_cluster, ray_cluster, slurm_cluster
from run.round_kit import HONEST, Project, honest_curve, honest_loss
from tunebook.core.outcome import Cause, Status
from tunebook.errors import InputError, Interrupted
from tunebook.run.events import Event, Progress, TrialEnded, TrialStarted, Warned
from tunebook.run.executors import EXECUTORS

__all__ = ["in_cluster", "ray_cluster", "slurm_cluster"]

pytestmark = pytest.mark.usefixtures("in_cluster")

NAMES = sorted(EXECUTORS)


def with_marks(names: list[str]) -> list[object]:
    """Clusters take a while to start."""
    return [pytest.param(name, marks=pytest.mark.slow) if EXECUTORS[name].is_elsewhere else name for name in names]


ALL = with_marks(NAMES)
#: Executors that put a trial into a process of its own.
APART = with_marks([name for name in NAMES if name != "inline"])


@pytest.mark.parametrize("executor", ALL)
class TestEverywhere:
    def test_a_trial_that_trains_is_complete_with_all_its_curves(self, tmp_path: Path, executor: str) -> None:
        project = Project(tmp_path, HONEST, n=2)
        report = project.run(executor)
        assert report.counts[Status.COMPLETE] == report.n_ended == 2
        for number in range(2):
            assert project.curve(trial=number) == honest_curve(float(number))
            assert project.curve("train/loss", number) == honest_loss()
        assert report.best is not None
        assert (report.best.value, report.best.step) == (0.1, 9)

    def test_nothing_is_left_of_the_spools_and_all_of_the_rest(self, tmp_path: Path, executor: str) -> None:
        project = Project(tmp_path, HONEST)
        project.run(executor)
        kept = sorted(path.name for path in project.attempt().iterdir())
        assert kept == ["output.log", "trial.json"] if executor != "inline" else ["trial.json"]
        checkpoints = project.attempt().parent / "checkpoints"
        assert sorted(path.name for path in checkpoints.iterdir()) == ["index.json", "step-00000007", "step-00000009"]

    def test_running_again_runs_nothing(self, tmp_path: Path, executor: str) -> None:
        project = Project(tmp_path, HONEST)
        project.run(executor)
        again = project.run(executor)
        assert again.n_ended == 0
        assert again.best is not None
        assert [row.attempts for row in project.trials] == [1]

    def test_events_tell_the_story(self, tmp_path: Path, executor: str) -> None:
        project = Project(tmp_path, HONEST)
        project.run(executor)
        (started,) = project.heard(TrialStarted)
        (ended,) = project.heard(TrialEnded)
        assert (started.attempt, started.start_step, started.config["x"]) == (1, 0, 0.0)
        assert (ended.trial, ended.value, ended.outcome.status) == (started.trial, 0.1, Status.COMPLETE)
        last = project.heard(Progress)[-1]
        assert (last.counts[Status.COMPLETE], last.running_here, last.eta_seconds) == (1, 0, 0.0)

    @pytest.mark.parametrize(
        ("body", "status", "cause", "words"),
        [
            ("trial.log(3, {'valid/error': float('nan')})", "infeasible", "diverged", "was nan at step 3"),
            (
                "trial.log(1, {'valid/error': 0.1}); trial.log(2, {'valid/error': float('inf')})",
                "infeasible",
                "diverged",
                "inf",
            ),
            ("trial.log(3, {'valid/error': float('nan')}); 1 / 0", "infeasible", "diverged", "division by zero"),
            ("raise tunebook.Infeasible('too wide')", "infeasible", "raised", "too wide"),
            ("raise MemoryError", "infeasible", "out_of_memory", "MemoryError"),
            ("raise RuntimeError('CUDA out of memory. Tried')", "infeasible", "out_of_memory", "CUDA out of memory"),
            ("raise OutOfMemoryError('device 0')", "infeasible", "out_of_memory", "device 0"),
            ("raise ValueError('my bug')", "failed", "error", "ValueError: my bug"),
            ("raise SystemExit(3)", "failed", "error", "exit status 3"),
        ],
    )
    def test_endings_are_told_apart(
        self, tmp_path: Path, executor: str, body: str, status: str, cause: str, words: str
    ) -> None:
        code = f"import tunebook\nclass OutOfMemoryError(RuntimeError): pass\ndef train(trial):\n    {body}\n"
        project = Project(tmp_path, code)
        project.run(executor)
        (row,) = project.trials
        assert (row.status, row.cause) == (status, cause)
        assert words in row.detail
        assert row.attempts == 1

    def test_a_metric_that_is_never_logged_stops_the_round_after_the_first_trial(
        self, tmp_path: Path, executor: str
    ) -> None:
        project = Project(
            tmp_path, "def train(trial):\n    trial.log(0, {'valid/eror': 1.0, 'train/loss': 2.0})\n", n=5
        )
        with pytest.raises(InputError, match=r"'valid/error'.*it logged: train/loss, valid/eror"):
            project.run(executor)
        assert project.count(Status.PENDING) == 5  # the slip was in the design: no trial is lost to it
        assert project.trials[0].attempts == 1

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("import not_there", r"train.py cannot be imported: .*train.py, line 1: ModuleNotFoundError.*not_there"),
            ("def train(trial:", "cannot be imported: .*SyntaxError"),
            ("def trian(trial): pass", "has no function 'train', did you mean 'trian'"),
            ("def train(): pass", "cannot be called with a trial alone"),
            ("train = 3", "is a int, not a function"),
            ("raise SystemExit('not today')", "cannot be imported: .*not today"),
        ],
    )
    def test_a_pipeline_that_cannot_run_is_refused_before_any_trial(
        self, tmp_path: Path, executor: str, code: str, words: str
    ) -> None:
        project = Project(tmp_path, code, n=2)
        with pytest.raises(InputError, match=f"(?s)pipeline: .*{words}"):
            project.run(executor)
        assert project.count(Status.PENDING) == 2
        assert [row.attempts for row in project.trials] == [0, 0]

    def test_a_command_in_sh_reports_by_json_lines(self, tmp_path: Path, executor: str) -> None:
        script = """
            echo '{"step": 0, "valid/error": 0.5}' >> "$TUNEBOOK_METRICS"
            echo 'this is no json' >> "$TUNEBOOK_METRICS"
            echo '{"step": 1, "valid/error": '"$1"', "train/loss": null}' >> "$TUNEBOOK_METRICS"
            printf '{"step": 2, "valid/error": "nan"}' >> "$TUNEBOOK_METRICS"
        """
        (tmp_path / "train.sh").write_text(script)
        project = Project(tmp_path, command=["sh", "train.sh", "{x}"])
        project.plan([{"x": 0.25}])
        project.run(executor)
        assert project.curve()[:2] == [(0, 0.5), (1, 0.25)]
        assert project.curve()[2][0] == 2
        assert math.isnan(project.curve("train/loss")[0][1])
        (row,) = project.trials
        assert (row.status, row.cause) == (Status.INFEASIBLE, Cause.DIVERGED)
        (warned,) = project.heard(Warned)
        assert warned.message == "metrics.jsonl: line 2 is left out: it is no JSON"

    def test_a_python_script_finds_its_trial(self, tmp_path: Path, executor: str) -> None:
        code = """
            import sys, tunebook
            trial = tunebook.current_trial()
            trial.log(0, {"valid/error": trial["x"]})
            assert sys.argv[1:] == ["--seed=0", "--keep=false"], sys.argv
            if trial["x"] > 1:
                raise tunebook.Infeasible("more than one")
        """
        design = {
            "x": {"low": 0.0, "high": 2.0},
            "keep": [True, False],
            "when": {"keep": {"true": {"rate": {"low": 0.0, "high": 1.0}}}},
        }
        project = Project(
            tmp_path,
            code,
            command=["python", "train.py", "--seed={seed}", "--keep={keep}", "--rate={rate}"],
            nuisance=design,
        )
        project.plan([{"x": 0.5, "keep": False}])
        project.run(executor)
        assert project.trials[0].status is Status.COMPLETE, project.trials[0].detail
        assert project.curve() == [(0, 0.5)]

    def test_an_infeasible_script_is_infeasible(self, tmp_path: Path, executor: str) -> None:
        code = "import tunebook\ntunebook.current_trial()\nraise tunebook.Infeasible('too deep')\n"
        project = Project(tmp_path, code, command=["python", "train.py"])
        project.run(executor)
        assert (project.trials[0].status, project.trials[0].cause) == (Status.INFEASIBLE, Cause.RAISED)

    @pytest.mark.parametrize(("program", "words"), [("not-a-program", "not on the PATH"), ("./train", "is not there")])
    def test_a_program_that_is_not_there_is_refused_before_any_trial(
        self, tmp_path: Path, executor: str, program: str, words: str
    ) -> None:
        project = Project(tmp_path, command=[program])
        with pytest.raises(InputError, match=words):
            project.run(executor)
        assert project.trials[0].attempts == 0


def has_ended(pid: int, patience: float = 10.0) -> bool:
    """Whether a process ends within ``patience`` seconds: what was killed takes a moment on a busy machine."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], patience)[0])
    finally:
        os.close(process)


@pytest.mark.parametrize("executor", APART)
class TestApart:
    def test_output_of_both_streams_is_kept(self, tmp_path: Path, executor: str) -> None:
        code = """
            import os, sys
            def train(trial):
                print("to out"); print("to err", file=sys.stderr); os.system("echo from a child")
                trial.log(0, {"valid/error": 1.0})
        """
        project = Project(tmp_path, code)
        project.run(executor)
        assert sorted(project.output().split("\n"))[1:] == ["from a child", "to err", "to out"]

    def test_killed_again_and_again_is_failed(self, tmp_path: Path, executor: str) -> None:
        code = "import os\ndef train(trial):\n    print('here', flush=True); os.kill(os.getpid(), 9)\n"
        project = Project(tmp_path, code, run={"retries": 2})
        project.run(executor)
        (row,) = project.trials
        assert (row.status, row.cause, row.attempts) == (Status.FAILED, Cause.KILLED, 3)
        assert "SIGKILL" in row.detail
        assert "here" in row.detail

    def test_killed_once_goes_on_from_its_checkpoint(self, tmp_path: Path, executor: str) -> None:
        kill_once = """
    def before_step(trial, step):
        import os
        if step == 6 and trial.start_step == 0:
            os.kill(os.getpid(), 9)
    """
        project = Project(tmp_path, HONEST + kill_once)
        project.run(executor)
        first, second = project.heard(TrialStarted)
        assert (first.start_step, second.start_step) == (0, 6)
        assert project.trials[0].status is Status.COMPLETE
        assert project.curve() == honest_curve(0.0)
        assert project.curve("train/loss") == honest_loss()

    def test_a_silent_trial_is_hung(self, tmp_path: Path, executor: str) -> None:
        code = """
            import time
            def train(trial):
                trial.log(0, {"valid/error": 1.0}); print("waiting for godot", flush=True)
                time.sleep(600)
        """
        # Longer than an interpreter takes to start on a busy machine.
        project = Project(tmp_path, code, run={"silent_seconds": 3.0, "retries": 0})
        project.run(executor)
        (row,) = project.trials
        assert (row.status, row.cause) == (Status.FAILED, Cause.HUNG)
        assert "logged nothing for 3 s" in row.detail
        assert "godot" in row.detail

    def test_a_trial_that_takes_too_long_is_hung_and_not_tried_again(self, tmp_path: Path, executor: str) -> None:
        code = """
            import time
            def train(trial):
                for step in range(10**9):
                    trial.log(step, {"valid/error": 1.0})
                    time.sleep(0.01)
        """
        project = Project(tmp_path, code, run={"max_seconds": 0.4})
        project.run(executor)
        (row,) = project.trials
        assert (row.status, row.cause, row.attempts) == (Status.FAILED, Cause.HUNG, 1)
        assert "more than 0.4 s" in row.detail

    def test_a_limit_of_memory_makes_it_infeasible(self, tmp_path: Path, executor: str) -> None:
        code = "def train(trial):\n    bytearray(2 << 30)\n"
        project = Project(tmp_path, code, run={"memory_gib": 1})
        project.run(executor)
        assert (project.trials[0].status, project.trials[0].cause) == (Status.INFEASIBLE, Cause.OUT_OF_MEMORY)

    def test_much_output_fills_a_file_and_nothing_else(self, tmp_path: Path, executor: str) -> None:
        code = """
            def train(trial):
                for _ in range(500):
                    print("x" * 99_999)
                raise ValueError("after all that")
        """
        project = Project(tmp_path, code)
        project.run(executor)
        assert project.trials[0].cause is Cause.ERROR
        assert len(project.trials[0].detail) < 30_000
        assert (project.attempt() / "output.log").stat().st_size > 50_000_000

    def test_processes_a_trial_leaves_behind_are_ended_with_it(self, tmp_path: Path, executor: str) -> None:
        code = """
            import subprocess
            def train(trial):
                child = subprocess.Popen(["sleep", "600"])
                (trial.directory / "child").write_text(str(child.pid))
                trial.log(0, {"valid/error": 1.0})
        """
        project = Project(tmp_path, code)
        project.run(executor)
        pid = int((project.attempt() / "child").read_text())
        assert has_ended(pid), "what the trial started is still there"

    def test_a_command_that_fails_shows_its_last_words(self, tmp_path: Path, executor: str) -> None:
        project = Project(tmp_path, command=["sh", "-c", "echo something is wrong >&2; exit 7"])
        project.run(executor)
        assert project.trials[0].cause is Cause.ERROR
        assert "exit status 7" in project.trials[0].detail
        assert "something is wrong" in project.trials[0].detail

    def test_a_command_killed_by_a_signal_is_tried_again(self, tmp_path: Path, executor: str) -> None:
        script = "if [ ! -e been ]; then touch been; kill -9 $$; fi; "
        script += """echo '{"step": 0, "valid/error": 1}' >> "$TUNEBOOK_METRICS" """
        project = Project(tmp_path, command=["sh", "-c", script.replace("{", "{{").replace("}", "}}")])
        project.run(executor)
        assert (project.trials[0].status, project.trials[0].attempts) == (Status.COMPLETE, 2)
        assert [event.released for event in project.heard(TrialEnded)] == ["killed", None]

    def test_several_workers_run_every_trial_once(self, tmp_path: Path, executor: str) -> None:
        project = Project(tmp_path, HONEST, n=7)
        project.run(executor, workers=3)
        assert [row.attempts for row in project.trials] == [1] * 7
        assert {event.slot for event in project.heard(TrialStarted)} <= {0, 1, 2}
        assert project.count(Status.COMPLETE) == 7

    def test_a_program_that_aborts_is_killed_by_that_signal(self, tmp_path: Path, executor: str) -> None:
        code = "import os\ndef train(trial):\n    os.abort()\n"
        project = Project(tmp_path, code, run={"retries": 0})
        project.run(executor)
        assert project.trials[0].cause is Cause.KILLED
        assert signal.Signals.SIGABRT.name in project.trials[0].detail

    def test_ctrl_c_stops_and_the_next_run_goes_on(self, tmp_path: Path, executor: str) -> None:
        waiting = """
    def before_step(trial, step):
        import pathlib, time
        while step == 5 and not pathlib.Path(trial.directory.parent.parent / "go").exists():
            time.sleep(0.005)
    """
        project = Project(tmp_path, HONEST + waiting, n=3)

        def on_event(event: Event) -> None:
            saved = list(tmp_path.glob(".tunebook/trials/round/*/checkpoints/step-00000003"))
            if isinstance(event, Progress) and len(saved) == 1:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted, match="goes on where it was"):
            project.run(executor, on_event=on_event)
        assert project.count(Status.PENDING) == 3
        assert {event.released for event in project.heard(TrialEnded)} == {"stopped"}
        assert project.curve("train/loss")[:4] == honest_loss()[:4]
        (tmp_path / ".tunebook" / "trials" / "round" / "go").touch()
        project.events.clear()
        project.run(executor)
        assert sorted(event.start_step for event in project.heard(TrialStarted)) == [0, 0, 4]
        assert project.count(Status.COMPLETE) == 3
        assert project.curve("train/loss") == honest_loss()

    @pytest.mark.slow
    def test_a_million_points_are_all_there(self, tmp_path: Path, executor: str) -> None:
        code = """
            def train(trial):
                for step in range(trial.max_train_steps):
                    trial.log(step, {"valid/error": 1.0 / (1 + step)})
        """
        project = Project(tmp_path, code, steps=10**6)
        project.run(executor)
        steps, values = project.evidence.curves["valid/error"][0]
        assert np.array_equal(steps, np.arange(10**6))
        assert np.array_equal(values, 1.0 / (1 + np.arange(10**6)))

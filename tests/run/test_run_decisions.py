"""The pure parts of a run: outcomes, schedule, commands, folders, devices."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.core.search import RunOptions
from tunebook.core.trial import TrialSpec
from tunebook.errors import InputError
from tunebook.evidence import Curves, score_curves
from tunebook.handle.ending import Ending
from tunebook.run import schedule
from tunebook.run.command import render
from tunebook.run.devices import share_devices, slot_environment, thread_environment, visible_devices
from tunebook.run.folders import folder_name, trial_folder
from tunebook.run.jobs import Exit
from tunebook.run.objective_curve import ObjectiveCurve
from tunebook.run.outcome import Losses, Retry, judge

METRIC = ("valid/error",)


def curve_of(*points: tuple[int, float], reduce: str = "best", direction: str = "minimize") -> ObjectiveCurve:
    curve = ObjectiveCurve(Objective(metric="valid/error", direction=direction, reduce=reduce))  # type: ignore[arg-type]
    for step, value in points:
        curve.add(METRIC, np.array([step]), np.array([[value]]))
    return curve


GOOD = [(0, 0.9), (5, 0.4), (9, 0.5)]


def ended(**how: Any) -> Exit:
    return Exit(key=1, seconds=2.0, **how)


def test_a_good_end() -> None:
    assert judge(ended(status=0), curve_of(*GOOD)) == Outcome.complete()


@pytest.mark.parametrize(
    "points", [[(0, math.nan)], [(0, 0.5), (1, math.nan)], [(0, 0.5), (1, math.inf)], [(5, -math.inf), (1, 0.5)]]
)
@pytest.mark.parametrize("status", [0, 1])
def test_a_curve_that_ends_non_finite_is_diverged(points: list[tuple[int, float]], status: int) -> None:
    outcome = judge(ended(status=status), curve_of(*points))
    assert isinstance(outcome, Outcome)
    assert outcome.cause is Cause.DIVERGED


def test_a_curve_that_recovers_is_not_diverged() -> None:
    assert judge(ended(status=0), curve_of((0, math.nan), (1, 0.5))) == Outcome.complete()


def test_the_last_word_on_a_step_counts() -> None:
    assert judge(ended(status=0), curve_of((3, math.nan), (3, 0.5))) == Outcome.complete()


def test_other_metrics_may_be_what_they_like() -> None:
    curve = curve_of(*GOOD)
    curve.add(("grad_norm",), np.array([10]), np.array([[math.nan]]))
    assert judge(ended(status=0), curve) == Outcome.complete()


def test_without_the_objective_it_names_what_was_logged() -> None:
    curve = curve_of()
    curve.add(("train/loss", "grad_norm"), np.array([0]), np.zeros((1, 2)))
    outcome = judge(ended(status=0), curve)
    assert isinstance(outcome, Outcome)
    assert outcome.cause is Cause.NO_OBJECTIVE
    assert "'valid/error'" in outcome.detail
    assert outcome.detail.endswith("it logged: grad_norm, train/loss")


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"status": 1, "ending": Ending(kind="infeasible", message="m", traceback="t")}, Cause.RAISED),
        ({"status": 1, "ending": Ending(kind="out_of_memory", message="m", traceback="t")}, Cause.OUT_OF_MEMORY),
        ({"status": 1, "ending": Ending(kind="error", message="m", traceback="t")}, Cause.ERROR),
        ({"status": 2}, Cause.ERROR),
        ({"status": 1, "tail": "Traceback:\nMemoryError"}, Cause.OUT_OF_MEMORY),
        ({"status": 1, "tail": "torch.OutOfMemoryError: CUDA out of memory."}, Cause.OUT_OF_MEMORY),
        ({"signal": signal.SIGABRT, "tail": "what():  std::bad_alloc"}, Cause.OUT_OF_MEMORY),
        ({"signal": signal.SIGKILL, "is_out_of_memory": True}, Cause.OUT_OF_MEMORY),
        ({"signal": signal.SIGSEGV, "is_out_of_memory": True}, Cause.KILLED),
        ({"signal": signal.SIGKILL}, Cause.KILLED),
        ({}, Cause.LOST),
    ],
)
def test_ends_are_told_apart(how: dict[str, Any], cause: Cause) -> None:
    outcome = judge(ended(**how), curve_of(*GOOD))
    assert isinstance(outcome, Outcome)
    assert outcome.cause is cause


def test_a_program_that_only_mentions_memory_is_complete() -> None:
    assert judge(ended(status=0, tail="MemoryError is fun"), curve_of(*GOOD)) == Outcome.complete()


@pytest.mark.parametrize(
    ("how", "more", "reason", "enough"),
    [
        ({"signal": 9}, {"mishaps": 2}, "killed", 3),
        ({}, {"losses": Losses(n_begun=2, n_all=2), "mishaps": 9}, "lost", 2),
        ({"signal": 15}, {"hung": "silent", "limit_seconds": 9.0, "mishaps": 2}, "hung", 3),
    ],
)
def test_mishaps_are_tried_again_as_often_as_allowed(
    how: dict[str, Any], more: dict[str, Any], reason: str, enough: int
) -> None:
    again = judge(ended(**how), curve_of(*GOOD), retries=enough, **more)
    assert isinstance(again, Retry)
    assert again.reason == reason
    last = judge(ended(**how), curve_of(*GOOD), retries=enough - 1, **more)
    assert isinstance(last, Outcome)
    assert last.status is Status.FAILED
    assert "no retries are left" in last.detail


@pytest.mark.parametrize(
    ("n_begun", "n_all", "retries", "is_retried"),
    [(2, 2, 99, True), (3, 3, 99, False), (1, 1, 0, False), (0, 1, 0, True), (0, 9, 99, True), (0, 10, 99, False)],
)
def test_losses_end_sooner_once_training_has_begun(n_begun: int, n_all: int, retries: int, is_retried: bool) -> None:
    losses = Losses(n_begun=n_begun, n_all=n_all)
    judged = judge(ended(), curve_of(*GOOD), retries=retries, losses=losses)
    assert isinstance(judged, Retry) is is_retried


def test_a_machine_that_is_taken_away_costs_no_retry() -> None:
    judged = judge(
        ended(signal=15, is_preempted=True), curve_of(*GOOD), retries=0, losses=Losses(n_begun=9, n_all=9), mishaps=9
    )
    assert judged == Retry(reason="stopped", detail="its machine was taken away from it")


def test_too_long_is_final() -> None:
    outcome = judge(ended(signal=15), curve_of(*GOOD), hung="too_long", limit_seconds=3600.0, retries=9)
    assert isinstance(outcome, Outcome)
    assert outcome.cause is Cause.HUNG
    assert "more than 3600 s" in outcome.detail


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.one_of(st.floats(-5, 5), st.sampled_from([math.nan, math.inf]))),
        max_size=25,
        unique_by=lambda point: point[0],
    ),
    st.sampled_from(["best", "final", "at:7", "last:3"]),
    st.sampled_from(["minimize", "maximize"]),
    st.integers(1, 6),
)
def test_the_running_score_is_the_score_of_the_evidence(
    points: list[tuple[int, float]], reduce: str, direction: str, size: int
) -> None:
    points.sort()
    curve = curve_of(reduce=reduce, direction=direction)
    for start in range(0, len(points), size):
        part = points[start : start + size]
        curve.add(METRIC, np.array([p[0] for p in part]), np.array([[p[1]] for p in part]))
    steps, values = [p[0] for p in points], [p[1] for p in points]
    scores = score_curves(Curves.pack([(steps, values)]), curve.objective)
    assert curve.score[1] == scores.steps[0]
    np.testing.assert_allclose(curve.score[0], scores.values[0], rtol=1e-12)


def test_the_curve_takes_constant_memory() -> None:
    curve = curve_of(reduce="last:4")
    for start in range(0, 100_000, 1000):
        steps = np.arange(start, start + 1000)
        curve.add(METRIC, steps, steps[:, None] / 2.0)
    assert len(curve._recent) == 4
    assert curve.score == ((99_996 + 99_997 + 99_998 + 99_999) / 8, 99_999)


# Schedule


@pytest.mark.parametrize(
    ("free", "waiting", "mean", "expected"),
    [
        (2, 0, None, 2),
        (2, 1, None, 1),
        (0, 0, 0.001, 0),
        (1, 0, 0.004, 1 + 32),
        (2, 0, 0.05, 6),
        (2, 0, 5.0, 2),
        (2, 9, 0.01, 0),
    ],
)
def test_trials_are_claimed_ahead_only_while_they_are_short(
    free: int, waiting: int, mean: float | None, expected: int
) -> None:
    assert schedule.n_to_claim(free, waiting, 2, mean) == expected


def test_hung_is_told_apart() -> None:
    options = RunOptions(max_seconds=100, silent_seconds=10)
    assert schedule.hung(options, now=50, began=0, heard=45) is None
    assert schedule.hung(options, now=50, began=0, heard=39) == ("silent", 10)
    assert schedule.hung(options, now=101, began=0, heard=100) == ("too_long", 100)
    assert schedule.hung(RunOptions(), now=1e9, began=0, heard=0) is None


def test_a_timer_comes_due_once_a_period() -> None:
    timer = schedule.Timer(1.0, 10.0)
    assert [timer.is_due(now) for now in (10.5, 11.0, 11.5, 12.5)] == [False, True, False, True]


def test_time_left_counts_a_running_trial_as_half() -> None:
    counts = dict.fromkeys(Status, 0) | {Status.PENDING: 6, Status.RUNNING: 2}
    assert schedule.eta_seconds(counts, 10.0, 2) == 35.0
    assert schedule.eta_seconds(counts, None, 2) is None


# Commands


def spec(**config: Any) -> TrialSpec:
    return TrialSpec(study="all", config=Config(config), seed=5, max_train_steps=70, way_to_train="w")


def test_a_command_gets_its_values() -> None:
    made = spec(lr=0.00123, drop=False, name="a b")
    command = [
        "run",
        "--lr={lr}",
        "{lr:.1e}",
        "--drop={drop}",
        "{name}",
        "{{x}}",
        "{seed}/{max_train_steps}",
        "{trial}",
    ]
    assert render(command, made, made.config) == (
        "run", "--lr=0.00123", "1.2e-03", "--drop=false", "a b", "{x}", "5/70", made.id,
    )  # fmt: skip


def test_words_of_what_does_not_exist_are_left_out() -> None:
    made = spec(lr=0.1)
    assert render(["run", "--rate={rate}", "--both={lr},{rate}", "--lr={lr}"], made, made.config) == ("run", "--lr=0.1")


# Folders


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder(name: str) -> None:
    folder = folder_name(name.replace("\ud800", ""))
    assert folder not in ("", ".", "..")
    assert "/" not in folder
    assert "\\" not in folder
    assert "\0" not in folder
    assert len(folder) <= 200
    assert (Path("/p") / folder).parent == Path("/p")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=200), unique=True, min_size=2, max_size=5))
def test_different_names_have_different_folders(names: list[str]) -> None:
    assert len({folder_name(name) for name in names}) == len(names)


def test_usual_names_stay_readable() -> None:
    assert folder_name("02-dropout") == "02-dropout"
    assert trial_folder(Path("/p"), "r", "../../etc") == Path("/p/.tunebook/trials/r/%2E.%2F..%2Fetc")


# Devices


def test_devices_come_from_the_environment() -> None:
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "0, 2,GPU-8932"}) == ("0", "2", "GPU-8932")
    assert visible_devices({"CUDA_VISIBLE_DEVICES": ""}) == ()
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "1,-1,2"}) == ("1",)


def test_devices_come_from_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A (UUID: GPU-1)'\necho 'GPU 1: NVIDIA A (UUID: GPU-2)'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert visible_devices({}) == ("0", "1")
    fake.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert visible_devices({}) == ()


def test_every_worker_has_its_own() -> None:
    assert share_devices(["0", "1", "2", "3", "4"], 2, 2) == (("0", "1"), ("2", "3"))
    assert share_devices([], 3, 1) == ((), (), ())
    assert share_devices(["0"], 3, 0) == ((), (), ())
    assert slot_environment(("2", "3")) == {"CUDA_VISIBLE_DEVICES": "2,3"}
    assert slot_environment(()) == {}


def test_too_few_devices_say_what_would_fit() -> None:
    with pytest.raises(InputError, match=r"3 workers with 2 device\(s\) each need 6, and there are 4 .*--workers 2"):
        share_devices(["0", "1", "2", "3"], 3, 2)


def test_threads_share_the_cores_and_what_is_set_stays() -> None:
    made = thread_environment({"MKL_NUM_THREADS": "7"}, workers=3, cores=8)
    assert made["OMP_NUM_THREADS"] == "2"
    assert "MKL_NUM_THREADS" not in made
    assert thread_environment({}, workers=9, cores=2)["OMP_NUM_THREADS"] == "1"

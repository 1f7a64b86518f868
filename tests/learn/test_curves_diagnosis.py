"""Diagnosis of trials and the findings made of it: which curves are read, what is said, what is left unsaid."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tunebook.core.action import Lengthen, Shorten
from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study
from tunebook.evidence import Curves, Evidence, TrialRecord, score_curves
from tunebook.learn.curve_diagnosis import shown
from tunebook.learn.curve_inputs import CurveNames
from tunebook.learn.curves import LABELS, check, diagnose
from tunebook.learn.material import material
from tunebook.learn.view import View

STEPS = np.arange(0, 1000, 10)
X = STEPS / STEPS[-1]
FALLING = 0.1 + 0.8 * np.exp(-X / 0.03)


def evidence(*trials, objective=None, configs=None, status=Status.COMPLETE, cause=None):
    """A round from one mapping of metric to values a trial; values shorter than the run are its start."""
    metrics = sorted({metric for trial in trials for metric in trial})
    configs = configs or [Config({"learning_rate": 0.01 * (place + 1)}) for place in range(len(trials))]
    return Evidence(
        name="round",
        round=Round(
            goal="Which learning rate?",
            question="minimize",
            pipeline="train.py:train",
            max_train_steps=1000,
            objective=objective or Objective(metric="valid/error", material=0.01, chance=0.9),
            nuisance={"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}},
        ),
        studies=(Study("all"),),
        trials=tuple(
            TrialRecord(name=f"t{place}", study="all", config=config, seed=place, status=status, cause=cause)
            for place, config in enumerate(configs)
        ),
        curves={
            metric: Curves.pack(
                [(STEPS[: len(trial.get(metric, ()))], np.asarray(trial.get(metric, ()), float)) for trial in trials]
            )
            for metric in metrics
        },
    )


def labels_of(found):
    (diagnosis,) = diagnose(found)
    return diagnosis.labels


OVERFIT = FALLING + 0.1 * np.clip((X - 0.4) / 0.5, 0, 1)
SPIKED = np.where(STEPS == 600, 0.9, FALLING)
CASES = {
    "diverged": {"valid/error": np.where(X > 0.7, np.nan, FALLING)},
    "overfitting": {"valid/error": OVERFIT, "train/error": FALLING - 0.05 * X},
    "still_improving": {"valid/error": 0.9 - 0.5 * X},
    "saturated_early": {"valid/error": FALLING},
    "late_variance": {"valid/error": FALLING + 0.03 * (-1.0) ** np.arange(len(X))},
    "loss_spike": {"valid/error": FALLING, "train/loss": SPIKED},
    "train_loss_rising": {"valid/error": FALLING, "train/loss": FALLING + 0.2 * X},
    "periodic_validation": {"valid/error": FALLING + 0.004 * np.sin(2 * np.pi * np.arange(len(X)) / 10)},
}


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_given_to_its_case(label):
    assert label in labels_of(evidence(CASES[label]))


@pytest.mark.parametrize("label", LABELS)
def test_direction_does_not_matter(label):
    case = {metric: 1 - values if "error" in metric else values for metric, values in CASES[label].items()}
    renamed = {metric.replace("error", "accuracy"): values for metric, values in case.items()}
    objective = Objective(metric="valid/accuracy", direction="maximize", material=0.01, chance=0.1)
    assert label in labels_of(evidence(renamed, objective=objective))


def test_overfitting_needs_a_training_curve():
    assert "overfitting" not in labels_of(evidence({"valid/error": OVERFIT}))


def test_a_training_loss_stands_in_for_a_missing_twin():
    assert "overfitting" in labels_of(evidence({"valid/error": OVERFIT, "train/loss": 2 * FALLING - 0.1 * X}))


def test_scores_are_complete_and_labels_follow_them():
    for diagnosis in diagnose(evidence(*CASES.values())):
        mapping = diagnosis.to_mapping()
        assert tuple(mapping["scores"]) == LABELS
        assert mapping["labels"] == [label for label in LABELS if diagnosis.scores[label] >= 0.5]
        assert all(0 <= score <= 1 for score in mapping["scores"].values())


def test_best_and_last_step():
    (diagnosis,) = diagnose(evidence({"valid/error": np.where(STEPS == 340, 0.01, 0.5), "grad_norm": np.ones(70)}))
    assert (diagnosis.best_step, diagnosis.last_step) == (340, 990)


def test_a_diverged_record_is_diverged_and_an_oom_is_not():
    curve = {"valid/error": FALLING[:20]}
    assert "diverged" in labels_of(evidence(curve, status=Status.INFEASIBLE, cause=Cause.DIVERGED))
    assert "diverged" not in labels_of(evidence(curve, status=Status.INFEASIBLE, cause=Cause.OUT_OF_MEMORY))


@pytest.mark.parametrize("values", [[], [0.5], [math.nan] * 30, [0.5] * 100, [0.5, math.nan, math.inf, 0.4, 0.3]])
def test_odd_curves_are_diagnosed_without_a_word_too_many(values):
    found = evidence({"valid/error": values, "train/loss": values})
    (diagnosis,) = diagnose(found)
    assert set(diagnosis.labels) <= {"diverged", "saturated_early"}
    list(check(View.of(found)))


STUCK = {"valid/error": np.full(len(X), 0.9), "train/loss": 2.3 + 0.001 * np.cos(np.arange(len(X)))}


@pytest.mark.parametrize(("chance", "is_diverged"), [(None, True), (0.9, True), (0.95, False)])
def test_a_run_that_never_learns_has_diverged_unless_a_stated_chance_is_beaten(chance, is_diverged):
    worse_start = {**STUCK, "valid/error": np.ones(len(X))}
    objective = Objective(metric="valid/error", material=0.01, chance=chance)
    stuck, *_ = diagnose(evidence(STUCK, worse_start, worse_start, objective=objective))
    assert ("diverged" in stuck.labels) is is_diverged


def test_nothing_is_stuck_whose_first_evaluation_is_late():
    late = {metric: np.where(STEPS < 100, math.nan, values) for metric, values in STUCK.items()}
    assert "diverged" not in labels_of(evidence(late, objective=Objective(metric="valid/error", material=0.01)))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_is_the_first_of_equals_and_what_is_not_finite_counts_nowhere(direction):
    sign = 1 if direction == "minimize" else -1
    rows = [[], [3, 1, 2, 1], [math.nan, math.inf], [], [math.nan, 5, 4, -math.inf], [2], []]
    curves = Curves.pack([(10 * np.arange(len(row)), sign * np.array(row, float)) for row in rows])
    scores = score_curves(curves, Objective(metric="m", direction=direction))
    nan = math.nan
    np.testing.assert_array_equal(sign * scores.values, [nan, 1, nan, nan, 4, 2, nan])
    assert scores.steps.tolist() == [-1, 10, -1, -1, 20, 0, -1]


def test_no_trials_and_no_such_metric():
    assert diagnose(evidence()) == ()
    found = evidence({"train/loss": FALLING})
    assert labels_of(found) == ()
    assert list(check(View.of(found))) == []


def test_names_are_found_by_the_objective():
    metrics = (
        "valid/wer",
        "train/wer",
        "valid/ctc_loss",
        "train/ctc_loss",
        "train/batch_loss",
        "test/wer",
        "grad_norm",
    )
    names = CurveNames.among(metrics, Objective(metric="valid/wer"))
    assert (names.twin, names.valid_loss, names.train_loss, names.batch_loss) == (
        "train/wer",
        "valid/ctc_loss",
        "train/ctc_loss",
        "train/batch_loss",
    )
    assert CurveNames.among(metrics, Objective(metric="train/wer")).twin is None


def test_an_unlucky_batch_under_the_name_of_the_training_loss_is_no_spike():
    """A script that logs the loss of every batch as train/loss, the most usual one of all."""
    rng = np.random.default_rng(3)
    steps = np.arange(600)
    batches = (2.0 * np.exp(-steps / 100) + 0.02) * rng.gamma(4.0, 0.25, size=(8, 600))
    evaluated = np.linspace(0.9, 0.1, 31)
    curves = {
        "train/loss": Curves.pack([(steps, row) for row in batches]),
        "valid/error": Curves.pack([(steps[::20], evaluated[:30])] * 8),
    }
    found = diagnose(replace(evidence(*[{"valid/error": FALLING}] * 8), curves=curves))
    assert not any("loss_spike" in one.labels for one in found)


def test_the_unit_comes_from_design_then_repeats_then_curves():
    rng = np.random.default_rng(0)
    noisy = [{"valid/error": FALLING + rng.normal(scale=0.01, size=len(X))} for _ in range(6)]
    bare = Objective(metric="valid/error")
    assert material(evidence(*noisy)).source == "design"
    same = [Config({"learning_rate": 0.1})] * 6
    assert material(evidence(*noisy, objective=bare, configs=same)).source == "repeats"
    unit = material(evidence(*noisy, objective=bare))
    assert unit.source == "curves"
    assert 0.004 <= unit.value <= 0.04


def test_findings_are_about_the_best_trial_and_carry_the_next_step():
    found = evidence(CASES["still_improving"], {"valid/error": 0.95 - 0.2 * X})
    finding = next(item for item in check(View.of(found)) if item.subject.trial)
    assert (finding.code, finding.subject.trial, finding.requirement) == ("still_improving", "t0", "L6")
    assert finding.next == Lengthen(max_train_steps=1500)
    assert "No learning rate was logged" in finding.why
    assert finding.evidence["size"] == pytest.approx(0.075, rel=0.05)


def test_a_decaying_learning_rate_makes_late_gains_a_note():
    decayed = {**CASES["still_improving"], "learning_rate": 0.1 * (1 - X)}
    constant = {**CASES["still_improving"], "learning_rate": np.full(len(X), 0.1)}
    assert [str(item.severity) for item in check(View.of(evidence(decayed)))] == ["note"]
    assert [str(item.severity) for item in check(View.of(evidence(constant)))] == ["warning"]


def test_what_most_trials_share_is_said_once_for_the_round():
    found = evidence(*[{"valid/error": FALLING + 0.01 * place} for place in range(6)])
    shared = [item for item in check(View.of(found)) if item.subject.trial is None]
    assert [item.code for item in shared] == ["saturated_early"]
    assert shared[0].evidence["n_shown"] == 6
    assert isinstance(shared[0].next, Shorten)
    assert shared[0].next.max_train_steps < 500


@pytest.mark.parametrize("label", [label for label in LABELS if label != "diverged"])
def test_every_code_has_words_with_numbers(label):
    findings = [item for item in check(View.of(evidence(CASES[label]))) if item.code == label]
    assert len(findings) == 1
    assert "t0" in findings[0].says
    assert findings[0].fix
    assert findings[0].to_mapping()["evidence"]


@pytest.mark.parametrize(("status", "labels"), [(Status.INFEASIBLE, ("diverged",)), (Status.FAILED, ())])
def test_an_imported_trial_without_curves_diverged_only_where_it_is_infeasible(status, labels):
    (diagnosis,) = diagnose(evidence({}, status=status, cause=Cause.IMPORTED))
    assert diagnosis.labels == labels
    assert diagnosis.to_mapping()["last_step"] is None


def test_a_shown_score_agrees_with_its_label():
    assert [shown(score) for score in (0.49996, 0.5, 1.0, math.nan)] == [0.4999, 0.5, 1.0, 0.0]

"""Reading AlgoPerf logs: the peculiarities of the real files on small copies, and the real ones where they are."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from tunebook.bridges import algoperf
from tunebook.bridges.algoperf_workloads import objective_of, workload_named
from tunebook.core.hyperparameter import Choice, Constant, Range
from tunebook.core.outcome import Cause, Status
from tunebook.core.trial import TrialPurpose
from tunebook.errors import InputError

DATA = Path(os.environ.get("TUNEBOOK_DATA", Path(__file__).parents[3] / "shared" / "data")) / "algoperf"
HEADER = (
    "global_step,loss,grad_norm,lr,train/loss,validation/loss,validation/ssim,validation/num_examples,test/ssim,"
    "test/num_examples,total_duration,accumulated_submission_time,score,preemption_count"
)
ROWS = (
    "0,1.0,2.0,0.1,,,,,,,,,,",
    "1,,,,0.9,0.95,0.2,10,0.21,10,5.0,3.0,3.0,0",
    "100,,,,,,,,,,,,,",
    "100,0.5,1.5,0.1,,,,,,,,,,",
    "100,,,,0.4,,inf,10,,,50.0,30.0,30.0,0",
    "120,0.4,1.0,0.1,,,,,,,,,,",
    "120,,,,0.3,nan,0.71,10,0.7,10,60.0,36.0,36.0,0",
    "150,,,,,,,,,,,,40.0,0",
)
META = {"workload.target_metric_name": "ssim", "workload.step_hint": 200, "workload.validation_target_value": 0.72}


def make_trial(root, place="sub/study_0/fastmri_jax/trial_1", rows=ROWS, config=None, meta=META):
    folder = root / place
    folder.mkdir(parents=True)
    (folder / "meta_data_0.json").write_text(json.dumps(meta))
    if config is not None:
        (folder / "hparams.json").write_text(json.dumps(config))
    if rows:
        (folder / "measurements.csv").write_text("\n".join((HEADER, *rows)) + "\n")
    return folder


def only_trial(root):
    (found,) = algoperf.read(root).rounds
    (trial,) = found.trials
    return trial


def curve(trial, metric):
    steps, values = trial.curves[metric]
    return dict(zip(steps.tolist(), values.tolist(), strict=True))


def test_rows_become_curves(tmp_path):
    make_trial(tmp_path)
    trial = only_trial(tmp_path)
    assert curve(trial, "train/batch_loss") == {0: 1.0, 100: 0.5, 120: 0.4}
    assert curve(trial, "train/loss") == {1: 0.9, 100: 0.4, 120: 0.3}
    assert curve(trial, "learning_rate") == {0: 0.1, 100: 0.1, 120: 0.1}
    assert curve(trial, "valid/ssim") == {1: 0.2, 100: math.inf, 120: 0.71}
    assert curve(trial, "test/ssim") == {1: 0.21, 120: 0.7}
    losses = curve(trial, "valid/loss")
    assert losses[1] == 0.95
    assert math.isnan(losses[100])
    assert math.isnan(losses[120])
    assert trial.seconds == 36.0
    assert trial.outcome.status is Status.COMPLETE


def test_an_empty_training_row_is_a_nan_step(tmp_path):
    make_trial(tmp_path, rows=(*ROWS[:2], "100,,,,,,,,,,,,,", ROWS[-1]))
    trial = only_trial(tmp_path)
    assert math.isnan(curve(trial, "train/batch_loss")[100])
    assert math.isnan(curve(trial, "grad_norm")[100])
    assert 150 not in curve(trial, "train/batch_loss")
    assert (trial.outcome.status, trial.outcome.cause) == (Status.INFEASIBLE, Cause.DIVERGED)


def test_training_without_evaluations_has_no_objective(tmp_path):
    make_trial(tmp_path, rows=(ROWS[0], ROWS[3]))
    assert only_trial(tmp_path).outcome.cause is Cause.NO_OBJECTIVE


def test_studies_are_repeats_with_other_seeds(tmp_path):
    for study in range(3):
        for trial, rate in ((1, 0.1), (2, 0.001), (10, 0.01)):
            make_trial(tmp_path, f"sub/study_{study}/fastmri_jax/trial_{trial}", config={"learning_rate": rate, "b": 1})
    (found,) = algoperf.read(tmp_path).rounds
    assert found.name == "sub-fastmri_jax"
    assert [trial.spec.seed for trial in found.trials] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len({trial.spec.id for trial in found.trials}) == 9
    assert [trial.name for trial in found.trials][:3] == [f"sub/study_0/fastmri_jax/trial_{n}" for n in (1, 2, 10)]
    assert [trial.spec.purpose for trial in found.trials] == [TrialPurpose.SEARCH] * 3 + [TrialPurpose.REPEAT] * 6
    design = found.design
    assert {item.name: item.domain for item in design.hyperparameters} == {
        "learning_rate": Range(low=0.001, high=0.1, scale="log"),
        "b": Constant(1),
    }
    assert design.search.configurations == ({"learning_rate": 0.1}, {"learning_rate": 0.001}, {"learning_rate": 0.01})


def test_the_objective_comes_from_the_metadata(tmp_path):
    make_trial(tmp_path)
    (found,) = algoperf.read(tmp_path).rounds
    objective = found.design.objective
    assert (objective.metric, objective.direction, objective.material) == ("valid/ssim", "maximize", 0.0005)
    assert found.design.max_train_steps == 200
    assert "at least 0.72" in found.design.goal


@pytest.mark.parametrize(
    ("name", "material"),
    [("fastmri_tanh", 0.001), ("fastmri_model_size", 0.0005), ("fastmri", 0.0005), ("mnist", None)],
)
def test_variants_follow_their_family(name, material):
    known = workload_named(name)
    assert (known.material if known else None) == material


def test_a_workload_nobody_knows_is_taken_by_its_metadata():
    objective = objective_of("new", {"workload.target_metric_name": "mean_average_precision"}, ())
    assert (objective.metric, objective.direction, objective.material, objective.chance) == (
        "valid/mean_average_precision",
        "maximize",
        None,
        None,
    )
    assert objective_of("new", {}, ("valid/a", "valid/b")) is None


def test_what_is_skipped_says_why(tmp_path):
    make_trial(tmp_path)
    make_trial(tmp_path, "sub/study_0/trial_1")
    make_trial(tmp_path, "sub/study_0/wmt_jax/trial_1", rows=())
    make_trial(tmp_path, "sub/study_0/wmt_jax/trial_2", rows=("0,word,,,,,,,,,,,,",))
    make_trial(tmp_path, "sub/study_0/new_jax/trial_1", meta={}, rows=(ROWS[0],))
    skipped = dict(algoperf.read(tmp_path).skipped)
    assert "exact copy of fastmri_jax/trial_1" in skipped["sub/study_0/trial_1"]
    assert "no measurements" in skipped["sub/study_0/wmt_jax/trial_1"]
    assert "line 2" in skipped["sub/study_0/wmt_jax/trial_2"]
    assert "'word'" in skipped["sub/study_0/wmt_jax/trial_2"]
    assert "which metric decides" in skipped["sub/study_0/new_jax/trial_1"]


def test_one_trial_folder_alone_can_be_imported(tmp_path):
    folder = make_trial(tmp_path)
    assert only_trial(folder).name == "trial_1"
    assert algoperf.read(folder).rounds[0].name == "sub-fastmri_jax"


def test_no_folder_and_no_trials_are_errors(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="folder"):
            algoperf.read(path)


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([0.1, 0.1], Constant(0.1)),
        ([0.0, 0.1], Choice(0.0, 0.1)),
        ([1, 2, 4], Range(low=1, high=4, scale="log", type="int")),
        ([0.9, 0.95, 0.99], Range(low=0.9, high=0.99)),
        ([True, False], Choice(True, False)),
        (["a", 1.0, 2.0], Choice("a", 1.0, 2.0)),
    ],
)
def test_domains_from_values(values, domain):
    assert algoperf.domain_of(values) == domain


@pytest.mark.skipif(not DATA.is_dir(), reason="the AlgoPerf sample is not beside the repository")
def test_the_whole_sample_is_read():
    found = algoperf.read(DATA)
    assert found.n_trials + len(found.skipped) == 446
    assert sum("exact copy" in why for _, why in found.skipped) == 18
    assert sum("no measurements" in why for _, why in found.skipped) == 5
    for item in found.rounds:
        for trial in item.trials:
            for steps, values in trial.curves.values():
                assert np.all(np.diff(steps) > 0)
                assert len(steps) == len(values)

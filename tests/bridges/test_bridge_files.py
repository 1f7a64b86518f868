"""Rounds as files: what is written is read back, and what is wrong is named with file, line and column."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.bridges import files
from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study, TrialPurpose
from tunebook.errors import InputError
from tunebook.evidence import Curves, Evidence, TrialRecord

DESIGN = """
goal = "Does dropout help?"
question = "compare"
pipeline = "train.py:train"
max_train_steps = 100

[objective]
metric = "valid/error"

[scientific]
use_dropout = [false, true]

[nuisance]
learning_rate = { low = 1e-4, high = 1.0, scale = "log" }
layers = { low = 1, high = 4, type = "int" }

[nuisance.when.use_dropout.true]
rate = { low = 0.1, high = 0.9 }

[fixed]
batch_size = 128
"""
TRIALS = """trial,study,seed,status,objective,use_dropout,learning_rate,layers,rate
a,use_dropout=false,0,complete,0.2,false,0.01,2,
b,use_dropout=true,1,complete,0.1,true,1e-3,3,0.5
c,use_dropout=true,2,infeasible,,True,1.0,4,0.9
"""
CURVES = """trial,step,metric,value
a,10,valid/error,0.5
a,20,valid/error,nan
a,20,valid/error,0.3
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "design.toml").write_text(DESIGN)
    (tmp_path / "trials.csv").write_text(TRIALS)
    (tmp_path / "curves.csv").write_text(CURVES)
    return tmp_path


def test_a_round_is_read(folder):
    (found,) = files.read(folder).rounds
    first, second, third = found.trials
    assert found.name == folder.name
    assert first.spec.config == Config({"use_dropout": False, "learning_rate": 0.01, "layers": 2, "batch_size": 128})
    assert second.spec.config["rate"] == 0.5
    assert [values.tolist() for values in first.curves["valid/error"]] == [[10, 20], [0.5, 0.3]]
    assert [values.tolist() for values in second.curves["valid/error"]] == [[100], [0.1]]
    assert (third.outcome.status, third.outcome.cause) == (Status.INFEASIBLE, Cause.IMPORTED)


def test_curves_may_be_missing(folder):
    (folder / "curves.csv").unlink()
    assert files.read(folder).rounds[0].trials[0].curves["valid/error"][1].tolist() == [0.2]


def test_complete_without_an_objective_failed(folder):
    (folder / "trials.csv").write_text(TRIALS.replace(",0.1,true", ",,true"))
    assert files.read(folder).rounds[0].trials[1].outcome.cause is Cause.NO_OBJECTIVE


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "words"),
    [
        ("trials.csv", "layers,", "layer,", 1, "did you mean 'layer'"),
        ("trials.csv", "0.01,2", "high,2", 2, "'high' is not a number"),
        ("trials.csv", "1e-3,3", "1e-3,3.5", 3, "'3.5' is not a whole number"),
        ("trials.csv", ",1,complete", ",1,done", 3, "'done' is not accepted"),
        ("trials.csv", ",1,complete", ",1,complet", 3, "did you mean 'complete'?"),
        ("trials.csv", "false,0.01", "maybe,0.01", 2, "'maybe' is not accepted"),
        ("trials.csv", "0.01,2,", "0.01,2,0.3", 2, "does not exist"),
        ("trials.csv", "3,0.5", "3,", 3, "is empty"),
        ("trials.csv", "b,use", "a,use", 3, "in line 2 already"),
        ("trials.csv", "0.01,2,", "0.01,2", 2, "8 cells where the header has 9"),
        ("trials.csv", "use_dropout=false,0,", "use_dropout=false,x,", 2, "'x' is not a whole number"),
        ("curves.csv", "metric", "name", 1, "missing column"),
        ("curves.csv", "a,10", "z,10", 2, "'z' is no trial of trials.csv"),
        ("curves.csv", "0.5", "half", 2, "'half' is not a number"),
        ("curves.csv", "a,10", "a,1.5", 2, "'1.5' is not a whole number"),
        ("curves.csv", "a,10", "a,inf", 2, "'inf' is not a whole number"),
        ("curves.csv", "a,10", "a,nan", 2, "'nan' is not a whole number"),
        ("curves.csv", "a,10", "a,1e19", 2, "'1e19' is not a whole number"),
        ("curves.csv", "a,10", "a,", 2, "'' is not a number"),
        ("curves.csv", "a,10,valid/error,0.5", "a,10", 2, "2 cells"),
    ],
)
def test_mistakes_are_named_with_their_place(folder, name, old, new, line, words):
    file = folder / name
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        files.read(folder)
    assert words in str(caught.value)
    assert f"{name}:{line}" in str(caught.value)


def test_runs_of_one_configuration_are_repeats_of_the_run_with_the_usual_seed(folder):
    (folder / "curves.csv").unlink()
    repeats = "e,use_dropout=false,0,complete,0.2,false,0.1,2,\nf,use_dropout=true,0,complete,0.2,true,1e-3,3,0.5\n"
    (folder / "trials.csv").write_text(TRIALS + repeats)
    found = {trial.name: trial.spec.purpose for trial in files.read(folder).rounds[0].trials}
    assert [name for name, purpose in found.items() if purpose is TrialPurpose.REPEAT] == ["b"]


def test_a_purpose_that_the_file_states_stays(folder):
    lines = (TRIALS + "d,use_dropout=true,5,complete,0.1,true,1e-3,3,0.5\n").splitlines()
    (folder / "trials.csv").write_text("\n".join([lines[0] + ",purpose", *(line + ",search" for line in lines[1:])]))
    assert {trial.spec.purpose for trial in files.read(folder).rounds[0].trials} == {TrialPurpose.SEARCH}


def test_an_empty_value_of_a_curve_is_not_a_number(folder):
    (folder / "curves.csv").write_text(CURVES.replace("a,10,valid/error,0.5", "a,10,valid/error,"))
    values = files.read(folder).rounds[0].trials[0].curves["valid/error"][1]
    assert [math.isnan(value) for value in values] == [True, False]


def test_absent_files_are_errors(tmp_path, folder):
    (folder / "trials.csv").unlink()
    with pytest.raises(InputError, match=r"trials\.csv"):
        files.read(folder)
    with pytest.raises(InputError, match="not a folder"):
        files.read(tmp_path / "absent")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
VALUES = st.floats(allow_nan=False) | st.just(math.inf)


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    rate=st.floats(1e-4, 1.0),
    points=st.lists(VALUES, min_size=1, max_size=5),
    detail=NAMES,
)
def test_what_is_written_is_read_back(tmp_path_factory, names, rate, points, detail):
    folder = tmp_path_factory.mktemp("round")
    (folder / "design.toml").write_text(DESIGN)
    design = Round.load(folder / "design.toml")
    config = Config({"use_dropout": True, "learning_rate": rate, "layers": 2, "rate": 0.25, "batch_size": 128})
    finite = any(math.isfinite(value) for value in points)
    records = tuple(
        TrialRecord(
            name=name,
            study="use_dropout=true",
            config=config,
            seed=seed,
            status=Status.COMPLETE if finite else Status.INFEASIBLE,
            cause=None if finite else Cause.OUT_OF_MEMORY,
            detail="" if finite else detail,
            seconds=1.5,
        )
        for seed, name in enumerate(names)
    )
    curves = Curves.pack([(np.arange(len(points)), points) for _ in names])
    studies = (Study("use_dropout=true", Config({"use_dropout": True})),)
    files.write(
        folder, Evidence(name="r", round=design, studies=studies, trials=records, curves={"valid/error": curves})
    )
    (found,) = files.read(folder).rounds
    assert found.design.to_mapping() | {"name": ""} == design.to_mapping() | {"name": ""}
    for record, trial in zip(records, found.trials, strict=True):
        assert (trial.name, trial.spec.study, trial.spec.config, trial.spec.seed, trial.seconds) == (
            record.name,
            record.study,
            record.config,
            record.seed,
            record.seconds,
        )
        assert (trial.outcome.status, trial.outcome.cause, trial.outcome.detail) == (
            record.status,
            record.cause,
            record.detail,
        )
        assert trial.curves["valid/error"][1].tolist() == points

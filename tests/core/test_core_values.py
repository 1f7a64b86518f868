"""Core values: what the types themselves guarantee, and what they refuse."""

import math
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunebook import Choice, Constant, Hyperparameter, InputError, Objective, Range, RunOptions, Search
from tunebook.core.config import Config
from tunebook.core.finding import Finding, Severity, Words, by_importance
from tunebook.core.hyperparameter import Condition, excludes, is_number
from tunebook.core.launch import Launch, current_launch
from tunebook.core.objective import Reduce
from tunebook.core.outcome import INFEASIBLE_CAUSES, Cause, Outcome, Status
from tunebook.core.trial import Study, TrialSpec
from tunebook.errors import Problem

values = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
mappings = st.dictionaries(st.text(), values)

# -- hyperparameters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "key", "words"),
    [
        ({"low": 2, "high": 1}, "low", "below high = 1"),
        ({"low": 1, "high": 1}, "low", "make it fixed"),
        ({"low": 0, "high": 1, "scale": "log"}, "low", "above 0 on a log scale"),
        ({"low": 0.5, "high": 1, "scale": "reverse_log"}, "high", "below 1"),
        ({"low": 1, "high": 2.5, "type": "int"}, "type", "whole bounds"),
        ({"low": -9, "high": 0, "type": "int", "scale": "reverse_log"}, "type", "cannot be of type int"),
        ({"low": 0, "high": 1e-20, "scale": "reverse_log"}, "high", "hardly changes"),
        ({"low": 0, "high": 2**60, "type": "int"}, "type", "2**53"),
        ({"low": -1e308, "high": 1e308}, "high", "wider than any number"),
        ({"low": 1e-300, "high": 1e300, "scale": "log"}, "high", "wider than any number"),
        ({"low": math.nan, "high": 1}, "low", "not a finite number"),
        ({"low": 0, "high": math.inf}, "high", "not a finite number"),
        ({"low": 0, "high": 10**400}, "high", "not a finite number"),
        ({"low": "0", "high": True}, "high", "not a finite number"),
        ({"low": 1, "high": 2, "scale": "lgo"}, "scale", "did you mean 'log'"),
        ({"low": 1, "high": 2, "type": []}, "type", "accepted: float, int"),
    ],
)
def test_a_range_refuses_what_cannot_be_searched(fields, key, words):
    with pytest.raises(InputError) as caught:
        Range(**fields)
    assert any(problem.key == (key,) and words in problem.message for problem in caught.value.problems)


def test_membership_of_a_range():
    whole = Range(low=1, high=4, type="int")
    assert [value in whole for value in (1, 4, 2.0, 2.5, 0, 5, True, "2", None, math.nan)] == [True] * 3 + [False] * 7
    assert 2.5 in Range(low=1, high=4)
    assert (whole.n_values, Range(low=0, high=1).n_values) == (4, math.inf)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "at least one value"),
        ((1, 1.0), "stands twice"),
        ((1, "1"), "spelled alike"),
        ((True, "true"), "spelled alike"),
        ((None,), "not a boolean"),
        (([1],), "not a boolean"),
        ((math.nan,), "finite"),
    ],
)
def test_a_choice_refuses_what_cannot_be_told_apart(options, words):
    with pytest.raises(InputError, match=words):
        Choice(*options)


def test_true_is_not_one():
    mixed = Choice(True, 1, 0)
    assert [mixed.index(value) for value in (True, 1, 0, 0.0)] == [0, 1, 2, 2]
    assert False not in mixed
    with pytest.raises(ValueError, match="none of"):
        mixed.index("x")
    assert Config({"a": True}) != Config({"a": 1}) == Config({"a": 1.0})
    assert Constant(1) != Constant(True) or 1 not in Constant(True)


def test_one_name_on_two_branches_is_two_hyperparameters():
    first = Hyperparameter("rate", Range(low=0, high=1), (Condition("opt", "adam"),))
    second = replace(first, branch=(Condition("opt", "sgd"),))
    assert first != second
    assert (first.label, second.label) == ("rate[opt=adam]", "rate[opt=sgd]")
    assert excludes(first.branch, second.branch)
    assert not excludes(first.branch, ())
    assert first.is_active({"opt": "adam"})
    assert not first.is_active({"opt": "sgd"})
    assert not first.is_active({})


@pytest.mark.parametrize("name", ["", "when", "a b", "a=b", "a\n", "{x}"])
def test_a_name_is_a_word(name):
    with pytest.raises(InputError):
        Hyperparameter(name, Constant(1))


@given(st.one_of(values, st.none(), st.just(10**400), st.just(math.nan), st.just(-math.inf)))
def test_a_number_is_what_a_float_can_hold(value):
    try:
        expected = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(float(value))
    except OverflowError:
        expected = False
    assert is_number(value) is expected


# -- configurations and trials ---------------------------------------------------------------


@given(mappings)
def test_a_configuration_reads_back_from_its_text_with_its_types(mapping):
    config = Config(mapping)
    again = Config.from_json(config.to_json())
    assert again == config
    assert {name: type(value) for name, value in again.items()} == {n: type(v) for n, v in mapping.items()}
    assert hash(again) == hash(config)
    assert pickle.loads(pickle.dumps(config)) == config


@given(mappings, st.randoms())
def test_equal_configurations_are_one_trial_and_others_are_not(mapping, random):
    def spec(config):
        return TrialSpec(study="s", config=config, seed=1, max_train_steps=2, way_to_train="w")

    names = list(mapping)
    random.shuffle(names)
    swapped = {
        name: float(value) if type(value) is int and abs(value) < 2**53 else value
        for name, value in ((name, mapping[name]) for name in names)
    }
    assert Config(swapped) == Config(mapping)
    assert spec(Config(swapped)).id == spec(Config(mapping)).id
    assert spec(Config({**mapping, "new": 1})).id != spec(Config(mapping)).id or mapping.get("new") == 1


def test_the_id_of_a_trial_is_what_determines_its_result():
    spec = TrialSpec(study="s", config=Config({"lr": 0.1, "bs": 8}), seed=1, max_train_steps=2, way_to_train="t:f")
    # printf %s '{"bs":8,"lr":0.1}|1|2|"t:f"' | b2sum -l 64
    assert spec.id == "1c2ee31139f1096b"
    assert replace(spec, study="other", index=3, point=(0.1,)).id == spec.id
    others = [replace(spec, seed=2), replace(spec, max_train_steps=3), replace(spec, way_to_train="t:g")]
    assert len({spec.id, *(other.id for other in others)}) == 4
    assert pickle.loads(pickle.dumps(spec)) == spec
    with pytest.raises(FrozenInstanceError):
        spec.seed = 3


def test_a_configuration_is_changed_only_by_copy():
    config = Config({"a": 1})
    assert config.merged({"a": 2, "b": 3}) == {"a": 2, "b": 3}
    assert config == {"a": 1}
    with pytest.raises(TypeError):
        config["a"] = 2


def test_a_study_is_named_after_its_setting():
    assert Study.of(Config({"opt": "adam", "drop": True, "x": 0.5})).name == "opt=adam,drop=true,x=0.5"
    assert Study.of(Config()).name == "all"


# -- objective, search, run ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["best", "final", "at:0", "at:1000", "last:5"])
def test_a_reduction_reads_back(text):
    assert str(Reduce.parse(text)) == text


@pytest.mark.parametrize("text", ["", "at", "at:", "last:0", "last:-1", "best:3", "mean", "at:²", "at:1.5"])
def test_what_is_no_reduction(text):
    with pytest.raises(ValueError):
        Reduce.parse(text)


def test_an_objective_prefers_what_is_finite_and_better():
    low, high = Objective(metric="m"), Objective(metric="m", direction="maximize", chance=0.1)
    assert low.is_better(1, 2)
    assert high.is_better(2, 1)
    assert low.is_better(1, math.nan)
    assert not low.is_better(math.nan, 1)
    assert not low.is_better(1, 1)
    assert high.beats_chance(0.2)
    assert not high.beats_chance(0.1)
    assert low.beats_chance(math.inf)


def test_an_objective_is_revised_word_by_word():
    own = Objective(metric="valid/error", material=0.1)
    assert own.revised("train/loss at:5 maximize") == Objective(
        metric="train/loss", direction="maximize", reduce="at:5"
    )
    assert own.revised("final").material == 0.1
    assert own.revised("") is own


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (lambda: Search(algorithm="x", trials=0, seed=-1, studies="y"), {"algorithm", "trials", "seed", "studies"}),
        (lambda: Search(trials=True), {"trials"}),
        (lambda: Search(configurations=[{"a": 1}]), {"configurations"}),
        (lambda: Search(algorithm="list", configurations=[{"a": []}]), {"configurations", ""}),
        (lambda: RunOptions(retries=-1, memory_gib=0, max_seconds="1"), {"retries", "memory_gib", "max_seconds"}),
        (
            lambda: Objective(metric="", direction="down", reduce="x", material=0, chance=math.nan),
            {"metric", "direction", "reduce", "material", "chance"},
        ),
    ],
)
def test_options_tell_everything_that_is_wrong_at_once(make, keys):
    with pytest.raises(InputError) as caught:
        make()
    assert {problem.key[0] if problem.key else "" for problem in caught.value.problems} == keys


# -- outcome, finding, launch, errors --------------------------------------------------------


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("status", Status)
def test_an_outcome_is_one_of_three_and_never_two(status, cause):
    is_right = (status is Status.INFEASIBLE and cause in INFEASIBLE_CAUSES) or (
        status is Status.FAILED and (cause not in INFEASIBLE_CAUSES or cause is Cause.IMPORTED)
    )
    if is_right:
        assert Outcome(status, cause).cause is cause
    else:
        with pytest.raises(ValueError):
            Outcome(status, cause)


def test_a_complete_trial_has_no_cause_and_others_need_one():
    assert Outcome.complete().status is Status.COMPLETE
    assert Outcome.infeasible(Cause.DIVERGED).status is Status.INFEASIBLE
    assert Outcome.failed(Cause.ERROR, "trace").detail == "trace"
    with pytest.raises(ValueError, match="needs one"):
        Outcome(Status.FAILED)


def finding(severity=Severity.NOTE, confidence=1.0, **evidence):
    words = Words(says="{n} of {total}", why="because", fix="{n}!")
    return Finding(code="c", requirement="L1", severity=severity, words=words, evidence=evidence, confidence=confidence)


def test_the_words_of_a_finding_are_made_from_its_numbers():
    assert (finding(n=1, total=2).says, finding(n=1, total=2).fix) == ("1 of 2", "1!")
    with pytest.raises(KeyError):
        finding(n=1)
    with pytest.raises(ValueError, match="confidence"):
        finding(n=1, total=2, confidence=1.5)
    with pytest.raises(TypeError):
        finding(n=1, total=2).evidence["n"] = 5


def test_findings_come_by_importance():
    a, b, c = (
        finding(n=1, total=1),
        finding(Severity.BLOCKING, 0.5, n=1, total=1),
        finding(Severity.BLOCKING, n=1, total=1),
    )
    assert sorted([a, b, c], key=by_importance) == [c, b, a]


def launch(number, **fields):
    at = datetime(2024, 1, 1, tzinfo=UTC)
    return Launch(number=number, round="r", trial="t", config=Config(), at=at, **fields)


def test_the_newest_launch_that_stands_is_the_baseline():
    assert current_launch([]) is None
    assert current_launch([launch(0), launch(1)]) == launch(1)
    assert current_launch([launch(0), launch(1), launch(2, rolls_back=1)]) == launch(0)
    with pytest.raises(ValueError, match="aware"):
        replace(launch(0), at=datetime(2024, 1, 1))
    with pytest.raises(ValueError, match="start at 0"):
        launch(-1)


def test_an_input_error_keeps_its_problems_through_a_pickle():
    problem = Problem(key=("a", "b"), message="is wrong", file="d.toml", line=3, column=5)
    again = pickle.loads(pickle.dumps(InputError([problem])))
    assert again.problems == (problem,)
    assert str(again) == "d.toml:3:5: a.b: is wrong"

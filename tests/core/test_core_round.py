"""Rounds and the actions that change them."""

import math

import pytest

from tunebook import Choice, Constant, Hyperparameter, InputError, Range, Round
from tunebook.core.action import AddTrials, Fix, Widen, find
from tunebook.core.config import Config
from tunebook.core.hyperparameter import Condition, Role
from tunebook.core.round import active_fixed, placeholders

LR = {"low": 1e-4, "high": 1.0, "scale": "log"}


def trainer(trial):
    """Something a worker could import."""


def make(**changes):
    fields = {
        "goal": "g",
        "question": "minimize",
        "pipeline": "t.py:train",
        "max_train_steps": 10,
        "objective": {"metric": "v"},
        "nuisance": {"lr": LR},
    }
    return Round(**{**fields, **changes})


def keys(**changes):
    with pytest.raises(InputError) as caught:
        make(**changes)
    return {".".join(problem.key): problem.message for problem in caught.value.problems}


def test_tables_and_values_are_the_same_round():
    table = make(
        scientific={"opt": ["adam", "sgd"]},
        nuisance={"lr": LR, "when": {"opt": {"sgd": {"momentum": {"low": 0, "high": 0.99}}}}},
        fixed={"bs": 8},
    )
    ready = make(
        scientific=[Hyperparameter("opt", Choice("adam", "sgd"))],
        nuisance=[
            Hyperparameter("momentum", Range(low=0, high=0.99), (Condition("opt", "sgd"),)),
            Hyperparameter("lr", Range(**LR)),
        ],
        fixed=[Hyperparameter("bs", Constant(8))],
    )
    assert table == ready
    assert hash(table) == hash(ready)
    assert [item.name for item in ready.hyperparameters] == ["opt", "lr", "momentum", "bs"]
    assert table.role_of(find(table, "momentum")) is Role.NUISANCE
    assert Round.from_mapping(table.to_mapping()) == table


def test_the_name_is_no_part_of_the_comparison():
    assert make(name="a") == make(name="b")


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"goal": "  "}, "goal", "in a sentence"),
        ({"question": "minimise"}, "question", "did you mean 'minimize'"),
        ({"max_train_steps": 0}, "max_train_steps", "missing"),
        ({"max_train_steps": 1.5}, "max_train_steps", "whole number"),
        ({"max_train_steps": True}, "max_train_steps", "whole number"),
        ({"max_train_steps": 10**20}, "max_train_steps", "whole number"),
        ({"pipeline": None}, "pipeline", "missing"),
        ({"command": ["x"]}, "command", "keep one"),
        ({"pipeline": None, "command": "python t.py"}, "command", "list of words"),
        ({"pipeline": None, "command": ["{lr"]}, "command", "{{ and }}"),
        ({"pipeline": None, "command": ["{le}"]}, "command", "{le} is no hyperparameter"),
        ({"pipeline": lambda trial: None}, "pipeline", "cannot import it"),
        ({"objective": None}, "objective", "missing"),
        ({"objective": {"metric": "v", "directoin": "x"}}, "objective.directoin", "did you mean 'direction'"),
        ({"nuisance": {"seed": [1, 2]}}, "nuisance.seed", "trial.seed"),
        ({"nuisance": {"study": [1, 2]}}, "nuisance.study", "trials.csv"),
        ({"nuisance": {"lr": 0.1}}, "nuisance.lr", "put it under [fixed]"),
        ({"fixed": {"x": [1, 2]}}, "fixed.x", "has one value"),
        ({"fixed": {"lr": 0.1}}, "fixed.lr", "two roles"),
        ({"fixed": {"x": {"low": 1}}}, "fixed.x.high", "needs high"),
        ({"nuisance": {"x": {"low": 1, "high": 2, "step": 1}}}, "nuisance.x.step", "accepted"),
        ({"nuisance": {"when": {"x": {"1": {"y": [1]}}}}}, "nuisance.when.x.1.y", "no hyperparameter of this round"),
        ({"nuisance": {"lr": LR, "when": {"lr": {"0.1": {"y": [1]}}}}}, "nuisance.when.lr.0.1.y", "cannot be '0.1'"),
        ({"nuisance": {"when": {"a": {"1": {"a": [1, 2]}}}}}, "nuisance.when.a.1.a", "no hyperparameter"),
        ({"nuisance": {"when": 3}}, "nuisance.when", "expected a table"),
        ({"nuisance": {"when": {"a": {"1": {"b": [1]}}, "b": {"1": {"a": [1]}}}}}, "nuisance.when.b.1.a", "in turn"),
        ({"run": {"retires": 1}}, "run.retires", "did you mean 'retries'"),
        ({"search": {"algorithm": "list", "configurations": [{"lr": 5}]}}, "search.configurations.1.lr", "outside of"),
        ({"search": {"algorithm": "list", "configurations": [{}]}}, "search.configurations.1.lr", "missing"),
        ({"purpose": "x"}, "purpose", "batch_size_scaling"),
        ({"name": 3}, "name", "not a name"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(changes, key, words):
    assert words in keys(**changes)[key]


def test_a_function_is_named_so_that_a_worker_can_import_it():
    assert make(pipeline=trainer).pipeline == f"{__name__}:trainer"


def test_conditions_inherit_those_of_their_parent():
    design = make(
        nuisance={
            "a": ["x", "y"],
            "when": {"a": {"x": {"n": {"low": 1, "high": 3, "type": "int"}}}, "n": {"2": {"deep": LR}}},
        }
    )
    assert find(design, "deep").branch == (Condition("a", "x"), Condition("n", 2))
    assert Round.from_mapping(design.to_mapping()) == design


def test_fixed_values_exist_on_their_branch_only():
    design = make(
        nuisance={"a": ["x", "y"], "when": {"a": {"x": {"c": [1, 2]}}}},
        fixed={"when": {"a": {"y": {"c": 5, "d": 6}}, "d": {"6": {"e": 7}}}},
    )
    assert active_fixed(design.fixed, {"a": "x", "c": 1}) == Config()
    assert active_fixed(design.fixed, {"a": "y"}) == Config({"c": 5, "d": 6, "e": 7})


def test_fixing_a_parent_takes_its_other_branches_away():
    design = make(
        scientific={"opt": ["adam", "sgd"]},
        nuisance={"lr": LR, "when": {"opt": {"adam": {"eps": LR}, "sgd": {"momentum": LR}}}},
    )
    after = Fix(hyperparameter="opt", value="sgd", because="it won").apply(design)
    assert [item.label for item in after.hyperparameters] == ["lr", "momentum[opt=sgd]", "opt"]
    assert find(after, "opt").domain == Constant("sgd", "it won")


def test_actions_make_the_next_round_and_leave_this_one():
    design = make()
    wide = Widen(hyperparameter="lr", low=1e-5, high=10.0).apply(design)
    assert find(wide, "lr").domain == Range(low=1e-5, high=10.0, scale="log")
    assert find(design, "lr").domain.high == 1.0
    assert AddTrials(trials=40).apply(design).search.trials == 40
    assert AddTrials(trials=4).apply(design).search.trials == 16
    with pytest.raises(KeyError):
        Widen(hyperparameter="x", low=1, high=2).apply(design)


def test_placeholders_are_read_from_a_command():
    assert placeholders(["--lr={lr}", "{{x}}", "a{b}{c}"]) == ["lr", "b", "c"]


def test_too_many_hyperparameters_are_refused():
    assert "more than 1000" in keys(nuisance={f"x{n}": [1] for n in range(1001)})[""]
    assert math.isfinite(len(make(nuisance={f"x{n}": [1] for n in range(1000)}).nuisance))

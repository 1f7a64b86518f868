"""Growing rounds: the schedule, what carries over, and what makes gradients noisier."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decide_builders import design

from tunebook.core.config import Config
from tunebook.core.hyperparameter import Constant, Range
from tunebook.core.round import Question
from tunebook.decide.gradient_noise import noisier
from tunebook.decide.longer import longer_round, read_factor
from tunebook.decide.render import render
from tunebook.decide.schedule import Length, length_kind, with_steps
from tunebook.errors import InputError
from tunebook.plan.design import loads

RATE = {"low": 1e-4, "high": 1.0, "scale": "log"}


def schedule(shape, **fixed):
    return design(fixed={"schedule": shape, **fixed}, nuisance={"learning_rate": RATE}, search={"trials": 32})


def value(made, name):
    return next(item.domain for item in made.hyperparameters if item.name == name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("decay_steps", Length.DECAY_STEPS),
        ("lr_decay_fraction", Length.DECAY_SHARE),
        ("cooldown_iters", Length.DECAY_STEPS),
        ("warmup_steps", Length.WARMUP_STEPS),
        ("warmup_proportion", Length.WARMUP_SHARE),
        ("weight_decay", None),
        ("weight_decay_fraction", None),
        ("decay_rate", None),
        ("lr_decay_factor", None),
        ("learning_rate", None),
        ("steps", None),
    ],
)
def test_names_that_speak_of_the_schedule(name, kind):
    assert length_kind(name) is kind


def test_a_linear_decay_keeps_its_length():
    made, moved = with_steps(schedule("linear", decay_steps=400, decay_fraction=0.4), 4000)
    assert value(made, "decay_steps").value == 400
    assert value(made, "decay_fraction").value == pytest.approx(0.1)
    assert [item.before.name for item in moved] == ["decay_fraction"]


def test_a_cosine_is_stretched_and_keeps_its_base_rate():
    before = schedule("cosine", decay_steps=1000, decay_fraction=1.0, base_learning_rate=0.3)
    made, _ = with_steps(before, 4000)
    assert value(made, "decay_steps").value == 4000
    assert value(made, "decay_fraction").value == 1.0
    assert value(made, "base_learning_rate").value == 0.3


def test_a_warmup_keeps_its_length():
    made, _ = with_steps(schedule("cosine", warmup_steps=50, warmup_fraction=0.05), 4000)
    assert value(made, "warmup_steps").value == 50
    assert value(made, "warmup_fraction").value == pytest.approx(0.0125)


def test_ranges_and_choices_move_with_it():
    before = design(
        nuisance={"learning_rate": RATE, "decay_fraction": {"low": 0.2, "high": 1.0}, "warmup_fraction": [0.02, 0.04]}
    )
    made, _ = with_steps(before, 2000)
    assert value(made, "decay_fraction") == Range(low=0.1, high=0.5)
    assert value(made, "warmup_fraction").values == (0.01, 0.02)


def test_the_branch_says_which_schedule_it_is():
    before = design(
        scientific={"schedule": ["linear", "cosine"]},
        nuisance={
            "learning_rate": RATE,
            "when": {"schedule": {"linear": {"decay_steps": {"low": 100, "high": 900, "type": "int"}},
                                  "cosine": {"decay_steps": {"low": 500, "high": 1000, "type": "int"}}}},
        },
    )  # fmt: skip
    made, _ = with_steps(before, 2000)
    found = {str(item.branch[0].value): item.domain for item in made.nuisance if item.branch}
    assert (found["linear"].low, found["linear"].high) == (100, 900)
    assert (found["cosine"].low, found["cosine"].high) == (1000, 2000)


def test_a_shorter_run_never_holds_a_longer_decay():
    made, _ = with_steps(schedule("linear", decay_steps=800, warmup_steps=600), 500)
    assert value(made, "decay_steps").value == 500
    assert value(made, "warmup_steps").value == 500


def test_a_longer_round_holds_what_carries_over_and_lists_it():
    warmup = {"low": 0, "high": 90, "type": "int"}
    decay = {"low": 1e-6, "high": 1e-2, "scale": "log"}
    nuisance = {"learning_rate": RATE, "warmup_steps": warmup, "activation": ["relu", "gelu"], "weight_decay": decay}
    before = design(nuisance=nuisance, search={"trials": 64})
    best = Config(
        {"use_dropout": True, "learning_rate": 0.1, "warmup_steps": 40, "activation": "gelu", "weight_decay": 1e-4}
    )
    made = longer_round(before, 4.0, name="big", best=best)
    assert made.design.max_train_steps == 4000
    assert value(made.design, "warmup_steps") == Constant(40, "very likely holds for a longer run")
    assert value(made.design, "activation").value == "gelu"
    assert isinstance(value(made.design, "learning_rate"), Range)
    assert isinstance(value(made.design, "weight_decay"), Range)
    text = "\n".join(made.carries)
    assert "warmup and initialisation (warmup_steps): very likely" in text
    assert "optimizer hyperparameters (learning_rate): maybe" in text
    assert loads(render(made)) == replace(made.design, name="")


def test_a_longer_round_without_a_best_only_grows():
    made = longer_round(design(), 2.0)
    assert made.design.max_train_steps == 2000
    assert made.design.nuisance == design().nuisance
    assert made.design.question is Question.COMPARE


def test_a_scientific_size_that_carries_over_leaves_a_round_that_minimises():
    before = design(scientific={"model": ["small", "large"]}, search={"trials": 32})
    made = longer_round(before, 2.0, best=Config({"model": "large", "learning_rate": 0.1}))
    assert made.design.question is Question.MINIMIZE
    assert value(made.design, "model").value == "large"


@pytest.mark.parametrize(("text", "factor"), [("4x", 4.0), ("2", 2.0), (" 1.5X ", 1.5)])
def test_factors(text, factor):
    assert read_factor(text) == factor


@pytest.mark.parametrize("text", ["1x", "0.5", "x", "-2", "1e9", ""])
def test_factors_that_are_none(text):
    with pytest.raises(InputError, match="--longer"):
        read_factor(text)


def test_what_makes_gradients_noisier_is_named():
    assert noisier(design(), design()) == ()
    assert noisier(design(), design(fixed={"batch_size": 32})) == ("batch_size",)

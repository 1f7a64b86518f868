"""steps: the fastest perfect fit, what refuses to conclude, and what has to be switched off first."""

import numpy as np
import pytest
from procedure_workloads import Runner

from tunebook.core.round import Round
from tunebook.errors import Infeasible, InputError
from tunebook.procedures.train_steps import TrainSteps, histogram, run_steps

BEST_RATE, FASTEST = 0.1, 200


def design(**changes):
    table = {
        "name": "digits",
        "goal": "Which learning rate?",
        "question": "understand",
        "pipeline": "train.py:train",
        "max_train_steps": 2000,
        "objective": {"metric": "valid/error"},
        "nuisance": {"learning_rate": {"low": 1e-3, "high": 10.0, "scale": "log"}},
        "fixed": {"batch_size": 64},
    }
    return Round(**(table | changes))


def train(trial, evaluate_every=20):
    """The error falls to 0 in 200 steps at the rate 0.1, in more at others; above 3 training diverges."""
    rate = float(trial["learning_rate"])
    if rate > 3:
        raise Infeasible("diverged")
    needed = FASTEST * np.exp(abs(np.log(rate / BEST_RATE)))
    for step in range(evaluate_every - 1, trial.max_train_steps, evaluate_every):
        trial.log(step, {"train/error": max(0.0, 0.9 * (1 - (step + 1) / needed)), "valid/error": 0.1 + 1e-6 * step})


def test_the_fastest_perfect_fit_is_the_answer():
    conclusion = run_steps(Runner(train), design())
    assert conclusion.answer == "200"
    assert conclusion.design.max_train_steps == 200
    [finding] = conclusion.findings
    assert finding.requirement == "T3"
    assert "(0.1)" in finding.says


@pytest.mark.parametrize(("low", "high", "direction"), [(1e-3, 1e-1, "high"), (0.1, 10.0, "low")])
def test_refuses_when_the_best_rate_is_at_the_edge(low, high, direction):
    conclusion = run_steps(Runner(train), design(), low=low, high=high)
    [finding] = conclusion.findings
    assert (finding.code, finding.severity) == ("boundary", "blocking")
    assert finding.evidence["direction"] == direction
    assert conclusion.design is None
    wider = finding.next.apply(design()).nuisance[0].domain
    assert wider.low < low or wider.high > high


def test_a_tie_that_reaches_the_edge_is_the_edge():
    def coarse(trial):
        train(trial, evaluate_every=1000)

    assert run_steps(Runner(coarse), design(), low=0.05, high=1.0).answer == "refused"


def test_nobody_fits_and_the_closest_is_named():
    conclusion = run_steps(Runner(train), design(max_train_steps=100))
    [finding] = conclusion.findings
    assert finding.code == "goal_missed"
    assert finding.evidence["closest_rate"] == 0.1
    assert finding.evidence["closest"] == pytest.approx(0.45)


def test_regularisation_has_to_be_off():
    with_dropout = design(fixed={"batch_size": 64, "dropout_rate": 0.3})
    with pytest.raises(InputError, match="--set dropout_rate=0"):
        TrainSteps(design=with_dropout)
    assert TrainSteps(design=with_dropout, config={"dropout_rate": 0})
    assert TrainSteps(design=with_dropout, keep=("dropout_rate",))


def test_a_conditional_regulariser_goes_with_its_switch():
    conditional = design(
        scientific={"use_dropout": [False, True]},
        nuisance={
            "learning_rate": {"low": 1e-3, "high": 10.0, "scale": "log"},
            "when": {"use_dropout": {"true": {"dropout_rate": {"low": 0.1, "high": 0.5}}}},
        },
    )
    with pytest.raises(InputError, match="use_dropout = True"):
        TrainSteps(design=conditional, config={"use_dropout": True})
    runner = Runner(train)
    run_steps(runner, conditional)
    assert {item.name for item in runner.rounds[0].fixed} == {"batch_size", "use_dropout"}


def test_a_loss_is_never_exactly_0():
    by_loss = design(objective={"metric": "valid/loss"})
    with pytest.raises(InputError, match="train/loss never is exactly 0"):
        TrainSteps(design=by_loss)
    assert TrainSteps(design=by_loss, metric="train/error")
    assert TrainSteps(design=by_loss, perfect=0.01)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="did you mean 'batch_size'"):
        TrainSteps(design=design(), config={"batchsize": 0})


def test_histogram_counts_tenths_of_the_run():
    found = histogram(np.array([5.0, 15.0, 19.0, 99.0, -1.0]), 100)
    assert found["counts"].tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]

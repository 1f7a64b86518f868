"""scaling: Shallue et al.'s published row, a simulated study with known constants, and the noise scale."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from procedure_workloads import Runner

from tunebook.core.round import Purpose, Round
from tunebook.errors import Infeasible, InputError
from tunebook.plan.trials import plan_trials
from tunebook.procedures.noise_scale import noise_scale, running_noise_scale
from tunebook.procedures.redraw import drawn_again
from tunebook.procedures.scaling import Scaling, effective_rate, run_scaling
from tunebook.procedures.steps_to_goal import (
    Regime,
    bootstrap_critical,
    fit_steps,
    largest_perfect,
    rate_rule,
)

# Shallue et al. 2018, figure 1c: ResNet-8 on CIFAR-10, Nesterov, goal error 0.30; batch sizes 2^2 to 2^13.
RESNET_8_SIZES = 2.0 ** np.arange(2, 14)
RESNET_8_STEPS = np.array([51100, 29400, 12800, 6410, 3470, 1480, 992, 870, 667, 902, 682, 689], dtype=float)
# The same paper, figure 8c: the best effective learning rates from 2^1 to 2^13.
RESNET_8_RATES = np.array([0.010, 0.017, 0.081, 0.099, 0.27, 0.77, 0.91, 1.60, 0.93, 1.49, 0.84, 1.96, 0.90])


def test_the_published_row_has_the_published_bend():
    fit = fit_steps(RESNET_8_SIZES, RESNET_8_STEPS)
    assert 200 <= fit.critical_batch_size <= 420
    assert largest_perfect(RESNET_8_SIZES, fit) == 256
    assert fit.regime(8192) is Regime.FLAT
    assert fit.error < 0.2


def test_neither_rule_holds_for_the_published_rates():
    rule = rate_rule(2.0 ** np.arange(1, 14), RESNET_8_RATES)
    assert not rule.allows(1.0)
    assert 0.4 < rule.exponent < 0.7


@given(
    least=st.floats(50, 5000),
    critical=st.floats(64, 1024),
    sharpness=st.floats(1.2, 6.0),
)
def test_the_fit_finds_the_constants_it_was_given(least, critical, sharpness):
    sizes = 2.0 ** np.arange(2, 15)
    steps = (least**sharpness + (least * critical / sizes) ** sharpness) ** (1 / sharpness)
    fit = fit_steps(sizes, steps)
    assert fit.critical_batch_size == pytest.approx(critical, rel=0.1)
    assert fit.least_steps == pytest.approx(least, rel=0.1)


def test_one_stray_size_does_not_bend_the_fit():
    sizes = 2.0 ** np.arange(2, 12)
    steps = (300**2 + (300 * 128 / sizes) ** 2) ** 0.5
    steps[1] *= 8
    assert fit_steps(sizes, steps).critical_batch_size == pytest.approx(128, rel=0.15)


def test_too_few_sizes():
    with pytest.raises(ValueError, match="at least 4"):
        fit_steps(np.array([1.0, 2.0, 4.0]), np.array([4.0, 2.0, 1.0]))


def test_the_interval_holds_the_truth_and_shrinks_with_trials():
    rng = np.random.default_rng(0)
    sizes = 2.0 ** np.arange(2, 12)
    least = (300**2 + (300 * 128 / sizes) ** 2) ** 0.5

    def width(n_trials):
        trials = [value * np.exp(0.5 * rng.exponential(size=n_trials)) for value in least]
        found = bootstrap_critical(sizes, trials, n_draws=40)
        assert found.low < 128 * 1.4
        assert found.high > 128 / 1.4
        return np.log(found.high / found.low)

    assert width(60) < width(4)


# -- a whole procedure -------------------------------------------------------------------------------------------------

SIZES = (8, 32, 128, 512, 2048)
LEAST, CRITICAL = 40, 128


def simulated(trial):
    """A loss that reaches 0.1 after (40^2 + (40 x 128 / B)^2)^0.5 steps at the best learning rate 0.01 B^0.5."""
    batch = float(trial["batch_size"])
    best = 0.01 * batch**0.5
    off = abs(np.log(float(trial["learning_rate"]) / best))
    steps = (LEAST**2 + (LEAST * CRITICAL / batch) ** 2) ** 0.5 * (1 + off)
    for step in range(0, trial.max_train_steps, 5):
        trial.log(step, {"valid/loss": 0.1 ** ((step + 1) / steps)})
        trial.log(step, {"grad_norm": (1 + 300 / batch) ** 0.5, "grad_norm_half": (1 + 600 / batch) ** 0.5})


def design(**changes):
    table = {
        "name": "digits",
        "goal": "Which learning rate?",
        "question": "understand",
        "pipeline": "train.py:train",
        "max_train_steps": 1500,
        "objective": {"metric": "valid/loss"},
        "nuisance": {"learning_rate": {"low": 1e-3, "high": 10.0, "scale": "log"}},
        "fixed": {"batch_size": 64},
        "search": {"trials": 24},
    }
    return Round(**(table | changes))


def test_a_study_with_known_constants():
    runner = Runner(simulated)
    conclusion = run_scaling(runner, design(), SIZES, goal=0.1)
    [planned] = runner.rounds
    assert planned.purpose is Purpose.BATCH_SIZE_SCALING
    numbers = conclusion.numbers
    assert numbers["critical_batch_size"] == pytest.approx(CRITICAL, rel=0.4)
    low, high = numbers["interval"]
    assert low < numbers["critical_batch_size"] < high
    assert numbers["regimes"]["8"] == "perfect"
    assert numbers["regimes"]["2048"] == "flat"
    [rule] = [finding for finding in conclusion.findings if finding.code == "rate_rule"]
    assert rule.evidence["exponent"] == pytest.approx(0.5, abs=0.2)
    [scale] = [finding for finding in conclusion.findings if finding.code == "noise_scale"]
    assert scale.evidence["scale"] == pytest.approx(300)


def test_budgets_rank_batch_sizes_oppositely():
    conclusion = run_scaling(Runner(simulated), design(), SIZES, goal=0.1)
    [finding] = [finding for finding in conclusion.findings if finding.code == "budgets"]
    assert finding.evidence["by_steps"] == "large"
    assert finding.evidence["by_examples"] == "small"


def test_a_goal_that_nobody_reaches():
    conclusion = run_scaling(Runner(simulated), design(), SIZES, goal=-1.0)
    [finding] = conclusion.findings
    assert (finding.code, finding.severity) == ("goal_missed", "blocking")
    assert "batch_size=2048" in finding.says or "batch_size=512" in finding.says
    assert conclusion.design is None


def test_without_a_goal_the_worst_size_sets_it():
    conclusion = run_scaling(Runner(simulated), design(max_train_steps=600), SIZES)
    bests = [row["best"] for row in conclusion.numbers["sizes"]]
    assert conclusion.numbers["goal"] == pytest.approx(max(bests))
    assert all(row["steps"] is not None for row in conclusion.numbers["sizes"])


def test_sizes_that_never_arrive_are_left_out_and_named():
    conclusion = run_scaling(Runner(simulated), design(max_train_steps=400), (2, *SIZES), goal=0.1)
    [finding] = [finding for finding in conclusion.findings if finding.code == "goal_missed"]
    assert "batch_size = 2, 8 reaches" in finding.says


def test_momentum_counts_into_the_learning_rate_that_is_compared():
    with_momentum = design(fixed={"batch_size": 64, "one_minus_momentum": 0.1})
    by = {}
    for name, wanted in (("without", design()), ("with", with_momentum)):
        runner = Runner(simulated)
        run_scaling(runner, wanted, SIZES, goal=0.1)
        evidence = runner(runner.rounds[0])
        by[name] = effective_rate(evidence, 0) / float(evidence.trials[0].config["learning_rate"])
    assert by == pytest.approx({"without": 1.0, "with": 10.0})


def test_few_trials_are_named():
    conclusion = run_scaling(Runner(simulated), design(), SIZES, goal=0.1, trials=6)
    assert "undersampled" in [finding.code for finding in conclusion.findings]


def test_learning_rates_have_to_be_searched():
    fixed = design(nuisance={}, fixed={"batch_size": 64, "learning_rate": 0.1})
    with pytest.raises(InputError, match="searches no learning rate"):
        Scaling(design=fixed, batch_sizes=SIZES)


# -- infeasible trials are drawn again ---------------------------------------------------------------------------------


def failing_above(limit):
    """As ``simulated``, but a learning rate above ``limit`` diverges with batches of 512 and more."""

    def train(trial):
        if float(trial["batch_size"]) >= 512 and float(trial["learning_rate"]) > limit:
            raise Infeasible("diverged")
        simulated(trial)

    return train


def test_every_size_gets_the_same_number_of_feasible_trials():
    runner = Runner(failing_above(0.3))
    conclusion = run_scaling(runner, design(search={"trials": 12}), SIZES, goal=0.1)
    rows = {row["batch_size"]: row for row in conclusion.numbers["sizes"]}
    assert rows[8]["infeasible"] == rows[128]["infeasible"] == 0
    assert all(rows[size]["infeasible"] >= 4 and rows[size]["feasible"] >= 12 for size in (512, 2048))
    assert {row["counted"] for row in rows.values()} == {12}
    assert "undersampled" not in [finding.code for finding in conclusion.findings]
    again = runner.rounds[1:]
    assert [planned.name for planned in again] == ["digits-scaling-again", "digits-scaling-again-2"][: len(again)]
    assert {config["batch_size"] for planned in again for config in planned.search.configurations} == {512, 2048}
    assert runner.n_trained == sum(row["feasible"] + row["infeasible"] for row in rows.values())


def test_what_is_drawn_again_continues_the_sequence():
    runner = Runner(failing_above(0.3))
    run_scaling(runner, design(search={"trials": 12}), SIZES, goal=0.1)
    first, again = runner.rounds[:2]
    longer = plan_trials(replace(first, search=replace(first.search, trials=40)))
    for size in (512, 2048):
        drawn = [one["learning_rate"] for one in again.search.configurations if one["batch_size"] == size]
        sequence = [spec.config["learning_rate"] for spec in longer if spec.config["batch_size"] == size]
        assert drawn == sequence[12 : 12 + len(drawn)]


def test_a_size_that_never_trains_is_given_up_and_named():
    conclusion = run_scaling(Runner(failing_above(1e-4)), design(search={"trials": 6}), (16, *SIZES[1:]))
    rows = {row["batch_size"]: row for row in conclusion.numbers["sizes"]}
    assert (rows[2048]["feasible"], rows[2048]["infeasible"]) == (0, 4 * 6)
    assert conclusion.findings[0].code == "goal_missed"


def test_a_size_without_enough_feasible_trials_sets_the_number_for_all():
    runner = Runner(failing_above(5e-3))
    conclusion = run_scaling(runner, design(search={"trials": 12}), SIZES)
    rows = conclusion.numbers["sizes"]
    kept = min(row["feasible"] for row in rows)
    assert 0 < kept < 12
    assert {row["counted"] for row in rows} == {kept}
    [few] = [finding for finding in conclusion.findings if finding.code == "undersampled"]
    assert f"judged by {kept} feasible trials, fewer than 12 (batch_size" in few.says
    assert "of 48 drawn" in few.says
    assert "narrow the range" in few.fix


def test_a_list_is_not_continued():
    listed = design(search={"algorithm": "list", "configurations": [{"learning_rate": 0.1}]})
    assert drawn_again(listed, Runner(simulated)(listed), 0) is None


# -- the gradient noise scale ------------------------------------------------------------------------------------------


def test_noise_scale_of_a_quadratic_with_known_noise():
    rng = np.random.default_rng(0)
    gradient, sd, small, large, n_steps = rng.normal(size=200), 2.0, 8, 64, 1000
    truth = 200 * sd**2 / (gradient @ gradient)

    def norms(batch):
        noise = rng.normal(scale=sd / np.sqrt(batch), size=(n_steps, 200))
        return np.linalg.norm(gradient + noise, axis=1)

    found = noise_scale(small, large, norms(small), norms(large))
    assert found.batch_size == pytest.approx(truth, rel=0.05)


def test_running_averages_forget_the_start():
    small = np.r_[np.full(1000, 50.0), np.full(2000, np.sqrt(1 + 100 / 4))]
    large = np.r_[np.full(1000, 50.0), np.full(2000, np.sqrt(1 + 100 / 16))]
    assert running_noise_scale(4, 16, small, large).batch_size == pytest.approx(100, rel=0.05)

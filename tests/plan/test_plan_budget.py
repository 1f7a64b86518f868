"""Budget: chances against counting and published numbers, cost against arithmetic, and the summary."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from test_plan_design import CONTRACT

from tunebook import Round
from tunebook.plan.budget import Want, chance_of_hit, predict_cost, starved, study_plans, trials_needed
from tunebook.plan.design import loads
from tunebook.plan.summary import summarise


@pytest.mark.parametrize(("share", "n"), [(0.2, 14), (0.1, 29), (0.05, 59), (0.02, 149), (0.01, 299)])
def test_trials_needed_are_those_of_the_table(share, n):
    """Methods, section 4: trials for a 95 % chance."""
    assert trials_needed(share) == n
    assert chance_of_hit(n, share) >= 0.95 > chance_of_hit(n - 1, share)


def test_an_exact_chance_is_not_rounded_up():
    assert trials_needed(0.5, 0.75) == 2


@pytest.mark.parametrize(("n", "share", "k"), [(16, 0.1, 1), (20, 0.05, 2), (50, 0.2, 8), (5, 0.3, 5)])
def test_the_chance_of_a_hit_is_what_counting_gives(n, share, k):
    exact = sum(math.comb(n, hits) * share**hits * (1 - share) ** (n - hits) for hits in range(k, n + 1))
    assert chance_of_hit(n, share, k) == pytest.approx(exact, rel=1e-12)
    hits = (np.random.default_rng(3).random((20_000, n)) < share).sum(axis=1)
    assert chance_of_hit(n, share, k) == pytest.approx((hits >= k).mean(), abs=0.015)


def test_chances_at_the_edges():
    assert chance_of_hit(0, 0.5) == 0
    assert chance_of_hit(3, 0.5, 4) == 0
    assert chance_of_hit(3, 0.5, 0) == 1
    assert chance_of_hit(3, 1.0) == 1
    for share in (0.0, -1.0, 1.1):
        with pytest.raises(ValueError, match="share"):
            chance_of_hit(3, share)
    with pytest.raises(ValueError, match="between"):
        trials_needed(0.5, 1.0)


@pytest.mark.parametrize(
    ("trials", "dimensions", "settings", "wants"),
    [
        (16, 5, 1, ()),
        (8, 4, 3, ()),
        (7, 3, 1, (Want.DENSITY,)),
        (16, 9, 1, (Want.RANGES,)),
        (4, 4, 4, (Want.SETTINGS, Want.RANGES, Want.DENSITY)),
        (1, 0, 1, ()),
    ],
)
def test_a_budget_starves_what_it_is_too_small_for(trials, dimensions, settings, wants):
    assert starved(trials, dimensions, settings) == wants


def test_the_plan_of_a_study_tells_its_branches_apart():
    design = Round(
        goal="g",
        question="minimize",
        pipeline="t:f",
        max_train_steps=10,
        objective={"metric": "v"},
        nuisance={
            "lr": {"low": 1e-4, "high": 1, "scale": "log"},
            "norm": ["none", "batch"],
            "when": {"norm": {"batch": {"decay": {"low": 0.5, "high": 0.9}}}},
        },
        search={"trials": 20},
    )
    (plan,) = study_plans(design)
    assert [(dict(b.values), b.n_trials, b.n_dimensions) for b in plan.branches] == [
        ({"norm": "none"}, 10.0, 1),
        ({"norm": "batch"}, 10.0, 2),
    ]
    assert plan.chances[0] == (0.2, pytest.approx(1 - 0.8**20))


def test_time_is_seconds_per_step_times_steps_in_waves_and_cost_goes_by_the_busy_hour():
    design = replace(loads(CONTRACT), run={"cost_per_hour": 3.0})
    cost = predict_cost(design, n_trials=5, seconds_per_step=0.24, workers=2)
    assert (cost.seconds, cost.busy_seconds, cost.cost) == (1080.0, 1800.0, 1.5)
    assert predict_cost(design, 5).seconds is None
    assert predict_cost(replace(design, run={"seconds_per_step": 1.0}), 5).seconds == 7500.0


def test_the_summary_is_one_json_document_about_the_example():
    summary = summarise(loads(CONTRACT, "02.toml"), seconds_per_step=0.01, workers=4)
    table = json.loads(json.dumps(summary.to_mapping(), allow_nan=False))
    assert (table["round"], table["trials"], table["predicted"]["seconds"]) == ("02", 32, 120.0)
    assert [(s["study"], s["trials"], s["dimensions"]) for s in table["studies"]] == [
        ("use_dropout=false", 16, 4),
        ("use_dropout=true", 16, 5),
    ]
    assert table["studies"][0]["chance_of_a_trial_in_the_best"]["0.1"] == pytest.approx(1 - 0.9**16)
    assert table["caveats"] == ["batch_size is fixed at 128."]


def test_what_cannot_be_planned_still_has_a_summary():
    text = CONTRACT.replace("use_dropout = [false, true]", "x = { low = 0, high = 1 }").split("[nuisance.when")[0]
    summary = summarise(loads(text))
    assert (summary.studies, summary.n_trials) == ((), 0)
    assert [finding.code for finding in summary.findings] == ["unplannable"]


def test_a_check_draws_nothing_and_stays_quick():
    """``scipy.stats`` alone costs most of a second, so only drawing may load it."""
    code = (
        "import sys; from tunebook.plan.design import loads; from tunebook.plan.summary import summarise;"
        f"summarise(loads({CONTRACT!r})); print('scipy.stats' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"

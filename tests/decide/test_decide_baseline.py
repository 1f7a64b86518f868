"""The first baseline: its configuration, its design, and whether it learned anything."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from decide_builders import METRIC, config, design, evidence, repeats, run, searched

from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.objective import Objective
from tunebook.core.trial import TrialPurpose
from tunebook.decide.baseline import Baseline, baseline_design, baseline_spec, beats_chance, initial_config
from tunebook.errors import InputError
from tunebook.evidence import Curves, Evidence
from tunebook.plan.trials import plan_trials

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ERROR = Objective(metric=METRIC, chance=0.9)
ACCURACY = Objective(metric="valid/accuracy", direction="maximize", chance=0.1)


def test_the_middle_of_every_range_on_its_scale():
    assert initial_config(design()) == {"use_dropout": False, "learning_rate": 0.01, "batch_size": 128}


def test_given_values_win_and_branches_follow():
    conditional = design(
        nuisance={
            "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
            "when": {"use_dropout": {"true": {"dropout_rate": {"low": 0.1, "high": 0.5}}}},
        }
    )
    assert "dropout_rate" not in initial_config(conditional)
    assert initial_config(conditional, {"use_dropout": True})["dropout_rate"] == pytest.approx(0.3)


def test_the_trial_is_a_baseline_of_the_study_it_belongs_to():
    spec = baseline_spec(design(), {"learning_rate": 0.3})
    assert spec.purpose is TrialPurpose.BASELINE
    assert spec.study == "use_dropout=false"
    assert spec.config["learning_rate"] == 0.3


def test_the_design_of_the_baseline_has_one_trial():
    made = baseline_design(design(fixed={"batch_size": {"value": 128, "because": "it fits"}}))
    (spec,) = plan_trials(made)
    assert spec.config == initial_config(design())
    reasons = {item.name: item.domain.because for item in made.fixed}
    assert reasons == {
        "use_dropout": "the initial choice",
        "learning_rate": "the initial choice",
        "batch_size": "it fits",
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [({"learning_rat": 0.1}, "did you mean 'learning_rate'"), ({"learning_rate": 7.0}, "outside of")],
)
def test_values_the_design_cannot_take_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        initial_config(design(), given)


@pytest.mark.parametrize(
    ("objective", "values", "clear"),
    [
        (ERROR, (0.5,), True),
        (ERROR, (0.85,), False),
        (ERROR, (0.95,), False),
        (ERROR, (0.89, 0.88, 0.885), False),
        (ERROR, (0.80, 0.81, 0.79), True),
        (ACCURACY, (0.3,), True),
        (ACCURACY, (0.1,), False),
        (ACCURACY, (0.05,), False),
    ],
)
def test_chance_is_to_be_beaten_clearly(objective, values, clear):
    found = beats_chance(objective, values, "t")
    assert (found is None) == clear
    if found is not None:
        assert (found.code, found.requirement, found.subject.trial) == ("not_better_than_chance", "S1", "t")


def test_without_a_chance_level_or_a_run_nothing_is_said():
    with pytest.raises(InputError, match="chance"):
        beats_chance(Objective(metric=METRIC), (0.1,))
    with pytest.raises(InputError, match="no complete run"):
        beats_chance(ERROR, ())


def test_a_launch_is_found_again_in_the_evidence_of_its_round():
    best = config(False, 1e-3)
    runs = [*searched(False, [0.1, 0.2]), *repeats(best, [0.11, None, 0.12])]
    launch = Launch(number=0, round="01", trial="t", config=Config(best), at=datetime(2026, 1, 1, tzinfo=UTC))
    found = Baseline.of(launch, evidence(runs))
    assert found.values == (0.11, 0.12)
    assert found.infeasible == 1
    assert (found.max_train_steps, found.objective.metric) == (1000, METRIC)


def test_a_launch_of_a_round_in_which_all_were_repeated_brings_all_its_runs_and_its_luck():
    runs = [
        run(config(False, 1e-3 * (k + 1)), 0.1 + 0.0001 * k + 0.001 * ((seed * 7 + 3 * k) % 5), seed=seed)
        for k in range(4)
        for seed in range(5)
    ]
    best = config(False, 1e-3)
    launch = Launch(number=0, round="01", trial="t", config=Config(best), at=datetime(2026, 1, 1, tzinfo=UTC))
    found = Baseline.of(launch, evidence(runs))
    assert len(found.values) == 5
    assert 0.0 < found.luck < 0.001


def test_a_launch_is_judged_by_another_objective_where_its_runs_logged_it():
    """Rounds with different objectives are compared without running anything again (L1)."""
    best = config(False, 1e-3)
    found = evidence([run(best, 0.1), *repeats(best, [0.2, 0.3])], name="01")
    both = Evidence(
        name=found.name, round=found.round, studies=found.studies, trials=found.trials,
        curves={**found.curves, "valid/loss": Curves.pack([([1000], [value]) for value in (1.0, 2.0, 3.0)])},
    )  # fmt: skip
    entry = Launch(number=0, round="01", trial=found.trials[0].name, config=Config(best), at=NOW)
    loss = Objective(metric="valid/loss")
    assert Baseline.of(entry, both, loss).values == (1.0, 2.0, 3.0)
    assert Baseline.of(entry, both, loss).objective == loss
    assert Baseline.of(entry, found, loss).objective.metric == "valid/error"
    assert Baseline.of(entry, both).values == (0.1, 0.2, 0.3)


def test_a_launch_that_beats_no_chance_of_another_round_keeps_its_own_objective():
    best = config(False, 1e-3)
    found = evidence([run(best, 0.1), *repeats(best, [0.2, 0.3])], name="01")
    entry = Launch(number=0, round="01", trial=found.trials[0].name, config=Config(best), at=NOW)
    strict = Objective(metric=METRIC, chance=0.05)
    assert Baseline.of(entry, found, strict).objective == found.round.objective

"""Which configurations are repeated, and with which seeds."""

from __future__ import annotations

import pytest
from decide_builders import METRIC, config, design, evidence, repeats, run, searched

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.trial import TrialPurpose
from tunebook.decide.baseline import Baseline
from tunebook.decide.repeats import fresh_seeds, repeat_specs, repeated_study
from tunebook.errors import InputError

ROUND = [*searched(False, [0.3, 0.1, 0.2]), *searched(True, [0.2, 0.3, None])]
BEST = {Config(config(False, 2e-3)), Config(config(True, 1e-3))}


def baseline(**changes):
    known = {
        "trial": "old",
        "config": Config(config(False, 0.7)),
        "round": "00",
        "objective": Objective(metric=METRIC),
        "max_train_steps": 1000,
    }
    return Baseline(**{**known, **changes})


def test_the_best_of_every_setting_with_five_seeds():
    specs = repeat_specs(evidence(ROUND))
    assert {spec.config for spec in specs} == BEST
    assert len(specs) == len({spec.id for spec in specs}) == 10
    assert all(spec.purpose is TrialPurpose.REPEAT and spec.max_train_steps == 1000 for spec in specs)
    assert 0 not in {spec.seed for spec in specs}


def test_the_baseline_is_repeated_as_well():
    specs = repeat_specs(evidence(ROUND), baseline(), seeds=2)
    assert {spec.config for spec in specs} == BEST | {Config(config(False, 0.7))}
    assert len(specs) == 6


def test_a_baseline_that_won_again_is_repeated_once():
    assert len(repeat_specs(evidence(ROUND), baseline(config=Config(config(False, 2e-3))), seeds=2)) == 4


def test_the_same_seeds_are_asked_for_until_they_have_been_run():
    first = repeat_specs(evidence(ROUND))
    assert repeat_specs(evidence(ROUND[::-1])) == repeat_specs(evidence(ROUND))
    done = [run(spec.config, 0.1, seed=spec.seed, purpose=spec.purpose) for spec in first]
    second = repeat_specs(evidence([*ROUND, *done]), seeds=3)
    assert {spec.config for spec in second} == BEST
    for spec in second:
        assert spec.seed not in {other.seed for other in first if other.config == spec.config}


def test_a_lucky_repeat_does_not_change_which_configuration_won_the_search():
    lucky = repeats(config(False, 1e-3), [0.0, 0.0])
    assert {spec.config for spec in repeat_specs(evidence([*ROUND, *lucky]))} == BEST


def test_named_trials_instead():
    name = ROUND[0][0].name
    specs = repeat_specs(evidence(ROUND), trials=[name, name], seeds=2)
    assert [spec.config for spec in specs] == [ROUND[0][0].config] * 2


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no trial 'missing'"):
        repeat_specs(evidence(ROUND), trials=["missing"])


@pytest.mark.parametrize("seeds", [0, -1, 1001])
def test_a_wrong_number_of_seeds_is_refused(seeds):
    with pytest.raises(InputError, match="--seeds"):
        repeat_specs(evidence(ROUND), seeds=seeds)


def test_a_baseline_of_another_length_is_trained_as_long_as_this_round():
    specs = repeat_specs(evidence(ROUND), baseline(max_train_steps=2000), seeds=1)
    assert {spec.max_train_steps for spec in specs} == {1000}


def test_seeds_are_distinct_small_and_never_used_before():
    first = fresh_seeds(Config({"a": 1}), set(), 50)
    assert len(set(first)) == 50
    assert max(first) < 2**31
    assert fresh_seeds(Config({"a": 1}), set(first[:20]), 10) == first[20:30]
    assert fresh_seeds(Config({"a": 2}), set(), 5) != first[:5]


def test_a_study_is_repeated_with_another_search_seed_and_nothing_else():
    before = design()
    seeds = [repeated_study(before, number).search.seed for number in (1, 2, 1)]
    assert seeds[0] == seeds[2] != seeds[1]
    assert 0 not in seeds
    again = repeated_study(before, 1)
    assert (again.nuisance, again.objective, again.name) == (before.nuisance, before.objective, "01-dropout-again-1")


def test_a_grid_cannot_be_repeated():
    with pytest.raises(InputError, match="grid"):
        repeated_study(design(search={"algorithm": "grid", "trials": 8}), 1)

"""The verdict: the two questions, thresholds, bad input, and laws."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from decide_builders import METRIC, config, design, evidence, repeats, run, searched

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.trial import Study, TrialPurpose
from tunebook.core.verdict import ConfigurationAnswer, RestsOn, Ruling, Verdict
from tunebook.decide.arms import Arms, choose
from tunebook.decide.baseline import Baseline
from tunebook.decide.repeats import repeat_specs
from tunebook.decide.verdict import decide
from tunebook.errors import InputError
from tunebook.stats.variance import Spread

OFF = [0.100, 0.110, 0.105, 0.120, 0.130, 0.150]
ON = [0.094, 0.090, 0.101, 0.115, 0.140, 0.160]
NOISE = np.array([-0.0012, -0.0004, 0.0, 0.0005, 0.0011])
BEST_OFF, BEST_ON = config(False, 1e-3), config(True, 2e-3)


def round_with(off, on, **options):
    """A searched round whose winners were repeated; the lists are the repeats."""
    return evidence(
        [*searched(False, OFF), *searched(True, ON), *repeats(BEST_OFF, off), *repeats(BEST_ON, on)], **options
    )


def clear(gap=0.01, level=0.1):
    return round_with(list(level + NOISE), list(level - gap + NOISE[::-1]))


def test_a_clear_improvement_is_adopted():
    verdict = decide(clear())
    assert verdict.ruling is Ruling.ADOPT
    assert verdict.configuration.probability > 0.99
    assert verdict.configuration.rests_on is RestsOn.REPEATS
    assert verdict.configuration.improvement.estimate == pytest.approx(0.01, rel=0.05)
    assert verdict.baseline.config == BEST_OFF
    assert verdict.candidate.config == BEST_ON
    assert (verdict.baseline.repeats, verdict.candidate.repeats) == (5, 5)
    assert verdict.seeds == 0


def test_the_mapping_is_the_contract():
    shown = json.loads(json.dumps(decide(clear()).to_mapping(), allow_nan=False))
    assert list(shown) == [
        *("round", "baseline", "candidate", "configuration", "settings"),
        *("threshold", "verdict", "because", "caveats", "needs"),
    ]
    assert set(shown["baseline"]) == {"trial", "config", "repeats"}
    assert set(shown["configuration"]) == {"probability_of_improvement", "improvement", "rests_on"}
    assert set(shown["configuration"]["improvement"]) == {"estimate", "low", "high", "level"}
    (setting,) = shown["settings"]
    assert (setting["setting"], setting["against"]) == ({"use_dropout": True}, {"use_dropout": False})
    assert (shown["threshold"], shown["needs"]) == (0.95, {"seeds": 0})


def test_a_clearly_worse_candidate_is_kept_out():
    verdict = decide(clear(gap=-0.01))
    assert verdict.ruling is Ruling.KEEP
    assert verdict.configuration.probability < 0.01
    assert verdict.configuration.improvement.high < 0


def test_the_winning_run_does_not_count():
    """The search saw 0.09 for the candidate; its repeats are no better than the baseline's."""
    verdict = decide(round_with(list(0.1 + NOISE), list(0.1 + NOISE)))
    assert verdict.configuration.probability == pytest.approx(0.5, abs=1e-3)
    assert verdict.ruling is not Ruling.ADOPT


def test_without_repeats_it_is_unresolved_whatever_the_best_values_are():
    verdict = decide(evidence([*searched(False, OFF), *searched(True, [0.001 * k for k in range(1, 7)])]))
    assert verdict.ruling is Ruling.UNRESOLVED
    assert verdict.configuration.rests_on is RestsOn.NONE
    assert verdict.configuration.probability is None
    assert verdict.seeds == 5
    assert "no repeats" in verdict.because[0]
    assert verdict.settings[0].probability > 0.9  # the second question has study variance to go by


def test_an_earlier_estimate_is_enough_to_say_something():
    quiet = evidence([*searched(False, OFF), *searched(True, [value - 0.05 for value in OFF])])
    verdict = decide(quiet, earlier=Spread(sd=0.001, degrees=12))
    assert verdict.configuration.rests_on is RestsOn.EARLIER
    assert verdict.ruling is Ruling.ADOPT
    noisy = decide(quiet, earlier=Spread(sd=0.2, degrees=12))
    assert noisy.ruling is not Ruling.ADOPT


def test_one_repeated_side_is_not_enough():
    found = decide(evidence([*searched(False, OFF), *searched(True, ON), *repeats(BEST_ON, list(0.09 + NOISE))]))
    assert found.configuration.rests_on is RestsOn.NONE
    assert "baseline" in found.because[0]
    assert found.ruling is Ruling.UNRESOLVED


def test_a_verdict_without_variance_cannot_be_made_to_adopt():
    with pytest.raises(ValueError, match="unresolved"):
        Verdict(
            round="01",
            baseline=None,
            candidate=None,
            configuration=ConfigurationAnswer(),
            threshold=0.95,
            ruling=Ruling.ADOPT,
            because=(),
        )


def test_unresolved_names_the_seeds_that_would_settle_it():
    verdict = decide(clear(gap=0.0007))
    assert verdict.ruling is Ruling.UNRESOLVED
    assert 1 <= verdict.seeds < 100
    assert f"{verdict.seeds} more seeds" in " ".join(verdict.because)


def test_thresholds_by_complexity():
    found = {word: decide(clear(gap=0.0007), complexity=word) for word in ("none", "some", "much")}
    assert [verdict.threshold for verdict in found.values()] == [0.75, 0.95, 0.95]
    assert found["none"].ruling is Ruling.ADOPT
    assert found["some"].ruling is Ruling.UNRESOLVED


def test_much_complexity_asks_for_what_matters():
    objective = Objective(metric=METRIC, material=0.02)
    verdicts = [decide(clear(gap=gap), complexity="much", objective=objective).ruling for gap in (0.01, 0.0195, 0.03)]
    assert verdicts == [Ruling.KEEP, Ruling.UNRESOLVED, Ruling.ADOPT]


def test_an_improvement_that_cannot_matter_is_kept_out_though_it_is_sure():
    verdict = decide(clear(gap=0.004), objective=Objective(metric=METRIC, material=0.05))
    assert verdict.configuration.probability > 0.99
    assert verdict.ruling is Ruling.KEEP
    assert "matters" in " ".join(verdict.because)


def test_a_configuration_that_fails_half_of_the_time_is_never_adopted():
    found = decide(round_with(list(0.1 + NOISE), [0.05, None, 0.051, None, 0.052]))
    assert found.ruling is Ruling.KEEP
    assert found.candidate.infeasible == 2
    assert "2 of the 5 repeats" in " ".join(found.because)


def test_one_infeasible_repeat_asks_for_more_seeds():
    found = decide(round_with(list(0.1 + NOISE), [0.05, 0.051, None, 0.0505, 0.0495]))
    assert found.ruling is Ruling.UNRESOLVED
    assert found.seeds == 5


def test_an_unusable_winner_gives_way_to_another_repeated_one():
    third = config(True, 1e-3)
    runs = [*searched(False, OFF), *searched(True, ON), *repeats(BEST_OFF, list(0.1 + NOISE))]
    runs += [*repeats(BEST_ON, [0.05, None, None, None, 0.05]), *repeats(third, list(0.09 + NOISE))]
    found = decide(evidence(runs))
    assert found.candidate.config == third
    assert "passed over" in found.because[0]


def test_deterministic_training_is_called_out():
    found = decide(round_with([0.1] * 5, [0.09] * 5))
    assert found.ruling is Ruling.UNRESOLVED
    assert "seed" in found.because[0]


def test_repeats_are_found_by_their_seeds_alone():
    """As a CSV brings them: every row is a search trial, repeats have other seeds."""

    def plain(runs):
        return [(replace(record, purpose=TrialPurpose.SEARCH), value) for record, value in runs]

    runs = [*searched(False, OFF), *searched(True, ON)]
    again = [*repeats(BEST_OFF, list(0.1 + NOISE)), *repeats(BEST_ON, list(0.09 + NOISE))]
    assert decide(evidence([*runs, *plain(again)])).to_mapping() == decide(evidence([*runs, *again])).to_mapping()


def test_two_configurations_with_five_runs_each_use_all_of_them():
    runs = [run(BEST_OFF, value, seed=k) for k, value in enumerate(0.1 + NOISE)]
    runs += [run(BEST_ON, value, seed=k) for k, value in enumerate(0.09 + NOISE)]
    found = decide(evidence(runs))
    assert (found.baseline.repeats, found.candidate.repeats) == (5, 5)
    assert found.ruling is Ruling.ADOPT


def test_where_all_were_repeated_the_luck_of_the_choice_is_taken_off():
    rng = np.random.default_rng(1)
    runs = [
        run(config(side, 1e-3 * (k + 1)), float(0.1 + 0.01 * rng.standard_normal()), seed=seed)
        for side in (False, True)
        for k in range(1 if not side else 12)
        for seed in range(5)
    ]
    arms = Arms.of(evidence(runs))
    chosen = choose(arms.settings[Config({"use_dropout": True})])
    assert chosen.luck == pytest.approx(1.63 * 0.01 / 5**0.5, rel=0.4)  # E[max of 12] = 1.63
    assert chosen.sample.mean == pytest.approx(np.mean(chosen.values) + chosen.luck)


def test_a_wild_configuration_adds_no_luck():
    """A poor configuration with a hundred times the spread is no rival of the best two."""
    runs = [run(config(True, 1e-3), value, seed=k) for k, value in enumerate(0.100 + NOISE)]
    runs += [run(config(True, 2e-3), value, seed=k) for k, value in enumerate(0.104 + NOISE)]
    runs += [run(config(True, 3e-3), value, seed=k) for k, value in enumerate([0.5, 2.0, 0.3, 9.0, 4.0])]
    runs += [run(BEST_OFF, value, seed=k) for k, value in enumerate(0.2 + NOISE)]
    assert choose(Arms.of(evidence(runs)).settings[Config({"use_dropout": True})]).luck < 0.001


@pytest.mark.parametrize("seed", range(3))
def test_permuting_trials_changes_nothing(seed):
    runs = [*searched(False, OFF), *searched(True, ON)]
    runs += [*repeats(BEST_OFF, list(0.1 + NOISE)), *repeats(BEST_ON, list(0.0985 + NOISE))]
    shuffled = [runs[k] for k in np.random.default_rng(seed).permutation(len(runs))]
    assert decide(evidence(shuffled)).to_mapping() == decide(evidence(runs)).to_mapping()


def _turned(found, unit=1.0, direction="minimize"):
    sign = 1.0 if direction == "minimize" else -1.0
    runs = [(record, sign * unit * float(found.curves[METRIC].values[k])) for k, record in enumerate(found.trials)]
    return evidence(runs, design(objective={"metric": METRIC, "direction": direction}))


@pytest.mark.parametrize("unit", [1e-4, 100.0])
def test_another_unit_scales_improvements_only(unit):
    before, after = decide(clear(0.001)), decide(_turned(clear(0.001), unit))
    assert after.configuration.probability == pytest.approx(before.configuration.probability, abs=1e-9)
    assert after.configuration.improvement.low == pytest.approx(unit * before.configuration.improvement.low)
    assert after.settings[0].probability == pytest.approx(before.settings[0].probability, abs=1e-9)
    assert after.ruling is before.ruling


def test_turning_the_direction_changes_nothing():
    before, after = decide(clear(0.001)), decide(_turned(clear(0.001), direction="maximize"))
    assert after.configuration == before.configuration
    assert after.settings == before.settings


def test_fixed_hyperparameters_are_caveats():
    (caveat,) = decide(clear()).caveats
    assert "batch_size" in caveat
    assert "128" in caveat


def test_unequal_budgets_are_a_caveat():
    found = decide(evidence([*searched(False, OFF[:2]), *searched(True, ON)]))
    assert any("unequal" in caveat for caveat in found.caveats)


# -- baselines from the ledger -----------------------------------------------------------------


def launched(values=(), **changes):
    known = {
        "trial": "old",
        "config": Config(BEST_OFF),
        "round": "00",
        "objective": Objective(metric=METRIC),
        "max_train_steps": 1000,
        "values": tuple(values),
    }
    return Baseline(**{**known, **changes})


def test_the_launch_is_the_baseline_and_every_other_configuration_may_replace_it():
    runs = [*searched(False, OFF), *repeats(config(False, 2e-3), list(0.09 + NOISE))]
    found = decide(evidence(runs), launched(list(0.1 + NOISE), config=Config(config(False, 0.5))))
    assert found.baseline.trial == "old"
    assert found.candidate.config == config(False, 2e-3)
    assert found.ruling is Ruling.ADOPT


def test_runs_of_the_launch_here_and_there_are_pooled():
    runs = [*searched(True, ON), *repeats(BEST_ON, list(0.09 + NOISE)), *repeats(BEST_OFF, list(0.1 + NOISE))]
    assert decide(evidence(runs), launched(list(0.1 + NOISE))).baseline.repeats == 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objective": Objective(metric="valid/loss")}, "valid/loss"),
        ({"objective": Objective(metric=METRIC, direction="maximize")}, "maximize"),
        ({"objective": Objective(metric=METRIC, reduce="final")}, "final"),
        ({"max_train_steps": 500}, "500 steps"),
    ],
)
def test_a_baseline_that_cannot_be_compared_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        decide(clear(), launched([0.1, 0.11], config=Config(config(False, 0.9)), **changes))


def test_of_a_baseline_that_was_run_again_here_only_those_runs_count():
    elsewhere = launched([5.0, 6.0, 7.0], max_train_steps=500)
    assert decide(clear(), elsewhere).baseline.repeats == 6  # five repeats and the run of the search
    assert decide(clear(), elsewhere).configuration.improvement.estimate == pytest.approx(0.01, rel=0.1)


def test_without_a_launch_and_with_one_setting_there_is_nothing_to_compare():
    plain = design(scientific={}, question="minimize")
    runs = [run({"learning_rate": 1e-3 * k, "batch_size": 128}, 0.1 + 0.01 * k) for k in range(1, 5)]
    found = decide(evidence(runs, plain))
    assert found.baseline == found.candidate  # the best trial of the only setting is both
    assert found.candidate.config["learning_rate"] == 1e-3
    assert found.configuration.probability is None
    assert found.ruling is Ruling.UNRESOLVED
    assert "baseline" in found.because[0]


# -- bad input ---------------------------------------------------------------------------------


def test_nothing_complete_is_refused():
    record, _ = run(BEST_ON, 0.1)
    pending = replace(record, status=Status.PENDING)
    with pytest.raises(InputError, match="no trial is complete"):
        decide(evidence([(pending, np.nan)]))


def test_all_infeasible_is_refused():
    with pytest.raises(InputError, match="infeasible"):
        decide(evidence(searched(True, [None, None])))


def test_a_round_without_trials_is_refused():
    with pytest.raises(InputError, match="no trial"):
        decide(evidence([]))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"complexity": "lots"}, "none, some, much"), ({"threshold": 1.0}, "probability"), ({"threshold": 0.3}, "0.3")],
)
def test_wrong_words_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        decide(clear(), **options)


def test_a_setting_without_a_feasible_trial_is_named():
    three = design(scientific={"use_dropout": [False, True], "wide": [1, 2]})

    def wide(use_dropout, number, value, k):
        return run({**config(use_dropout, 1e-3 * k), "wide": number}, value)

    runs = [wide(False, 1, 0.1 + 0.01 * k, k) for k in range(1, 5)]
    runs += [wide(True, 1, 0.09 + 0.01 * k, k) for k in range(1, 5)] + [wide(True, 2, None, k) for k in range(1, 5)]
    found = decide(evidence(runs, three))
    assert [answer.setting["wide"] for answer in found.settings] == [1]
    assert any("wide=2" in reason for reason in found.because)


def test_a_continuous_scientific_range_is_compared_by_stretches():
    rates = design(
        scientific={"weight_decay": {"low": 1e-4, "high": 1.0, "scale": "log"}}, question="understand", fixed={}
    )
    exponents = np.linspace(-3.95, -0.05, 24)
    runs = [
        run(
            {"weight_decay": float(10**x), "learning_rate": 0.1},
            0.1 + 0.02 * (x + 2) ** 2 + 0.001 * (k % 3),
            study="all",
        )
        for k, x in enumerate(exponents)
    ]
    found = decide(evidence(runs, rates))
    assert [answer.setting["weight_decay"] for answer in found.settings] == ["0.001 to 0.01", "0.01 to 0.1", "0.1 to 1"]
    assert found.settings[0].against == {"weight_decay": "0.0001 to 0.001"}
    assert found.settings[0].probability > 0.9


def test_an_accidental_duplicate_is_no_contender():
    lucky = [run(config(True, 3e-3), 0.01, seed=77)]
    runs = [*searched(False, OFF), *searched(True, ON), *lucky]
    runs += [*repeats(BEST_OFF, list(0.1 + NOISE)), *repeats(BEST_ON, list(0.09 + NOISE))]
    assert decide(evidence(runs)).candidate.config == BEST_ON


def test_without_a_launch_the_candidate_is_of_another_setting():
    third = config(False, 2e-3)
    runs = [*searched(False, OFF), *searched(True, ON), *repeats(third, list(0.08 + NOISE))]
    runs += [*repeats(BEST_OFF, list(0.1 + NOISE)), *repeats(BEST_ON, list(0.09 + NOISE))]
    found = decide(evidence(runs))
    assert (found.baseline.config, found.candidate.config) == (third, BEST_ON)


def test_no_better_by_what_matters_is_kept_out():
    verdict = decide(clear(gap=-0.0003))
    assert verdict.configuration.probability > 0.1
    assert verdict.ruling is Ruling.KEEP
    assert "or more has a probability of" in " ".join(verdict.because)


def test_repeated_studies_sharpen_the_second_question():
    first = clear(gap=0.005)
    alone, together = decide(first), decide(first, replicas=[clear(gap=0.005, level=0.1001), clear(gap=0.005)])
    widths = [found.settings[0].improvement.high - found.settings[0].improvement.low for found in (alone, together)]
    assert widths[1] < widths[0]
    assert "3 searches" in " ".join(together.because)
    assert together.configuration == alone.configuration


def test_another_round_is_no_repetition():
    other = evidence([*searched(False, OFF)], design(max_train_steps=5))
    with pytest.raises(InputError, match="max_train_steps"):
        decide(clear(), replicas=[other])


def test_a_baseline_of_another_pipeline_is_a_caveat():
    other = launched([0.1, 0.1011], config=Config(config(False, 0.9)), way_to_train="other.py:train")
    assert "other.py:train" in decide(clear(), other).caveats[-1]
    same = launched([0.1, 0.1011], config=Config(config(False, 0.9)), way_to_train="train.py:train")
    assert decide(clear(), same).caveats == decide(clear()).caveats


def test_the_luck_of_the_launch_is_taken_off():
    old = launched([0.1, 0.101, 0.102], config=Config(config(False, 0.9)))
    plain, lucky = decide(clear(), old), decide(clear(), replace(old, luck=0.005))
    gained = lucky.configuration.improvement.estimate - plain.configuration.improvement.estimate
    assert gained == pytest.approx(0.005, rel=0.1)


def test_a_baseline_of_the_same_round_is_pooled_once():
    old = launched(list(0.1 + NOISE), round="01")
    found = decide(clear(), old)
    assert found.baseline.repeats == 5
    assert "on 8 degrees of freedom" in " ".join(found.because)


# --- rounds whose search learns (X1), and fluke winners (D3)

CROWDED = {"algorithm": "bayes", "trials": 8}


def test_a_single_run_of_a_crowded_search_is_never_adopted():
    """Trials that crowd do not show how lucky the best one was, so an earlier estimate is not enough."""
    quiet = [*searched(False, OFF), *searched(True, [value - 0.05 for value in OFF])]
    earlier = Spread(sd=0.001, degrees=12)
    assert decide(evidence(quiet), earlier=earlier).ruling is Ruling.ADOPT
    crowded = decide(evidence(quiet, design(search=CROWDED)), earlier=earlier)
    assert (crowded.ruling, crowded.seeds) == (Ruling.UNRESOLVED, 5)
    assert "crowd" in " ".join(crowded.because)
    again = [*quiet, *repeats(config(True, 1e-3), list(0.05 + NOISE))]
    assert decide(evidence(again, design(search=CROWDED)), earlier=earlier).ruling is Ruling.ADOPT


def test_what_a_model_expects_most_of_is_the_candidate():
    expected = config(True, 3e-3)
    found = evidence([*searched(False, OFF), *searched(True, ON)])
    assert decide(found, expected_best=Config(expected)).candidate.config == expected
    assert decide(found, expected_best=Config(config(True, 0.5))).candidate.config == BEST_ON
    repeated = round_with(list(0.1 + NOISE), list(0.09 + NOISE))
    assert decide(repeated, expected_best=Config(expected)).candidate.config == expected
    assert decide(repeated, expected_best=Config(BEST_ON)).candidate.repeats == 5


def test_a_candidate_that_ran_once_is_told_of_by_its_own_run():
    """Not by that of the luckiest: a worse one is less likely to be better than the baseline."""
    found = evidence([*searched(False, OFF), *searched(True, ON), *repeats(BEST_OFF, list(0.1 + NOISE))])
    earlier = Spread(sd=0.005, degrees=12)
    chances = [
        decide(found, expected_best=Config(config(True, rate)), earlier=earlier).configuration.probability
        for rate in (2e-3, 1e-3, 3e-3, 6e-3)
    ]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[-1] + 0.5


def test_one_run_in_two_rounds_is_one_run():
    """The seeds of a launch's runs in its own round are not counted again where they ran once more."""
    found = evidence(
        [*searched(True, ON), *repeats(BEST_ON, list(0.09 + NOISE)), *repeats(BEST_OFF, [0.1, 0.11, 0.12])]
    )
    values, seeds = (0.1, 0.11, 0.09), (1, 2, 9)
    launch = Baseline(
        trial="b", config=Config(BEST_OFF), round="00", objective=found.round.objective, max_train_steps=1000,
        values=values, seeds=seeds, used_seeds=frozenset(seeds),
    )  # fmt: skip
    assert decide(found, launch).baseline.repeats == 4
    first = [spec.seed for spec in repeat_specs(found, launch, seeds=3) if spec.config == BEST_OFF]
    known = replace(launch, used_seeds=frozenset(first))
    new = [spec.seed for spec in repeat_specs(found, known, seeds=3) if spec.config == BEST_OFF]
    assert len(new) == len(first) == 3
    assert not set(new) & set(first)


def test_one_setting_without_a_launch_shows_what_its_best_trial_rests_on():
    alone = design(scientific={}, fixed={"batch_size": 128, "use_dropout": True})
    once = decide(evidence(searched(True, ON), alone))
    assert once.baseline == once.candidate
    assert any("reached valid/error 0.09 in the search, once" in said for said in once.because)
    assert any("tunebook repeat 01" in said for said in once.because)
    fluke = decide(evidence([*searched(True, ON), *repeats(BEST_ON, [0.3, 0.5, 0.09])], alone))
    assert any("3 runs with fresh seeds average 0.2967 (0.09 to 0.5)" in said for said in fluke.because)
    assert any("do not bear the search out" in said for said in fluke.because)
    fine = decide(evidence([*searched(True, ON), *repeats(BEST_ON, [0.091, 0.093, 0.09])], alone))
    assert not any("do not bear the search out" in said for said in fine.because)
    assert fine.candidate.values == (0.09, 0.091, 0.093)
    assert fine.candidate.searched == 0.09


def test_the_seeds_asked_for_settle_it_when_they_show_what_is_expected():
    """With that many more runs around the expected difference, the verdict is no longer unresolved."""
    verdict = decide(clear(gap=0.0009))
    assert verdict.ruling is Ruling.UNRESOLVED
    sd = float(np.std(NOISE, ddof=1))
    expected = verdict.configuration.improvement.estimate
    shape = np.sort(np.random.default_rng(0).normal(size=verdict.seeds))
    shape = (shape - shape.mean()) / shape.std(ddof=1) * sd
    off = [*(0.1 + NOISE), *(0.1 - 0.0009 / 2 + expected / 2 + shape)]
    on = [*(0.1 - 0.0009 + NOISE[::-1]), *(0.1 - 0.0009 / 2 - expected / 2 + shape)]
    assert decide(round_with(off, on)).ruling is not Ruling.UNRESOLVED


def test_a_baseline_that_is_only_repeated_here_is_no_setting():
    alone = design(scientific={}, fixed={"batch_size": 128, "use_dropout": True})
    search = [replace(row, study="all") for row, _ in searched(True, ON)]
    there = [replace(row, study="baseline") for row, _ in repeats(config(True, 0.5), list(0.1 + NOISE))]
    runs = [*zip(search, ON, strict=True), *zip(there, 0.1 + NOISE, strict=True)]
    found = evidence([*runs, *repeats(BEST_ON, list(0.09 + NOISE))], alone)
    found = replace(found, studies=(Study("all"), Study("baseline")))
    launch = Baseline(
        trial="b", config=Config(config(True, 0.5)), round="00", objective=found.round.objective, max_train_steps=1000
    )
    assert decide(found, launch).settings == ()
    assert decide(found, launch).ruling is Ruling.ADOPT

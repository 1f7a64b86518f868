"""Infeasible, instability, sampling, sensitivity, comparison, steps, caveats and chance: seen and not seen."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from learn_builders import log_values, make_evidence, make_round, points, record

from tunebook.core.outcome import Status
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import Curves
from tunebook.learn import (
    caveats,
    chance,
    comparison,
    infeasible,
    instability,
    reproduced,
    sampling,
    sensitivity,
    steps,
)
from tunebook.learn.view import Noise, View
from tunebook.stats.best_of_n import quartiles

DATA = Path(os.environ.get("TUNEBOOK_DATA", Path(__file__).parents[3] / "shared" / "data"))
ALEXNET = DATA / "opda" / "alexnet_project"


def trials_at(units, failed=None, names=("learning_rate", "one_minus_momentum"), lows=(1e-4, 1e-3)):
    columns = [log_values(units[:, j], low, 1.0) for j, low in enumerate(lows)]
    failed = np.zeros(len(units), bool) if failed is None else failed
    return [
        record(
            i,
            {name: float(column[i]) for name, column in zip(names, columns, strict=True)},
            Status.INFEASIBLE if failed[i] else Status.COMPLETE,
        )
        for i in range(len(units))
    ]


def codes(findings):
    return [finding.code for finding in findings]


# --- infeasible, L4


def test_region_is_named_with_its_threshold():
    units = points(40, 2)
    failed = units[:, 0] > 0.75
    fraction, region = infeasible.check(
        View.of(make_evidence(make_round(), trials_at(units, failed), np.where(failed, np.nan, 1)))
    )
    assert fraction.evidence["fraction"] == pytest.approx(failed.mean())
    assert fraction.evidence["causes"] == {"diverged": failed.sum()}
    assert (region.subject.hyperparameter, region.evidence["direction"]) == ("learning_rate", "high")
    assert region.evidence["threshold"] == pytest.approx(0.1, rel=0.5)
    assert (region.evidence["share_beyond"], region.evidence["share_before"]) == (1.0, 0.0)


def test_effective_learning_rate_takes_the_place_of_its_parts():
    units = points(120, 2)
    trials = trials_at(units)
    ratio = np.array([trial.config["learning_rate"] / trial.config["one_minus_momentum"] for trial in trials])
    failed = ratio > 2.0
    findings = list(
        infeasible.check(View.of(make_evidence(make_round(), trials_at(units, failed), np.where(failed, np.nan, 1))))
    )
    assert codes(findings) == ["infeasible_fraction", "infeasible_region"]
    assert findings[1].subject.hyperparameter == "learning_rate / one_minus_momentum"
    assert findings[1].evidence["threshold"] == pytest.approx(2.0, rel=0.4)


def test_failing_all_over_the_space_looks_like_a_bug():
    failed = np.random.default_rng(0).random(40) < 0.7
    (finding,) = infeasible.check(
        View.of(make_evidence(make_round(), trials_at(points(40, 2), failed), np.where(failed, np.nan, 1)))
    )
    assert finding.evidence["looks_like_bug"]
    assert finding.severity == "blocking"
    assert "bug" in finding.why


def test_no_infeasible_trial_no_finding():
    assert not list(infeasible.check(View.of(make_evidence(make_round(), trials_at(points(9, 2)), np.ones(9)))))


def alexnet():
    def table(name):
        with (ALEXNET / name).open(newline="") as file:
            return list(csv.DictReader(file))

    rows = table("trials.csv")
    place = {row["trial"]: i for i, row in enumerate(rows)}
    curves = [([], []) for _ in rows]
    for point in table("curves.csv"):
        if point["metric"] == "valid/top_1":
            steps_, values = curves[place[point["trial"]]]
            steps_.append(int(point["step"]))
            values.append(float(point["value"]))
    design = make_round(
        objective={"metric": "valid/top_1", "direction": "maximize"},
        nuisance={"lr": {"low": 5e-3, "high": 50.0, "scale": "log"}, "momentum": {"low": 0.7, "high": 1.0}},
    )
    trials = [
        record(i, {"lr": float(row["lr"]), "momentum": float(row["momentum"])}, Status(row["status"]))
        for i, row in enumerate(rows)
    ]
    return View.of(make_evidence(design, trials, curves={"valid/top_1": Curves.pack(curves)}))


@pytest.mark.skipif(not ALEXNET.is_dir(), reason="the AlexNet trials are not at hand")
def test_alexnets_512_trials():
    """Facts of methods §0: 28.7 % infeasible, by lr / (1 - momentum), and the best-of-n quartiles."""
    view = alexnet()
    fraction, region, *_ = infeasible.check(view)
    assert fraction.evidence["fraction"] == pytest.approx(0.287, abs=0.001)
    assert region.subject.hyperparameter == "lr / (1 - momentum)"
    assert region.evidence["direction"] == "high"
    assert 0.1 < region.evidence["threshold"] < 5
    assert region.evidence["share_before"] < 0.05
    errors = 1 + np.where(view.feasible, view.keys, np.nan)
    found = quartiles(errors, np.array([6, 20, 100]))
    assert found.round(3).tolist() == [[0.438, 0.466, 0.513], [0.426, 0.433, 0.449], [0.416, 0.420, 0.426]]


# --- instability, L5


def unstable_evidence(centre, curves=None):
    units = points(48, 2)
    failed = units[:, 0] > 0.6
    keys = (units[:, 0] - centre) ** 2 + 0.005 * np.random.default_rng(0).normal(size=48)
    return make_evidence(make_round(), trials_at(units, failed), np.where(failed, np.nan, keys))


def test_best_learning_rate_next_to_the_wall_is_unstable():
    (finding,) = instability.check(View.of(unstable_evidence(1.0)))
    assert (finding.code, finding.next.kind) == ("unstable", "warm_up")
    assert finding.confidence > 0.9
    assert finding.evidence["n_above_infeasible"] > 0


def test_a_wall_far_from_the_best_is_stable():
    assert not list(instability.check(View.of(unstable_evidence(0.25))))


def test_outlying_gradient_norms():
    rng = np.random.default_rng(0)
    parts = []
    for i in range(6):
        norms = rng.lognormal(0, 0.2, 500)
        norms[50::100] *= 1000 if i < 4 else 1
        parts.append((np.arange(500), norms))
    trials = trials_at(points(6, 2))
    once = Curves.pack([([10], [float(i)]) for i in range(6)])
    evidence = make_evidence(make_round(), trials, curves={"valid/error": once, "grad_norm": Curves.pack(parts)})
    (finding,) = instability.check(View.of(evidence))
    assert (finding.evidence["n_trials"], finding.evidence["n_looked"]) == (4, 5)
    assert finding.evidence["share"] == pytest.approx(0.01)


def test_settings_that_change_gradient_noise_are_named():
    design = make_round(scientific={"augmentation": ["none", "crop"]})
    trials = [record(0, {"augmentation": "none", "learning_rate": 0.1, "one_minus_momentum": 0.1})]
    assert codes(instability.check(View.of(make_evidence(design, trials, [0.1])))) == ["gradient_variance"]


# --- sampling, L3


def test_a_sharp_optimum_that_was_hardly_hit_is_undersampled():
    units = points(16, 2)
    keys = 10 * ((units - 0.5) ** 2).sum(axis=1)
    design = make_round(objective={"metric": "valid/error", "material": 0.01})
    (finding,) = sampling.check(View.of(make_evidence(design, trials_at(units), keys)))
    assert (finding.code, finding.severity) == ("undersampled", "warning")
    assert finding.next.to_mapping() == {"action": "add_trials", "trials": 32, "study": "all"}
    assert finding.evidence["n_good"] < 3
    assert finding.evidence["gain"] > 0.01


@pytest.mark.parametrize("material", [1.0, None])
def test_enough_trials_are_enough(material):
    keys = np.random.default_rng(0).normal(size=32)
    objective = {"metric": "valid/error"} | ({"material": material} if material else {})
    assert not list(
        sampling.check(View.of(make_evidence(make_round(objective=objective), trials_at(points(32, 2)), keys)))
    )


# --- sensitivity, L8


def test_what_does_not_matter_can_be_fixed_and_what_does_narrowed():
    units = points(60, 2)
    keys = 5 * (units[:, 0] - 0.5) ** 2 + 0.005 * np.random.default_rng(0).normal(size=60)
    evidence = make_evidence(make_round(), trials_at(units), keys)
    found = {finding.code: finding for finding in sensitivity.check(View.of(evidence))}
    assert set(found) == {"sensitive", "insensitive", "narrow"}
    assert found["sensitive"].subject.hyperparameter == "learning_rate"
    assert found["insensitive"].subject.hyperparameter == "one_minus_momentum"
    best = evidence.trials[int(np.argmin(keys))]
    assert found["insensitive"].next.value == best.config["one_minus_momentum"]
    assert found["narrow"].next.low < 1e-2 < found["narrow"].next.high
    assert found["narrow"].next.apply(make_round()).nuisance[0].domain.low == found["narrow"].next.low


def test_a_ridge_is_an_interaction():
    units = points(60, 2)
    keys = 5 * (units[:, 0] + units[:, 1] - 1.0) ** 2
    found = {
        finding.code: finding
        for finding in sensitivity.check(View.of(make_evidence(make_round(), trials_at(units), keys)))
    }
    assert {found["interaction"].evidence["first"], found["interaction"].evidence["second"]} == {
        "learning_rate", "one_minus_momentum",
    }  # fmt: skip
    assert "insensitive" not in found


def test_noise_says_nothing_about_importance():
    keys = np.random.default_rng(5).normal(size=40)
    assert codes(sensitivity.check(View.of(make_evidence(make_round(), trials_at(points(40, 2)), keys)))) == []


# --- comparison, L9


def compared(shift, **changed):
    design = make_round(scientific={"use_bias": [False, True]}, **changed)
    rng = np.random.default_rng(0)
    trials = [
        record(i, {**trial.config, "use_bias": bool(i % 2)}, study=f"use_bias={str(bool(i % 2)).lower()}")
        for i, trial in enumerate(trials_at(points(60, 2)))
    ]
    keys = rng.lognormal(sigma=0.5, size=60) - shift * (np.arange(60) % 2)
    return View.of(make_evidence(design, trials, keys))


def test_a_better_setting_is_reported_against_the_first():
    (finding,) = comparison.check(compared(0.5, objective={"metric": "valid/error", "material": 0.01}))
    assert (finding.evidence["setting"], finding.evidence["against"]) == ("use_bias=true", "use_bias=false")
    assert finding.evidence["low"] < 0.5 < finding.evidence["high"]
    assert finding.evidence["probability"] > 0.95
    assert "more than what matters" in finding.says
    assert finding.subject.study == "use_bias=true"


def test_equal_settings_stay_open():
    (finding,) = comparison.check(compared(0.0))
    assert finding.evidence["low"] < 0 < finding.evidence["high"]
    assert "cannot tell" in finding.fix


def test_a_range_is_compared_in_buckets():
    design = make_round(scientific={"width": {"low": 0.0, "high": 1.0}})
    trials = [record(i, {**t.config, "width": (i + 0.5) / 40}) for i, t in enumerate(trials_at(points(40, 2)))]
    view = View.of(make_evidence(design, trials, np.random.default_rng(0).random(40)))
    assert [setting.name for setting in comparison.settings(view)] == [
        "width=0 to 0.25", "width=0.25 to 0.5", "width=0.5 to 0.75", "width=0.75 to 1",
    ]  # fmt: skip
    assert len(list(comparison.check(view))) == 3


# --- steps, T2


def step_findings(best_at, rate=None, **changed):
    """Eight trials over 100 evaluations that are best at a share of the run."""
    grid = np.arange(1, 101) * 10
    parts = [(grid, np.abs(grid / 1000 - best_at - 0.005 * i)) for i in range(8)]
    curves = {"valid/error": Curves.pack(parts)}
    if rate is not None:
        curves["learning_rate"] = Curves.pack([(grid, rate(grid / 1000))] * 8)
    evidence = make_evidence(make_round(**changed), trials_at(points(8, 2)), curves=curves)
    return list(steps.check(View.of(evidence)))


def test_best_steps_all_early():
    (finding,) = step_findings(0.05)
    assert finding.code == "best_step_early"
    assert finding.next.max_train_steps == pytest.approx(2 * finding.evidence["latest"] * 1000, abs=1)


def test_best_steps_late_under_a_constant_rate():
    (finding,) = step_findings(0.9, rate=np.ones_like)
    assert (finding.code, finding.severity, finding.next.max_train_steps) == ("best_step_late", "warning", 2000)


def test_late_best_steps_prove_nothing_when_the_rate_decays():
    assert step_findings(0.9, rate=lambda share: 1.001 - share) == []
    assert step_findings(0.9, fixed={"schedule": "cosine"}) == []


def test_late_best_steps_are_qualified_when_the_schedule_is_unknown():
    (finding,) = step_findings(0.9)
    assert (finding.severity, finding.next) == ("note", None)
    assert "proves nothing" in finding.why


def test_steps_in_the_middle_are_fine():
    assert step_findings(0.5) == []


# --- caveats and chance, R2 S7 S1


def test_every_fixed_hyperparameter_is_a_caveat():
    design = make_round(fixed={"batch_size": {"value": 128, "because": "memory"}, "depth": 3})
    old = record(0, {"learning_rate": 0.1, "one_minus_momentum": 0.1, "batch_size": 64}, purpose=TrialPurpose.BASELINE)
    findings = list(caveats.check(View.of(make_evidence(design, [old], [0.1]))))
    assert codes(findings) == ["caveat", "stale_baseline", "caveat"]
    assert "memory" in findings[0].says
    assert (findings[1].evidence["was"], findings[1].evidence["now"]) == ("64", "128")


def test_nothing_better_than_chance_blocks():
    design = make_round(objective={"metric": "valid/error", "chance": 0.9})
    (finding,) = chance.check(View.of(make_evidence(design, trials_at(points(8, 2)), np.linspace(0.9, 0.95, 8))))
    assert (finding.code, finding.severity) == ("not_better_than_chance", "blocking")
    assert finding.evidence["best"] == 0.9


def test_an_earlier_noise_estimate_makes_a_difference_material():
    view = View.of(
        make_evidence(make_round(), trials_at(points(8, 2)), np.arange(8.0)), earlier=Noise(sd=2.0, source="earlier")
    )
    assert sampling.good_distance(view) == (4.0, "the material difference, from earlier")


# --- repeats that refute the search, D1


@pytest.mark.parametrize(("again", "is_refuted"), [([0.4, 0.6, 0.01], True), ([0.02, 0.01, 0.03], False)])
def test_a_winner_whose_repeats_are_typical_is_named(again, is_refuted):
    configs = [{"learning_rate": 0.1 + i / 100} for i in range(8)]
    trials = [record(i, config) for i, config in enumerate(configs)]
    trials += [record(8 + i, configs[0], purpose=TrialPurpose.REPEAT, seed=i + 1) for i in range(len(again))]
    view = View.of(make_evidence(make_round(), trials, [0.005, *np.linspace(0.05, 0.3, 7), *again]))
    found = list(reproduced.check(view))
    assert codes(found) == ["not_reproduced"] * is_refuted
    if found:
        assert found[0].subject.trial == trials[0].name
        assert "average 0.3367 (0.01 to 0.6)" in found[0].says


def test_two_repeats_refute_nothing():
    configs = [{"learning_rate": 0.1 + i / 100} for i in range(8)]
    trials = [record(i, config) for i, config in enumerate(configs)]
    trials += [record(8 + i, configs[0], purpose=TrialPurpose.REPEAT, seed=i + 1) for i in range(2)]
    view = View.of(make_evidence(make_round(), trials, [0.005, *np.linspace(0.05, 0.3, 7), 0.9, 0.9]))
    assert not list(reproduced.check(view))


# --- ruined and finite, S1


@pytest.mark.parametrize(("stated", "found"), [(None, ["chance_not_stated"]), (0.9, [])])
def test_ruined_trials_ask_for_a_chance_level(stated, found):
    """A run that climbs back to the untrained level and stays there has a best value like any other."""
    steps = np.arange(0, 1001, 20)
    good, ruined = 0.1 + 0.8 * np.exp(-steps / 100), np.where(steps < 200, 0.9 - steps / 500, 0.9)
    ruined[-20:] = 0.9
    runs = [good + i / 1000 for i in range(6)] + [ruined + i / 1000 for i in range(3)]
    trials = [record(i, {"learning_rate": 0.01 * (i + 1)}) for i in range(len(runs))]
    objective = {"metric": "valid/error", "chance": stated} if stated else {"metric": "valid/error"}
    evidence = make_evidence(
        make_round(objective=objective, max_train_steps=1000),
        trials,
        curves={"valid/error": Curves.pack([(steps, run) for run in runs])},
    )
    findings = list(chance.check(View.of(evidence)))
    assert codes(findings) == found
    if found:
        assert findings[0].evidence["n_ruined"] == 3
        assert findings[0].evidence["level"] == pytest.approx(0.9, abs=0.01)

"""Laws of the plot data: nothing is lost, bounds are there, JSON is small."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from show_builders import design, make_evidence

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import Curves, Evidence
from tunebook.show.data.axes import axis_data
from tunebook.show.data.best_of_n import BestOfN, best_of_n_data
from tunebook.show.data.curves import BACKGROUND_POINTS, FEWEST_POINTS, curves_data, points_each
from tunebook.show.data.histograms import best_step_data, grad_norm_data
from tunebook.show.data.isolation import isolation_data
from tunebook.show.data.numbers import rounded, short, shown_range, wants_log
from tunebook.show.data.page import plot_data
from tunebook.show.data.parallel import MOST_LINES, parallel_data
from tunebook.show.data.studies import study_summaries
from tunebook.show.data.table import trial_table


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200))
def test_rounding_keeps_four_digits_and_prints_shortly(value: float) -> None:
    (found,) = rounded([value])
    assert found is not None
    assert math.isclose(found, value, rel_tol=5.1e-4, abs_tol=1e-290)
    if 1e-15 < abs(value) < 1e15:
        assert found == float(f"{value:.3e}") or math.isclose(abs(value / found - 1), 5e-4, rel_tol=0.2)
        assert len(repr(found)) <= 22


def test_what_is_not_finite_becomes_null() -> None:
    assert rounded([0.123456, math.nan, math.inf, 0.0, -12345.6]) == [0.1235, None, None, 0.0, -12350.0]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0213456, "0.02135"), (1.23e-5, "1.23e-05"), (12345.6, "12346"), (math.nan, "–"), (0.0, "0")]
)
def test_numbers_for_people(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("sign", [1, -1])
def test_the_wall_lies_on_the_worse_side_inside_of_the_plot(sign: int) -> None:
    values = np.array([0.1, 0.2, 0.3, 50.0 * sign])
    shown = shown_range(values, sign)
    assert shown.low < min(shown.far, shown.wall)
    assert max(shown.far, shown.wall) < shown.high
    assert sign * shown.wall > sign * shown.far > sign * np.sort(sign * values)[2] * sign
    assert not shown.low <= 50.0 * sign <= shown.high


def test_one_value_or_none_still_has_a_range() -> None:
    for values in (np.array([2.0, 2.0]), np.array([0.0]), np.array([np.nan]), np.empty(0)):
        shown = shown_range(values, 1)
        assert shown.low < shown.far < shown.wall < shown.high


def test_log_only_for_positive_values_over_decades() -> None:
    assert wants_log(np.geomspace(1e-3, 10, 50))
    assert not wants_log(np.linspace(1, 5, 50))
    assert not wants_log(np.append(np.geomspace(1e-3, 10, 50), 0.0))


def test_axes_hold_every_trial_that_has_the_hyperparameter_with_bounds_and_scale() -> None:
    evidence = make_evidence(40)
    table = trial_table(evidence)
    axes = {axis.label: axis for axis in axis_data(table, evidence.round)}
    assert list(axes) == [item.label for item in evidence.round.searched]
    rate = axes["learning_rate"]
    assert (rate.low, rate.high, rate.scale) == (1e-4, 1.0, "log")
    np.testing.assert_array_equal(rate.x, [trial.config["learning_rate"] for trial in evidence.trials])
    assert axes["momentum"].scale == "reverse_log"
    assert axes["layers"].is_whole
    assert axes["activation"].categories == ("relu", "gelu", "tanh")
    drop = axes["dropout_rate[use_dropout=true]"]
    np.testing.assert_array_equal(np.isfinite(drop.x), [trial.config["use_dropout"] for trial in evidence.trials])
    assert np.isfinite(rate.x[table.infeasible]).all()
    assert table.infeasible.sum() == sum(trial.status is Status.INFEASIBLE for trial in evidence.trials) > 0


def test_positions_in_the_unit_interval_follow_the_scale() -> None:
    evidence = make_evidence(40)
    for axis in axis_data(trial_table(evidence), evidence.round):
        unit = axis.unit()[np.isfinite(axis.x)]
        assert ((unit >= 0) & (unit <= 1)).all(), axis.label
        assert (np.argsort(unit, kind="stable") == np.argsort(axis.x[np.isfinite(axis.x)], kind="stable")).all()


def test_a_value_outside_of_a_choice_is_shown_not_dropped() -> None:
    evidence = make_evidence(8)
    odd = replace(evidence.trials[0], config=evidence.trials[0].config.merged({"activation": "swish"}))
    evidence = replace(evidence, trials=(odd, *evidence.trials[1:]))
    axis = next(axis for axis in axis_data(trial_table(evidence), evidence.round) if axis.label == "activation")
    assert axis.categories == ("relu", "gelu", "tanh", "swish")
    assert axis.x[0] == 3


def test_one_name_on_two_branches_is_two_axes() -> None:
    rates = {word: {"rate": {"low": low, "high": 1.0}} for word, low in (("true", 0.1), ("false", 0.2))}
    made = design(4, nuisance={"when": {"use_dropout": rates}})
    evidence = make_evidence(4)
    configs = [Config({"use_dropout": drops, "rate": 0.5}) for drops in (True, False, True, False)]
    trials = tuple(replace(t, config=config) for t, config in zip(evidence.trials, configs, strict=True))
    evidence = replace(evidence, round=made, trials=trials)
    _, with_it, without = axis_data(trial_table(evidence), made)
    assert (with_it.label, without.label) == ("rate[use_dropout=true]", "rate[use_dropout=false]")
    assert (with_it.low, without.low) == (0.1, 0.2)
    assert np.isfinite(with_it.x).tolist() == [True, False, True, False]
    assert np.isfinite(without.x).tolist() == [False, True, False, True]


def test_repeats_have_curves_but_no_place_in_the_sample() -> None:
    evidence = make_evidence(12)
    repeat = replace(evidence.trials[3], purpose=TrialPurpose.REPEAT)
    evidence = replace(evidence, trials=(*evidence.trials[:3], repeat, *evidence.trials[4:]))
    table = trial_table(evidence)
    assert 3 not in table.best
    assert not table.feasible[3]
    data = curves_data(evidence, table)
    assert data is not None
    assert 3 in data.trials


def test_the_objective_can_be_changed_afterwards() -> None:
    evidence = make_evidence(24)
    low = plot_data(evidence)
    high = plot_data(evidence, Objective(metric="train/loss", direction="maximize", reduce="final"))
    assert high.table.objective.metric == high.curves[0].metric == "train/loss"
    best = high.table.values[high.table.best[0]]
    assert best == np.nanmax(high.table.values[high.table.feasible])
    assert low.table.values[low.table.best[0]] == np.nanmin(low.table.values)


def test_curves_of_all_trials_are_there_and_the_best_in_front() -> None:
    evidence = make_evidence(60)
    table = trial_table(evidence)
    data = curves_data(evidence, table)
    assert data is not None
    assert data.twin == "train/error"
    assert [curve.trial for curve in data.front] == table.order[:5].tolist()
    assert sorted([*data.trials.tolist(), *(curve.trial for curve in data.front)]) == list(range(60))
    steps, values = evidence.curves["valid/error"][data.front[0].trial]
    np.testing.assert_array_equal(data.front[0].values, values)
    np.testing.assert_array_equal(data.front[0].twin_steps, steps)
    assert data.linear[0] < values.min() < values.max() < data.linear[1]


def test_the_end_of_a_broken_curve_is_its_last_finite_step() -> None:
    evidence = make_evidence(2, metrics=("valid/error",))
    curves = Curves.pack([([0, 1, 2, 3], [1.0, 2.0, np.inf, np.nan]), ([0, 5], [np.nan, np.nan])])
    trials = tuple(replace(t, status=Status.INFEASIBLE, cause=Cause.DIVERGED) for t in evidence.trials)
    evidence = replace(evidence, trials=trials, curves={"valid/error": curves})
    data = curves_data(evidence, trial_table(evidence))
    assert data is not None
    assert data.ends.tolist() == [1, -1]


def test_curves_in_json_can_be_put_together_again() -> None:
    evidence = make_evidence(30)
    data = curves_data(evidence, trial_table(evidence))
    assert data is not None
    found = data.to_mapping()
    assert sum(found["lengths"]) == len(found["values"]) == len(found["at"])
    np.testing.assert_array_equal(np.array(found["grid"])[found["at"]], data.background.steps)


@given(st.integers(1, 100_000))
def test_the_budget_of_points_is_shared(n_trials: int) -> None:
    each = points_each(n_trials)
    assert FEWEST_POINTS <= each <= 200
    assert each * n_trials <= max(BACKGROUND_POINTS, FEWEST_POINTS * n_trials)


def test_a_metric_nobody_logged_has_no_curves() -> None:
    evidence = make_evidence(4)
    assert curves_data(evidence, trial_table(evidence), "valid/nothing") is None


def test_isolation_names_the_best_trial_of_each_setting() -> None:
    evidence = make_evidence(40)
    table = trial_table(evidence)
    axis = axis_data(table, evidence.round)[0]
    data = isolation_data(table, axis, {"true": (0.01, 0.05)})
    assert [setting.label for setting in data.settings] == ["false", "true"]
    assert data.settings[1].interval == (0.01, 0.05)
    for setting, drops in zip(data.settings, (False, True), strict=True):
        own = [i for i in range(40) if evidence.trials[i].config["use_dropout"] is drops]
        assert table.values[setting.best] == np.nanmin(table.values[own])
        assert setting.n_feasible + setting.n_infeasible == len(own)


@pytest.mark.parametrize("label", ["learning_rate", "momentum", "layers"])
def test_buckets_cover_the_range_and_hold_every_trial_once(label: str) -> None:
    evidence = make_evidence(60)
    table = trial_table(evidence)
    axis = next(axis for axis in axis_data(table, evidence.round) if axis.label == label)
    settings = isolation_data(table, axis).settings
    assert settings[0].low == pytest.approx(axis.low)
    assert settings[-1].high == pytest.approx(axis.high)
    assert all(a.high == b.low for a, b in itertools.pairwise(settings))
    assert sum(setting.n_feasible + setting.n_infeasible for setting in settings) == 60
    for setting in settings:
        if setting.best is not None:
            assert setting.low * (1 - 1e-12) <= axis.x[setting.best] <= setting.high * (1 + 1e-12)


def one_study(evidence: Evidence) -> BestOfN:
    trials = tuple(replace(trial, study="all") for trial in evidence.trials)
    (found,) = best_of_n_data(trial_table(replace(evidence, trials=trials, studies=())))
    return found


def test_best_of_n_is_the_bootstrap_in_the_limit() -> None:
    evidence = make_evidence(64, seed=3)
    data = one_study(evidence)
    table = trial_table(evidence)
    pool = np.where(np.isfinite(table.values), table.values, np.inf)
    random = np.random.default_rng(0)
    for n, quantiles in zip(data.budgets.tolist(), data.quantiles, strict=True):
        drawn = np.sort(random.choice(pool, (4000, n)).min(axis=1))
        for q, value in zip((0.05, 0.25, 0.5, 0.75, 0.95), quantiles.tolist(), strict=True):
            low, high = np.quantile(drawn, [max(q - 0.03, 0), min(q + 0.03, 1)], method="inverted_cdf")
            assert low <= (np.inf if np.isnan(value) else value) <= high, (n, q)


def test_infeasible_trials_count_as_the_worst_in_best_of_n() -> None:
    evidence = make_evidence(20)
    trials = tuple(
        replace(t, status=Status.INFEASIBLE, cause=Cause.DIVERGED) if i >= 8 else t
        for i, t in enumerate(evidence.trials)
    )
    data = one_study(replace(evidence, trials=trials))
    assert data.n_trials == 20
    assert np.isnan(data.quantiles[0, 2:]).all()


def test_parallel_lines_are_bounded_and_end_with_the_best() -> None:
    evidence = make_evidence(700, n_points=3)
    table = trial_table(evidence)
    data = parallel_data(table, axis_data(table, evidence.round))
    assert len(data.trials) <= MOST_LINES + data.n_best + 1
    assert data.trials[-data.n_best :].tolist() == table.best[::-1].tolist()
    assert data.heights[-1, -1] == 1.0
    assert np.isnan(data.heights[table.infeasible[data.trials], -1]).all()
    assert table.infeasible[data.trials].any()


def test_best_steps_are_shares_of_the_run_whatever_the_reduction() -> None:
    evidence = make_evidence(30)
    data = best_step_data(evidence, trial_table(evidence))
    final = best_step_data(evidence, trial_table(evidence, evidence.round.objective.revised("final")))
    assert data is not None
    assert final is not None
    assert data.counts.sum() == trial_table(evidence).feasible.sum()
    np.testing.assert_array_equal(data.counts, final.counts)
    assert data.marks == (("early", 0.1), ("late", 0.75))


def test_gradient_norms_of_the_best_trial_with_their_90th_percentile() -> None:
    evidence = make_evidence(30)
    table = trial_table(evidence)
    data = grad_norm_data(evidence, table)
    assert data is not None
    norms = evidence.curves["grad_norm"][int(table.order[0])][1]
    assert data.trial == table.order[0]
    assert data.histogram.counts.sum() == len(norms)
    assert data.histogram.marks[0][1] == pytest.approx(np.quantile(norms, 0.9))
    assert grad_norm_data(make_evidence(8, metrics=("valid/error",)), table) is None


def test_studies_come_out_as_the_contract_shows_them() -> None:
    evidence = make_evidence(20)
    found = [item.to_mapping() for item in study_summaries(trial_table(evidence))]
    assert [item["study"] for item in found] == ["use_dropout=false", "use_dropout=true"]
    assert set(found[0]) == {"study", "trials", "complete", "infeasible", "failed", "best"}
    assert set(found[0]["best"]) == {"trial", "value", "step", "config"}
    assert all(item["trials"] == item["complete"] + item["infeasible"] + item["failed"] for item in found)
    json.dumps(found)


def changed(n_trials: int, **changes: object) -> Evidence:
    evidence = make_evidence(max(n_trials, 1))
    keep = {metric: Curves.pack([curves[i] for i in range(n_trials)]) for metric, curves in evidence.curves.items()}
    return replace(evidence, trials=evidence.trials[:n_trials], curves=keep, **changes)  # type: ignore[arg-type]


def bad_inputs() -> dict[str, Evidence]:
    some = make_evidence(6)
    constant = {
        m: Curves.pack([(c[i][0], np.full(len(c[i][0]), 0.5)) for i in range(6)]) for m, c in some.curves.items()
    }
    wrong = tuple(replace(t, status=Status.INFEASIBLE, cause=Cause.DIVERGED) for t in some.trials)
    return {
        "no trial": changed(0),
        "one trial": changed(1),
        "all infeasible": replace(some, trials=wrong),
        "all pending": replace(some, trials=tuple(replace(t, status=Status.PENDING, cause=None) for t in some.trials)),
        "constant objective": replace(some, curves=constant),
        "no curves": replace(some, curves={}),
        "metric missing in some": replace(
            some, curves={"valid/error": Curves.pack([some.curves["valid/error"][0], *[([], [])] * 5])}
        ),
        "nothing varied": replace(some, round=without_most(some)),
        "only NaN": replace(some, curves={"valid/error": Curves.pack([([0, 1], [np.nan, np.nan])] * 6)}),
    }


def without_most(evidence: Evidence) -> Round:
    return design(6, scientific={}, nuisance={"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}})


@pytest.mark.parametrize("name", bad_inputs())
def test_bad_input_gives_data_that_is_json(name: str) -> None:
    evidence = bad_inputs()[name]
    document = json.loads(compact(plot_data(evidence).to_mapping()))
    assert len(document["trials"]["names"]) == len(evidence.trials)


def test_all_data_of_1000_trials_is_small() -> None:
    text = compact(plot_data(make_evidence(1000, n_points=100)).to_mapping())
    assert len(text) < 1.5e6


@pytest.mark.slow
def test_all_data_of_10_000_trials_is_under_3_megabytes() -> None:
    text = compact(plot_data(make_evidence(10_000, n_points=100)).to_mapping())
    assert len(text) < 3e6

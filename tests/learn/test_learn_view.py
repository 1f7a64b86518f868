"""View: masks, columns, noise and material."""

import numpy as np
import pytest
from learn_builders import make_evidence, make_round, record

from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import Curves
from tunebook.learn.view import Noise, View

CONFIG = {"learning_rate": 1e-2, "one_minus_momentum": 0.1}


def test_masks_tell_results_from_mishaps():
    design = make_round(objective={"metric": "valid/error", "chance": 0.9})
    trials = [
        record(0, CONFIG),
        record(1, CONFIG),
        record(2, CONFIG, Status.INFEASIBLE),
        record(3, CONFIG, Status.FAILED),
        record(4, CONFIG),
    ]
    view = View.of(make_evidence(design, trials, [0.1, 0.9, np.nan, 0.2, np.nan]))
    assert view.feasible.tolist() == [True, False, False, False, False]
    assert view.infeasible.tolist() == [False, True, True, False, False]
    assert view.order.tolist() == [0]


def test_keys_and_order_follow_the_direction():
    trials = [record(i, CONFIG) for i in range(3)]
    evidence = make_evidence(make_round(), trials, [0.3, 0.1, 0.2])
    assert View.of(evidence).order.tolist() == [1, 2, 0]
    upward = View.of(evidence, Objective(metric="valid/error", direction="maximize"))
    assert upward.order.tolist() == [0, 2, 1]
    assert upward.keys.tolist() == [-0.3, -0.1, -0.2]


def test_units_are_positions_in_the_range_and_nan_where_inactive():
    design = make_round(
        scientific={"use_dropout": [False, True]},
        nuisance={
            "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
            "when": {"use_dropout": {"true": {"dropout_rate": {"low": 0.0, "high": 0.5}}}},
        },
    )
    trials = [
        record(0, {"use_dropout": False, "learning_rate": 1e-2}),
        record(1, {"use_dropout": True, "learning_rate": 1.0, "dropout_rate": 0.1}),
    ]
    view = View.of(make_evidence(design, trials, [0.1, 0.2]))
    rate, dropout = design.nuisance
    assert view.units(rate) == pytest.approx([0.5, 1.0])
    assert view.units(dropout) == pytest.approx([np.nan, 0.2], nan_ok=True)
    assert view.units(rate) is view.units(rate)
    assert not view.units(rate).flags.writeable


def test_repeats_give_the_noise_and_twice_it_is_material():
    other = {**CONFIG, "learning_rate": 0.1}
    trials = [record(0, CONFIG), record(1, CONFIG, purpose=TrialPurpose.REPEAT), record(2, other), record(3, other)]
    view = View.of(make_evidence(make_round(), trials, [0.1, 0.3, 0.5, 0.5]), earlier=Noise(sd=9.0, source="earlier"))
    assert (view.noise.sd, view.noise.source, view.noise.degrees) == (pytest.approx(0.1), "repeats", 2)
    median = (0.2 / np.sqrt(2) + 0.0) / 2
    assert view.material.value == pytest.approx(2 * median)
    assert view.searched_trials.tolist() == [True, False, True, True]


def test_sources_of_material_in_their_order():
    trials = [record(0, CONFIG), record(1, {**CONFIG, "learning_rate": 0.1})]
    declared = make_evidence(make_round(objective={"metric": "valid/error", "material": 0.01}), trials, [0.1, 0.2])
    plain = make_evidence(make_round(), trials, [0.1, 0.2])
    assert View.of(declared, earlier=Noise(sd=1.0, source="earlier")).material.source == "design"
    assert View.of(plain, earlier=Noise(sd=1.0, source="earlier")).material.value == 2.0
    assert (View.of(plain).material.value, View.of(plain).material.source) == (None, "none")


def test_curves_tell_the_noise_when_nothing_else_does():
    rng = np.random.default_rng(0)
    parts = [(np.arange(500), 1 / (1 + np.arange(500)) + 0.02 * rng.normal(size=500)) for _ in range(2)]
    evidence = make_evidence(
        make_round(), [record(i, {**CONFIG, "learning_rate": 0.1 + i / 10}) for i in range(2)],
        curves={"valid/error": Curves.pack(parts)},
    )  # fmt: skip
    material = View.of(evidence).material
    assert material.source == "curves"
    assert 0.005 < material.value < 0.05


def test_a_missing_metric_leaves_nothing_feasible():
    evidence = make_evidence(make_round(), [record(0, CONFIG)], [0.1])
    view = View.of(evidence, Objective(metric="valid/loss"))
    assert not view.feasible.any()
    assert not view.infeasible.any()

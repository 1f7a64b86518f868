"""Shapes of curves: injected faults are found, clean curves are left alone, and odd inputs never break."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tunebook.stats import curve_gain, curve_period, curve_rise, curve_ruin, curve_scatter, curve_spike, curve_unit
from tunebook.stats.curve_mark import logistic
from tunebook.stats.curve_noise import SlowNoise, slow_noise
from tunebook.stats.curve_smooth import median_before, noise_of, on_grid, robust_scale, running_median
from tunebook.stats.variance import Spread

N_CURVES = 200
SD = 0.01
#: The material unit of the simulated workload: twice the noise of one evaluation (methods §7).
UNIT = 2 * SD


def ar1(rng, n_curves, n_points, phi, sd=SD):
    """Noise with this autocorrelation and standard deviation."""
    noise = np.empty((n_curves, n_points))
    noise[:, 0] = rng.normal(scale=sd, size=n_curves)
    for place in range(1, n_points):
        noise[:, place] = phi * noise[:, place - 1] + rng.normal(scale=sd * math.sqrt(1 - phi**2), size=n_curves)
    return noise


def saturating(x):
    """A loss that falls quickly and is flat from a third of the run on."""
    return 0.5 + 1.5 * np.exp(-x / 0.05)


def share(marks):
    return np.mean([mark.score >= 0.5 for mark in marks])


@pytest.fixture(params=[0.0, 0.3, 0.6], ids="phi={}".format)
def clean(request):
    x = np.linspace(0.0, 1.0, 100)
    return x, saturating(x) + ar1(np.random.default_rng(7), N_CURVES, 100, request.param)


def test_clean_curves_raise_at_most_five_percent(clean):
    x, curves = clean
    assert share([curve_spike.spike(x, y) for y in curves]) <= 0.05
    assert share([curve_rise.sustained_rise(x, y) for y in curves]) <= 0.05
    assert share([curve_gain.late_gain(x, y, UNIT) for y in curves]) <= 0.05
    assert share([curve_period.periodicity(x, y) for y in curves]) <= 0.05
    assert share([curve_ruin.explosion(x, y, True) for y in curves]) <= 0.05


@pytest.fixture(params=[0.0, 0.3, 0.6], ids="phi={}".format)
def pairs(request):
    """Validation and training curves, each with a noise of its own."""
    rng = np.random.default_rng(7)
    x = np.linspace(0.0, 1.0, 100)
    valid, train = (ar1(rng, N_CURVES, 100, request.param) for _ in range(2))
    return x, saturating(x) + valid, saturating(x) - 0.2 * x + train


@pytest.mark.parametrize("unit", [UNIT, SD, SD / 4])
def test_slow_noise_is_not_taken_for_overfitting(pairs, unit):
    x, valid, train = pairs
    threshold = curve_rise.WORSE_UNITS * unit
    found = [curve_rise.worsening(x, y, threshold, (x, twin)) for y, twin in zip(valid, train, strict=True)]
    assert share(found) <= 0.05


@pytest.mark.parametrize(("faults", "recall"), [(4, 0.8), (6, 0.95), (8, 0.98)])
def test_injected_overfitting_is_found(pairs, faults, recall):
    x, valid, train = pairs
    worse = valid + faults * SD * np.clip((x - 0.5) / 0.4, 0, 1)
    threshold = curve_rise.WORSE_UNITS * UNIT
    found = [curve_rise.worsening(x, y, threshold, (x, twin)) for y, twin in zip(worse, train, strict=True)]
    assert share(found) >= recall


def test_worsening_that_training_shares_is_not_overfitting(clean):
    x, curves = clean
    worse = curves + 8 * SD * np.clip((x - 0.5) / 0.4, 0, 1)
    assert share([curve_rise.worsening(x, y, curve_rise.WORSE_UNITS * UNIT, (x, y - 0.1)) for y in worse]) <= 0.05


def test_injected_spikes_are_found(clean):
    x, curves = clean
    spiked = curves.copy()
    spiked[np.arange(N_CURVES), np.random.default_rng(0).integers(30, 95, N_CURVES)] += 0.4
    assert share([curve_spike.spike(x, y) for y in spiked]) >= 0.9


def batch_losses(noise, n_points, *, is_spiked, seed, n_runs=60):
    """A loss that falls to near nothing, of single batches: multiplicative noise, here and there an instability."""
    rng = np.random.default_rng(seed)
    x = np.arange(n_points) / n_points
    for _ in range(n_runs):
        y = 2.3 * np.exp(-4 * x) + 0.02
        if is_spiked:
            start, lasting = rng.integers(n_points // 10, 9 * n_points // 10), rng.uniform(0.01, 0.05) * n_points
            y[start:] += 2 * y[start] * np.exp(-np.arange(n_points - start) / lasting)
        yield x, y * rng.gamma(noise**-2, noise**2, n_points)


@pytest.mark.parametrize("n_points", [100, 600])
@pytest.mark.parametrize("noise", [0.02, 0.15, 0.3, 0.6, 1.0])
def test_an_unlucky_batch_is_no_spike(noise, n_points):
    quiet = batch_losses(noise, n_points, is_spiked=False, seed=5)
    assert share([curve_spike.spike(*curve, is_of_batches=True) for curve in quiet]) <= 0.05


@pytest.mark.parametrize(("noise", "n_points", "found"), [(0.05, 100, 0.95), (0.05, 600, 0.95), (0.15, 600, 0.8)])
def test_an_instability_shows_in_the_loss_of_the_batches(noise, n_points, found):
    spiked = batch_losses(noise, n_points, is_spiked=True, seed=6)
    assert share([curve_spike.spike(*curve, is_of_batches=True) for curve in spiked]) >= found


def test_a_lasting_rise_is_above_what_was_before_it():
    y = np.r_[np.tile([1.0, 2.0], 20), 3.0, 1.5, 2.5, 2.6, 2.7, np.ones(5)]
    assert np.flatnonzero(curve_spike.lasts(y)).tolist() == []
    y[41] = 3.0
    assert np.flatnonzero(curve_spike.lasts(y)).tolist() == [40]
    assert not curve_spike.lasts(y[:2]).any()


def test_the_place_of_a_spike_is_named():
    x = np.linspace(0, 1, 101)
    y = saturating(x)
    y[60] = 2.0
    mark = curve_spike.spike(x, y)
    assert mark.first == pytest.approx(0.6)
    assert mark.size == pytest.approx(3.0, rel=0.01)


def test_a_slow_rise_is_no_spike():
    x = np.linspace(0, 1, 101)
    assert curve_spike.spike(x, saturating(x) + 2 * np.clip(x - 0.3, 0, 1)).score < 0.5


def test_a_loss_that_explodes_from_the_start_is_no_spike():
    x = np.linspace(0, 1, 60)
    assert curve_spike.spike(x, np.exp(30 * x)).score < 0.5


def test_a_rising_loss_is_found_and_a_jump_is_not(clean):
    x, curves = clean
    assert share([curve_rise.sustained_rise(x, y + 0.15 * np.clip((x - 0.4) / 0.5, 0, 1)) for y in curves]) >= 0.9
    step_down_again = np.where((x > 0.5) & (x < 0.55), 0.5, 0.0)
    assert share([curve_rise.sustained_rise(x, y + step_down_again) for y in curves]) <= 0.02


def test_late_gains_are_found_and_a_flattened_end_is_not():
    x = np.linspace(0, 1, 100)
    noise = ar1(np.random.default_rng(3), N_CURVES, 100, 0.3)
    falling, flattened = 1.0 - 0.6 * x, 1.0 - 0.6 * np.minimum(x, 0.9)
    assert share([curve_gain.late_gain(x, falling + row, UNIT) for row in noise]) >= 0.9
    assert share([curve_gain.late_gain(x, flattened + row / 20, UNIT) for row in noise]) <= 0.05


@pytest.mark.parametrize(("gain", "is_saturated"), [(0.0, True), (0.9, True), (1.6, False), (5.0, False)])
def test_saturation_is_a_second_half_without_a_material_gain(gain, is_saturated):
    x = np.linspace(0, 1, 41)
    y = np.where(x <= 0.5, 1.0, 1.0 - gain * UNIT)
    mark = curve_gain.gain_of_second_half(x, y, UNIT)
    assert mark.size == pytest.approx(gain * UNIT)
    assert (mark.score >= 0.5) is is_saturated


def test_late_scatter_needs_noise_beyond_the_unit_and_the_gain():
    x = np.linspace(0, 1, 100)
    noise = ar1(np.random.default_rng(5), N_CURVES, 100, 0.0)
    flat = [curve_scatter.late_scatter(x, saturating(x) + 4 * row, UNIT) for row in noise]
    quiet = [curve_scatter.late_scatter(x, saturating(x) + row / 4, UNIT) for row in noise]
    gaining = [curve_scatter.late_scatter(x, 2 - x + 4 * row, UNIT) for row in noise]
    assert share(flat) >= 0.95
    assert share(quiet) == 0.0
    assert share(gaining) <= 0.05


def test_a_smooth_cycle_is_no_scatter():
    x = np.linspace(0, 1, 400)
    assert curve_scatter.late_scatter(x, 1 + np.sin(20 * x), UNIT).score < 0.5


@pytest.mark.parametrize("period", [3, 7, 20])
def test_periods_are_found_with_their_length(period):
    rng = np.random.default_rng(period)
    index = np.arange(200)
    x = index / 199
    marks = [
        curve_period.periodicity(x, saturating(x) + 12 * SD * np.sin(2 * np.pi * index / period) + row)
        for row in rng.normal(scale=SD, size=(50, 200))
    ]
    assert share(marks) >= 0.9
    multiples = [mark.first * 199 / period for mark in marks]
    assert np.mean(np.isclose(multiples, np.maximum(np.round(multiples), 1), atol=0.15)) >= 0.9


def test_divergence_in_its_four_forms():
    x = np.linspace(0, 1, 50)
    loss = saturating(x)
    assert curve_ruin.nonfinite_end(np.append(loss, np.nan)).score == 1.0
    assert curve_ruin.nonfinite_end(np.insert(loss, 20, np.nan)).score == 0.0
    assert curve_ruin.explosion(x, loss + 10 * np.clip(x - 0.8, 0, 1), metric_lost=False).score > 0.5
    assert curve_ruin.lost_metric(x, np.full(50, 0.9), chance=0.9).score > 0.5
    assert curve_ruin.lost_metric(x, np.where(x < 0.7, 0.3, 0.95), chance=0.9).score > 0.5
    assert curve_ruin.lost_metric(x, loss, chance=1.9).score < 0.5


def test_a_running_median_of_three_by_hand():
    assert running_median(np.array([1.0, 9.0, 2.0, 3.0, 0.0])).tolist() == [5.0, 2.0, 3.0, 2.0, 1.5]


@pytest.mark.parametrize("width", [3, 5, 21])
def test_the_median_before_a_point_leaves_the_point_out(width):
    y = np.random.default_rng(0).normal(size=60)
    found = median_before(y, width)
    assert found[width:].tolist() == [np.median(y[i - width : i]) for i in range(width, 60)]


def test_noise_ignores_a_straight_trend():
    y = np.random.default_rng(1).normal(scale=0.3, size=5000)
    assert noise_of(y) == pytest.approx(0.3, rel=0.06)
    assert noise_of(y + 5 * np.arange(5000)) == pytest.approx(noise_of(y))
    assert robust_scale(y) == pytest.approx(0.3, rel=0.06)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, 0.8])
def test_slow_noise_is_measured_around_a_falling_curve(phi):
    x = np.linspace(0, 1, 3000)
    noise = slow_noise(x, saturating(x) + x * np.cos(3 * x) + ar1(np.random.default_rng(2), 1, 3000, phi)[0])
    assert noise.memory == pytest.approx(phi, abs=0.06)
    assert noise.sd == pytest.approx(SD, rel=0.1)


def test_few_points_leave_the_usual_memory_and_fewer_say_nothing():
    x = np.linspace(0, 1, 12)
    alternating = slow_noise(x, (-1.0) ** np.arange(12))
    assert 0.05 <= alternating.memory <= 0.5
    assert slow_noise(x[:8], x[:8]) is None
    assert slow_noise(x, np.ones(12)).sd == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("n_points", [1, 2, 7, 60])
def test_the_error_of_a_mean_is_that_of_the_whole_covariance(phi, n_points):
    places = np.arange(n_points)
    covariance = 4.0 * phi ** np.abs(places[:, None] - places)
    (error,) = SlowNoise(sd=2.0, memory=phi).error_of_mean(np.array([float(n_points)]))
    assert error == pytest.approx(math.sqrt(covariance.mean()))


def test_a_trend_is_visible_only_beyond_the_memory_of_its_noise():
    rng = np.random.default_rng(11)
    x = np.linspace(0, 1, 60)
    noise = ar1(rng, N_CURVES, 60, 0.6)
    assert share([curve_gain.late_gain(x, saturating(x) + row, SD) for row in noise]) <= 0.05
    assert share([curve_gain.late_gain(x, 2 - 0.8 * x + row, SD) for row in noise]) >= 0.9


@pytest.mark.parametrize(("gain", "is_stuck"), [(0.0, True), (0.0005, True), (0.02, False)])
def test_a_run_that_gains_nothing_on_the_untrained_model_is_stuck(gain, is_stuck):
    falling = 2.3 * (1 - gain * np.linspace(0, 1, 30))
    flat = np.full(30, 0.9)
    assert (curve_ruin.never_learned(flat, falling).score >= 0.5) is is_stuck
    assert (curve_ruin.never_learned(falling, flat).score >= 0.5) is is_stuck
    assert curve_ruin.never_learned(flat[:2], falling).score == 0.0


def test_the_unit_is_twice_the_spread_of_the_better_configurations():
    keys = np.array([0.5, 0.9, 0.01, 0.1, 0.12])
    groups = np.array([0, 0, 1, 2, 2])
    assert curve_unit.unit_from_repeats(keys, groups) == pytest.approx(2 * np.std([0.1, 0.12], ddof=1))
    assert math.isnan(curve_unit.unit_from_repeats(keys[2:3], groups[2:3]))


def test_the_gain_of_a_curve_corrects_repeats_as_far_as_they_leave_it_open():
    few, many = np.array([0.0, 1.0] * 2), np.array([0.0, 1.0] * 200)
    plain = curve_unit.unit_from_repeats(few, np.zeros(4, np.int64))
    low, high = Spread(sd=plain, degrees=3).interval()
    assert curve_unit.unit_from_repeats(few, np.zeros(4, np.int64), gain=1e-6) == pytest.approx(low)
    assert curve_unit.unit_from_repeats(few, np.zeros(4, np.int64), gain=1e6) == pytest.approx(high)
    assert curve_unit.unit_from_repeats(many, np.zeros(400, np.int64), gain=1e-6) == pytest.approx(1.0, rel=0.1)


@given(size=st.floats(1e-6, 1e6), threshold=st.floats(1e-6, 1e6))
def test_scores_are_half_at_the_threshold_and_symmetric(size, threshold):
    assert logistic(threshold, threshold, 4.0) == pytest.approx(0.5)
    mirrored = threshold * threshold / size
    assert logistic(size, threshold, 4.0) + logistic(mirrored, threshold, 4.0) == pytest.approx(1.0)


SHAPES = {
    "late_gain": lambda x, y: curve_gain.late_gain(x, y, 0.1),
    "second_half": lambda x, y: curve_gain.gain_of_second_half(x, y, 0.1),
    "late_scatter": lambda x, y: curve_scatter.late_scatter(x, y, 0.1),
    "spike": curve_spike.spike,
    "batch_spike": lambda x, y: curve_spike.spike(x, y, is_of_batches=True),
    "sustained_rise": curve_rise.sustained_rise,
    "worsening": lambda x, y: curve_rise.worsening(x, y, 0.1, (x, y)),
    "periodicity": curve_period.periodicity,
    "nonfinite_end": lambda x, y: curve_ruin.nonfinite_end(y),
    "explosion": lambda x, y: curve_ruin.explosion(x, y, True),
    "never_learned": lambda x, y: curve_ruin.never_learned(y, y),
    "lost_metric": lambda x, y: curve_ruin.lost_metric(x, y, 0.5),
}
VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0])


@pytest.mark.parametrize("name", SHAPES)
@given(y=arrays(np.float64, st.integers(0, 40), elements=VALUES))
def test_any_curve_gives_a_score(name, y):
    x = np.sort(np.linspace(0, 1, max(len(y), 1))[: len(y)] ** 2)
    assert 0.0 <= SHAPES[name](x, y).score <= 1.0


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 50))
def test_labels_do_not_depend_on_the_unit_of_the_metric(scale, seed):
    x = np.linspace(0, 1, 60)
    y = saturating(x) + 0.05 * np.random.default_rng(seed).normal(size=60)
    for here, there in (
        (curve_gain.late_gain(x, y, 0.1), curve_gain.late_gain(x, scale * y, 0.1 * scale)),
        (curve_scatter.late_scatter(x, y, 0.1), curve_scatter.late_scatter(x, scale * y, 0.1 * scale)),
        (curve_spike.spike(x, y), curve_spike.spike(x, scale * y)),
        (curve_rise.sustained_rise(x, y), curve_rise.sustained_rise(x, scale * y)),
    ):
        assert here.score == pytest.approx(there.score, abs=1e-6)


def test_long_curves_are_thinned_and_short_ones_kept():
    x = np.linspace(0, 1, 50_000)
    assert len(on_grid(x, x, 100)[0]) == 100
    assert on_grid(x[:80], x[:80], 100)[1] is not None
    assert len(on_grid(x[:80], x[:80], 100)[0]) == 80

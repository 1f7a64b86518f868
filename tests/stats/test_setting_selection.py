"""Study variance, the comparison of settings, and the luck of the best."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tunebook.stats.posterior import Sample, trial_variance
from tunebook.stats.selection import kept_share, luck_of_the_best, without_luck
from tunebook.stats.setting import BestFound, averaged, best_found, corrected, gaps, study_variance

keys = st.lists(st.integers(0, 1000).map(lambda k: k / 100), min_size=4, max_size=9, unique=True)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0, 7.0], [0.5, 0.6, 0.9, 1.0, 3.0, 8.0]])
def test_study_variance_is_that_of_the_best_of_every_half(values):
    """By brute force over all halves."""
    bests = [min(half) for half in combinations(values, len(values) // 2)]
    assert study_variance(np.array(values)) == pytest.approx(np.var(bests))


def test_infeasible_trials_thin_out_the_halves():
    """Five trials of which two are infeasible: halves of two, those without a feasible trial left out."""
    values = [1.0, 2.0, 5.0, np.inf, np.inf]
    bests = [best for half in combinations(values, 2) if np.isfinite(best := min(half))]
    assert study_variance(np.array([1.0, 2.0, 5.0, np.nan, np.nan])) == pytest.approx(np.var(bests))


def test_two_feasible_trials_say_nothing():
    assert study_variance(np.array([1.0, 2.0, np.nan])) is None


@settings(max_examples=50, deadline=None)
@given(keys, st.sampled_from([0.01, 3.0]), st.randoms(use_true_random=False))
def test_study_variance_scales_and_has_no_order(values, unit, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    expected = unit**2 * study_variance(np.array(values))
    assert study_variance(unit * np.array(shuffled)) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def found(value, study=1.0):
    return BestFound(value=value, error=0.0, study=study)


def test_a_gap_is_signed_and_symmetric():
    (forward,) = gaps([found(1.0)], found(3.0))
    (backward,) = gaps([found(3.0)], found(1.0))
    assert forward.estimate == 2.0
    assert forward.probability == pytest.approx(1.0 - backward.probability)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))


def test_equal_settings_are_even():
    (gap,) = gaps([found(1.0)], found(1.0))
    assert gap.probability == pytest.approx(0.5)


def test_no_study_variance_is_no_answer():
    assert gaps([found(1.0, None)], found(2.0, None)) is None


def test_several_settings_widen_the_intervals_and_lower_the_certainty():
    (alone,) = gaps([found(1.0)], found(3.0))
    together = gaps([found(1.0), found(3.5), found(2.9)], found(3.0))[0]
    assert together.high - together.low > alone.high - alone.low
    assert together.probability < alone.probability


def test_the_correction_is_holms():
    doubts = np.array([0.04, 0.001, 0.02, 0.3])
    assert corrected(doubts) == pytest.approx(np.minimum(multipletests(doubts, method="holm")[1], 0.5))


def test_the_correction_treats_both_sides_alike():
    assert corrected(np.array([0.99, 0.02])) == pytest.approx(1.0 - corrected(np.array([0.01, 0.98])))


def test_a_winner_without_repeats_is_pulled_back():
    values = np.array([0.0, 1.0, 1.1, 1.2, 5.0, 9.0])
    variance = trial_variance([Sample.of([0.0, 0.5, 1.0, 0.4, 0.7])])
    assert best_found(values, None, variance).value > 0.0
    assert best_found(values, None, None).value == 0.0
    assert best_found(values, Sample.of([0.6, 0.8]), variance).value == pytest.approx(0.7)


def test_a_study_without_a_feasible_trial_is_refused():
    with pytest.raises(ValueError, match="feasible"):
        best_found(np.array([np.nan, np.nan]), None, None)


def test_the_kept_share_is_the_ratio_of_variances():
    assert kept_share(np.array([0.0, 2.0]), 0.5) == pytest.approx(0.75)  # total variance 2
    assert kept_share(np.array([0.0, 2.0]), 5.0) == 0.0


def test_without_noise_the_winner_keeps_its_value():
    assert without_luck(np.array([1.0, 2.0, 3.0]), 0.0) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(("n", "expected"), [(2, 0.564), (5, 1.163), (10, 1.539)])
def test_the_luck_of_the_best_of_equals_is_the_expected_extreme(n, expected):
    """E[max of n] of standard normals: .564, 1.163, 1.539 (Harter 1961), where the scatter is all noise."""
    means = np.linspace(-1.0, 1.0, n) * 1e-6
    assert luck_of_the_best(means, np.ones(n)) == pytest.approx(expected, abs=0.03)


def test_a_clear_winner_had_no_luck():
    assert luck_of_the_best(np.array([0.0, 100.0, 120.0]), np.ones(3)) == pytest.approx(0.0, abs=0.02)


def test_one_configuration_was_not_chosen():
    assert luck_of_the_best(np.array([1.0]), np.array([1.0])) == 0.0


def test_the_winner_is_pulled_towards_the_better_half():
    """0 1 2 3 of eight: variance 5/3, noise 5/6, so half is kept of the 1.5 between 0 and their mean."""
    assert without_luck(np.arange(8.0), 5.0 / 6.0) == pytest.approx((0.75, 0.5))


def test_repeated_studies_are_averaged_and_measure_their_variance():
    several = averaged([BestFound(value=value, error=0.2, study=1.0) for value in (1.0, 3.0, 5.0)])
    assert (several.value, several.n_studies) == (3.0, 3)
    assert several.error == pytest.approx(0.2 / 3)
    assert several.study == pytest.approx((4 * 1.0 + 8.0) / (4 + 2))  # four studies' worth of 1, squares 8 on 2


def test_one_study_stays_as_it_is():
    assert averaged([found(2.0)]) == found(2.0)


def test_more_studies_narrow_the_interval():
    single = gaps([found(1.0)], found(2.0))[0]
    double = gaps([averaged([found(1.0), found(1.0)])], averaged([found(2.0), found(2.0)]))[0]
    assert double.high - double.low < single.high - single.low

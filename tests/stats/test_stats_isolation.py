"""Comparison of settings."""

import numpy as np
import pytest

from tunebook.stats.best_of_n import mean_without_replacement
from tunebook.stats.isolation import best_of, compare_settings, probability_best


def draws(seed, n, shift=0.0):
    return np.random.default_rng(seed).lognormal(size=n) + shift


def test_a_better_setting_is_better_by_the_difference():
    (found,) = compare_settings([draws(0, 40, 1.0), draws(1, 40)])
    assert (found.number, found.against, found.m) == (1, 0, 20)
    assert found.low < 1.0 < found.high
    assert found.probability > 0.99


def test_swapping_the_reference_turns_the_sign():
    groups = [draws(0, 30), draws(1, 30)]
    (ahead,), (behind,) = compare_settings(groups, 0), compare_settings(groups, 1)
    assert (ahead.estimate, ahead.low) == pytest.approx((-behind.estimate, -behind.high))
    assert ahead.probability == pytest.approx(1 - behind.probability)


def test_estimate_is_the_u_statistic_at_half_of_the_smaller_study():
    groups = [draws(0, 20), draws(1, 31)]
    (found,) = compare_settings(groups)
    expected = mean_without_replacement(groups[0], 10) - mean_without_replacement(groups[1], 10)
    assert found.estimate == pytest.approx(expected)


def test_jackknife_error_is_the_slow_one():
    values = draws(2, 12)
    found = best_of([values, values])[0]
    left_out = [mean_without_replacement(np.delete(values, i), found.m) for i in range(12)]
    assert found.error == pytest.approx(np.sqrt(11 / 12 * ((left_out - np.mean(left_out)) ** 2).sum()))


def test_more_comparisons_widen_the_intervals():
    groups = [draws(seed, 24) for seed in range(6)]
    alone = compare_settings(groups[:2])[0]
    together = compare_settings(groups)[0]
    assert together.low < alone.low < alone.high < together.high
    assert together.probability == alone.probability


def test_equal_settings_share_the_chance_of_being_best():
    shares = np.mean([probability_best([draws(10 * run + s, 24) for s in range(4)]) for run in range(60)], axis=0)
    assert shares == pytest.approx([0.25] * 4, abs=0.12)


def test_infeasible_trials_cost_something():
    values = draws(0, 24)
    half = np.where(np.arange(24) % 2, values, np.nan)
    (found,) = compare_settings([values, half])
    assert found.estimate < 0


def test_settings_without_a_spread_are_left_out():
    groups = [draws(0, 12), np.full(12, np.nan), draws(1, 3), draws(2, 12)]
    assert [item.number for item in compare_settings(groups)] == [3]
    assert np.isnan(probability_best(groups)).tolist() == [False, True, True, False]
    assert compare_settings([np.full(5, np.nan), draws(0, 12)]) == ()


def test_equal_values_everywhere_leave_it_open():
    (found,) = compare_settings([np.ones(8), np.ones(8)])
    assert (found.estimate, found.low, found.high, found.probability) == (0.0, 0.0, 0.0, 0.5)


def test_a_stated_95_percent_holds():
    """Both settings from one population, so the true difference is 0 (``benchmarks/truth_coverage.py`` has more)."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(1000):
        (found,) = compare_settings([rng.lognormal(size=20), rng.lognormal(size=20)])
        held += found.low <= 0.0 <= found.high
    assert 0.94 <= held / 1000 <= 0.975

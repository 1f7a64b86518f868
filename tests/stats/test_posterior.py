"""The posterior of a difference: known numbers, laws, and how often it is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_ind

from tunebook.stats import posterior
from tunebook.stats.posterior import MAX_SEEDS, Sample, difference, seeds_to_settle, trial_variance
from tunebook.stats.variance import Spread

A = [0.91, 0.93, 0.95, 0.92, 0.94]
B = [0.95, 0.97, 0.96, 0.99, 0.98]
values = st.lists(st.integers(-1000, 1000).map(lambda k: k / 1000), min_size=2, max_size=8, unique=True)


def of(a, b, **options):
    samples = [Sample.of(a), Sample.of(b)]
    return difference(*samples, trial_variance(samples, **options))


def test_a_sample_is_mean_count_and_squares():
    sample = Sample.of([1.0, 2.0, 6.0])
    assert (sample.mean, sample.n, sample.squares) == (3.0, 3, 14.0)


def test_an_empty_sample_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Sample.of([])


def test_known_variance_and_no_prior_give_the_normal_distribution(monkeypatch):
    """With a sure earlier estimate, held tightly, the posterior is the textbook z interval."""
    monkeypatch.setattr(posterior, "PRIOR_REACH", float("inf"))
    monkeypatch.setattr(posterior, "MAX_EARLIER_DEGREES", 10**7)
    monkeypatch.setattr(posterior, "PRIOR_DEGREES", np.array([1e7]))
    monkeypatch.setattr(posterior, "LOG_REACH", 0.01)
    single = [Sample.of([1.0]), Sample.of([0.5])]
    found = difference(*single, trial_variance(single, Spread(sd=0.2, degrees=10**7)))
    assert found.interval() == pytest.approx((0.5 - 1.96 * 0.2 * 2**0.5, 0.5 + 1.96 * 0.2 * 2**0.5), abs=2e-3)
    assert found.above() == pytest.approx(0.96145, abs=1e-3)  # scipy.stats.norm.cdf(0.5 / (0.2 * sqrt(2)))


def test_variances_held_to_one_give_students_pooled_t(monkeypatch):
    """One common variance, flat prior: the pooled two-sample t of scipy."""
    monkeypatch.setattr(posterior, "PRIOR_REACH", float("inf"))
    monkeypatch.setattr(posterior, "PRIOR_DEGREES", np.array([1e6]))
    expected = ttest_ind(A, B, equal_var=True, alternative="less").pvalue
    assert 1.0 - of(B, A).above() == pytest.approx(expected, rel=0.02)
    reach = student.ppf(0.975, 8) * np.sqrt((np.var(A, ddof=1) + np.var(B, ddof=1)) / 5)
    low, high = of(B, A).interval()
    assert (high - low) / 2 == pytest.approx(reach, rel=0.01)


def test_the_probability_lies_between_pooled_and_separate_variances_more_cautious_than_neither():
    pooled = ttest_ind(A, B, equal_var=True, alternative="less").pvalue
    assert 1.0 - of(B, A).above() > pooled  # the prior on differences is a little sceptical
    assert of(B, A).above() > 0.95


@settings(max_examples=40, deadline=None)
@given(values, values)
def test_turning_the_sign_turns_the_answer(a, b):
    forward, backward = of(a, b), of(b, a)
    assert forward.above() == pytest.approx(1.0 - backward.above(), abs=1e-3)
    assert forward.mean == pytest.approx(-backward.mean, abs=1e-6 + 1e-3 * abs(forward.mean))


@settings(max_examples=40, deadline=None)
@given(values, values, st.sampled_from([1e-6, 0.1, 7.0, 1e5]))
def test_another_unit_scales_the_improvement_and_not_the_probability(a, b, unit):
    before, after = of(a, b), of([unit * x for x in a], [unit * x for x in b])
    assert after.above() == pytest.approx(before.above(), abs=1e-6)
    assert after.interval() == pytest.approx(tuple(unit * end for end in before.interval()), rel=1e-6, abs=1e-9 * unit)


@settings(max_examples=40, deadline=None)
@given(values, values, st.randoms(use_true_random=False))
def test_order_does_not_matter(a, b, random):
    shuffled = a.copy()
    random.shuffle(shuffled)
    assert of(shuffled, b).above() == of(a, b).above()


def test_a_shift_of_both_changes_nothing():
    assert of([x + 10 for x in B], [x + 10 for x in A]).above() == pytest.approx(of(B, A).above(), abs=1e-9)


def test_nothing_repeated_and_nothing_known_is_no_variance():
    assert trial_variance([Sample.of([1.0]), Sample.of([2.0])]) is None


def test_repeats_that_are_all_equal_are_no_variance():
    assert trial_variance([Sample.of([0.1, 0.1, 0.1]), Sample.of([0.3] * 5)]) is None


def test_an_earlier_estimate_stands_in_and_sharpens():
    single = [Sample.of([1.0]), Sample.of([0.0])]
    sure, unsure = (trial_variance(single, Spread(sd=0.3, degrees=degrees)) for degrees in (30, 2))
    assert sure.sd == pytest.approx(0.3, rel=0.25)
    assert difference(*single, sure).above() > difference(*single, unsure).above()


def test_an_earlier_estimate_counts_for_thirty_degrees_at_most():
    single = [Sample.of([1.0]), Sample.of([0.0])]
    assert trial_variance(single, Spread(sd=0.3, degrees=10**6)).pooled.degrees == 30


@pytest.mark.parametrize(("sd", "counts"), [(0.002, True), (0.02, False), (0.0002, False)])
def test_an_earlier_estimate_that_the_repeats_contradict_is_left_out(sd, counts):
    own = [Sample(mean=mean, n=5, squares=4 * 0.002**2) for mean in (0.1, 0.2)]
    assert trial_variance(own, Spread(sd=sd, degrees=30)).pooled.degrees == (38 if counts else 8)


def test_a_wild_configuration_does_not_drown_a_calm_one():
    """Cells of AlgoPerf differ in spread by a factor of a hundred; the calm pair is told apart all the same."""
    calm = [Sample.of([0.100, 0.101, 0.102]), Sample.of([0.120, 0.121, 0.119])]
    wild = [Sample.of([5.0, 9.0, 1.0]), Sample.of([3.0, 8.0, 0.5])]
    assert difference(calm[1], calm[0], trial_variance([*calm, *wild])).above() > 0.97


def test_more_seeds_are_asked_for_the_nearer_the_two_are():
    variance = trial_variance([Sample.of(A), Sample.of(B)])
    base = Sample.of(A)
    asked = [
        seeds_to_settle(Sample(mean=base.mean + gap, n=5), base, variance, threshold=0.95, material=0.001)
        for gap in (0.03, 0.01, 0.005)
    ]
    assert asked == sorted(asked)
    assert asked[0] < asked[-1]


def test_seeds_are_capped():
    variance = trial_variance([Sample.of(A), Sample.of(B)])
    near = Sample(mean=Sample.of(A).mean + 1e-9, n=5)
    assert seeds_to_settle(near, Sample.of(A), variance, threshold=0.95, material=1e-9) == MAX_SEEDS


@pytest.mark.parametrize(("gap", "least", "most"), [(0.0, 0.005, 0.05), (2.0, 0.8, 0.97)])
def test_adopting_at_095_with_five_repeats(gap, least, most):
    """At most 5 % where the two are equal, at least 80 % where they are two standard deviations apart."""
    rng = np.random.default_rng(3)
    n_worlds = 400
    hits = 0
    for _ in range(n_worlds):
        a, b = gap + rng.standard_normal(5), rng.standard_normal(5)
        hits += of(list(a), list(b)).above() >= 0.95
    assert least <= hits / n_worlds <= most


@pytest.mark.parametrize("gap", [0.7, 0.9, 1.1])
def test_the_seeds_asked_for_settle_it_at_the_expected_difference_and_one_less_does_not(gap):
    """Worked out again from what the seeds would show: runs around the difference that is expected now."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=5)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    a, b = Sample.of(gap + noise), Sample.of(-noise)
    variance = trial_variance([a, b])
    seeds = seeds_to_settle(a, b, variance, threshold=0.95, material=0.01)
    expected = difference(a, b, variance).mean
    off = (a.mean - b.mean - expected) / 2

    def later(sample: Sample, centre: float, further: int) -> Sample:
        mean = (sample.n * sample.mean + further * centre) / (sample.n + further)
        spread = float(np.exp((variance.weight * np.log(variance.of(sample)[0])).sum()))
        return Sample(mean=mean, n=sample.n + further, squares=sample.squares + further * spread)

    def chance(further: int) -> float:
        return difference(later(a, a.mean - off, further), later(b, b.mean + off, further), variance).above(0.0)

    assert 1 < seeds < 100
    assert chance(seeds) >= 0.95
    assert chance(seeds - 1) < 0.95

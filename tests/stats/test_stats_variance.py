"""Trial variance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunebook.stats.variance import Spread, near_the_best, pooled_spread, unbiasing

values = st.lists(st.floats(-100, 100), min_size=2, max_size=12).map(np.array)


@given(values)
def test_one_group_is_the_sample_deviation(numbers):
    spread = pooled_spread(numbers, np.zeros(len(numbers), dtype=np.int64))
    assert spread.sd == pytest.approx(numbers.std(ddof=1), abs=1e-9)
    assert spread.degrees == len(numbers) - 1


def test_groups_pool_their_squares_and_nan_is_left_out():
    numbers = np.array([1.0, 3.0, 10.0, 10.0, 16.0, np.nan, 7.0])
    groups = np.array([0, 0, 1, 1, 1, 1, 2])
    spread = pooled_spread(numbers, groups)
    assert spread.degrees == 3
    assert spread.sd == pytest.approx(np.sqrt((2.0 + 24.0) / 3))


def test_without_repeats_nothing_is_known():
    assert pooled_spread(np.array([1.0, 2.0, np.nan]), np.array([0, 1, 1])) is None
    assert pooled_spread(np.empty(0), np.empty(0, np.int64)) is None


@pytest.mark.parametrize(
    ("n_seeds", "factors"), [(3, (0.52, 6.3)), (5, (0.60, 2.9)), (10, (0.69, 1.8)), (20, (0.76, 1.5))]
)
def test_interval_of_a_deviation(n_seeds, factors):
    """Methods §5: how well few seeds know the deviation."""
    assert Spread(sd=1.0, degrees=n_seeds - 1).interval() == pytest.approx(factors, abs=0.05)


@pytest.mark.parametrize(("degrees", "c4"), [(1, 0.797885), (4, 0.939986), (9, 0.972659)])
def test_unbiasing_constant(degrees, c4):
    """c4 of 2, 5 and 10 values in any table of control charts."""
    assert unbiasing(degrees) == pytest.approx(c4, abs=1e-6)


def test_only_good_configurations_tell_the_spread():
    """The luckiest trial of a search can be one at the edge of stability; its repeats say nothing of the others."""
    keys = np.array([0.01, 0.9, 0.5, 0.02, 0.03, 0.04, 0.05, np.nan])
    groups = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    assert near_the_best(keys, groups).tolist() == [False] * 3 + [True] * 3 + [False] * 2
    assert near_the_best(keys[:3], groups[:3]).all()
    assert not near_the_best(np.array([np.nan]), np.array([0])).any()

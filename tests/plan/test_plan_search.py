"""The contract of a search algorithm, one suite for all of the table; then what each is known for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook import InputError
from tunebook.plan.search import grid
from tunebook.plan.search.table import INDEXED, SEQUENTIAL, key_of, sequence

SHAPES = [(), (0,), (3,), (0, 0), (0, 4, 2), (5, 2, 3)]
algorithms = pytest.mark.parametrize("name", INDEXED)


@algorithms
@given(st.sampled_from(SHAPES), st.integers(0, 70), st.integers(0, 40), st.integers(0, 2**63 - 1))
@settings(max_examples=30, deadline=None)
def test_a_point_depends_on_its_index_and_not_on_what_was_asked_before(name, axes, start, n_points, seed):
    points, key = sequence(name), key_of(seed, "study")
    whole = points(axes, 0, start + n_points, key)
    part = points(axes, start, start + n_points, key)
    assert np.array_equal(whole[start:], part)
    assert part.shape[1] == len(axes)
    assert ((part >= 0) & (part <= 1)).all()
    assert part.dtype == np.float64


@pytest.mark.parametrize("name", ["halton", "random"])
def test_another_study_another_seed_another_sequence(name):
    points = sequence(name)
    drawn = [points((0, 0), 0, 9, key).tolist() for key in (key_of(0, "a"), key_of(0, "b"), key_of(1, "a"))]
    assert drawn[0] != drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] == points((0, 0), 0, 9, key_of(0, "a")).tolist()


def test_keys_do_not_run_together():
    assert key_of(0, "ab", "c") != key_of(0, "a", "bc")
    assert key_of(7, "all") == (7, int.from_bytes(bytes.fromhex(ALL_DIGEST), "little"))


#: printf all | b2sum -l 64
ALL_DIGEST = "4719f2ee485b365b"


def test_uniform_points_are_independent_of_their_neighbours():
    drawn = sequence("random")((0, 0, 0), 0, 20_000, key_of(3))
    assert np.abs(np.corrcoef(drawn.T, rowvar=True) - np.eye(3)).max() < 0.03
    assert np.abs(np.corrcoef(drawn[1:, 0], drawn[:-1, 2])[0, 1]) < 0.03


def test_a_grid_in_one_dimension_halves_its_steps():
    assert sequence("grid")((0,), 0, 9, (0,)).ravel().tolist() == [
        0,
        1,
        1 / 2,
        1 / 4,
        3 / 4,
        1 / 8,
        3 / 8,
        5 / 8,
        7 / 8,
    ]


@pytest.mark.parametrize("n_levels", [2, 3, 5, 9])
def test_a_grid_in_two_dimensions_is_complete_at_squares(n_levels):
    drawn = sequence("grid")((0, 0), 0, n_levels**2, (0,))
    line = np.linspace(0, 1, n_levels)
    assert {tuple(point) for point in drawn.tolist()} == {(x, y) for x in line for y in line}


def test_a_grid_of_finite_axes_ends_after_its_last_cell():
    drawn = sequence("grid")((2, 3), 0, 100, (0,))
    assert sorted(map(tuple, drawn.tolist())) == [((a + 0.5) / 2, (b + 0.5) / 3) for a in range(2) for b in range(3)]
    assert len(sequence("grid")((2, 3), 5, 100, (0,))) == 1
    assert len(sequence("grid")((2, 3), 6, 100, (0,))) == 0


def test_a_mixed_grid_tries_every_choice_at_every_level():
    drawn = sequence("grid")((0, 3), 0, 6, (0,))
    assert drawn[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert sorted(drawn[:3, 1].tolist()) == [1 / 6, 1 / 2, 5 / 6]


@pytest.mark.parametrize(
    ("axes", "n_trials", "complete"),
    [((0,), 1, 2), ((0,), 4, 5), ((0,), 9, 9), ((0, 0), 10, 25), ((0, 3), 7, 9), ((2, 3), 4, 6), ((0, 0, 2), 9, 18)],
)
def test_the_size_at_which_a_grid_is_even(axes, n_trials, complete):
    assert grid.complete_size(axes, n_trials) == complete


def test_a_grid_of_three_continuous_dimensions_is_refused():
    with pytest.raises(InputError, match="halton"):
        sequence("grid")((0, 0, 0), 0, 1, (0,))


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_an_algorithm_that_learns_begins_with_a_sequence_that_does_not(name):
    assert sequence(name) is sequence(SEQUENTIAL[name])
    assert SEQUENTIAL[name] in INDEXED

"""One threshold that separates infeasible trials."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tunebook.stats.feasibility import fit_wall
from tunebook.stats.infeasible import best_split


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clean_threshold_is_found_between_its_neighbours(sign):
    values = sign * np.linspace(0, 1, 21)
    split = best_split(values, sign * values > 0.72)
    assert split.is_high is (sign == 1)
    assert 0.70 < sign * split.threshold < 0.75
    assert (split.share_beyond, split.share_before, split.auc) == (1.0, 0.0, 1.0)
    assert (split.n_beyond, split.n_before) == (6, 15)
    assert split.p < 1e-3


def test_a_leaky_threshold_and_its_auc():
    rng = np.random.default_rng(3)
    values = rng.random(600)
    infeasible = rng.random(600) < np.where(values > 0.4, 0.6, 0.05)
    split = best_split(values, infeasible)
    assert split.threshold == pytest.approx(0.4, abs=0.02)
    assert split.share_beyond == pytest.approx(0.6, abs=0.06)
    assert split.auc == pytest.approx(roc_auc_score(infeasible, values))


def test_no_separation_has_a_large_p_as_often_as_it_should():
    rng = np.random.default_rng(4)
    small = [best_split(rng.random(40), rng.random(40) < 0.3).p < 0.05 for _ in range(400)]
    assert np.mean(small) == pytest.approx(0.05, abs=0.03)


def test_nothing_to_split():
    assert best_split(np.array([1.0, 2.0]), np.array([True, True])) is None
    assert best_split(np.array([1.0, 1.0]), np.array([True, False])) is None
    assert best_split(np.array([np.nan, 1.0]), np.array([True, False])) is None


def test_a_tilted_wall_is_found():
    rng = np.random.default_rng(5)
    points = rng.random((300, 3))
    wall = fit_wall(points, points[:, 0] + points[:, 1] > 1.2)
    probe = np.array([[0.9, 0.9, 0.5], [0.1, 0.9, 0.5], [0.9, 0.1, 0.5]])
    assert (wall.probability(probe) > 0.5).tolist() == [True, False, False]
    assert abs(wall.slopes[2]) < 0.2 * wall.slopes[0]


def test_no_infeasible_trial_makes_no_wall():
    assert fit_wall(np.random.default_rng(0).random((9, 2)), np.zeros(9, bool)).probability(np.ones((1, 2))) < 1e-9

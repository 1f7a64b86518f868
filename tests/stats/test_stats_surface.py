"""The fitted surface and what is asked of it."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import qmc
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from tunebook.stats import surface as module
from tunebook.stats.boundary import sides
from tunebook.stats.good_region import optimum_positions
from tunebook.stats.instability import cut_off, share_of_outliers, turns_up
from tunebook.stats.landscape import fit_landscape
from tunebook.stats.sensitivity import pair_interaction, sobol
from tunebook.stats.surface import Columns, Prior, fit_surface
from tunebook.stats.warp import LogWarp


def cube(n_points, n_dimensions, seed=0):
    return qmc.Halton(n_dimensions, scramble=True, rng=np.random.default_rng(seed)).random(n_points)


def plain(values):
    return Columns(values, np.zeros(values.shape[1], dtype=bool))


def landscape_of(units, keys, **more):
    return fit_landscape(plain(units), keys, **more)


def bowl(units, centre, weights):
    return ((units - np.asarray(centre)) ** 2) @ np.asarray(weights)


def test_posterior_agrees_with_scikit_learn():
    units = cube(30, 2)
    values = np.sin(4 * units[:, 0]) + units[:, 1]
    ours = fit_surface(plain(units), values)
    kernel = ConstantKernel(ours.signal, "fixed") * RBF(ours.lengths, "fixed") + ConstantKernel(
        module.EXTRAPOLATING.mean_variance, "fixed"
    )
    theirs = GaussianProcessRegressor(kernel, alpha=ours.noise + module.JITTER, optimizer=None)
    theirs.fit(units, (values - ours.shift) / ours.scale)
    probe = cube(7, 2, seed=1)
    mean, covariance = theirs.predict(probe, return_cov=True)
    found_mean, found_covariance = ours.moments(probe)
    assert found_mean == pytest.approx(ours.shift + ours.scale * mean, abs=1e-6)
    assert found_covariance == pytest.approx(ours.scale**2 * covariance, abs=1e-6)


@pytest.mark.parametrize("prior", [module.EXTRAPOLATING, Prior(is_rough=True, mean_variance=1.0)])
def test_gradient_of_the_posterior_mode(prior):
    units = np.column_stack([cube(15, 2), np.repeat([0.0, 1.0, np.nan], 5)])
    points = Columns(units, np.array([False, False, True]))
    distances = module.squared_differences(units, units, points.is_choice)
    values = np.random.default_rng(0).normal(size=15)
    at = np.array([0.1, -0.3, 0.5, 0.2, -1.0])
    means, spreads = module._believed(prior, 3, None)
    gradient = module._loss(at, distances, values, means, spreads, prior)[1]
    numeric = approx_fprime(at, lambda x: module._loss(x, distances, values, means, spreads, prior)[0], 1e-6)
    assert gradient == pytest.approx(numeric, abs=1e-3)


def test_noise_is_learned_and_a_known_one_is_held():
    units = cube(60, 2)
    values = bowl(units, [0.4, 0.6], [4, 1]) + 0.1 * np.random.default_rng(1).normal(size=60)
    assert fit_surface(plain(units), values).noise_sd == pytest.approx(0.1, rel=0.3)
    few = plain(units[:10])
    assert fit_surface(few, values[:10], noise_sd=0.1).noise_sd == pytest.approx(0.1, rel=0.4)
    assert fit_surface(few, values[:10], noise_sd=0.3).noise_sd > 0.15


def test_warp_keeps_the_order_and_can_be_undone():
    keys = np.array([3.0, 1.0, 50.0, 1e6, 2.0])
    warp = LogWarp.of(keys)
    assert (np.argsort(warp(keys)) == np.argsort(keys)).all()
    assert warp.undone(warp(keys)) == pytest.approx(keys)
    assert warp(np.array([1.0]))[0] == 0.0


@pytest.mark.parametrize("is_high", [False, True])
def test_an_optimum_outside_is_found_on_its_side(is_high):
    units = cube(24, 3)
    keys = bowl(units, [1.4 if is_high else -0.4, 0.5, 0.5], [4, 1, 0]) + 0.02 * np.random.default_rng(0).normal(
        size=24
    )
    found = sides(landscape_of(units, keys), np.ones(24, bool), range(3))
    sure = [(side.dimension, side.is_high) for side in found if side.confidence > 0.5]
    assert sure == [(0, is_high)]


def test_one_lucky_point_near_the_edge_is_not_believed():
    """Noise as large as the effect, and the best trial in the last hundredth of a dimension without any."""
    units = cube(24, 2)
    keys = bowl(units, [0.5, 0.5], [1, 0]) + 0.1 * np.random.default_rng(0).normal(size=24)
    lucky = int(np.argmax(units[:, 1]))
    keys[lucky] = keys.min() - 0.05
    found = {(s.dimension, s.is_high): s for s in sides(landscape_of(units, keys), np.ones(24, bool), [1])}
    assert found[1, True].best > 0.95
    assert found[1, True].confidence < 0.3


def test_a_wall_is_not_a_boundary_but_cuts_the_optimum_off():
    units = cube(48, 2)
    keys = bowl(units, [1.0, 0.5], [4, 1]) + 0.01 * np.random.default_rng(0).normal(size=48)
    keys[units[:, 0] > 0.6] = np.nan
    landscape = landscape_of(units, keys)
    rows = np.ones(48, bool)
    assert all(side.confidence < 0.3 for side in sides(landscape, rows, [0, 1]))
    assert cut_off(landscape, rows, 0).probability > 0.9
    assert cut_off(landscape, rows, 1) is None or cut_off(landscape, rows, 1).slope < 5


def test_a_wall_far_from_the_optimum_cuts_nothing_off():
    units = cube(48, 2)
    keys = bowl(units, [0.3, 0.5], [4, 1]) + 0.01 * np.random.default_rng(0).normal(size=48)
    keys[units[:, 0] > 0.8] = np.nan
    assert cut_off(landscape_of(units, keys), np.ones(48, bool), 0).probability < 0.1


def test_too_little_makes_no_landscape():
    units = cube(10, 2)
    assert landscape_of(units, np.full(10, 1.0)) is None
    assert landscape_of(units, np.r_[1.0, 2.0, 3.0, np.full(7, np.nan)]) is None


def test_same_trials_same_answer():
    units, keys = cube(20, 2), np.random.default_rng(0).random(20)
    once, twice = (sides(landscape_of(units, keys), np.ones(20, bool), [0, 1]) for _ in range(2))
    assert once == twice


def test_sobol_indices_of_an_additive_quadratic():
    """Shares of the variance of w(u-c)² are w²(4/45 + ...)... equal centres: proportional to w²."""
    weights = np.array([4.0, 2.0, 1.0, 0.0])
    units = cube(80, 4)
    keys = bowl(units, [0.3] * 4, weights) + 0.005 * np.random.default_rng(0).normal(size=80)
    indices = sobol(fit_surface(plain(units), keys))
    truth = weights**2 / (weights**2).sum()
    assert np.median(indices.first, axis=0) == pytest.approx(truth, abs=0.05)
    assert np.median(indices.total, axis=0) == pytest.approx(truth, abs=0.05)
    assert (indices.interval(indices.total)[2, 3] < 0.03).all()


def test_sobol_indices_of_ishigami():
    """Published: first 0.314, 0.442, 0; total 0.558, 0.442, 0.244; only the pair of 1 and 3 interacts."""
    units = cube(200, 3)
    x = (2 * units - 1) * np.pi
    values = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    found = fit_surface(plain(units), values)
    indices = sobol(found)
    assert np.median(indices.first, axis=0) == pytest.approx([0.314, 0.442, 0.0], abs=0.08)
    assert np.median(indices.total, axis=0) == pytest.approx([0.558, 0.442, 0.244], abs=0.1)
    assert np.median(pair_interaction(found, 0, 2)) == pytest.approx(0.244, abs=0.1)
    assert np.median(pair_interaction(found, 0, 1)) < 0.02


def test_noise_ranks_nothing():
    units = cube(30, 4)
    indices = sobol(fit_surface(plain(units), np.random.default_rng(3).normal(size=30)))
    lower, _, upper = indices.interval(indices.total)
    assert lower.max() < upper.min()


def test_a_choice_and_a_missing_value_are_dimensions_like_others():
    rng = np.random.default_rng(0)
    units = np.column_stack(
        [cube(60, 1), rng.integers(0, 3, 60) / 3, np.where(np.arange(60) % 2, rng.random(60), np.nan)]
    )
    values = np.where(units[:, 1] == 0, 0.0, 2.0) + units[:, 0]
    indices = sobol(fit_surface(Columns(units, np.array([False, True, False])), values))
    first = np.median(indices.first, axis=0)
    assert first[1] == pytest.approx(0.91, abs=0.06)
    assert first[2] < 0.02


def test_good_region_surrounds_the_optimum():
    units = cube(60, 2)
    keys = bowl(units, [0.3, 0.7], [5, 5]) + 0.01 * np.random.default_rng(0).normal(size=60)
    positions = optimum_positions(landscape_of(units, keys), np.ones(60, bool))
    assert np.median(positions, axis=0) == pytest.approx([0.3, 0.7], abs=0.1)


def test_outlying_norms_and_turning_losses():
    norms = np.random.default_rng(0).lognormal(0, 0.3, 1000)
    assert share_of_outliers(norms) == 0.0
    norms[::100] *= 100
    assert share_of_outliers(norms) == pytest.approx(0.01)
    assert share_of_outliers(np.ones(5)) == 0.0
    assert turns_up(np.array([3.0, 1.0, 1.1, 2.0, 2.0]))
    assert turns_up(np.array([3.0, 1.0, np.nan, np.inf]))
    assert not turns_up(np.array([3.0, 2.0, 1.0, 1.01, 1.0]))
    assert not turns_up(np.full(4, np.nan))

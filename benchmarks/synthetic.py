"""Synthetic studies with a known optimum: what the truth benchmarks and their development draw from.

A study is a smooth surface over the unit cube and beyond it, scrambled Halton points, noise, and
sometimes a wall behind which trials are infeasible. The truth of a side is by how many noise
standard deviations the optimum improves when the range is widened there by half its width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import qmc


@dataclass(frozen=True, eq=False)
class Synthetic:
    """``units`` (trials × dimensions) and ``keys`` (lower better, NaN infeasible); ``gains[j, side]`` in noise SDs."""

    kind: str
    units: np.ndarray
    keys: np.ndarray
    gains: np.ndarray
    optimum: np.ndarray
    noise_sd: float
    is_int: np.ndarray
    categories: np.ndarray
    walled: bool


class _Bowl:
    """A bowl in warped coordinates: curvature, skew, interactions, and a floor of saturation."""

    def __init__(self, rng: np.random.Generator, d: int, flat: bool, ridge: bool) -> None:
        self.centre = rng.uniform(0.2, 0.8, d)
        weight = 10 ** rng.uniform(-1.3, 1.0, d)
        weight[0] = 10 ** rng.uniform(0.0, 1.2)
        if flat:
            weight[1:] = np.where(rng.random(d - 1) < 0.6, 0.0, weight[1:])
        self.weight = weight
        self.skew = rng.uniform(-1.2, 1.2, d)
        self.cross = np.zeros((d, d))
        if ridge and d > 1:
            self.cross[0, 1] = rng.uniform(-0.8, 0.8) * 2 * np.sqrt(weight[0] * weight[1])
        self.kinks = rng.random() < 0.3
        self.cap = rng.uniform(2.0, 30.0)

    def __call__(self, u: np.ndarray) -> np.ndarray:
        away = np.atleast_2d(u) - self.centre
        if self.kinks:
            bent = away
            squares = np.where(away > 0, np.exp(self.skew), np.exp(-self.skew)) * away**2
        else:
            bent = np.expm1(self.skew * away) / np.where(self.skew == 0, 1.0, self.skew)
            squares = bent**2
        raw = squares @ self.weight + np.einsum("ni,ij,nj->n", bent, self.cross, bent)
        return self.cap * (1.0 - np.exp(-raw / self.cap))


def draw_study(rng: np.random.Generator, kind: str, n_trials: int | None = None, d: int | None = None) -> Synthetic:
    """``kind``: interior, outside, flat, wall or random_failures; the rest is drawn."""
    d = d or int(rng.integers(2, 7))
    n = n_trials or int(rng.choice([12, 16, 24, 24, 32, 48, 64]))
    surface = _Bowl(rng, d, flat=rng.random() < 0.5, ridge=rng.random() < 0.5)
    noise = float(10 ** rng.uniform(-2.3, -0.5))
    if kind == "flat":
        surface.weight[:] = 0
        surface.cross[:] = 0
        noise = 1.0
    if kind == "outside":
        for j in {0} | ({int(rng.integers(d))} if rng.random() < 0.4 else set()):
            surface.centre[j] = rng.choice([-1, 1]) * rng.uniform(0.55, 1.1) + 0.5
            surface.weight[j] = max(surface.weight[j], 0.3)
    wall = _draw_wall(rng) if kind == "wall" or (kind != "flat" and rng.random() < 0.3) else None
    is_int = np.zeros(d, bool)
    categories = np.zeros(d, int)
    for j in range(1, d):
        if rng.random() < 0.15:
            is_int[j] = True
        elif rng.random() < 0.15 and surface.weight[j] < 1 and abs(surface.centre[j] - 0.5) < 0.5:
            categories[j] = int(rng.integers(2, 5))
    u = qmc.Halton(d, scramble=True, rng=rng).random(n)
    u = _rounded(u, is_int, categories)
    keys = surface(u) + noise * rng.standard_normal(n)
    infeasible = np.zeros(n, bool)
    if wall is not None:
        infeasible = rng.random(n) < wall(u)
        keys[infeasible] = np.nan
    if kind == "random_failures":
        keys[rng.random(n) < 0.25] = np.nan
    gains, optimum = _truth(surface, wall, d, categories, noise)
    return Synthetic(kind, u, keys, gains, optimum, noise, is_int, categories, wall is not None)


def _draw_wall(rng: np.random.Generator):
    at, tilt = rng.uniform(0.55, 0.95), (rng.uniform(-0.6, 0.6) if rng.random() < 0.5 else 0.0)
    steep = rng.uniform(20, 80)
    low = rng.random() < 0.1

    def probability(u: np.ndarray) -> np.ndarray:
        u = np.atleast_2d(u)
        x = 1 - u[:, 0] if low else u[:, 0]
        return 1 / (1 + np.exp(-np.clip(steep * (x + tilt * (u[:, 1] - 0.5) - at), -50, 50)))

    return probability


def _rounded(u: np.ndarray, is_int: np.ndarray, categories: np.ndarray) -> np.ndarray:
    u = u.copy()
    for j in range(u.shape[1]):
        if is_int[j]:
            u[:, j] = (np.floor(u[:, j] * 6) + 0.5) / 6
        if categories[j]:
            u[:, j] = (np.floor(u[:, j] * categories[j]) + 0.5) / categories[j]
    return u


def _truth(surface, wall, d, categories, noise):
    def lowest(lows, highs):
        starts = lows + (highs - lows) * qmc.Sobol(d, seed=0).random_base2(7)
        starts = np.vstack([starts, np.clip(surface.centre, lows, highs)])
        loss = lambda u: float(surface(u)[0] + (1e3 * max(wall(u)[0] - 0.5, 0) if wall else 0))  # noqa: E731
        values = surface(starts) + (1e3 * np.maximum(wall(starts) - 0.5, 0) if wall else 0)
        best = [(float(values.min()), starts[values.argmin()])]
        for start in starts[np.argsort(values)[:3]]:
            found = minimize(
                loss, start, method="Powell", bounds=list(zip(lows, highs, strict=False)), options={"maxiter": 6}
            )
            best.append((float(found.fun), found.x))
        return min(best, key=lambda pair: pair[0])

    inside, optimum = lowest(np.zeros(d), np.ones(d))
    gains = np.zeros((d, 2))
    for j in range(d):
        for side in (0, 1):
            if categories[j]:
                continue
            lows, highs = np.zeros(d), np.ones(d)
            (lows if side == 0 else highs)[j] += -0.5 if side == 0 else 0.5
            gains[j, side] = max(inside - lowest(lows, highs)[0], 0.0) / noise
    return gains, optimum

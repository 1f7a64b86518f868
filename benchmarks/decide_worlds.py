"""Rounds with a known truth: two settings, a surface each, noise of several shapes, sometimes a cliff.

Units are trial standard deviations near the optimum; lower is better. The truth of a configuration is its
surface; the truth of a setting is what a search of this budget finds on average, and its optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SURFACES = ("bowl", "plateau", "ridge", "narrow")
NOISES = ("normal", "uneven", "heavy")
#: Searches drawn to know what a search finds on average.
N_SEARCHES = 300


@dataclass(frozen=True, eq=False)
class Setting:
    """One scientific setting: the surface over its nuisance cube, ``floor`` at its optimum."""

    floor: float
    centre: np.ndarray
    weight: np.ndarray
    cross: float
    cap: float
    cliff: float

    def surface(self, u: np.ndarray) -> np.ndarray:
        """True values at points (… × d)."""
        away = u - self.centre
        raw = (self.weight * away**2).sum(axis=-1)
        if away.shape[-1] > 1:
            raw = raw + self.cross * 2 * np.sqrt(self.weight[0] * self.weight[1]) * away[..., 0] * away[..., 1]
        return self.floor + self.cap * (1.0 - np.exp(-raw / self.cap))

    def infeasible(self, u: np.ndarray) -> np.ndarray:
        """Where training diverges: beyond the cliff of the first dimension."""
        return u[..., 0] > self.cliff


@dataclass(frozen=True, eq=False)
class World:
    """Two settings with one budget and one shape of noise."""

    settings: tuple[Setting, Setting]
    n_trials: int
    noise: str
    surface: str

    @property
    def d(self) -> int:
        """Nuisance dimensions."""
        return len(self.settings[0].centre)

    def observe(self, rng: np.random.Generator, truth: np.ndarray, floor: float) -> np.ndarray:
        """Runs of configurations with these true values; the standard deviation is 1 at the floor."""
        if self.noise == "heavy":
            return truth + rng.standard_t(4, truth.shape) / np.sqrt(2.0)
        scale = 1.0 + np.minimum((truth - floor) / 5.0, 4.0) if self.noise == "uneven" else 1.0
        return truth + scale * rng.standard_normal(truth.shape)

    def search(self, rng: np.random.Generator, which: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """``shape[-1]`` trials of a setting: true and observed values, infinite where infeasible."""
        setting = self.settings[which]
        u = rng.random((*shape, self.d))
        truth = setting.surface(u)
        seen = self.observe(rng, truth, setting.floor)
        seen[setting.infeasible(u)] = np.inf
        return truth, seen

    def expected(self, rng: np.random.Generator, which: int) -> tuple[float, float]:
        """Mean and standard deviation of the true value of the configuration that a search picks."""
        truth, seen = self.search(rng, which, (N_SEARCHES, self.n_trials))
        found = np.take_along_axis(truth, seen.argmin(axis=1)[:, None], axis=1)[:, 0]
        return float(found.mean()), float(found.std(ddof=1))


def draw_world(rng: np.random.Generator, *, gap: float | None = None) -> World:
    """A world; ``gap`` is how much better the second setting's optimum is, else drawn (0 in a fifth of them)."""
    kind = str(rng.choice(SURFACES))
    d = int(rng.integers(1, 6))
    size = 10 ** rng.uniform(0.7, 2.0)
    weight = size * 10 ** rng.uniform(-1.0, 0.6, d)
    cap = {"plateau": 0.3 * size}.get(kind, 10 * size)
    if kind == "narrow":
        weight[0] *= 10
    cross = float(rng.uniform(-0.9, 0.9)) if kind == "ridge" else 0.0
    centre = rng.uniform(0.15, 0.85, d)
    cliff = float(rng.uniform(0.5, 1.0)) if rng.random() < 0.4 else 2.0
    if gap is None:
        gap = 0.0 if rng.random() < 1 / 5 else float(4.0 * rng.standard_normal())
    moved = np.clip(centre + 0.1 * rng.standard_normal(d), 0.1, 0.9)
    first = Setting(0.0, centre, weight, cross, cap, cliff)
    second = Setting(-gap, moved, weight * 10 ** rng.uniform(-0.2, 0.2, d), cross, cap, cliff)
    return World((first, second), int(rng.choice([10, 16, 24, 32, 50])), str(rng.choice(NOISES)), kind)

"""Steps to a goal against batch size: fit, regimes, bootstrap. Arrays in, numbers out (S5, methods 2).

``S(B) = (Smin^p + (Emin / B)^p)^(1/p)``: ``Emin`` examples are needed at least and ``Smin`` steps. Where
both bounds meet lies the critical batch size ``B* = Emin / Smin``; ``p`` says how sharp the bend is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import least_squares

from tunebook.evidence import FloatArray

#: A batch size scales perfectly while half a doubling of the examples is not yet lost (the plateau of
#: Shallue et al. itself scatters by 0.22 of a doubling, so less cannot be told apart).
PERFECT_LOSS = 2**0.5
#: And it is past what parallelism can give when steps are within a tenth of the least.
FLAT_EXCESS = 1.1
#: How sharp a bend can be: p = 1 is Smin (1 + B*/B); beyond 10 it is a corner.
SHARPNESS = (1.0, 10.0)
#: Fewer batch sizes than this do not determine three numbers.
MIN_SIZES = 4
BOOTSTRAPS = 200
LEVEL = 0.95


class Regime(StrEnum):
    """What doubling the batch gives."""

    PERFECT = "perfect"
    DIMINISHING = "diminishing"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The fitted curve; ``error`` is the root mean square of what it leaves, in doublings."""

    least_steps: float
    least_examples: float
    sharpness: float
    error: float

    @property
    def critical_batch_size(self) -> float:
        """Where perfect scaling ends."""
        return self.least_examples / self.least_steps

    def steps(self, batch_sizes: FloatArray) -> FloatArray:
        """Steps at ``batch_sizes``, shape (n,)."""
        return np.exp2(_curve(np.log2(batch_sizes), *self._logs))

    def regime(self, batch_size: float) -> Regime:
        """What the curve says about one batch size."""
        steps = float(self.steps(np.array([batch_size]))[0])
        if steps * batch_size <= PERFECT_LOSS * self.least_examples:
            return Regime.PERFECT
        return Regime.FLAT if steps <= FLAT_EXCESS * self.least_steps else Regime.DIMINISHING

    @property
    def _logs(self) -> tuple[float, float, float]:
        return float(np.log2(self.least_steps)), float(np.log2(self.least_examples)), self.sharpness


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95 % interval by bootstrap, from ``n_draws`` draws."""

    low: float
    high: float
    n_draws: int


def fit_steps(batch_sizes: FloatArray, steps: FloatArray) -> Fit:
    """Least squares in doublings with a soft L1 loss, which a single stray batch size cannot bend.

    Both have shape (n,); ``ValueError`` with fewer than 4 or values that are not above 0.
    """
    if len(batch_sizes) < MIN_SIZES or not (np.all(batch_sizes > 0) and np.all(steps > 0)):
        raise ValueError(f"{len(batch_sizes)} batch sizes; at least {MIN_SIZES} are needed, all above 0")
    log_b, log_s = np.log2(batch_sizes), np.log2(steps)
    start = [float(log_s.min()), float(np.min(log_b + log_s)), 2.0]
    found = least_squares(
        lambda at: _curve(log_b, *at) - log_s,
        start,
        loss="soft_l1",
        f_scale=0.25,
        bounds=([-1.0, -1.0, SHARPNESS[0]], [80.0, 80.0, SHARPNESS[1]]),
    )
    log_least, log_examples, sharpness = (float(value) for value in found.x)
    left = _curve(log_b, *found.x) - log_s
    return Fit(
        least_steps=2.0**log_least,
        least_examples=2.0**log_examples,
        sharpness=sharpness,
        error=float(np.sqrt(np.mean(left**2))),
    )


def bootstrap_critical(
    batch_sizes: FloatArray, trials: Sequence[FloatArray], n_draws: int = BOOTSTRAPS, seed: int = 0
) -> Interval | None:
    """The interval of the critical batch size when the trials of every study are drawn again.

    ``trials[i]`` are the steps of every trial at ``batch_sizes[i]``, infinite where it missed the goal. A
    draw in which fewer than 4 sizes reach the goal says nothing; None when fewer than half are left.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_draws):
        least = np.array([rng.choice(steps, size=len(steps)).min() for steps in trials])
        reached = np.isfinite(least)
        if reached.sum() >= MIN_SIZES:
            found.append(fit_steps(batch_sizes[reached], least[reached]).critical_batch_size)
    if len(found) < n_draws / 2:
        return None
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(low=float(low), high=float(high), n_draws=len(found))


def largest_perfect(batch_sizes: FloatArray, fit: Fit) -> float | None:
    """The largest batch size up to which every one scales perfectly; None when not even the smallest does."""
    perfect = None
    for size in np.sort(batch_sizes):
        if fit.regime(float(size)) is not Regime.PERFECT:
            break
        perfect = float(size)
    return perfect


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRule:
    """How the best learning rate grows with batch size: ``rate ~ B^exponent``, with its standard error.

    The linear rule says 1, the square-root rule 1/2.
    """

    exponent: float
    error: float

    def allows(self, exponent: float) -> bool:
        """Whether a rule is within two standard errors."""
        return abs(self.exponent - exponent) <= 2 * self.error


def rate_rule(batch_sizes: FloatArray, rates: FloatArray) -> RateRule | None:
    """The exponent by least squares on log axes; None with fewer than 3 batch sizes."""
    if len(batch_sizes) < 3:
        return None
    x, y = np.log2(batch_sizes), np.log2(rates)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    left = y - y.mean() - slope * centred
    error = float(np.sqrt(left @ left / (len(x) - 2) / (centred @ centred)))
    return RateRule(exponent=slope, error=error)


def _curve(log_b: FloatArray, log_least: float, log_examples: float, sharpness: float) -> FloatArray:
    steps: FloatArray = np.logaddexp2(sharpness * log_least, sharpness * (log_examples - log_b)) / sharpness
    return steps

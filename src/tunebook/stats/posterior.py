"""Posterior of the difference of two configurations from their repeats, for few repeats (D1, D3).

Five repeats know a standard deviation within a factor of three (methods §5), and configurations differ
in theirs (AlgoPerf: the 90th percentile of the cells' standard deviations is 1.5 to 4.6 times the
median). So the variance of a configuration is neither its own alone nor that of all: it is drawn from
a scaled inverse chi-square around a common one, and both the common variance and how closely the
configurations keep to it are integrated out on a grid.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtr, gammaln

from tunebook.stats.arrays import FloatArray
from tunebook.stats.variance import Spread

#: How closely the variances of configurations keep to the common one: degrees of freedom of the scaled
#: inverse chi-square, equally likely beforehand. They stand for a standard deviation of the log of the
#: configurations' standard deviations of 1.1, .64, .40, .27, .18 and .09; AlgoPerf has .3 to 1 (methods §5).
PRIOR_DEGREES = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 64.0])
#: Log distance that the grid of common variances reaches beyond those of the configurations, on both sides.
LOG_REACH = 5.0
N_SCALES = 41
#: Differences between configurations that somebody thought worth comparing: a Cauchy distribution whose
#: quartiles lie this many trial standard deviations from 0. Wide enough to leave intervals alone, narrow
#: enough that equal configurations are adopted in less than one case of twenty (B4).
PRIOR_REACH = 1.5
#: An estimate from earlier rounds never counts for more degrees of freedom than this: pipelines drift.
MAX_EARLIER_DEGREES = 30
#: Nor at all where this round's own repeats contradict it, by a two-sided F test at this level.
EARLIER_LEVEL = 0.05
#: The grid of differences, in arcsinh of standard errors: dense in the middle, reaching out 400 of them.
REACH = 6.7
N_DIFFERENCES = 403
#: A standard deviation of less than this share of the values is the last digits of a deterministic run.
ROUNDING = 1e-12
#: The probability at which an improvement that matters counts as ruled out.
SURE = 0.95
#: More seeds than this are not asked for: a difference that needs them is too small to matter.
MAX_SEEDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Repeats of one configuration: their mean, their number and their squared deviations from the mean.

    ``shrink`` below 1 is for a value that was selected: its mean is already pulled towards the study,
    and its variance is this share of the trial variance.
    """

    mean: float
    n: int
    squares: float = 0.0
    shrink: float = 1.0

    @classmethod
    def of(cls, values: Sequence[float] | FloatArray) -> Sample:
        """Summarise finite values, one a run; ``ValueError`` when there is none."""
        array = np.sort(np.asarray(values, dtype=np.float64))
        if not len(array):
            raise ValueError("a sample needs at least one value")
        mean = float(array.mean())
        squares = float(((array - mean) ** 2).sum())
        rounding = len(array) * (ROUNDING * float(np.abs(array).max())) ** 2
        return cls(mean=mean, n=len(array), squares=0.0 if squares <= rounding else squares)

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the variance within."""
        return self.n - 1

    @property
    def negated(self) -> Sample:
        """The same runs with the sign of the metric turned."""
        return Sample(mean=-self.mean, n=self.n, squares=self.squares, shrink=self.shrink)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialVariance:
    """What the repeats say about variances: a weighted grid over the common variance and its hold.

    ``scale`` (common variance), ``hold`` (degrees of freedom) and ``weight`` (sums to 1) have one entry
    a grid point. ``pooled`` is the plain estimate over all repeats, for people.
    """

    scale: FloatArray
    hold: FloatArray
    weight: FloatArray
    pooled: Spread

    def of(self, sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Variance of one configuration and its degrees of freedom, at every grid point."""
        degrees = self.hold + sample.degrees
        return (self.hold * self.scale + sample.squares) / degrees, degrees

    @property
    def sd(self) -> float:
        """The typical standard deviation between repeats of one configuration."""
        return float(np.exp(0.5 * (self.weight * np.log(self.scale)).sum()))


def trial_variance(samples: Sequence[Sample], earlier: Spread | None = None) -> TrialVariance | None:
    """Pool the variance within repeated configurations, with an ``earlier`` estimate where there is one.

    None when nothing was repeated and nothing is known from earlier, or when all repeats of every
    configuration are equal to the last digit, as training that ignores its seed makes them. An earlier
    estimate that the repeats contradict is of other circumstances and is left out.
    """
    squares = np.array([sample.squares for sample in samples if sample.degrees > 0])
    degrees = np.array([float(sample.degrees) for sample in samples if sample.degrees > 0])
    if earlier is not None and _contradicts(squares.sum(), degrees.sum(), earlier):
        earlier = None
    pooled = _pooled(squares, degrees, earlier)
    if pooled is None:
        return None
    scales = _log_scales(squares, degrees, earlier)
    hold, log_scale = (grid.ravel() for grid in np.meshgrid(PRIOR_DEGREES, scales))
    log_weight = _log_likelihood(squares[:, None], degrees[:, None], hold, log_scale).sum(axis=0)
    if earlier is not None:
        log_weight += _log_chi_square(earlier, log_scale)
    weight = np.exp(log_weight - log_weight.max())
    return TrialVariance(scale=np.exp(log_scale), hold=hold, weight=weight / weight.sum(), pooled=pooled)


def _contradicts(squares: float, degrees: float, earlier: Spread) -> bool:
    """Whether two estimates of one variance lie further apart than chance puts them."""
    if degrees == 0 or earlier.sd == 0:
        return False
    below = float(fdtr(degrees, min(earlier.degrees, MAX_EARLIER_DEGREES), squares / degrees / earlier.sd**2))
    return 2 * min(below, 1 - below) < EARLIER_LEVEL


def _pooled(squares: FloatArray, degrees: FloatArray, earlier: Spread | None) -> Spread | None:
    known = min(earlier.degrees, MAX_EARLIER_DEGREES) if earlier is not None else 0
    total = float(squares.sum()) + (known * earlier.sd**2 if earlier is not None else 0.0)
    count = int(degrees.sum()) + known
    return Spread(sd=math.sqrt(total / count), degrees=count) if total > 0.0 else None


def _log_scales(squares: FloatArray, degrees: FloatArray, earlier: Spread | None) -> FloatArray:
    """The grid of common variances, in logs: around those of the configurations, however far apart they are."""
    own = [*(squares / np.maximum(degrees, 1.0)), *([earlier.sd**2] if earlier is not None else [])]
    logs = [math.log(variance) for variance in own if variance > 0.0]
    return np.linspace(min(logs) - LOG_REACH, max(logs) + LOG_REACH, N_SCALES)


def _log_likelihood(squares: FloatArray, degrees: FloatArray, hold: FloatArray, log_scale: FloatArray) -> FloatArray:
    """Of the squares within a configuration: over the common variance they follow an F distribution."""
    ratio = squares / (hold * np.exp(log_scale))
    half, held = degrees / 2.0, hold / 2.0
    return (  # type: ignore[no-any-return]
        gammaln(half + held) - gammaln(held) - half * np.log(hold) - half * log_scale - (half + held) * np.log1p(ratio)
    )


def _log_chi_square(earlier: Spread, log_scale: FloatArray) -> FloatArray:
    half = min(earlier.degrees, MAX_EARLIER_DEGREES) / 2.0
    return -half * (log_scale + earlier.sd**2 * np.exp(-log_scale))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """A distribution of one number on a grid: ``at`` ascends, ``below`` is the probability up to there."""

    at: FloatArray
    below: FloatArray
    mean: float

    def above(self, value: float = 0.0) -> float:
        """Probability of more than ``value``."""
        return 1.0 - float(np.interp(value, self.at, self.below))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The central range of this probability."""
        tail = (1.0 - level) / 2.0
        low, high = np.interp([tail, 1.0 - tail], self.below, self.at)
        return float(low), float(high)


def difference(a: Sample, b: Sample, variance: TrialVariance, *, noise: float = 0.0) -> Posterior:
    """The posterior of the mean of ``a`` minus the mean of ``b``.

    ``noise`` is a further standard deviation of the estimated difference, such as that of a correction.
    Given the variances the difference is normal; without them a mixture of Student distributions
    (Welch's degrees of freedom), times the Cauchy prior.
    """
    centre = a.mean - b.mean
    squared, degrees = _standard_error(a, b, variance)
    squared = squared + noise**2
    typical = float(np.exp(0.5 * (variance.weight * np.log(squared)).sum()))
    steps = np.linspace(-REACH, REACH, N_DIFFERENCES)
    at = centre + typical * np.sinh(steps)
    density = _mixture(at - centre, squared, degrees, variance.weight)
    if math.isfinite(PRIOR_REACH):
        density /= 1.0 + (at / (PRIOR_REACH * common_sd(a, b, variance))) ** 2
    mass = density * np.cosh(steps)
    below = np.concatenate(([0.0], np.cumsum((mass[1:] + mass[:-1]) / 2.0)))
    return Posterior(at=at, below=below / below[-1], mean=float((mass * at).sum() / mass.sum()))


def _standard_error(a: Sample, b: Sample, variance: TrialVariance) -> tuple[FloatArray, FloatArray]:
    """Squared standard error of the difference and Welch's degrees of freedom, at every grid point."""
    parts = [(*variance.of(sample), sample) for sample in (a, b)]
    shares = [own * sample.shrink / sample.n for own, _, sample in parts]
    squared = shares[0] + shares[1]
    spread = sum(share**2 / own for share, (_, own, _) in zip(shares, parts, strict=True))
    return squared, squared**2 / spread


def common_sd(a: Sample, b: Sample, variance: TrialVariance) -> float:
    """The trial standard deviation of two configurations together, as far as known."""
    both = (variance.of(a)[0] + variance.of(b)[0]) / 2.0
    return float(np.exp(0.5 * (variance.weight * np.log(both)).sum()))


def _mixture(away: FloatArray, squared: FloatArray, degrees: FloatArray, weight: FloatArray) -> FloatArray:
    """Density of the mixture of Student distributions at every distance ``away`` from its centre."""
    kept = weight > 1e-6 * weight.max()
    squared, degrees, weight = squared[kept], degrees[kept], weight[kept]
    half = (degrees + 1.0) / 2.0
    log_norm = gammaln(half) - gammaln(degrees / 2.0) - 0.5 * np.log(np.pi * degrees * squared) + np.log(weight)
    exponent = -half[:, None] * np.log1p(away[None, :] ** 2 / (degrees * squared)[:, None])
    return np.exp(log_norm[:, None] + exponent).sum(axis=0)  # type: ignore[no-any-return]


def seeds_to_settle(a: Sample, b: Sample, variance: TrialVariance, *, threshold: float, material: float) -> int:
    """How many further repeats of both should settle it, if their true difference is the one expected now.

    Settled is a probability of ``threshold`` that either is larger, or one of 95 % that ``a`` is less than
    ``material`` larger, by the posterior that decides then. At most ``MAX_SEEDS``, which is the answer for "no
    number that is worth it".
    """
    off = (a.mean - b.mean - difference(a, b, variance).mean) / 2.0

    def is_settled(further: int) -> bool:
        later = difference(
            _grown(a, a.mean - off, further, variance), _grown(b, b.mean + off, further, variance), variance
        )
        probability = later.above(0.0)
        return not 1.0 - threshold < probability < threshold or later.above(material) <= 1.0 - SURE

    counts = range(1, MAX_SEEDS + 1)
    return counts[min(bisect_left(counts, True, key=is_settled), MAX_SEEDS - 1)]


def _grown(sample: Sample, expected: float, further: int, variance: TrialVariance) -> Sample:
    """The sample with ``further`` runs around ``expected``; a value that won a search counts no more beside them."""
    kept = 0 if sample.shrink < 1.0 else sample.n
    n = kept + further
    spread = float(np.exp((variance.weight * np.log(variance.of(sample)[0])).sum()))
    added = further if kept else further - 1
    return Sample(mean=(kept * sample.mean + further * expected) / n, n=n, squares=sample.squares + added * spread)

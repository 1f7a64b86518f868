"""Which scientific setting is better once everything else is tuned: study variance on top of trial variance (L9).

A study finds one good configuration; searching again would find another. By how much the two differ is
read from the study itself: how the best of half of its trials varies with which half it is. Half and
not all, because resampling all trials names the same winner two times in three and so sees too little
of the variance of an extreme (the m-out-of-n bootstrap; here in closed form, without random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, stdtr, stdtrit

from tunebook.stats.arrays import FloatArray
from tunebook.stats.posterior import Sample, TrialVariance
from tunebook.stats.selection import without_luck

#: Share of a study's trials that is drawn to see how its winner varies.
HALF = 0.5
#: Degrees of freedom of a study variance that is averaged over the compared studies. Set where the
#: intervals of simulated rounds cover 95 to 96 % (benchmarks/truth_decide.py).
STUDY_DEGREES = 8.0
#: How many repeated studies the study variance read from within one is worth.
WITHIN_DEGREES = STUDY_DEGREES / 2.0
#: Fewer feasible trials than this say nothing about how a study varies.
MIN_TRIALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFound:
    """What a study found: the true value of its winner (lower better), with two variances.

    ``error``: of that estimate. ``study``: between searches; None when there are too few trials to tell.
    ``n_studies``: how many searches with other seeds ``value`` is the mean of.
    """

    value: float
    error: float
    study: float | None
    n_studies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How much lower one study's best is than another's; ``probability`` that it is lower at all."""

    estimate: float
    low: float
    high: float
    probability: float


def best_found(keys: FloatArray, repeats: Sample | None, variance: TrialVariance | None) -> BestFound:
    """What a study found. ``keys``: one value a configuration, lower better, NaN where infeasible.

    ``repeats`` are fresh runs of the winner; without them the winning value is pulled back by what
    luck it had, and without a trial variance it has to be taken as it is. ``ValueError`` when no
    trial is feasible.
    """
    if not np.isfinite(keys).any():
        raise ValueError("no trial of this study is feasible")
    study = study_variance(keys)
    if variance is None:
        value = repeats.mean if repeats is not None else float(np.nanmin(keys))
        return BestFound(value=value, error=0.0, study=study)
    if repeats is None:
        value, kept = without_luck(keys, variance.sd**2)
        return BestFound(value=value, error=kept * variance.sd**2, study=study)
    own = float(np.exp((variance.weight * np.log(variance.of(repeats)[0])).sum()))
    return BestFound(value=repeats.mean, error=own / repeats.n, study=study)


def study_variance(keys: FloatArray) -> float | None:
    """Variance of the best of half of the trials; None with fewer than three feasible ones.

    The best of m of n trials is the one of rank i with probability C(n-i, m-1)/C(n, m).
    """
    ordered = np.sort(keys[np.isfinite(keys)])
    if len(ordered) < MIN_TRIALS:
        return None
    n = len(keys)
    m = max(round(HALF * n), 1)
    worse = n - 1.0 - np.arange(len(ordered))
    possible = worse >= m - 1
    weights = np.where(possible, np.exp(_log_choose(np.maximum(worse, m - 1), m - 1) - _log_choose(n, m)), 0.0)
    weights /= weights.sum()
    mean = float((weights * ordered).sum())
    return float((weights * (ordered - mean) ** 2).sum())


def _log_choose(n: FloatArray | float, k: float) -> FloatArray:
    return gammaln(np.add(n, 1.0)) - gammaln(k + 1.0) - gammaln(np.subtract(n, k) + 1.0)  # type: ignore[no-any-return]


def averaged(found: Sequence[BestFound]) -> BestFound:
    """Several searches of one setting with other search seeds, as one (D2).

    Their study variance is the one seen between them, with the one seen within as prior information.
    """
    values = np.array([item.value for item in found])
    known = [item.study for item in found if item.study is not None]
    n_studies = len(found)
    squares = float(((values - values.mean()) ** 2).sum())
    if known:
        study: float | None = (WITHIN_DEGREES * sum(known) / len(known) + squares) / (WITHIN_DEGREES + n_studies - 1)
    else:
        study = squares / (n_studies - 1) if n_studies > 1 else None
    error = sum(item.error for item in found) / n_studies**2
    return BestFound(value=float(values.mean()), error=error, study=study, n_studies=n_studies)


def common_study_variance(found: Sequence[BestFound]) -> float | None:
    """The mean study variance over the settings: one study knows its own only within a factor of three."""
    known = [item.study for item in found if item.study is not None]
    return sum(known) / len(known) if known else None


def gaps(candidates: Sequence[BestFound], against: BestFound, *, level: float = 0.95) -> list[Gap] | None:
    """How much lower each of ``candidates`` is than ``against``; None when no study variance is known.

    With several candidates the intervals hold together at ``level`` (Šidák) and the doubt about each
    probability is raised as Holm's procedure raises it.
    """
    study = common_study_variance([*candidates, against])
    if study is None or not candidates:
        return None
    each = 1.0 - (1.0 - level ** (1.0 / len(candidates))) / 2.0
    reach = float(stdtrit(STUDY_DEGREES, each))
    differences = np.array([against.value - item.value for item in candidates])
    errors = np.array([_error(item, against, study) for item in candidates])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(errors > 0.0, differences / errors, np.sign(differences) * np.inf)
    doubt = np.asarray(stdtr(STUDY_DEGREES, np.where(np.isnan(ratio), 0.0, -ratio)))
    return [
        Gap(estimate=float(d), low=float(d - reach * e), high=float(d + reach * e), probability=1.0 - float(q))
        for d, e, q in zip(differences, errors, corrected(doubt), strict=True)
    ]


def _error(item: BestFound, against: BestFound, study: float) -> float:
    searched = study / item.n_studies + study / against.n_studies
    return math.sqrt(searched + item.error + against.error)


def corrected(doubts: FloatArray) -> FloatArray:
    """Tail probabilities raised for having been compared together; they move towards one half at most.

    Holm: the smallest tail counts as many times as there are comparisons, the next once less.
    """
    tails = np.minimum(doubts, 1.0 - doubts)
    order = np.argsort(tails, kind="stable")
    times = len(tails) - np.arange(len(tails))
    raised = np.minimum(np.maximum.accumulate(tails[order] * times), 0.5)
    result = np.empty_like(tails)
    result[order] = raised
    return np.where(doubts <= 0.5, result, 1.0 - result)

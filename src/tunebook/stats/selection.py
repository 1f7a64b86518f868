"""The winner's curse: what a value loses for having been the best of several (methods §5).

The run that won a search was lucky as well as good. Repeats with fresh seeds are free of that, unless
they were what the winner was chosen by: then the expected luck is taken off again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from tunebook.stats.arrays import FloatArray

#: Worlds in which the choice is repeated; a power of 2, as the quasi-random normals want it.
LOG2_DRAWS = 11
#: How many of the best are drawn again; whoever is further down was never chosen.
MAX_CONTENDERS = 16
#: What share of the feasible trials, the better ones, a selected value is pulled towards.
GOOD_SHARE = 0.5
#: Fewer repeats than this do not refute what a search found.
ENOUGH_REPEATS = 3


def luck_of_the_best(means: FloatArray, errors: FloatArray) -> float:
    """By how much the lowest of ``means`` is expected to lie below its own true value (0 or more).

    ``errors`` are their standard errors. A parametric bootstrap: the means are pulled together as far as
    their scatter is noise, the errors drawn again, the lowest chosen again.
    """
    if len(means) < 2:
        return 0.0
    order = np.lexsort((errors, means))[:MAX_CONTENDERS]
    means, errors = means[order], errors[order]
    truth = means.mean() + kept_share(means, float((errors**2).mean())) * (means - means.mean())
    draws = ndtri(qmc.Sobol(len(means), rng=0).random_base2(LOG2_DRAWS))
    seen = truth + errors * draws
    chosen = seen.argmin(axis=1)
    return max(float((truth[chosen] - seen[np.arange(len(seen)), chosen]).mean()), 0.0)


def refuted(first: float, repeats: Sequence[float] | FloatArray, keys: FloatArray) -> float | None:
    """The median of a search's ``keys``, when a run better than it has repeats that are no better than it.

    Lower is better. None while there are fewer than three repeats: one or two are luck themselves.
    """
    finite = keys[np.isfinite(keys)]
    if len(repeats) < ENOUGH_REPEATS or not len(finite):
        return None
    typical = float(np.median(finite))
    return typical if first < typical <= float(np.mean(repeats)) else None


def kept_share(values: FloatArray, noise: float) -> float:
    """τ²/(τ²+σ²): the share of the variance of ``values`` that is not ``noise`` (a variance), in [0, 1]."""
    total = float(values.var(ddof=1)) if len(values) > 1 else 0.0
    return max(1.0 - noise / total, 0.0) if total > 0.0 else 0.0


def without_luck(keys: FloatArray, noise: float, own: float | None = None) -> tuple[float, float]:
    """The lowest of ``keys``, or ``own`` of them, pulled towards the better half, and the share that was kept.

    ``noise`` is the trial variance. Empirical Bayes: the true value of the winner, given that it won.
    """
    ordered = np.sort(keys[np.isfinite(keys)])
    good = ordered[: max(int(np.ceil(GOOD_SHARE * len(ordered))), min(len(ordered), 3))]
    kept = kept_share(good, noise)
    value = float(good[0]) if own is None else own
    return float(good.mean() + kept * (value - good.mean())), kept

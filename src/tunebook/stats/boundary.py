"""Boundary: does the optimum lie outside of the range that was searched, and on which side? (L2)

Not "the best trial is in the outer tenth". The posterior of a surface fitted to the trials (bad ones
pulled in, infeasible ones as a wall) is asked by how much the optimum would improve if the range
were wider by half its width on one side: what makes a boundary finding right or wrong. With 20
trials such a posterior is sure of itself too early, so what it says is combined with where the best
trials lie, in a logistic rule whose coefficients were fitted to synthetic studies with a known
optimum (``benchmarks/truth_boundary.py`` has the studies and measures the rule).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tunebook.stats.arrays import BoolArray, FloatArray
from tunebook.stats.landscape import Box, Landscape, lowest_draws, lowest_points, top_trials

#: The question asked of the posterior: half the width more, as a person would widen a range.
REACH = 0.5
N_DRAWS = 200
#: A gain counts from this many standard deviations of what the surface leaves unexplained. Of the levels
#: from 0.5 to 6 this one told best who gains (fitted on synthetic studies, see the module).
GAIN_IN_NOISE = 3.0
#: The logistic rule: log odds that widening gains 3 noise standard deviations or more, against at most
#: 0.5. Fitted by maximum likelihood to 900 studies of ``benchmarks/synthetic.py`` (seed 1) and checked
#: on 900 others (seed 2): area under the curve 0.978.
BASE = -3.65
PER_POSTERIOR = 0.62
PER_TOP = 5.3
PER_LEAN = 0.44
LEAN_CAP = 5.0
#: Keeps the log odds of the posterior finite, as it is a share of 200 draws.
SOFT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What the trials say about one side of one dimension.

    ``posterior``: probability that half the width more on this side gains over ``GAIN_IN_NOISE``
    noise standard deviations, under the fitted surface. ``gain`` is the median gain in units of the
    objective. ``top`` is the mean position of the three best trials and ``best`` that of the best
    one, counted from the other side; ``lean`` is by how many standard errors the best fifth leans to
    this side. ``confidence`` is the combined, calibrated probability.
    """

    dimension: int
    is_high: bool
    posterior: float
    gain: float
    top: float
    best: float
    lean: float
    n_trials: int
    confidence: float = 0.0


def sides(landscape: Landscape, rows: BoolArray, asked: Sequence[int], seed: int = 0) -> tuple[Side, ...]:
    """Both sides of every dimension in ``asked``, for the study whose trials ``rows`` marks.

    The surface may rest on more studies than this one. Deterministic for a given seed.
    """
    rng = np.random.default_rng(seed)
    questions = [(dimension, is_high) for dimension in asked for is_high in (False, True)]
    inside = Box.around(landscape.points.taken(rows))
    boxes = [inside, *(inside.beyond(*question, REACH) for question in questions)]
    lowest = lowest_draws(landscape, [lowest_points(landscape, box, rng) for box in boxes], N_DRAWS, rng)
    if not np.isfinite(lowest[0]).all():
        return ()
    return tuple(
        _side(landscape, rows, question, lowest[0], np.minimum(beyond, lowest[0]))
        for question, beyond in zip(questions, lowest[1:], strict=True)
    )


def _side(
    landscape: Landscape, rows: BoolArray, question: tuple[int, bool], inside: FloatArray, beyond: FloatArray
) -> Side:
    dimension, is_high = question
    ranked = landscape.points.values[rows][top_trials(landscape.keys[rows], int(rows.sum())), dimension]
    ranked = ranked[np.isfinite(ranked)]
    towards = ranked if is_high else 1.0 - ranked
    gains = landscape.warp.undone(inside) - landscape.warp.undone(beyond)
    return _with_confidence(
        Side(
            dimension=dimension,
            is_high=is_high,
            posterior=float((inside - beyond > GAIN_IN_NOISE * landscape.surface.noise_sd).mean()),
            gain=float(np.median(gains)),
            top=float(towards[:3].mean()) if len(towards) else 0.5,
            best=float(towards[0]) if len(towards) else 0.5,
            lean=_lean(towards),
            n_trials=len(towards),
        )
    )


def _lean(towards: FloatArray) -> float:
    """By how many standard errors the mean of the best fifth (three at least) is above that of all."""
    if len(towards) < 2 or np.ptp(towards) == 0.0:
        return 0.0
    n_top = max(3, len(towards) // 5)
    return float((towards[:n_top].mean() - towards.mean()) / (towards.std() / math.sqrt(n_top)))


def _with_confidence(side: Side) -> Side:
    odds = math.log((side.posterior + SOFT) / (1.0 + SOFT - side.posterior))
    lean = min(max(side.lean, -LEAN_CAP), LEAN_CAP)
    total = BASE + PER_POSTERIOR * odds + PER_TOP * (side.top - 0.5) + PER_LEAN * lean
    return replace(side, confidence=1.0 / (1.0 + math.exp(-total)))

"""Check: is training unstable, and which settings make gradients noisier? (L5, I1 from past trials, T5)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tunebook.core.action import WarmUp
from tunebook.core.config import spelled
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Choice, Hyperparameter
from tunebook.evidence import FloatArray, IntArray
from tunebook.learn.names import learning_rates, raises_gradient_noise
from tunebook.learn.terrain import Terrain, terrain
from tunebook.learn.view import BoolArray, View
from tunebook.stats.instability import Edge, cut_off, share_of_outliers, turns_up

#: The probability of a cut-off optimum at which the check speaks, and from which no conclusion holds.
SPEAKS = 0.6
BLOCKING = 0.95
#: A wall takes more than a failure or two: with fewer, any plane separates them.
MIN_INFEASIBLE = 3
#: How much the loss of the neighbours above, when it turns up, adds to the belief in an instability.
TURNING_ODDS = 3.0
#: Neighbours looked at just above the best learning rate, up to ten times it (playbook: look at 5-10x).
N_ABOVE = 8
MOST_ABOVE = 10.0
#: Runs in which one step in a thousand has an outlying gradient norm are not calm ones.
OUTLYING_SHARE = 0.001
MIN_STEPS_FOR_OUTLIERS = 100
TOP = 5
TRAIN_LOSS = "train/loss"

EDGE_WORDS = Words(
    says=(
        "The best {hyperparameter}, {best:.3g}, sits next to where training fails: results improve up to the edge, and "
        "go on doing so behind it with a probability of {probability:.0%}. {above}"
    ),
    why=(
        "Then it is not the learning rate that is best but the largest one that training survives, and a better "
        "result may lie at one that is out of reach without stabilising."
    ),
    fix=(
        "Sweep warmup lengths at about ten times the learning rate that fails (`warmup`), then try gradient clipping "
        "(`clipping`). Lowering the learning rate is the last resort."
    ),
)
NORM_WORDS = Words(
    says=(
        "In {n_trials} of the {n_looked} best trials the gradient norm has outliers: {share:.2%} of the steps lie more "
        "than 7 robust standard deviations above the median ({trial} is the worst)."
    ),
    why="Single steps with a gradient far above the others can undo progress and end in divergence at higher rates.",
    fix="Clip at the 90th percentile of the logged norms (`clipping`).",
)
NOISE_WORDS = Words(
    says="The settings compared here differ in {hyperparameter} ({values}), which changes how noisy gradients are.",
    why=(
        "With noisier gradients training needs more steps, so a fixed number of steps may decide the comparison rather "
        "than the setting."
    ),
    fix="Look whether the noisier settings still improve at the end, and compare them with more steps.",
)


def check(view: View) -> Iterator[Finding]:
    """Unstable learning rates, outlying gradient norms, and settings that change gradient noise."""
    found = terrain(view)
    if found is not None:
        yield from _edges(view, found)
    yield from _outlying_norms(view)
    yield from _noisier_settings(view)


def _edges(view: View, found: Terrain) -> Iterator[Finding]:
    for rate in learning_rates(view.evidence.round):
        if rate not in found.columns:
            continue
        for study in view.studies:
            rows = found.rows(view.in_study(study.name))
            if (
                np.isnan(found.landscape.keys[rows]).sum() < MIN_INFEASIBLE
                or not np.isfinite(found.landscape.keys[rows]).any()
            ):
                continue
            edge = cut_off(found.landscape, rows, found.columns.index(rate))
            if edge is not None:
                yield from _edge(view, study.name, rate, edge)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Above:
    """The trials just above the best learning rate: how many there are, fail, and turn up."""

    n_trials: int
    n_infeasible: int
    n_turning: int

    @property
    def says(self) -> str:
        if not self.n_trials:
            return "No trial lies just above it."
        return (
            f"Of the {self.n_trials} trials just above it {self.n_infeasible} are infeasible, and in {self.n_turning} "
            f"the training loss rises after it had fallen."
        )


def _edge(view: View, study: str, rate: Hyperparameter, edge: Edge) -> Iterator[Finding]:
    mask = view.in_study(study)
    best = next(int(trial) for trial in view.order if mask[trial])
    rates = np.array([value if value is not None else np.nan for value in view.values(rate)], dtype=np.float64)
    above = _just_above(view, rates, best, mask)
    confidence = _with_neighbours(edge.probability, above)
    if confidence < SPEAKS:
        return
    yield Finding(
        code="unstable",
        requirement="L5",
        severity=Severity.BLOCKING if confidence >= BLOCKING else Severity.WARNING,
        words=EDGE_WORDS,
        confidence=confidence,
        subject=Subject(study=study, trial=view.evidence.trials[best].name, hyperparameter=rate.label),
        next=WarmUp(hyperparameter=rate.label, best=float(rates[best])),
        evidence={
            "hyperparameter": rate.label,
            "best": float(rates[best]),
            "probability": edge.probability,
            "above": above.says,
            "n_above": above.n_trials,
            "n_above_infeasible": above.n_infeasible,
            "n_above_turning": above.n_turning,
        },
    )


def _with_neighbours(probability: float, above: _Above) -> float:
    odds = probability / max(1.0 - probability, 1e-3) * TURNING_ODDS ** min(above.n_turning, 2)
    return float(odds / (1.0 + odds))


def _just_above(view: View, rates: FloatArray, best: int, mask: BoolArray) -> _Above:
    near = mask & (rates > rates[best]) & (rates <= MOST_ABOVE * rates[best]) & (view.feasible | view.infeasible)
    trials: IntArray = np.flatnonzero(near)[np.argsort(rates[near], kind="stable")][:N_ABOVE].astype(np.int64)
    losses = view.evidence.curves.get(TRAIN_LOSS)
    n_turning = 0 if losses is None else sum(turns_up(losses[int(trial)][1]) for trial in trials)
    return _Above(n_trials=len(trials), n_infeasible=int(view.infeasible[trials].sum()), n_turning=n_turning)


def _outlying_norms(view: View) -> Iterator[Finding]:
    norms = view.evidence.curves.get("grad_norm")
    if norms is None:
        return
    looked = [int(trial) for trial in view.order[:TOP] if len(norms[int(trial)][1]) >= MIN_STEPS_FOR_OUTLIERS]
    shares = {trial: share_of_outliers(norms[trial][1]) for trial in looked}
    outlying = [trial for trial in looked if shares[trial] >= OUTLYING_SHARE]
    if 2 * len(outlying) <= len(looked):
        return
    worst = max(outlying, key=lambda trial: shares[trial])
    yield Finding(
        code="unstable",
        requirement="L5",
        severity=Severity.WARNING,
        words=NORM_WORDS,
        confidence=len(outlying) / len(looked),
        subject=Subject(trial=view.evidence.trials[worst].name),
        evidence={
            "n_trials": len(outlying),
            "n_looked": len(looked),
            "share": float(np.mean([shares[trial] for trial in outlying])),
            "trial": view.evidence.trials[worst].name,
        },
    )


def _noisier_settings(view: View) -> Iterator[Finding]:
    for hyperparameter in view.evidence.round.scientific:
        if raises_gradient_noise(hyperparameter):
            domain = hyperparameter.domain
            values = ", ".join(map(spelled, domain.values)) if isinstance(domain, Choice) else domain.describe()
            yield Finding(
                code="gradient_variance",
                requirement="T5",
                severity=Severity.NOTE,
                words=NOISE_WORDS,
                subject=Subject(hyperparameter=hyperparameter.label),
                evidence={"hyperparameter": hyperparameter.label, "values": values},
            )

"""Check: how many trials could not be trained, why, and where they lie (L4)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tunebook.core.config import Value
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.core.outcome import Status
from tunebook.evidence import FloatArray
from tunebook.learn.names import is_one_minus, learning_rates, momenta
from tunebook.learn.view import BoolArray, View
from tunebook.stats.infeasible import Split, best_split

#: From this share on the space wastes the budget; from half on most of it (L4).
MANY = 0.25
MOST = 0.5
#: A threshold is named when chance gives one as good with at most this probability over all dimensions
#: together, and when an infeasible trial lies further out than a feasible one this often.
LEVEL = 0.01
CLEAR_AUC = 0.7
#: The effective learning rate replaces learning rate and momentum when it separates better by this much.
BETTER_AUC = 0.005
#: Fewer trials than this show no fraction worth a sentence.
MIN_TRIALS = 4
#: The cause of a trial that ended well and learned nothing.
STUCK = "no better than chance"

FRACTION_WORDS = Words(
    says="{n_infeasible} of {n_trials} trials ({fraction:.0%}) were infeasible: {causes_in_words}. {places}",
    why="{why}",
    fix="{advice}",
)
REGION_WORDS = Words(
    says=(
        "Trials with {hyperparameter} {side} {threshold:.3g} are infeasible in {share_beyond:.0%} of {n_beyond} cases, "
        "the others in {share_before:.0%} of {n_before}."
    ),
    why=(
        "An infeasible trial lies further to that side than a feasible one with a probability of {auc:.0%}; by chance "
        "a separation like this comes up with a probability of {p:.2g} in {n_dimensions} dimensions."
    ),
    fix=(
        "Where good trials keep away from {threshold:.3g}, end the range there and save the budget; where the best "
        "ones lie next to it, stabilise training instead (warmup, gradient clipping)."
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    """One dimension in which infeasible trials may be separated. ``values`` are what is split: logs where
    ``is_log``, so that a threshold lies halfway on the scale of the range.
    """

    label: str
    values: FloatArray
    is_log: bool
    made_of: tuple[str, ...] = ()

    def shown(self, threshold: float) -> float:
        return math.exp(threshold) if self.is_log else threshold


def check(view: View) -> Iterator[Finding]:
    """The fraction with its causes, then every dimension that separates."""
    ended = (view.feasible | view.infeasible) & view.searched_trials
    infeasible = view.infeasible[ended]
    if not infeasible.any() or ended.sum() < MIN_TRIALS:
        return
    regions = list(_regions(view, ended))
    yield _fraction(view, ended, regions)
    yield from (_region(axis, split, n_dimensions) for axis, split, n_dimensions in regions)


def _regions(view: View, ended: BoolArray) -> Iterator[tuple[_Axis, Split, int]]:
    """Axes that separate clearly, the clearest first, none that is a part of one named before."""
    axes = list(_axes(view, ended))
    infeasible = view.infeasible[ended]
    splits = [(axis, best_split(axis.values, infeasible)) for axis in axes]
    found = [(axis, split) for axis, split in splits if split and _is_clear(split, len(axes))]
    taken: set[str] = set()
    for axis, split in sorted(found, key=lambda pair: -pair[1].auc + (0.0 if pair[0].made_of else BETTER_AUC)):
        names = {axis.label, *axis.made_of}
        if not names & taken:
            taken |= names
            yield axis, split, len(axes)


def _is_clear(split: Split, n_axes: int) -> bool:
    return split.auc >= CLEAR_AUC and split.p * n_axes <= LEVEL


def _axes(view: View, ended: BoolArray) -> Iterator[_Axis]:
    for hyperparameter in view.evidence.round.searched:
        if isinstance(hyperparameter.domain, Range):
            is_log = hyperparameter.domain.scale == "log"
            numbers = _numbers(view, hyperparameter)[ended]
            yield _Axis(hyperparameter.label, _logs(numbers) if is_log else numbers, is_log)
    for rate in learning_rates(view.evidence.round):
        for momentum in momenta(view.evidence.round):
            yield _effective_rate(view, rate, momentum, ended)


def _effective_rate(view: View, rate: Hyperparameter, momentum: Hyperparameter, ended: BoolArray) -> _Axis:
    """Learning rate over 1 - momentum: the length of the step that heavy-ball momentum settles at."""
    given = _numbers(view, momentum)
    left = given if is_one_minus(momentum) else 1.0 - given
    label = f"{rate.label} / {momentum.label if is_one_minus(momentum) else f'(1 - {momentum.label})'}"
    values = _logs(_numbers(view, rate)) - _logs(left)
    return _Axis(label, values[ended], True, (rate.label, momentum.label))


def _numbers(view: View, hyperparameter: Hyperparameter) -> FloatArray:
    return np.array([_as_number(value) for value in view.values(hyperparameter)], dtype=np.float64)


def _as_number(value: Value | None) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _logs(numbers: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(numbers > 0, np.log(numbers), np.nan)


def _fraction(view: View, ended: BoolArray, regions: list[tuple[_Axis, Split, int]]) -> Finding:
    n_infeasible, n_trials = int(view.infeasible[ended].sum()), int(ended.sum())
    fraction = n_infeasible / n_trials
    causes = _causes(view, ended)
    looks_like_bug = fraction >= MOST and not regions
    return Finding(
        code="infeasible_fraction",
        requirement="L4",
        severity=_severity(fraction, looks_like_bug),
        words=FRACTION_WORDS,
        confidence=1.0,
        evidence={
            "n_infeasible": n_infeasible,
            "n_trials": n_trials,
            "fraction": fraction,
            "causes": dict(causes),
            "causes_in_words": ", ".join(_counted(cause, count) for cause, count in causes.most_common()),
            "places": _places(regions, fraction),
            "looks_like_bug": looks_like_bug,
            "why": _why(fraction, looks_like_bug),
            "advice": _advice(regions, looks_like_bug),
        },
    )


def _severity(fraction: float, looks_like_bug: bool) -> Severity:
    if looks_like_bug:
        return Severity.BLOCKING
    return Severity.WARNING if fraction >= MANY else Severity.NOTE


def _causes(view: View, ended: BoolArray) -> Counter[str]:
    trials = [trial for trial, counts in zip(view.evidence, view.infeasible & ended, strict=True) if counts]
    return Counter(
        STUCK if trial.status is Status.COMPLETE else str(trial.cause or "unknown").replace("_", " ")
        for trial in trials
    )


def _counted(cause: str, count: int) -> str:
    """A cause with its number; the tables of trials count a run that ended as complete, whatever it learned."""
    return f"{count} complete but {cause}" if cause == STUCK else f"{count} {cause}"


def _places(regions: list[tuple[_Axis, Split, int]], fraction: float) -> str:
    if regions:
        return f"They lie where {regions[0][0].label} is {'high' if regions[0][1].is_high else 'low'}."
    return "No single hyperparameter separates them" + (", they fail all over the space." if fraction >= MOST else ".")


def _why(fraction: float, looks_like_bug: bool) -> str:
    if looks_like_bug:
        return "Trials that fail wherever they are point to a bug in the pipeline rather than to the hyperparameters."
    return f"{fraction:.0%} of the budget bought nothing but the knowledge of where training fails."


def _advice(regions: list[tuple[_Axis, Split, int]], looks_like_bug: bool) -> str:
    if looks_like_bug:
        return "Read the logs of a few infeasible trials and run one simple configuration by hand before tuning on."
    if not regions:
        return "Read the logs of a few of them."
    axis, split, _ = regions[0]
    side = "above" if split.is_high else "below"
    return (
        f"Leave out {axis.label} {side} {axis.shown(split.threshold):.3g}; where the best trials lie next to that, "
        "stabilise training instead (`tunebook stability` says whether that helps)."
    )


def _region(axis: _Axis, split: Split, n_dimensions: int) -> Finding:
    p = min(1.0, split.p * n_dimensions)
    return Finding(
        code="infeasible_region",
        requirement="L4",
        severity=Severity.WARNING if split.share_beyond >= MOST else Severity.NOTE,
        words=REGION_WORDS,
        confidence=1.0 - p,
        subject=Subject(hyperparameter=axis.label),
        evidence={
            "hyperparameter": axis.label,
            "made_of": list(axis.made_of),
            "direction": "high" if split.is_high else "low",
            "side": "above" if split.is_high else "below",
            "threshold": axis.shown(split.threshold),
            "share_beyond": split.share_beyond,
            "share_before": split.share_before,
            "n_beyond": split.n_beyond,
            "n_before": split.n_before,
            "auc": split.auc,
            "p": p,
            "n_dimensions": n_dimensions,
        },
    )

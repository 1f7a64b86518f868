"""Check: do scientific settings differ once everything else is tuned? (L9)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tunebook.core.config import Config, Value, spelled
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import FloatArray
from tunebook.learn.view import BoolArray, View
from tunebook.plan.cube import from_unit
from tunebook.stats.isolation import LEVEL, Contrast, compare_settings, probability_best

#: A range with more values than this is compared by buckets of equal width.
MOST_VALUES = 8
N_BUCKETS = 4

WORDS = Words(
    says=(
        "{setting} against {against}: the improvement of {metric} in the best of {m} trials is {estimate:+.3g} "
        "({low:+.3g} to {high:+.3g} at {level:.0%}; below 0 is worse); it is better at all with a probability of "
        "{probability:.0%}{material}."
    ),
    why=(
        "The interval holds the luck of the search (study variance) and is right for all {n_compared} comparisons at "
        "once; with as many settings as here, {setting} is the best of all with a probability of {best:.0%}.{repeats}"
    ),
    fix="{advice}",
)

REPEATS_WORDS = (
    " Only the trials of the search are compared here; `tunebook decide` counts the repeats in, so its probability is "
    "another one and the better founded."
)


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """The trials that share their scientific values; a bucket of a range is a text such as ``0.1 to 0.2``."""

    values: Config
    mask: BoolArray

    @property
    def name(self) -> str:
        """``use_dropout=true``."""
        return ", ".join(f"{key}={spelled(value)}" for key, value in self.values.items())


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All settings of a round, those against the first of them, and how likely each is the best."""

    settings: tuple[Setting, ...]
    contrasts: tuple[Contrast, ...]
    best: FloatArray


def compare(view: View, reference: int = 0, level: float = LEVEL) -> Comparison:
    """Compare the scientific settings of a round; ``reference`` is a position in ``settings(view)``."""
    found = settings(view)
    groups = [keys_of(view, setting) for setting in found]
    if len(found) < 2:
        return Comparison(found, (), np.full(len(found), np.nan))
    return Comparison(found, compare_settings(groups, reference, level), probability_best(groups))


def keys_of(view: View, setting: Setting) -> FloatArray:
    """The keys of a setting's search trials that ended, NaN where infeasible."""
    ended = setting.mask & (view.feasible | view.infeasible)
    return np.asarray(np.where(view.feasible, view.keys, np.nan)[ended], dtype=np.float64)


def settings(view: View) -> tuple[Setting, ...]:
    """The scientific settings that have search trials, in the order of the studies and then of the trials."""
    columns = [(item, _levels(view, item)) for item in view.evidence.round.scientific]
    order: dict[Config, list[int]] = {Config(study.setting): [] for study in view.studies if len(study.setting)}
    for trial in np.flatnonzero(view.searched_trials):
        found = {item.name: value for item, levels in columns if (value := levels[int(trial)]) is not None}
        if found:
            order.setdefault(Config(found), []).append(int(trial))
    return tuple(Setting(values, _mask(trials, view.n_trials)) for values, trials in order.items() if trials)


def _mask(trials: list[int], n_trials: int) -> BoolArray:
    mask = np.zeros(n_trials, dtype=bool)
    mask[trials] = True
    return mask


def _levels(view: View, hyperparameter: Hyperparameter) -> list[Value | None]:
    """What each trial counts as: its value, or the bucket its value lies in."""
    values = view.values(hyperparameter)
    domain = hyperparameter.domain
    if not isinstance(domain, Range) or len({value for value in values if value is not None}) <= MOST_VALUES:
        return values
    ends = from_unit(domain, np.linspace(0.0, 1.0, N_BUCKETS + 1))
    names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(ends)]
    units = view.units(hyperparameter)
    return [None if np.isnan(unit) else names[min(int(unit * N_BUCKETS), N_BUCKETS - 1)] for unit in units]


def check(view: View) -> Iterator[Finding]:
    """One finding per setting, against the first."""
    comparison = compare(view)
    for contrast in comparison.contrasts:
        yield _finding(view, comparison, contrast)


def _finding(view: View, comparison: Comparison, contrast: Contrast) -> Finding:
    setting, against = comparison.settings[contrast.number], comparison.settings[contrast.against]
    return Finding(
        code="comparison",
        requirement="L9",
        severity=Severity.NOTE,
        words=WORDS,
        confidence=max(contrast.probability, 1.0 - contrast.probability),
        subject=Subject(study=study_of(view, setting)),
        evidence={
            "setting": setting.name,
            "against": against.name,
            "metric": view.objective.metric,
            "estimate": contrast.estimate,
            "low": contrast.low,
            "high": contrast.high,
            "level": contrast.level,
            "m": contrast.m,
            "probability": contrast.probability,
            "best": float(comparison.best[contrast.number]),
            "n_compared": len(comparison.contrasts),
            "material": _material(view, contrast),
            "repeats": REPEATS_WORDS if view.evidence.mask(purpose=TrialPurpose.REPEAT).any() else "",
            "advice": _advice(contrast, setting, against),
        },
    )


def study_of(view: View, setting: Setting) -> str | None:
    """The study all trials of a setting are in; None when they are in several."""
    names = {view.evidence.trials[int(trial)].study for trial in np.flatnonzero(setting.mask)}
    return names.pop() if len(names) == 1 else None


def _material(view: View, contrast: Contrast) -> str:
    """What the interval says about the smallest difference that matters."""
    material = view.material.value
    if material is None:
        return ""
    if max(abs(contrast.low), abs(contrast.high)) < material:
        return f"; any difference is smaller than what matters ({material:.3g})"
    if contrast.low > material or contrast.high < -material:
        return f"; that is more than what matters ({material:.3g})"
    return f"; whether it reaches what matters ({material:.3g}) is open"


def _advice(contrast: Contrast, setting: Setting, against: Setting) -> str:
    if contrast.low > 0:
        return f"Rerun the best trial with {setting.name} and the baseline with several seeds before adopting it."
    if contrast.high < 0:
        return f"Keep {against.name}."
    return "The trials cannot tell them apart; add trials to both, or keep the simpler one."

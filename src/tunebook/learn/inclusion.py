"""Check: is an optimizer worse than one that it includes? Then its search space is at fault (L9, methods 3).

An optimizer includes another when it can imitate it with the right values of its hyperparameters, as Adam does
momentum. Tuned over a space that holds those values it cannot be worse, so where it is, nothing was learned about
its merit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tunebook.core.config import Config
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.trial import TrialPurpose
from tunebook.learn.comparison import Setting, keys_of, settings, study_of
from tunebook.learn.view import View
from tunebook.plan.catalogue import INCLUDES, lookup, not_searched
from tunebook.plan.names import Kind, kind_of
from tunebook.stats.posterior import Sample, trial_variance
from tunebook.stats.setting import BestFound, Gap, best_found, gaps

WORDS = Words(
    says=(
        "The search space of {general} is inadequate: its best of {n_trials} trials is worse than that of {included}, "
        "which it includes, by {estimate:.3g} ({low:.3g} to {high:.3g} at {level:.0%})."
    ),
    why=(
        "With the right values of its other hyperparameters {general} does what {included} does, so that it loses says "
        "something about the search and nothing about {general}."
    ),
    fix="{advice}",
)
LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Violation:
    """``general`` did worse than ``included``, which it includes, by ``gap`` (lower is better, so above 0)."""

    general: Setting
    included: Setting
    optimizer: str
    gap: Gap


def violations(view: View, level: float = LEVEL) -> tuple[Violation, ...]:
    """For every optimizer that is worse than what it includes beyond the luck of the searches, the worst such pair.

    Only settings that agree in all other scientific values are compared; those without a feasible trial, or too few
    to see a spread, are passed over.
    """
    by_optimizer: dict[tuple[Config, str], Setting] = {}
    for setting in settings(view):
        rest, optimizer = _optimizer_of(setting)
        if optimizer is not None and np.isfinite(keys_of(view, setting)).any():
            by_optimizer[rest, optimizer] = setting
    judged = (_worst(view, by_optimizer, rest, optimizer, level) for rest, optimizer in by_optimizer)
    return tuple(violation for violation in judged if violation is not None)


def check(view: View) -> Iterator[Finding]:
    """One warning per optimizer that is worse than one it includes."""
    for violation in violations(view):
        yield _finding(view, violation)


def _worst(
    view: View, by_optimizer: dict[tuple[Config, str], Setting], rest: Config, optimizer: str, level: float
) -> Violation | None:
    general = by_optimizer[rest, optimizer]
    names = sorted(INCLUDES.get(optimizer, ()))
    included = [by_optimizer[rest, name] for name in names if (rest, name) in by_optimizer]
    against, *bests = _bests(view, [general, *included])
    found = gaps(bests, against, level=level) or ()
    surely = [(one, gap) for one, gap in zip(included, found, strict=False) if gap.low > 0]
    if not surely:
        return None
    worst, gap = max(surely, key=lambda pair: pair[1].estimate)
    return Violation(general=general, included=worst, optimizer=optimizer, gap=gap)


def _bests(view: View, compared: list[Setting]) -> list[BestFound]:
    """What the search of each setting found; by fresh runs of the winner where there are some, free of its luck."""
    fresh = [_fresh(view, setting) for setting in compared]
    variance = trial_variance([sample for sample in fresh if sample is not None])
    return [
        best_found(keys_of(view, setting), sample, variance) for setting, sample in zip(compared, fresh, strict=True)
    ]


def _fresh(view: View, setting: Setting) -> Sample | None:
    trials = np.flatnonzero(setting.mask & view.feasible)
    winner = trials[np.argmin(view.keys[trials])]
    is_same = view.evidence.configurations == view.evidence.configurations[winner]
    values = view.keys[is_same & view.feasible & view.evidence.mask(purpose=TrialPurpose.REPEAT)]
    return Sample.of(values) if len(values) else None


def _optimizer_of(setting: Setting) -> tuple[Config, str | None]:
    """The other scientific values, and the catalogue's name of the optimizer; None without one it knows."""
    names = [name for name in setting.values if kind_of(name) is Kind.OPTIMIZER]
    known = lookup(str(setting.values[names[0]])) if len(names) == 1 else None
    rest = Config({name: value for name, value in setting.values.items() if name not in names})
    return rest, known.name if known else None


def _finding(view: View, violation: Violation) -> Finding:
    general, included, gap = violation.general, violation.included, violation.gap
    searched = [item.name for item in view.evidence.round.searched if item.is_active(_of_any(view, general))]
    missing = not_searched(violation.optimizer, searched)
    return Finding(
        code="inclusion",
        requirement="L9",
        severity=Severity.WARNING,
        words=WORDS,
        confidence=gap.probability,
        subject=Subject(study=study_of(view, general)),
        evidence={
            "general": general.name,
            "included": included.name,
            "n_trials": int(general.mask.sum()),
            "estimate": gap.estimate,
            "low": gap.low,
            "high": gap.high,
            "level": LEVEL,
            "missing": list(missing),
            "advice": f"Search its {', '.join(missing)} as well."
            if missing
            else "All of its hyperparameters are searched: widen their ranges, or run more trials of it.",
        },
    )


def _of_any(view: View, setting: Setting) -> Config:
    """The configuration of one of the setting's trials: which conditional hyperparameters exist."""
    return view.evidence.trials[int(np.flatnonzero(setting.mask)[0])].config

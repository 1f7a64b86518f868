"""Caveats: what a conclusion holds for only because it was held constant or searched unequally (R2)."""

from __future__ import annotations

from collections import Counter

from tunebook.core.hyperparameter import Constant, Hyperparameter
from tunebook.core.outcome import Status
from tunebook.core.trial import TrialPurpose
from tunebook.decide.baseline import Baseline
from tunebook.evidence import Evidence

#: Studies whose numbers of trials differ by more than this factor are not compared fairly.
FAIR_RATIO = 1.25


def caveats_of(evidence: Evidence) -> tuple[str, ...]:
    """One sentence for every fixed hyperparameter, and one where the studies had unequal budgets."""
    fixed = [_fixed(item) for item in evidence.round.fixed]
    return tuple(fixed + _unequal(evidence))


def way_caveat(evidence: Evidence, baseline: Baseline | None) -> tuple[str, ...]:
    """A baseline that was trained by another pipeline or command may differ by more than its configuration."""
    if baseline is None or baseline.way_to_train in (None, evidence.round.way_to_train):
        return ()
    return (
        f"the baseline was trained by {baseline.way_to_train}, this round by {evidence.round.way_to_train}: the "
        "comparison holds only if data, model and evaluation are the same in both",
    )


def _fixed(item: Hyperparameter) -> str:
    assert isinstance(item.domain, Constant)
    reason = f" ({item.domain.because})" if item.domain.because else ""
    return (
        f"{item.label} was fixed at {item.domain.describe()}{reason}: with another value, or with it tuned for every "
        "setting, the conclusion can be a different one"
    )


def _unequal(evidence: Evidence) -> list[str]:
    done = (Status.COMPLETE, Status.INFEASIBLE)
    configs = {
        (trial.study, trial.config)
        for trial in evidence.trials
        if trial.status in done and trial.purpose is TrialPurpose.SEARCH
    }
    counts = Counter(study for study, _ in configs)
    if len(counts) < 2 or max(counts.values()) <= FAIR_RATIO * min(counts.values()):
        return []
    listed = ", ".join(f"{study} {count}" for study, count in sorted(counts.items()))
    return [
        f"the studies had unequal numbers of trials ({listed}): more trials find better configurations by themselves"
    ]

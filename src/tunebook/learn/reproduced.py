"""Check: do repeats bear out what the search found? (D1, D3)"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.trial import TrialPurpose
from tunebook.learn.curves import best_trials
from tunebook.learn.view import View
from tunebook.stats.selection import refuted

WORDS = Words(
    says=(
        "{trial} reached {metric} {first:.4g} in the search, but {n_repeats} runs of it with fresh seeds average "
        "{mean:.4g} ({best:.4g} to {worst:.4g}): no better than half of the trials of its study ({typical:.4g})."
    ),
    why=(
        "Its first run was luck, or training with this configuration is unstable. What was concluded from that value "
        "alone, its place as the best included, does not hold."
    ),
    fix="Repeat the next best trials before adopting anything, each with `tunebook repeat {round} --trial ID`.",
)


def check(view: View) -> Iterator[Finding]:
    """One finding per study whose best trial its repeats pull down to a typical one."""
    repeated = view.evidence.mask(purpose=TrialPurpose.REPEAT)
    configurations = view.evidence.configurations
    for trial in best_trials(view):
        fresh = view.keys[(configurations == configurations[trial]) & repeated & view.feasible]
        study = view.evidence.trials[trial].study
        typical = refuted(float(view.keys[trial]), fresh, view.keys[view.in_study(study) & view.feasible])
        if typical is not None:
            yield _finding(view, trial, fresh, typical)


def _finding(view: View, trial: int, fresh: np.ndarray[tuple[int], np.dtype[np.float64]], typical: float) -> Finding:
    record, sign = view.evidence.trials[trial], view.objective.sign
    return Finding(
        code="not_reproduced",
        requirement="D1",
        severity=Severity.WARNING,
        words=WORDS,
        subject=Subject(study=record.study, trial=record.name),
        evidence={
            "round": view.evidence.name,
            "trial": record.name,
            "metric": view.objective.metric,
            "first": sign * float(view.keys[trial]),
            "n_repeats": len(fresh),
            "mean": sign * float(fresh.mean()),
            "best": sign * float(fresh.min()),
            "worst": sign * float(fresh.max()),
            "typical": sign * typical,
        },
    )

"""Stretches of a widened range that no trial lies in, when no further trial is planned (R7).

A slot keeps its trial, so widening a range draws nothing by itself; saying so is what this is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tunebook.core.action import AddTrials
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.plan.cube import to_unit
from tunebook.plan.trials import plan_trials

#: The largest gap that n even points leave at an end of the unit interval is about one n-th of it.
GAP_SPACINGS = 3.0
#: Fewer points say nothing about where there are none.
MIN_TRIALS = 6

WORDS = Words(
    says="All {n_trials} trials of {hyperparameter} were drawn from an earlier, narrower range: {share:.0%} of the "
    "range at its {direction} end holds none, and no further trial is planned.",
    why="Widening a range keeps the trials inside it and draws nothing by itself, so the new part stays unseen.",
    fix="Raise [search] trials: the next ones are drawn from the whole range.",
)


def unseen_findings(design: Round, existing: Sequence[TrialSpec]) -> tuple[Finding, ...]:
    """One finding for every end of a range that is empty, where planning again adds no trial."""
    planned = plan_trials(design, existing)
    known = {spec.id for spec in existing}
    if design.search.algorithm == "list" or any(spec.id not in known for spec in planned):
        return ()
    return tuple(finding for item in design.searched for finding in _ends(design, item, planned))


def _ends(design: Round, item: Hyperparameter, planned: Sequence[TrialSpec]) -> Iterator[Finding]:
    active = [spec.config for spec in planned if item.is_active(spec.config)]
    if not isinstance(item.domain, Range) or len(active) < MIN_TRIALS:
        return
    units = to_unit(item.domain, [config.get(item.name) for config in active])
    gaps = {"low": float(np.min(units)), "high": 1.0 - float(np.max(units))}
    for direction, gap in gaps.items():
        if gap * len(active) > GAP_SPACINGS:
            yield Finding(
                code="unseen_range",
                requirement="R7",
                severity=Severity.WARNING,
                words=WORDS,
                evidence={
                    "hyperparameter": item.label,
                    "direction": direction,
                    "share": gap,
                    "n_trials": len(active),
                },
                subject=Subject(hyperparameter=item.label),
                next=AddTrials(trials=2 * design.search.trials),
            )

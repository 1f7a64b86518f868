"""Checking a design before it runs: its plan, the linter, and what earlier trials and the launch in force say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tunebook.core.finding import Finding
from tunebook.core.launch import Launch, current_launch
from tunebook.core.round import Round
from tunebook.decide.ledger import stale_findings
from tunebook.plan.summary import PlanSummary, summarise
from tunebook.plan.unseen import unseen_findings
from tunebook.use_cases.designing import known_trials

if TYPE_CHECKING:
    from tunebook.store.store import Store


def check(design: Round, store: Store | None, launches: Sequence[Launch], *, workers: int) -> PlanSummary:
    """The plan of a design with all findings about it (R3, R6, R7, S6, S7); ``store`` None holds nothing."""
    summary = summarise(design, seconds_per_step=seconds_per_step(design, store), workers=workers)
    return replace(summary, findings=summary.findings + _unseen(design, store) + _stale(design, store, launches))


def seconds_per_step(design: Round, store: Store | None) -> float | None:
    """What a training step took so far, else what the design says; None when neither tells (S6)."""
    if store is None:
        return design.run.seconds_per_step
    from tunebook import history  # brings statistics that a project without a store does without

    return history.seconds_per_step(store, design) or design.run.seconds_per_step


def _unseen(design: Round, store: Store | None) -> tuple[Finding, ...]:
    """What a design searches beyond all of its trials, when no further one is planned (R7)."""
    existing = known_trials(store, design.name)
    return unseen_findings(design, existing) if existing else ()


def _stale(design: Round, store: Store | None, launches: Sequence[Launch]) -> tuple[Finding, ...]:
    """What changed since the launch in force, so that its tuned values are no longer trusted (S7)."""
    launch = current_launch(list(launches))
    if launch is None or store is None:
        return ()
    return stale_findings(store.design(launch.round), design)

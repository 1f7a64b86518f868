"""analyse: all checks over one round, the important findings first, and a summary of its studies (L10)."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tunebook.core.finding import Finding, Severity, Words, by_importance
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.trial import Study
from tunebook.errors import MissingExtra
from tunebook.evidence import Evidence
from tunebook.learn.table import CHECKS, load
from tunebook.learn.view import Noise, View

#: How an analysis looks is the show layer's work; a value names it and does not import it.
SUMMARY = "tunebook.show.screens"

SKIPPED_WORDS = Words(
    says="The check {check} was skipped: {reason}.",
    why="What it looks for may be there or not; nobody looked.",
    fix="Install what is missing and look again.",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """What a round shows: the view it was read from and the findings, blocking ones first."""

    view: View
    findings: tuple[Finding, ...]

    @property
    def has_blocking(self) -> bool:
        """Whether something stands in the way of a conclusion."""
        return any(finding.severity is Severity.BLOCKING for finding in self.findings)

    @property
    def studies(self) -> list[dict[str, Any]]:
        """One summary per study: counts by status, and the best trial, as ``learn --json`` shows them."""
        searched = [study for study in self.view.studies if self.view.in_study(study.name).any()]
        return [_summary(self.view, study) for study in searched or self.view.studies]

    def __str__(self) -> str:
        return str(self._summary())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        html: str = self._summary()._repr_html_()
        return html

    def _summary(self) -> Any:
        return importlib.import_module(SUMMARY).summary_of(self)

    def to_mapping(self) -> dict[str, Any]:
        """The document of ``learn --json``."""
        objective = self.view.objective
        return {
            "round": self.view.evidence.name,
            "objective": {
                "metric": objective.metric,
                "direction": objective.direction,
                "reduce": str(objective.reduction),
            },
            "studies": self.studies,
            "findings": [finding.to_mapping() for finding in self.findings],
        }


def analyse(
    evidence: Evidence,
    objective: Objective | None = None,
    *,
    earlier: Noise | None = None,
    checks: Iterable[str] = tuple(CHECKS),
) -> Analysis:
    """Run the checks over a round under its own or a revised ``objective``.

    ``earlier``: a trial standard deviation measured before, used when the round has no repeats.
    Whatever the round holds, the result is findings: sentences about what is known and what is not.
    """
    view = View.of(evidence, objective, earlier)
    # The matrices are small: several BLAS threads only wait for each other, badly so on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        findings = [finding for name in checks for finding in _run(name, view)]
    return Analysis(view=view, findings=tuple(sorted(findings, key=by_importance)))


def _run(name: str, view: View) -> Sequence[Finding]:
    """The findings of one check; one note instead when an optional package it needs is absent."""
    try:
        return list(load(name)(view))
    except MissingExtra as missing:
        return list(_skipped(name, missing))


def _skipped(name: str, missing: MissingExtra) -> Iterator[Finding]:
    yield Finding(
        code="check_skipped",
        requirement="L10",
        severity=Severity.NOTE,
        words=SKIPPED_WORDS,
        evidence={"check": name, "reason": str(missing)},
    )


def _summary(view: View, study: Study) -> dict[str, Any]:
    mask = view.in_study(study.name)
    return {
        "study": study.name,
        "trials": int(mask.sum()),
        **{
            str(status): int((mask & view.evidence.mask(status)).sum())
            for status in (Status.COMPLETE, Status.INFEASIBLE, Status.FAILED)
        },
        "best": _best(view, mask),
    }


def _best(view: View, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any] | None:
    ranked = view.order[mask[view.order]]
    if not len(ranked):
        return None
    number = int(ranked[0])
    trial = view.evidence.trials[number]
    return {
        "trial": trial.name,
        "value": float(view.scores.values[number]),
        "step": int(view.scores.steps[number]),
        "config": dict(trial.config),
    }

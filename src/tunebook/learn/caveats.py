"""Check: what was held fixed, and a baseline that no longer fits, limit every conclusion of a round (R2, S7)."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.config import same_value, spelled
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Constant, Hyperparameter
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import TrialRecord
from tunebook.learn.view import View

WORDS = Words(
    says="{hyperparameter} was fixed at {value} in all trials{reason}.",
    why="What this round concludes holds for {hyperparameter} = {value}; with another value it may be different.",
)
STALE_WORDS = Words(
    says="The baseline {trial} was run with {hyperparameter} = {was}, this round with {now}.",
    why="Values tuned under one setting are not to be trusted under another, and neither is a comparison with them.",
    fix="Run the baseline again with {hyperparameter} = {now}, and tune its optimizer and regularisation anew.",
)


def check(view: View) -> Iterator[Finding]:
    """One note per fixed hyperparameter; a warning per baseline trial that had another value."""
    for hyperparameter in view.evidence.round.fixed:
        if isinstance(hyperparameter.domain, Constant):
            yield _caveat(hyperparameter, hyperparameter.domain)
            yield from _stale(view, hyperparameter, hyperparameter.domain)


def _caveat(hyperparameter: Hyperparameter, constant: Constant) -> Finding:
    return Finding(
        code="caveat",
        requirement="R2",
        severity=Severity.NOTE,
        words=WORDS,
        subject=Subject(hyperparameter=hyperparameter.label),
        evidence={
            "hyperparameter": hyperparameter.label,
            "value": spelled(constant.value),
            "because": constant.because,
            "reason": f" ({constant.because})" if constant.because else "",
        },
    )


def _stale(view: View, hyperparameter: Hyperparameter, constant: Constant) -> Iterator[Finding]:
    for trial in view.evidence:
        if trial.purpose is TrialPurpose.BASELINE and _differs(trial, hyperparameter, constant):
            yield Finding(
                code="stale_baseline",
                requirement="S7",
                severity=Severity.WARNING,
                words=STALE_WORDS,
                subject=Subject(trial=trial.name, study=trial.study, hyperparameter=hyperparameter.label),
                evidence={
                    "trial": trial.name,
                    "hyperparameter": hyperparameter.label,
                    "was": spelled(trial.config[hyperparameter.name]),
                    "now": spelled(constant.value),
                },
            )


def _differs(trial: TrialRecord, hyperparameter: Hyperparameter, constant: Constant) -> bool:
    name = hyperparameter.name
    return name in trial.config and not same_value(trial.config[name], constant.value)

"""Words around numbers: how sure, how bad, what next. One place, so that every face says the same."""

from __future__ import annotations

from tunebook.core.action import Action
from tunebook.core.config import Config, spelled
from tunebook.core.finding import Finding, Severity, by_importance
from tunebook.show.data.numbers import short

#: Lowest probability for each phrase, as the IPCC's guidance on uncertainty words uses them.
CONFIDENCE_WORDS = (
    (0.99, "almost certain"),
    (0.90, "very likely"),
    (0.66, "likely"),
    (0.33, "about as likely as not"),
    (0.0, "unlikely"),
)

SEVERITY_WORDS = {
    Severity.BLOCKING: "blocking",
    Severity.WARNING: "warning",
    Severity.NOTE: "note",
}


def confidence_words(confidence: float) -> str:
    """How sure in words: ``very likely``; ``certain`` for what follows from the design alone."""
    if confidence == 1.0:
        return "certain"
    return next(word for lowest, word in CONFIDENCE_WORDS if confidence >= lowest)


def confidence_text(confidence: float) -> str:
    """How sure, in words and as a number: ``very likely (97 %)``. Never rounded up to 100 %."""
    if confidence == 1.0:
        return "certain"
    percent = min(100 * confidence, 99.9) if confidence > 0.99 else 100 * confidence
    return f"{confidence_words(confidence)} ({percent:.3g} %)"


def sorted_findings(findings: tuple[Finding, ...] | list[Finding]) -> list[Finding]:
    """Blocking first, surer before less sure; otherwise as they came."""
    return sorted(findings, key=by_importance)


def subject_text(finding: Finding) -> str:
    """What a finding is about: ``study use_dropout=true, learning_rate``; empty for the whole round."""
    subject = finding.subject
    parts = [
        f"study {subject.study}" if subject.study else "",
        f"trial {subject.trial}" if subject.trial else "",
        subject.hyperparameter or "",
    ]
    return ", ".join(part for part in parts if part)


def action_text(action: Action) -> str:
    """An action as a short command: ``widen: hyperparameter learning_rate, low 0.0001, high 10``."""
    table = action.to_mapping()
    details = ", ".join(f"{key} {_plain(value)}" for key, value in table.items() if key != "action" and value != "")
    kind = str(table["action"]).replace("_", " ")
    return f"{kind}: {details}" if details else kind


def next_step(finding: Finding) -> str:
    """What to do: the words of the finding and, behind them, the action that ``next`` would apply."""
    action = action_text(finding.next) if finding.next else ""
    return f"{finding.fix} [{action}]" if finding.fix and action else finding.fix or action


def config_text(config: Config) -> str:
    """A configuration in one line: ``learning_rate = 0.01, layers = 3``."""
    return ", ".join(f"{name} = {_plain(value)}" for name, value in config.items())


def count_text(count: int, noun: str) -> str:
    """``1 trial``, ``12 trials``, ``10,000 trials``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _plain(value: object) -> str:
    if isinstance(value, float):
        return short(value)
    return spelled(value) if isinstance(value, bool | int | str) else str(value)

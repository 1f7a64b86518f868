"""What the rules share: the kind of a hyperparameter, and a finding about one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Choice, Constant, Hyperparameter
from tunebook.plan.names import Kind, kind_of


def kind(item: Hyperparameter) -> Kind:
    """What the name and the values of a hyperparameter say it is."""
    values = item.domain.values if isinstance(item.domain, Choice) else ()
    if isinstance(item.domain, Constant):
        values = (item.domain.value,)
    return kind_of(item.name, is_switch=bool(values) and all(isinstance(value, bool) for value in values))


def about(
    item: Hyperparameter,
    code: str,
    words: Words,
    severity: Severity = Severity.WARNING,
    requirement: str = "R3",
    evidence: Mapping[str, object] = MappingProxyType({}),
) -> Finding:
    """A finding about one hyperparameter; its label and name are part of the evidence."""
    return Finding(
        code=code,
        requirement=requirement,
        severity=severity,
        words=words,
        evidence={"label": item.label, "name": item.name, **evidence},
        subject=Subject(hyperparameter=item.label),
    )

"""What findings say about a place on an axis, to be marked in its plot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.core.action import Narrow, Widen
from tunebook.core.finding import Finding
from tunebook.core.hyperparameter import Role
from tunebook.evidence import read_only
from tunebook.show.data.axes import Axis
from tunebook.show.data.numbers import rounded, short

#: What the evidence of a finding has to hold for its threshold to be marked.
THRESHOLD = {"hyperparameter", "threshold", "direction", "share_beyond"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stretch of the axis ``label`` from ``low`` to ``high`` (equal for a line) with a few words."""

    label: str
    words: str
    low: float
    high: float
    is_bad: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        low, high = rounded([self.low, self.high])
        return {"label": self.label, "words": self.words, "low": low, "high": high, "is_bad": self.is_bad}


def marks_of(findings: Iterable[Finding]) -> tuple[Mark, ...]:
    """Thresholds of infeasible regions, proposed wider ranges and good regions; each once."""
    return tuple(dict.fromkeys(mark for finding in findings for mark in _marks(finding)))


def _marks(finding: Finding) -> Iterator[Mark]:
    evidence, action = finding.evidence, finding.next
    if finding.code == "infeasible_region" and evidence.keys() >= THRESHOLD:
        at, side = float(evidence["threshold"]), "above" if evidence["direction"] == "high" else "below"
        words = f"{evidence['share_beyond']:.0%} infeasible {side} {short(at, 3)}"
        yield Mark(label=str(evidence["hyperparameter"]), words=words, low=at, high=at, is_bad=True)
    elif isinstance(action, Narrow):
        yield Mark(label=action.hyperparameter, words="good region", low=action.low, high=action.high)
    elif isinstance(action, Widen):
        yield Mark(label=action.hyperparameter, words="proposed range", low=action.low, high=action.high)


def derived_axes(axes: Sequence[Axis], findings: Iterable[Finding]) -> tuple[Axis, ...]:
    """Axes of quantities that findings speak of and no hyperparameter is: learning rate over 1 - momentum."""
    known = {axis.label: axis for axis in axes}
    found: dict[str, Axis] = {}
    for finding in findings:
        parts = [known.get(label) for label in finding.evidence.get("made_of", ())]
        label = str(finding.evidence.get("hyperparameter"))
        if len(parts) == 2 and parts[0] and parts[1] and label not in known:
            found[label] = _quotient(label, parts[0], parts[1])
    return tuple(found.values())


def _quotient(label: str, rate: Axis, momentum: Axis) -> Axis:
    left = 1 - momentum.x if "(1 - " in label else momentum.x
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(left > 0, rate.x / left, np.nan)
    inside = x[np.isfinite(x) & (x > 0)]
    low, high = (float(inside.min()), float(inside.max())) if len(inside) > 1 else (1.0, 10.0)
    return Axis(label=label, role=Role.NUISANCE, scale="log", low=low, high=high, x=read_only(x), is_derived=True)

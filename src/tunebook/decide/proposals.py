"""Proposals: what every finding asks for, in the order in which conflicts are settled (D5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from tunebook.core.action import Action, Clip, Lengthen, Narrow, Regularise, Shorten, WarmUp
from tunebook.core.finding import Finding
from tunebook.core.hyperparameter import Constant, Hyperparameter, Range
from tunebook.core.round import Round
from tunebook.plan.names import Kind
from tunebook.plan.rules.common import kind

#: A round that is better longer is made half as long again (T2); learn proposes the same for single trials.
LONGER = 1.5
#: A stretch in which this share of trials cannot be trained is left out of the next search (L4).
WASTED = 0.75
#: What a regulariser is searched in when the design held it at one value, and what it never exceeds.
REGULARISER_RANGES = {
    "weight_decay": (1e-6, 1e-1, "log", 10.0),
    "dropout": (0.0, 0.5, "linear", 0.8),
    "smoothing": (0.0, 0.2, "linear", 0.4),
    "other": (0.0, 0.5, "linear", 1.0),
}
#: A regulariser that is searched already is let grow by this factor.
STRONGER = 3.0
#: Norms to clip at when nothing better is known: around the 1 that most recipes use.
CLIP_RANGE = (0.1, 10.0)

_CLIP = re.compile(r"clip|max_grad_norm|grad(ient)?_norm_(max|threshold)", re.IGNORECASE)


class Stage(IntEnum):
    """The order in which conflicting proposals win: earlier stages first."""

    FEASIBILITY = 1
    """Where training fails, and whether it learns at all."""
    STABILITY = 2
    BOUNDARY = 3
    DENSITY = 4
    LENGTH = 5
    """Step count and overfitting."""
    QUESTION = 6
    """What the round asked: settle it, ask more seeds, or drop what does not matter."""


STAGE_WORDS = {
    Stage.FEASIBILITY: "feasibility",
    Stage.STABILITY: "stability",
    Stage.BOUNDARY: "boundaries",
    Stage.DENSITY: "density of sampling",
    Stage.LENGTH: "length of training",
    Stage.QUESTION: "the question of the round",
}

STAGES: Mapping[str, Stage] = {
    "not_better_than_chance": Stage.FEASIBILITY,
    "infeasible_fraction": Stage.FEASIBILITY,
    "infeasible_region": Stage.FEASIBILITY,
    "unstable": Stage.STABILITY,
    "loss_spike": Stage.STABILITY,
    "train_loss_rising": Stage.STABILITY,
    "boundary": Stage.BOUNDARY,
    "undersampled": Stage.DENSITY,
    "overfitting": Stage.LENGTH,
    "still_improving": Stage.LENGTH,
    "saturated_early": Stage.LENGTH,
    "best_step_early": Stage.LENGTH,
    "best_step_late": Stage.LENGTH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One action with the finding (or the verdict, where None) it comes from.

    ``source`` names it in a few words: ``boundary L2``.
    """

    stage: Stage
    action: Action
    source: str
    because: str
    confidence: float = 1.0
    finding: Finding | None = None


def proposals(findings: Iterable[Finding], design: Round) -> list[Proposal]:
    """What the findings ask for, by stage, surer ones first. Findings that ask for nothing are left out."""
    found = [proposal for finding in findings for proposal in _proposals(finding, design)]
    return sorted(found, key=_order)


def _order(proposal: Proposal) -> tuple[int, bool, float, str]:
    """By stage; overfitting before the length of runs; the surer one first."""
    return proposal.stage, not isinstance(proposal.action, Regularise), -proposal.confidence, str(proposal.action)


def stage_of(finding: Finding) -> Stage:
    """Where a finding stands in the order of conflicts."""
    return STAGES.get(finding.code, Stage.QUESTION)


def _proposals(finding: Finding, design: Round) -> Iterator[Proposal]:
    for action in _actions(finding, design):
        yield Proposal(
            stage=stage_of(finding),
            action=action,
            source=f"{finding.code} {finding.requirement}",
            because=finding.says,
            confidence=finding.confidence,
            finding=finding,
        )


def _actions(finding: Finding, design: Round) -> Iterator[Action]:
    """The finding's own next step, or the one its code stands for."""
    if isinstance(finding.next, WarmUp):
        yield finding.next
        yield from _clipping(design)
    elif isinstance(finding.next, Shorten) and finding.subject.trial is not None:
        return  # that one trial had enough steps is no reason to cut those of all (T1)
    elif finding.next is not None:
        yield finding.next
    elif finding.code in _MADE:
        yield from _MADE[finding.code](finding, design)


def _clipping(design: Round) -> Iterator[Action]:
    """Search the clipping norm where the design has one and holds it."""
    held = next((item for item in design.fixed if _CLIP.search(item.name)), None)
    if held is not None:
        low, high = CLIP_RANGE
        own = held.domain.value if isinstance(held.domain, Constant) else None
        if isinstance(own, int | float) and not isinstance(own, bool) and own > 0:
            low, high = own / 10.0, float(own)
        yield Clip(hyperparameter=held.label, low=low, high=high)


def _clip(_: Finding, design: Round) -> Iterator[Action]:
    yield from _clipping(design) if any(_CLIP.search(item.name) for item in design.fixed) else [Clip()]


def _leave_out(finding: Finding, design: Round) -> Iterator[Action]:
    """End a range where training begins to fail, unless that would leave less than half of it."""
    label, threshold = finding.subject.hyperparameter, finding.evidence.get("threshold")
    item = next((item for item in design.searched if item.label == label), None)
    if item is None or not isinstance(item.domain, Range) or not isinstance(threshold, int | float):
        return
    if float(finding.evidence.get("share_beyond", 0.0)) < WASTED:
        return
    low, high = item.domain.low, item.domain.high
    if finding.evidence.get("direction") == "high":
        high = _whole(item.domain, threshold)
    else:
        low = _whole(item.domain, threshold)
    if item.domain.low <= low < high <= item.domain.high and (low, high) != (item.domain.low, item.domain.high):
        yield Narrow(hyperparameter=item.label, low=low, high=high)


def _whole(domain: Range, value: float) -> float:
    return round(value) if domain.type == "int" else float(f"{value:.3g}")


def _regularise(_: Finding, design: Round) -> Iterator[Action]:
    """Let the regularisers that are searched grow; where none is, search those that are held."""
    searched = [item for item in design.nuisance if _is_strength(item) and isinstance(item.domain, Range)]
    held = [item for item in design.fixed if _is_strength(item)]
    for item in searched or held:
        low, high, scale, most = REGULARISER_RANGES[_family(item)]
        if isinstance(item.domain, Range):
            low, high, scale = item.domain.low, min(STRONGER * item.domain.high, max(most, item.domain.high)), "same"
            if item.domain.type == "int" or high <= item.domain.high or item.domain.scale == "reverse_log":
                continue
            scale = item.domain.scale
        yield Regularise(
            hyperparameter=item.label,
            low=low,
            high=float(f"{high:.3g}"),
            scale="log" if scale == "log" else "linear",
        )


def _is_strength(item: Hyperparameter) -> bool:
    if isinstance(item.domain, Constant) and isinstance(item.domain.value, str | bool):
        return False
    return kind(item) in (Kind.REGULARIZER_STRENGTH, Kind.WEIGHT_DECAY)


def _family(item: Hyperparameter) -> str:
    if kind(item) is Kind.WEIGHT_DECAY:
        return "weight_decay"
    return next(
        (family for family in ("dropout", "smoothing") if family in item.name.lower().replace("_", "")), "other"
    )


def _lengthen(_: Finding, design: Round) -> Iterator[Action]:
    yield Lengthen(max_train_steps=two_digits(LONGER * design.max_train_steps))


def _shorten(finding: Finding, design: Round) -> Iterator[Action]:
    steps = finding.evidence.get("steps")
    if isinstance(steps, int | float) and 1 <= steps < design.max_train_steps:
        yield Shorten(max_train_steps=max(two_digits(float(steps)), 1))


def two_digits(steps: float) -> int:
    """A number of steps that a person would write."""
    return max(int(float(f"{steps:.1e}")), 1)


_MADE = {
    "infeasible_region": _leave_out,
    "unstable": _clip,
    "loss_spike": _clip,
    "overfitting": _regularise,
    "best_step_late": _lengthen,
    "best_step_early": _shorten,
}

"""Conflicts: of proposals that contradict each other the one of the earlier stage stays (D5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tunebook.core.action import Action, AddTrials, Fix, Lengthen, Narrow, Regularise, Shorten, WarmUp, Widen
from tunebook.core.hyperparameter import Range
from tunebook.core.round import Round
from tunebook.decide.proposals import Proposal, Stage

#: Actions that say what one hyperparameter may be.
RANGED = (Widen, Fix, Regularise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A proposal that gave way, and to what."""

    proposal: Proposal
    why: str


def resolve(found: Iterable[Proposal], design: Round) -> tuple[list[Proposal], list[Dropped]]:
    """Keep what does not contradict an earlier stage; several proposals for one thing become one.

    Feasibility and stability go first: while training is unstable no range is opened towards the side
    where it fails, and nothing is concluded. Then boundaries, then density, then length (overfitting
    before longer runs, as those overfit more), then the question of the round.
    """
    kept: list[Proposal] = []
    dropped: list[Dropped] = []
    for asked in found:
        proposal = _beside(asked, kept, design)
        why = next((why for earlier in kept if (why := _conflict(proposal, earlier, design))), "")
        if why:
            dropped.append(Dropped(proposal=proposal, why=why))
            continue
        twin = next((earlier for earlier in kept if _same_target(proposal.action, earlier.action)), None)
        if twin is None:
            kept.append(proposal)
        else:
            kept[kept.index(twin)] = _merged(twin, proposal)
    return kept, dropped


def _beside(proposal: Proposal, kept: Iterable[Proposal], design: Round) -> Proposal:
    """A widening of a range whose other end was drawn in before, as a widening of its own end only."""
    new = proposal.action
    item = next((item for item in design.searched if item.label == _names(new)), None)
    if not _is_widening(new) or item is None or not isinstance(item.domain, Range):
        return proposal
    for earlier in kept:
        old = earlier.action
        if isinstance(old, Narrow) and isinstance(new, Widen) and old.hyperparameter == new.hyperparameter:
            low = old.low if old.low > item.domain.low else new.low
            high = old.high if old.high < item.domain.high else new.high
            return replace(proposal, action=Widen(hyperparameter=new.hyperparameter, low=low, high=high))
    return proposal


def _is_widening(action: Action) -> bool:
    return isinstance(action, Widen) and not isinstance(action, Narrow)


def _conflict(proposal: Proposal, earlier: Proposal, design: Round) -> str:
    """Why ``proposal`` gives way to ``earlier``; empty when it need not."""
    return next((why for rule in _RULES if (why := rule(proposal, earlier, design))), "")


def _stable_before_wider(proposal: Proposal, earlier: Proposal, design: Round) -> str:
    new, old = proposal.action, earlier.action
    if (
        _is_widening(new)
        and isinstance(old, WarmUp)
        and _names(new) == old.hyperparameter
        and _opens_upward(new, design)
    ):
        return "training is unstable at higher values: stabilise it first (stability before boundaries)"
    return ""


def _one_change_a_range(proposal: Proposal, earlier: Proposal, _: Round) -> str:
    new, old = proposal.action, earlier.action
    if isinstance(old, Narrow) and isinstance(new, Widen) and _is_widening(new) and _goes_beyond(new, old):
        return ""  # another end of the range than the one drawn in
    if isinstance(new, RANGED) and isinstance(old, RANGED) and type(new) is not type(old):
        return f"{earlier.source} changes {_names(old)} already" if _names(new) == _names(old) else ""
    return ""


def _goes_beyond(new: Widen, old: Narrow) -> bool:
    return new.low < old.low or new.high > old.high


def _one_length(proposal: Proposal, earlier: Proposal, _: Round) -> str:
    new, old = proposal.action, earlier.action
    if isinstance(new, Shorten) and isinstance(old, Lengthen):
        return f"{earlier.source} asks for the opposite and is surer"
    if isinstance(new, Lengthen) and isinstance(old, Shorten | Regularise):
        return f"{earlier.source} comes first: a longer run would not mend it"
    return ""


def _known_before_narrower(proposal: Proposal, earlier: Proposal, _: Round) -> str:
    """A good region found while the study is too thin or cut off may not be the good region."""
    is_early = earlier.stage in (Stage.STABILITY, Stage.BOUNDARY, Stage.DENSITY)
    if isinstance(proposal.action, Narrow) and proposal.stage is Stage.QUESTION and is_early:
        return f"{earlier.source} is open: the good region may not be known yet"
    return ""


_RULES = (_stable_before_wider, _one_change_a_range, _one_length, _known_before_narrower)


def _names(action: Action) -> str | None:
    return getattr(action, "hyperparameter", None)


def _opens_upward(action: Action, design: Round) -> bool:
    item = next((item for item in design.searched if item.label == _names(action)), None)
    if not isinstance(action, Widen) or item is None or not isinstance(item.domain, Range):
        return False
    return action.high > item.domain.high


def _same_target(new: Action, old: Action) -> bool:
    if type(new) is not type(old):
        return False
    return _names(new) == _names(old)


def _merged(old: Proposal, new: Proposal) -> Proposal:
    """One proposal that grants both: the wider range, the larger number; the surer one names it."""
    a, b = old.action, new.action
    action: Action = a
    if isinstance(a, Narrow) and isinstance(b, Narrow):
        action = Narrow(hyperparameter=a.hyperparameter, low=min(a.low, b.low), high=max(a.high, b.high))
    elif isinstance(a, Widen) and isinstance(b, Widen):
        action = Widen(hyperparameter=a.hyperparameter, low=min(a.low, b.low), high=max(a.high, b.high))
    elif isinstance(a, AddTrials) and isinstance(b, AddTrials):
        action = AddTrials(trials=max(a.trials, b.trials))
    elif isinstance(a, Lengthen) and isinstance(b, Lengthen):
        action = Lengthen(max_train_steps=max(a.max_train_steps, b.max_train_steps))
    elif isinstance(a, Shorten) and isinstance(b, Shorten):
        action = Shorten(max_train_steps=max(a.max_train_steps, b.max_train_steps))
    return Proposal(
        stage=old.stage,
        action=action,
        source=old.source,
        because=old.because,
        confidence=old.confidence,
        finding=old.finding,
    )

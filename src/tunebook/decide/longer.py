"""Growing rounds: the same design for a longer run, with what carries over and how likely (T4, T5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tunebook.core.action import Fix
from tunebook.core.config import Config
from tunebook.core.hyperparameter import Hyperparameter
from tunebook.core.next_round import Change, NextRound
from tunebook.core.round import Question, Round
from tunebook.decide.gradient_noise import gradient_noise_note
from tunebook.decide.next_round import Draft, path_of
from tunebook.decide.schedule import Length, Rescaled, is_schedule, length_kind, with_steps
from tunebook.errors import InputError
from tunebook.learn.names import raises_gradient_noise
from tunebook.plan.names import OPTIMIZER_KINDS, Kind
from tunebook.plan.rules.common import kind

SOURCE = "longer run T4"
#: A run is made longer by at least a little and at most by this; beyond, no tuned value is worth carrying.
MAX_FACTOR = 1000.0

_INITIALISATION = re.compile(r"init|seed_scale|gain$", re.IGNORECASE)
_FACTOR = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*[x×]?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Group:
    """A kind of hyperparameter, and how likely its tuned value holds for a longer run."""

    what: str
    likely: str
    is_held: bool


WARMUP = Group("warmup and initialisation", "very likely", True)
ARCHITECTURE = Group("architecture", "likely", True)
OPTIMIZER = Group("optimizer hyperparameters", "maybe", False)
REGULARISATION = Group("regularisation and augmentation", "maybe", False)
SCHEDULE = Group("the learning rate schedule", "hardly", False)
OTHER = Group("the rest", "unknown", False)
GROUPS = (WARMUP, ARCHITECTURE, OPTIMIZER, REGULARISATION, SCHEDULE, OTHER)


def read_factor(text: str) -> float:
    """``4x``, ``4`` or ``1.5x`` as a number above 1; ``InputError`` otherwise."""
    found = _FACTOR.match(text)
    factor = float(found[1]) if found else 0.0
    if not 1.0 < factor <= MAX_FACTOR:
        raise InputError(f"--longer {text!r} is not a factor above 1 and up to {MAX_FACTOR:g}, such as 4x")
    return factor


def group_of(item: Hyperparameter) -> Group:
    """What a hyperparameter is, as far as a longer run is concerned."""
    if length_kind(item.name) in (Length.WARMUP_STEPS, Length.WARMUP_SHARE) or _INITIALISATION.search(item.name):
        return WARMUP
    if length_kind(item.name) is not None or is_schedule(item.name):
        return SCHEDULE
    what = kind(item)
    if what in (Kind.ARCHITECTURE, Kind.ARCHITECTURE_SIZE):
        return ARCHITECTURE
    if what in OPTIMIZER_KINDS or what is Kind.OPTIMIZER:
        return OPTIMIZER
    if what in (Kind.REGULARIZER_PRESENCE, Kind.REGULARIZER_STRENGTH, Kind.WEIGHT_DECAY):
        return REGULARISATION
    return OTHER


def longer_round(design: Round, factor: float, *, name: str = "", best: Config | None = None) -> NextRound:
    """The round for ``factor`` times as many steps.

    What very likely or likely carries over is held at its value in ``best`` (the adopted configuration);
    the rest is searched as before. The schedule is extended: a linear decay keeps its length, a cosine its
    base learning rate.
    """
    if not 1.0 < factor <= MAX_FACTOR:
        raise InputError(f"a run {factor:g} times as long is not longer by a factor above 1 and up to {MAX_FACTOR:g}")
    steps = round(design.max_train_steps * factor)
    longer, moved = with_steps(replace(design, name=name), steps)
    draft = Draft(design)
    text = f"was {design.max_train_steps}: {factor:g} times as long"
    changes = [Change(key=("max_train_steps",), text=text, source=SOURCE), *(_moved(longer, item) for item in moved)]
    draft.make(longer, changes, what="lengthen")
    if best is not None:
        for item in longer.searched:
            _hold(draft, item, best)
    return NextRound(
        design=draft.design,
        changes=tuple(draft.changes),
        first=_repeat_first(design),
        left=tuple(draft.left),
        carries=_carries(design),
    )


def _moved(design: Round, rescaled: Rescaled) -> Change:
    text = f"was {rescaled.before.domain.describe()}: {rescaled.rule}"
    return Change(key=path_of(design, rescaled.after), text=text, source=SOURCE)


def _hold(draft: Draft, item: Hyperparameter, best: Config) -> None:
    """Hold what carries over at the value it was found at."""
    group = group_of(item)
    present = item in draft.design.searched and item.name in best and item.is_active(best)
    if not group.is_held or not present or best[item.name] not in item.domain:
        return
    because = f"{group.likely} holds for a longer run"
    try:
        changed = Fix(hyperparameter=item.label, value=best[item.name], because=because).apply(draft.design)
    except (KeyError, InputError):
        return
    held = next(other for other in changed.fixed if other.label == item.label)
    changes = [Change(key=path_of(changed, held), text=f"carried over, was {item.domain.describe()}", source=SOURCE)]
    if not changed.scientific and changed.question is not Question.MINIMIZE:
        text = f"was {changed.question}: nothing is left to compare"
        changes.append(Change(key=("question",), text=text, source=SOURCE))
        changed = replace(changed, question=Question.MINIMIZE)
    draft.make(changed, changes, what=f"hold {item.label}")


def _carries(design: Round) -> tuple[str, ...]:
    """One line a group, those that carry over best first."""
    found: dict[Group, list[str]] = {}
    for item in design.hyperparameters:
        found.setdefault(group_of(item), []).append(item.label)
    return tuple(f"{group.what} ({', '.join(found[group])}): {group.likely}" for group in GROUPS if group in found)


def _repeat_first(design: Round) -> tuple[str, ...]:
    """The earlier trial variance is of shorter runs, and noisy gradients need the longer run most (T5)."""
    noisy = [item.label for item in design.searched if raises_gradient_noise(item)]
    lines = ["the trial variance of the shorter runs does not hold: repeat the baseline in the longer round"]
    if noisy:
        lines.append(gradient_noise_note(noisy))
    return tuple(lines)

"""Designs: found by name or path, and the trials that they plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.core.numbered import is_number, numbered
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.errors import InputError
from tunebook.plan.folder import ROUNDS
from tunebook.plan.trials import plan_trials

if TYPE_CHECKING:
    from tunebook.store.store import Store


def find_design(root: Path, design: str | Path | Round) -> Round:
    """A design: itself, the file at a path, or the file of that name or number in the project's rounds folder."""
    if isinstance(design, Round):
        return design
    candidates = [Path(design), root / design, root / ROUNDS / f"{design}.toml"]
    for path in candidates:
        if path.is_file():
            return Round.load(path)
    known = sorted(path.stem for path in (root / ROUNDS).glob("*.toml"))
    meant = numbered(known, int(str(design))) if is_number(str(design)) else []
    if len(meant) == 1:
        return Round.load(root / ROUNDS / f"{meant[0]}.toml")
    if meant:
        raise InputError(f"design {design} could be {' or '.join(meant)}; give the name")
    raise InputError(f"there is no design {str(design)!r}{did_you_mean(str(design), known)}; {_listed(known)}")


def plan(design: Round, store: Store | None) -> tuple[TrialSpec, ...]:
    """The trials of a design, given those that its round had before; ``store`` None holds none."""
    return plan_trials(design, known_trials(store, design.name))


def suggest(design: Round, store: Store | None, *, trials: int | None = None) -> tuple[TrialSpec, ...]:
    """Every trial that a round would have, with ``trials`` of them if given; of a search that learns one more."""
    wanted = design if trials is None else replace(design, search=replace(design.search, trials=trials))
    specs = plan(wanted, store)
    return (*specs, *_chosen_next(wanted, store, specs))


def known_trials(store: Store | None, round_name: str) -> tuple[TrialSpec, ...]:
    """Every trial that a round ever had."""
    if store is None:
        return ()
    from tunebook.history import specs_of

    return specs_of(store, round_name)


def _chosen_next(design: Round, store: Store | None, planned: Sequence[TrialSpec]) -> tuple[TrialSpec, ...]:
    """The trial that a search which learns would run after those of the plan, as far as is known (X1)."""
    if design.search.algorithm != "bayes" or store is None:
        return ()
    from tunebook.exploit.propose import next_trials
    from tunebook.exploitation import History

    known = {spec.id for spec in known_trials(store, design.name)}
    if not known.issuperset(spec.id for spec in planned):
        return ()
    history = History(store, design)
    return next_trials(design, planned, history.observed(history.views()), 1)


def _listed(names: list[str]) -> str:
    return f"there are {', '.join(names)}" if names else f"the folder {ROUNDS} holds none"

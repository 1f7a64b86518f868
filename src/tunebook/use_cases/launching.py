"""Launches: what is measured or decided becomes an entry of the ledger, with the design that trains it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tunebook.core.config import Value
from tunebook.core.launch import Launch, current_launch
from tunebook.core.round import Round
from tunebook.core.verdict import Verdict
from tunebook.decide import baseline, ledger
from tunebook.decide.start import measured
from tunebook.errors import InputError
from tunebook.history import revision
from tunebook.plan.folder import ROUNDS
from tunebook.store.store import Store


def initial_design(launches: Sequence[Launch], design: Round, config: Mapping[str, Value] | None) -> Round:
    """The round that trains the initial configuration (S1); ``InputError`` when there is a baseline already."""
    if current_launch(list(launches)) is not None:
        raise InputError("the ledger has a baseline already; look at it with `tunebook ledger`")
    first = baseline.baseline_design(design, dict(config or {}))
    baseline.check_has_chance(first.objective)
    return first


def launch_first(
    store: Store, root: Path, launches: Sequence[Launch], design: Round, *, now: datetime, who: str | None, note: str
) -> Launch:
    """Make the initial configuration launch 0, once its round is trained and beats chance."""
    evidence = store.snapshot(design.name)
    launch = ledger.first_launch(
        launches,
        design.name,
        *measured(evidence),
        now=now,
        who=who,
        note=note,
        revision=revision(store, design.name, evidence.trials[0].name),
    )
    return _written(store, root, launch, design)


def adopt(
    store: Store,
    root: Path,
    launches: Sequence[Launch],
    verdict: Verdict,
    *,
    now: datetime,
    who: str | None,
    note: str,
) -> Launch:
    """Make a verdict's candidate the new baseline (D4)."""
    design = store.design(verdict.round)
    trial = verdict.candidate.trial if verdict.candidate else ""
    launch = ledger.next_launch(
        launches, verdict, now=now, who=who, note=note, revision=revision(store, verdict.round, trial)
    )
    return _written(store, root, launch, design)


def keep(
    store: Store, launches: Sequence[Launch], verdict: Verdict, *, now: datetime, who: str | None, note: str
) -> Launch:
    """Record in the ledger, and with the round, that the baseline stays."""
    entry = ledger.kept(launches, verdict, now=now, who=who, note=note)
    store.append_launch(entry)
    said = f"kept the baseline ({verdict.ruling}; {who}): {note or '; '.join(verdict.because)}"
    store.add_note(verdict.round, None, said, now)
    return entry


def rollback(
    store: Store, launches: Sequence[Launch], number: int, *, now: datetime, who: str | None, note: str
) -> Launch:
    """Take a launch out of force by another entry."""
    launch = ledger.rollback(launches, number, now=now, who=who, note=note)
    store.append_launch(launch)
    return launch


def _written(store: Store, root: Path, launch: Launch, design: Round) -> Launch:
    """The launch with the command that trains it again, after its design and its entry in the ledger are written."""
    is_first = launch.round == design.name and not design.searched
    because = "the initial choice" if is_first else f"adopted as launch {launch.number}, from {launch.round}"
    held = baseline.baseline_design(design, dict(launch.config), name=ledger.design_name(launch), because=because)
    again = replace(held, goal=f"Train launch {launch.number} again: trial {launch.trial} of {launch.round}")
    folder = root / ROUNDS
    folder.mkdir(exist_ok=True)
    again.save(folder / f"{again.name}.toml")
    entry = replace(launch, command=ledger.reproduce_command(design, launch))
    store.append_launch(entry)
    return entry

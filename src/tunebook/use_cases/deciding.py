"""Deciding: repeats, the verdict, and the round that comes next (D1, D2, D3, D5, T4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tunebook import exploitation, history
from tunebook.core.config import Config
from tunebook.core.launch import Launch, current_launch
from tunebook.core.next_round import Change, NextRound
from tunebook.core.objective import Objective, revised
from tunebook.core.verdict import Verdict
from tunebook.decide import verdict
from tunebook.decide.longer import longer_round, read_factor
from tunebook.decide.next_round import next_round
from tunebook.decide.repeats import repeat_specs
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.learn.analyse import analyse
from tunebook.store.store import Store


def plan_repeats(
    store: Store,
    evidence: Evidence,
    launches: Sequence[Launch],
    trials: Sequence[str] | None,
    seeds: int,
    *,
    now: datetime,
) -> None:
    """Add repeats with other seeds to a round; none while earlier ones are open: what was interrupted comes first."""
    if history.has_open_repeats(evidence):
        return
    baseline = history.baseline_for(store, launches, evidence)
    expected = _expected_best(store, evidence) if trials is None else None
    specs = repeat_specs(evidence, baseline, trials, seeds, expected_best=expected)
    store.add_trials(evidence.name, specs, now=now)


def decide(
    store: Store,
    evidence: Evidence,
    launches: Sequence[Launch],
    *,
    complexity: str = "some",
    objective: str | Objective | None = None,
    threshold: float | None = None,
) -> Verdict:
    """The verdict on a round, against the launch in force and with what other rounds say of variance."""
    wanted = revised(evidence.round.objective, objective)
    return verdict.decide(
        evidence,
        history.baseline_for(store, launches, evidence, wanted),
        complexity=complexity,
        earlier=history.earlier_spread(store, evidence),
        objective=wanted,
        threshold=threshold,
        replicas=history.replicas(store, evidence.name),
        expected_best=_expected_best(store, evidence) if wanted == evidence.round.objective else None,
    )


def _expected_best(store: Store, evidence: Evidence) -> Config | None:
    """The configuration that the model of a search that learns expects most of; None for other searches, and where
    the rounds it started from are not there any more.
    """
    if evidence.round.search.algorithm != "bayes":
        return None
    try:
        found = exploitation.History(store, replace(evidence.round, name=evidence.name)).outlook()
    except InputError:
        return None
    return found.candidate if found is not None else None


def next_design(
    store: Store,
    evidence: Evidence,
    launches: Sequence[Launch],
    *,
    name: str = "",
    longer: str | None = None,
    objective: str | Objective | None = None,
) -> NextRound:
    """The round after this one: from its findings and verdict, or with ``longer`` the same trained for longer.

    Under another ``objective`` that is what findings, verdict and the next round go by (L1). ``InputError`` where no
    trial has shown anything.
    """
    wanted = revised(evidence.round.objective, objective)
    design = replace(evidence.round, objective=wanted)
    if longer is not None:
        launch = current_launch(list(launches))
        best = launch.config if launch else None
        return _as_asked(longer_round(design, read_factor(longer), name=name, best=best), evidence, wanted)
    findings = analyse(evidence, wanted).findings
    nothing = next((finding for finding in findings if finding.code == "nothing_known"), None)
    if nothing is not None:
        raise InputError(f"{evidence.name} has nothing to build a next round on. {nothing.says} {nothing.fix}")
    verdict = _verdict_if_any(store, evidence, launches, wanted)
    return _as_asked(next_round(design, findings, verdict, name=name), evidence, wanted)


def _as_asked(proposed: NextRound, evidence: Evidence, wanted: Objective) -> NextRound:
    """The next round, saying that it goes by another objective where it does."""
    own = evidence.round.objective
    if wanted == own:
        return proposed
    text = f"was {own.metric}, {own.direction}, {own.reduce}: as asked for"
    asked = Change(key=("objective", "metric"), text=text, source="another objective L1")
    return replace(proposed, changes=(asked, *proposed.changes))


def _verdict_if_any(
    store: Store, evidence: Evidence, launches: Sequence[Launch], objective: Objective
) -> Verdict | None:
    """The verdict where one can be given; a round without two configurations to compare has none."""
    try:
        return decide(store, evidence, launches, objective=objective)
    except InputError:
        return None

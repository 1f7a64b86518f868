"""The final training of a launch: what to train, and the entry of the ledger about the test set (X2, X3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from tunebook.core.launch import Launch
from tunebook.core.round import Round
from tunebook.decide import final
from tunebook.history import revision
from tunebook.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalTraining:
    """A launch, the round that trains it for the last time, and the metric of the test set."""

    launch: Launch
    design: Round
    metric: str


def prepare(
    store: Store,
    launches: Sequence[Launch],
    round_name: str,
    *,
    with_validation: bool,
    metric: str | None,
    again: bool,
) -> FinalTraining:
    """The final training of the launch of a round.

    ``InputError`` without a launch, and when the test set was looked at with it before (unless ``again``).
    """
    launch = final.final_launch(launches, round_name)
    final.check_first_look(launches, launch, again)
    design = store.design(launch.round)
    seeds = {trial.name: trial.seed for trial in store.snapshot(launch.round).trials}
    named = final.metric_of_test_set(design.objective, metric)
    wanted = (
        final.final_design(
            design,
            launch,
            seed=seeds.get(launch.trial, design.search.seed),
            metric=named,
            with_validation=with_validation,
            n_looks=final.looks(launches, launch.config),
            attempt=attempt,
        )
        for attempt in count(1)
    )
    known = {row.name for row in store.rounds()}
    # A training that ended without a look stays as it is; what is wanted is another one.
    unspent = next(one for one in wanted if one.name not in known or not final.is_spent(store.snapshot(one.name)))
    return FinalTraining(launch=launch, design=unspent, metric=named)


def record(
    store: Store, launches: Sequence[Launch], training: FinalTraining, *, now: datetime, who: str | None, note: str
) -> Launch:
    """Record what the test set said; ``InputError`` when training failed or logged no test metric at all."""
    evidence = store.snapshot(training.design.name)
    entry = final.record(
        launches,
        training.launch,
        evidence,
        training.metric,
        now=now,
        who=who,
        note=note,
        revision=revision(store, training.design.name, evidence.trials[0].name),
    )
    store.append_launch(entry)
    return entry

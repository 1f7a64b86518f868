"""What earlier rounds of a project have to say about a later one: baseline, variance, repetitions, pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from tunebook.core.launch import Launch, current_launch
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.decide.baseline import Baseline
from tunebook.decide.ledger import pipeline_fingerprint
from tunebook.decide.repeats import repeated_study
from tunebook.evidence import Evidence
from tunebook.learn.view import View
from tunebook.stats.variance import Spread, merged
from tunebook.store.store import Store


def baseline(store: Store, launches: Sequence[Launch], objective: Objective | None = None) -> Baseline | None:
    """The launch in force with its runs, judged by ``objective`` if they can be; None before the first."""
    launch = current_launch(list(launches))
    return Baseline.of(launch, store.snapshot(launch.round), objective) if launch else None


def baseline_for(
    store: Store, launches: Sequence[Launch], evidence: Evidence, objective: Objective | None = None
) -> Baseline | None:
    """The launch in force; without one, the best of the first round that an exploitation started from and can be
    compared with, as long as that is in the store and the exploitation has no settings of its own to compare.

    Judged by ``objective``, else by that of the round it is compared with.
    """
    wanted = objective or evidence.round.objective
    launched = baseline(store, launches, wanted)
    if launched is not None or evidence.round.scientific:
        return launched
    known = {row.name for row in store.rounds()}
    explored = [store.snapshot(name) for name in evidence.round.search.start_from if name in known]
    found = (Baseline.incumbent(other, wanted) for other in explored)
    return next((best for best in found if best is not None and not best.differences(evidence, wanted)), None)


def earlier_spread(store: Store, evidence: Evidence) -> Spread | None:
    """Trial variance measured in other rounds of the same pipeline (S7); None when there is none."""
    own = pipeline_fingerprint(evidence.round)
    others = [row.name for row in store.rounds() if row.name != evidence.name]
    same = [name for name in others if pipeline_fingerprint(store.design(name)) == own]
    return merged(View.of(store.snapshot(name)).repeat_spread for name in same)


def replicas(store: Store, name: str) -> tuple[Evidence, ...]:
    """Finished repetitions of a round's search, while its design is still what they repeated (D2)."""
    own = store.design(name)
    names = [row.name for row in store.rounds() if _is_repetition(row.name, name) and is_over(store, row.name)]
    found = (store.snapshot(other) for other in names)
    return tuple(other for other in found if replace(other.round, search=own.search) == own)


def next_repetition(store: Store, name: str) -> Round:
    """The repetition of a round's search that was not finished yet, or the next one."""
    known = {row.name for row in store.rounds()}
    design = store.design(name)
    repetitions = (repeated_study(design, number) for number in count(1))
    return next(again for again in repetitions if again.name not in known or not is_over(store, again.name))


def is_over(store: Store, name: str) -> bool:
    """Whether every trial of a round has ended."""
    return all(status.is_final or not n_trials for status, n_trials in store.counts(name).items())


def has_open_repeats(evidence: Evidence) -> bool:
    """Whether repeats that were asked for earlier still wait or run."""
    return any(trial.purpose is TrialPurpose.REPEAT and not trial.status.is_final for trial in evidence)


def specs_of(store: Store, name: str) -> tuple[TrialSpec, ...]:
    """Every trial a round ever had, retired ones included; none for a round that is not there."""
    return store.specs(name, retired=True) if name in {row.name for row in store.rounds()} else ()


def seconds_per_step(store: Store, design: Round) -> float | None:
    """Median seconds a training step took in complete trials of the same way to train; None before the first."""
    seen = [
        row.seconds / row.spec.max_train_steps
        for other in store.rounds()
        for row in store.trials(other.name)
        if row.status is Status.COMPLETE and row.seconds and row.spec.way_to_train == design.way_to_train
    ]
    return sorted(seen)[len(seen) // 2] if seen else None


def revision(store: Store, round_name: str, trial: str) -> str | None:
    """The code revision a trial ran at, where it ran in a repository."""
    record = store.provenance(trial, round=round_name) if trial else None
    git = (record or {}).get("git") or {}
    found: str | None = git.get("revision")
    return found


def _is_repetition(name: str, of: str) -> bool:
    stem, _, number = name.rpartition("-again-")
    return stem == of and number.isdecimal()

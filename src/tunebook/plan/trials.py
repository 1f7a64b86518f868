"""From a round to its studies and to every trial of them (R5, R7).

A slot is a study and an index of its sequence. A trial that still belongs to the design keeps its
slot; free slots are filled, lowest index first, from the sequence of the space as it is now. So more
trials extend the sequence, and a widened range keeps the trials that lie inside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tunebook.core.collecting import without_collecting
from tunebook.core.config import Config
from tunebook.core.hyperparameter import Choice
from tunebook.core.round import Round
from tunebook.core.space import Space
from tunebook.core.trial import Study, TrialPurpose, TrialSpec
from tunebook.errors import InputError
from tunebook.evidence import IntArray
from tunebook.plan.branches import Batch, Branches, Row, deal, obstacles
from tunebook.plan.search import listed
from tunebook.plan.search.table import key_of

#: How far a sequence is followed for configurations that are not there yet: this many indices ...
SKIP_LEAST = 10_000
#: ... and this many per trial. Enough for a finite space to show all but its smallest cells.
SKIP_PER_TRIAL = 50

#: Rows of values that a study has already, by the names of what exists in them.
Seen = dict[tuple[str, ...], set[Row]]


@dataclass(frozen=True, slots=True)
class Part:
    """The trials of one study that share a scientific setting: a whole study unless it is joint.

    ``wanted`` trials in all, the ``first`` of them from a sequence; the others are chosen by evidence (X1).
    ``rank`` is the setting's place among those that take turns in the study.
    """

    study: Study
    setting: Config
    wanted: int
    first: int
    rank: int


class Turns:
    """Whose turn it is at each index of a joint study: blocks in which every setting comes once."""

    def __init__(self, n_parts: int, seed: int) -> None:
        self.n_parts = n_parts
        self._key = key_of(seed, "turns")
        self._places: IntArray = np.empty((0, n_parts), dtype=np.int64)

    def numbers(self, rank: int, local: IntArray) -> IntArray:
        """The indices in the study of a part's own indices ``local``."""
        if self.n_parts == 1:
            return local
        last = int(local.max(initial=-1)) + 1
        if last > len(self._places):
            order = deal(self.n_parts, len(self._places), last, self._key)
            self._places = np.concatenate([self._places, np.argsort(order, axis=1)])
        places: IntArray = self._places[local, rank]
        return local * self.n_parts + places

    def wanted(self, rank: int, n_trials: int) -> int:
        """How many of the first ``n_trials`` indices are the part's; differs by at most one between parts."""
        n_blocks, rest = divmod(n_trials, self.n_parts)
        last = int(self.numbers(rank, np.array([n_blocks]))[0]) % self.n_parts
        return n_blocks + (last < rest)


def studies_of(design: Round) -> tuple[Study, ...]:
    """One study per scientific setting, or the one study ``all``.

    ``InputError`` when the round cannot be split that way.
    """
    if design.search.algorithm == "list":
        return listed.studies(design)
    return tuple(dict.fromkeys(part.study for part in _parts(_branches(design))))


def plan_trials(design: Round, existing: Sequence[TrialSpec] = ()) -> tuple[TrialSpec, ...]:
    """Every search trial of the round as it is designed now, study by study, in order of their index.

    ``existing`` are trials planned before: those that belong to the design are returned as they are.
    A study has fewer trials than asked for when its space holds no more different configurations.
    """
    if design.search.algorithm == "list":
        known = {spec.id: spec for spec in existing if belongs(design, spec)}
        return tuple(known.get(spec.id, spec) for spec in listed.trials(design))
    with without_collecting():
        planner = _Planner(_branches(design), existing)
        return tuple(spec for study in planner.studies() for spec in study)


def parts_of(design: Round) -> tuple[Part, ...]:
    """The parts of the round: what gets trials in turn; ``InputError`` when it cannot be split."""
    return tuple(_parts(_branches(design)))


def trial_counts(design: Round) -> dict[str, int]:
    """How many trials every study will have, by its name; draws nothing."""
    counts: dict[str, int] = defaultdict(int)
    if design.search.algorithm == "list":
        for spec in listed.trials(design):
            counts[spec.study] += 1
        return dict(counts)
    branches = _branches(design)
    for part in _parts(branches):
        counts[part.study.name] += int(min(part.wanted, branches.n_configurations(part.setting)))
    return dict(counts)


def belongs(design: Round, spec: TrialSpec) -> bool:
    """Whether a trial is a search trial that this design could have drawn."""
    return (
        spec.purpose is TrialPurpose.SEARCH
        and spec.seed == design.search.seed
        and spec.max_train_steps == design.max_train_steps
        and spec.way_to_train == design.way_to_train
        and _fits(_active(design, spec.config), spec.config)
        and listed.study_of(design, spec.config).name == spec.study
        and (design.search.algorithm != "list" or spec.id in {other.id for other in listed.trials(design)})
    )


def _active(design: Round, config: Config) -> Space:
    return tuple(item for item in design.hyperparameters if item.is_active(config))


def _fits(active: Space, config: Config) -> bool:
    """Whether the configuration has exactly these hyperparameters, each with a value it can take."""
    return len(active) == len(config) and all(
        item.name in config and config[item.name] in item.domain for item in active
    )


def _branches(design: Round) -> Branches:
    found = obstacles(design)
    if found:
        raise InputError(found)
    return Branches(design)


def _parts(branches: Branches) -> Iterator[Part]:
    search = branches.design.search
    turns = Turns(len(branches.settings), search.seed)
    for rank, setting in enumerate(branches.settings):
        if branches.is_joint:
            wanted, first = (turns.wanted(rank, n_trials) for n_trials in (search.trials, search.n_first))
            yield Part(Study.of(Config()), setting, wanted, first, rank)
        else:
            yield Part(Study.of(setting), setting, search.trials, search.n_first, 0)


class _Planner:
    """Fills the slots of every part, around the trials that are kept."""

    def __init__(self, branches: Branches, existing: Sequence[TrialSpec]) -> None:
        self._branches = branches
        self._design = branches.design
        self._has_lookalikes = any(_has_lookalikes(item.domain) for item in self._design.searched)
        self._parts = list(_parts(branches))
        self._turns = Turns(len(self._parts) if branches.is_joint else 1, self._design.search.seed)
        self._kept: dict[tuple[str, Config], list[TrialSpec]] = defaultdict(list)
        self._held: dict[str, set[int]] = defaultdict(set)
        for spec in existing:
            self._keep(spec)

    def _keep(self, spec: TrialSpec) -> None:
        if spec.index is None or spec.index in self._held[spec.study] or not belongs(self._design, spec):
            return
        self._held[spec.study].add(spec.index)
        self._kept[spec.study, self._branches.setting_of(spec.config)].append(spec)

    def studies(self) -> Iterator[list[TrialSpec]]:
        """The trials of every study, in order of their index."""
        by_study: dict[str, list[TrialSpec]] = {}
        for part in self._parts:
            by_study.setdefault(part.study.name, []).extend(self._fill(part))
        for specs in by_study.values():
            yield sorted(specs, key=_by_index)

    def _fill(self, part: Part) -> list[TrialSpec]:
        kept = self._kept.get((part.study.name, part.setting), [])
        chosen = sorted(kept, key=_by_index)[: part.wanted]
        seen = self._seen(chosen)
        capacity = min(part.first, self._branches.n_configurations(part.setting))
        limit = SKIP_PER_TRIAL * part.wanted + SKIP_LEAST
        start = 0
        while len(chosen) < capacity and start < limit:
            stop = start + part.wanted
            new = self._new(part, np.arange(start, stop), seen)
            chosen.extend(new[: part.first - len(chosen)])
            start = stop
        return chosen

    def _new(self, part: Part, local: IntArray, seen: Seen) -> list[TrialSpec]:
        """Trials at a part's own indices ``local``, without held indices and repeated configurations."""
        held = self._held.get(part.study.name)
        if held:
            local = local[~np.isin(self._turns.numbers(part.rank, local), list(held))]
        if not len(local):
            return []
        specs: list[TrialSpec] = []
        for batch in self._branches.draw(part.setting, local):
            specs.extend(self._specs(part, batch, seen))
        return sorted(specs, key=_by_index)

    def _specs(self, part: Part, batch: Batch, seen: Seen) -> Iterator[TrialSpec]:
        names, study, design = batch.leaf.names, part.study.name, self._design
        seed, steps, way = design.search.seed, design.max_train_steps, design.way_to_train
        known = seen[names]
        numbers = self._turns.numbers(part.rank, batch.numbers).tolist()
        identities = self._distinct(batch.rows)
        for index, row, unit, identity in zip(numbers, batch.rows, batch.units, identities, strict=True):
            if identity not in known:
                known.add(identity)
                yield TrialSpec(
                    study=study,
                    config=Config(dict(zip(names, row, strict=True))),
                    seed=seed,
                    max_train_steps=steps,
                    way_to_train=way,
                    index=index,
                    point=unit,
                )

    def _seen(self, specs: Sequence[TrialSpec]) -> Seen:
        seen: Seen = defaultdict(set)
        for spec in specs:
            names = tuple(item.name for item in _active(self._design, spec.config))
            seen[names].update(self._distinct([tuple(spec.config[name] for name in names)]))
        return seen

    def _distinct(self, rows: list[Row]) -> list[Row]:
        """Rows that are equal only where all values are; Python takes True for 1."""
        return [tuple(map(repr, row)) for row in rows] if self._has_lookalikes else rows


def _by_index(spec: TrialSpec) -> int:
    return -1 if spec.index is None else spec.index


def _has_lookalikes(domain: object) -> bool:
    return isinstance(domain, Choice) and len({isinstance(value, bool) for value in domain.values}) > 1

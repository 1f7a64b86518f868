"""Joining two stores: what one of them has and the other has not (B1).

Trials are named by their content and attempts by a proof that no two share, so what was merged before is
recognised. A trial's history is taken from one store as a whole: curves of two machines are never mixed.
Everything that contradicts itself is found and told before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, insert, select, text

from tunebook.errors import InputError, Problem
from tunebook.store import merge_ledger, merge_write, rounds
from tunebook.store.engine import lock
from tunebook.store.merge_sides import Newer, Side, newer, texts, tokens
from tunebook.store.schema import Record, designs, launches
from tunebook.store.schema import rounds as rounds_table
from tunebook.store.trials import hold_round

#: More conflicts of one kind than this are counted, not listed.
LISTED = 10
RAN_OUT = "its lease had run out when another store's result was merged"

Kind: TypeAlias = Literal["design", "name", "result", "running", "ledger"]

WHAT_TO_DO: Mapping[Kind, str] = {
    "design": "bring it in under another name with --rename {round}=NEW",
    "name": "bring the round in under another name with --rename {round}=NEW",
    "result": "keep ours with --keep-ours, or bring the round in under another name with --rename {round}=NEW",
    "running": "stop that run or wait for it, or keep ours with --keep-ours",
    "ledger": "keep our ledger with --keep-ours: what theirs says becomes notes of its rounds",
}

_NUMBERED = select(rounds_table).order_by(rounds_table.c.number)
_NUMBER = text("SELECT coalesce(max(number), 0) + 1 FROM rounds")
_PLACE = text("UPDATE trials SET rank = :to, active = :active WHERE id = :trial")
_PLACE_QUEUED = text("UPDATE queue SET rank = :to WHERE trial_id = :trial")
_ENQUEUE = text(
    "INSERT INTO queue (trial_id, round_id, rank) SELECT t.id, t.round_id, t.rank FROM trials t "
    "WHERE t.round_id = :round AND t.active AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.trial_id = t.id) "
    "AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.trial_id = t.id)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRound:
    """What a merge did to one round.

    ``trials`` and ``results`` are new here, ``same`` results were here already, ``kept`` are ours where theirs
    differ, ``left_out`` are trials that theirs began and neither ended, or that ended here.
    """

    round: str
    is_new: bool
    trials: int
    results: int
    same: int
    kept: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeReport:
    """What a merge brought: by round, and how many launches and notes."""

    rounds: tuple[MergedRound, ...]
    launches: int
    notes: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing was new."""
        return not (self.launches or self.notes or any(one.is_new or one.trials or one.results for one in self.rounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conflict:
    kind: Kind
    round: str
    trial: str
    says: str


@dataclass(slots=True)
class _Plan:
    """What is to be done for one round; trials are rows of theirs."""

    name: str
    theirs: Side
    ours: Side | None
    newer: Newer = Newer.THEIRS
    add: list[Record] = field(default_factory=list)
    bring: list[Record] = field(default_factory=list)
    partly: list[Record] = field(default_factory=list)
    same: int = 0
    kept: int = 0
    left_out: int = 0
    conflicts: list[_Conflict] = field(default_factory=list)

    def dispute(self, kind: Kind, says: str, trial: str = "") -> None:
        """Note what contradicts itself."""
        self.conflicts.append(_Conflict(kind=kind, round=self.theirs.name, trial=trial, says=says))


def merge(
    target: Connection, source: Connection, *, rename: Mapping[str, str], keep_ours: bool, now: float
) -> MergeReport:
    """Bring everything of ``source`` into ``target``; ``InputError`` lists conflicts, and then nothing is changed."""
    lock(target, rounds.ROUNDS_LOCK)
    there = source.execute(_NUMBERED).all()
    _check_renames(rename, [row.name for row in there])
    here = {row.name for row in target.execute(_NUMBERED)}
    plans = [_planned(target, source, row, rename, here, keep_ours, now) for row in there]
    conflicts = [conflict for plan in plans for conflict in plan.conflicts]
    new_launches, disputed = merge_ledger.launches_of(target, source, rename)
    if disputed and not keep_ours:
        said = f"launch {disputed[0][0]} and those after it are others in the two ledgers"
        conflicts.append(_Conflict(kind="ledger", round="", trial="", says=said))
    if conflicts:
        raise InputError(list(_told(conflicts)))
    done = tuple(_carry_out(target, source, plan, row, now) for plan, row in zip(plans, there, strict=True))
    _insert(target, launches, [{"number": number, "record": record} for number, record in new_launches])
    n_notes = merge_ledger.copy_notes(target, source, rename, merge_ledger.as_notes(disputed, now))
    return MergeReport(rounds=done, launches=len(new_launches), notes=n_notes)


# Planning


def _planned(
    target: Connection,
    source: Connection,
    row: Record,
    rename: Mapping[str, str],
    here: set[str],
    keep_ours: bool,
    now: float,
) -> _Plan:
    name = rename.get(row.name, row.name)
    theirs = Side.read(source, row.name)
    if name not in here:
        plan = _Plan(name, theirs, None, add=list(theirs.trials.values()))
        plan.left_out = sum(1 for trial in plan.add if trial.id in theirs.held)
        return plan
    hold_round(target, name)
    plan = _Plan(name, theirs, Side.read(target, name))
    assert plan.ours is not None
    plan.newer = newer(texts(plan.ours.designs), texts(theirs.designs))
    if plan.newer is Newer.NEITHER:
        plan.dispute("design", "both stores have a round of this name with another design")
        return plan
    for trial in theirs.trials.values():
        _sort(plan, plan.ours, trial, keep_ours, now)
    return plan


def _sort(plan: _Plan, ours: Side, trial: Record, keep_ours: bool, now: float) -> None:
    """Put one trial of theirs where it belongs."""
    own = ours.trials.get(trial.spec_id)
    theirs = plan.theirs
    if own is None:
        if any(row.name == trial.name for row in ours.trials.values()):
            plan.dispute("name", "this name stands for another trial in our store", trial.name)
        plan.add.append(trial)
        plan.left_out += trial.id in theirs.held
    elif own.id in ours.outcomes and trial.id in theirs.outcomes:
        _compare(plan, ours, own, trial, keep_ours)
    elif own.id in ours.outcomes:
        plan.left_out += bool(theirs.attempts_of(trial.id))
    elif trial.id in theirs.outcomes:
        lease = ours.held.get(own.id)
        if lease is None or lease.expires_at < now:
            plan.bring.append(trial)
        elif keep_ours:
            plan.left_out += 1
        else:
            plan.dispute("running", "it has ended in their store and is being run in ours", trial.name)
    elif own.id in ours.held or tokens(ours.attempts_of(own.id)) - tokens(theirs.attempts_of(trial.id)):
        plan.left_out += bool(theirs.attempts_of(trial.id))
    else:
        plan.partly.append(trial)
        plan.left_out += trial.id in theirs.held


def _compare(plan: _Plan, ours: Side, own: Record, trial: Record, keep_ours: bool) -> None:
    """Two results of one trial: one and the same, equal, or a contradiction."""
    here, there = ours.outcomes[own.id], plan.theirs.outcomes[trial.id]
    mine, other = ours.winner(own.id), plan.theirs.winner(trial.id)
    is_one = mine is not None and other is not None and bool(mine.token) and mine.token == other.token
    if is_one or ((here.status, here.cause) == (there.status, there.cause) and _same_curves(plan, ours, own, trial)):
        plan.same += 1
    elif keep_ours:
        plan.kept += 1
    elif here.status != there.status:
        plan.dispute("result", f"it ended {here.status} in our store and {there.status} in theirs", own.name)
    else:
        _same_curves(plan, ours, own, trial)
        values = f"objective {ours.value_of(own.name):.6g} in ours, {plan.theirs.value_of(trial.name):.6g} in theirs"
        plan.dispute("result", f"it was trained in both stores and came out differently ({values})", own.name)


def _same_curves(plan: _Plan, ours: Side, own: Record, trial: Record) -> bool:
    return ours.curves_of(own.name) == plan.theirs.curves_of(trial.name)


def _check_renames(rename: Mapping[str, str], names: Sequence[str]) -> None:
    for name, other in rename.items():
        if name not in names:
            raise InputError(f"--rename {name}={other}: their store has no round {name!r}; it has {', '.join(names)}")
        if not other.strip():
            raise InputError(f"--rename {name}={other}: a round needs a name")
    results = [rename.get(name, name) for name in names]
    twice = sorted({name for name in results if results.count(name) > 1})
    if twice:
        raise InputError(f"--rename would give two rounds of theirs the name {twice[0]!r}")


def _told(conflicts: Sequence[_Conflict]) -> Iterator[Problem]:
    """The conflicts as problems, many of one kind in one round shortened, each kind with what to do."""
    groups: dict[tuple[str, Kind], list[_Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault((conflict.round, conflict.kind), []).append(conflict)
    for (name, kind), group in groups.items():
        advice = WHAT_TO_DO[kind].format(round=name)
        for conflict in group[:LISTED]:
            key = tuple(part for part in (name, conflict.trial) if part)
            yield Problem(key=key, message=f"{conflict.says}; {advice}")
        if len(group) > LISTED:
            yield Problem(key=(name,), message=f"and {len(group) - LISTED} more of this kind")


# Doing


def _carry_out(target: Connection, source: Connection, plan: _Plan, row: Record, now: float) -> MergedRound:
    is_new = plan.ours is None
    key = _new_round(target, plan, row) if plan.ours is None else plan.ours.key
    if plan.ours is not None and plan.newer is Newer.THEIRS:
        _adopt_design(target, plan, plan.ours)
    keys = _add_trials(target, plan, key)
    if plan.ours is not None:
        keys |= {trial.id: plan.ours.trials[trial.spec_id].id for trial in (*plan.bring, *plan.partly)}
        _free(target, plan, plan.ours, keys, now)
    wanted = [(keys[trial.id], *_attempts_to_copy(plan, trial)) for trial in (*plan.add, *plan.bring, *plan.partly)]
    made = merge_write.copy_attempts(target, source, wanted)
    ended = [trial for trial in (*plan.add, *plan.bring) if trial.id in plan.theirs.outcomes]
    for trial in ended:
        outcome = plan.theirs.outcomes[trial.id]
        merge_write.end_trial(target, keys[trial.id], made[outcome.attempt_id], outcome)
    target.execute(_ENQUEUE, {"round": key})
    return MergedRound(
        round=plan.name,
        is_new=is_new,
        trials=len(plan.add),
        results=len(ended),
        same=plan.same,
        kept=plan.kept,
        left_out=plan.left_out,
    )


def _new_round(target: Connection, plan: _Plan, row: Record) -> int:
    number = target.execute(_NUMBER).scalar_one()
    values = {"number": number, "name": plan.name, "origin": row.origin, "created_at": row.created_at}
    key = int(target.execute(insert(rounds_table).returning(rounds_table.c.id), values).scalar_one())
    _insert(target, designs, [_design_row(one, key, one.version, plan) for one in plan.theirs.designs])
    return key


def _adopt_design(target: Connection, plan: _Plan, ours: Side) -> None:
    """Their design goes on from ours: their further versions, and their plan of the trials."""
    after = texts(plan.theirs.designs)
    start = len(after) - after[::-1].index(texts(ours.designs)[-1])
    version = ours.designs[-1].version
    further = plan.theirs.designs[start:]
    _insert(target, designs, [_design_row(one, ours.key, version + 1 + n, plan) for n, one in enumerate(further)])
    last = 1 + max((row.rank for row in plan.theirs.trials.values()), default=-1)
    for spec_id, own in ours.trials.items():
        trial = plan.theirs.trials.get(spec_id)
        active = own.active and own.purpose != "search" if trial is None else trial.active
        _place(target, own.id, last + own.rank if trial is None else trial.rank, active)


def _design_row(row: Record, key: int, version: int, plan: _Plan) -> dict[str, Any]:
    design = json.loads(row.design)
    if design.get("name", plan.name) != plan.name:
        design["name"] = plan.name
    written = json.dumps(design, ensure_ascii=False)
    return {"round_id": key, "version": version, "design": written, "created_at": row.created_at}


def _place(target: Connection, key: int, rank: int, active: bool) -> None:
    target.execute(_PLACE, {"trial": key, "to": rank, "active": active})
    target.execute(_PLACE_QUEUED, {"trial": key, "to": rank if active else None})


def _add_trials(target: Connection, plan: _Plan, key: int) -> dict[int, int]:
    """Insert the trials that are new here; the key here of each by the one there."""
    follows = plan.ours is None or plan.newer is Newer.THEIRS
    last = 0 if plan.ours is None else 1 + max((row.rank for row in plan.ours.trials.values()), default=-1)
    rows = []
    for place, trial in enumerate(plan.add):
        planned = plan.newer is not Newer.OURS or trial.purpose != "search"
        placed = {"rank": trial.rank if follows else last + place, "active": trial.active and planned}
        rows.append(merge_write.trial_row(trial, round_id=key, **placed))
    return dict(zip((trial.id for trial in plan.add), merge_write.add_trials(target, rows), strict=True))


def _free(target: Connection, plan: _Plan, ours: Side, keys: Mapping[int, int], now: float) -> None:
    """Leases that ran out end before a result from elsewhere takes their place."""
    for trial in plan.bring:
        lease = ours.held.get(keys[trial.id])
        if lease is not None:
            merge_write.take_back(target, keys[trial.id], lease.attempt_id, RAN_OUT, now)


def _attempts_to_copy(plan: _Plan, trial: Record) -> tuple[list[Record], bool]:
    """The attempts of theirs that ended, and whether they take the place of all that ours logged."""
    outcome = plan.theirs.outcomes.get(trial.id)
    winner = None if outcome is None else outcome.attempt_id
    ended = [row for row in plan.theirs.attempts_of(trial.id) if row.reason is not None or row.id == winner]
    own = plan.ours.trials.get(trial.spec_id) if plan.ours else None
    before = plan.ours.attempts_of(own.id) if plan.ours and own is not None else []
    known = tokens(before)
    if not known - tokens(ended) and len(known) == len(before):
        return [row for row in ended if row.token not in known], False
    return ended, True


def _insert(target: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        target.execute(insert(table), list(rows))

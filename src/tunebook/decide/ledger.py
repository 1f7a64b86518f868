"""The ledger's rules, without a store: what the next entry is, and what may be rolled back (D4, S7, X2)."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Constant, Hyperparameter
from tunebook.core.launch import Launch, current_launch
from tunebook.core.round import Round, placeholders
from tunebook.core.verdict import Contender, Ruling, Verdict
from tunebook.errors import InputError

#: Names under which a batch size, a model family and a data set go (S7).
BATCH_NAMES = ("batch_size", "batch", "train_batch_size", "global_batch_size")
FAMILY_NAMES = ("model", "architecture", "arch", "model_family", "backbone", "network")
DATA_NAMES = ("data", "dataset", "data_set", "train_data", "tokenizer")
#: What to tune again when one of them changes: those that interact with it most come first (S7, T4).
RETUNE = {
    "batch size": ("learning rate", "momentum", "other optimizer hyperparameters", "regularisation"),
    "model family": ("learning rate", "warmup", "optimizer hyperparameters", "regularisation"),
    "data": ("regularisation", "learning rate", "max_train_steps"),
    "max_train_steps": ("learning rate schedule", "regularisation", "optimizer hyperparameters"),
    "way to train": ("learning rate", "optimizer hyperparameters"),
}


def next_launch(
    launches: Sequence[Launch],
    verdict: Verdict,
    *,
    now: datetime,
    who: str | None = None,
    note: str = "",
    revision: str | None = None,
    command: str | None = None,
    test_set_looked_at: bool = False,
) -> Launch:
    """The ledger's entry for adopting a verdict's candidate, with the runs that speak for it.

    A verdict other than adopt needs a ``note``: a person overrules it and says why. ``InputError``
    without one, without a candidate, and when the candidate is in force already.
    """
    candidate = verdict.candidate
    if candidate is None:
        raise InputError(f"{verdict.round} has no candidate to adopt")
    if verdict.ruling is not Ruling.ADOPT and not note.strip():
        raise InputError(
            f"the verdict on {verdict.round} is {verdict.ruling}, not adopt ({'; '.join(verdict.because[:2])}); "
            'to overrule it, say why with --note "..."'
        )
    standing = current_launch(list(launches))
    if standing is not None and standing.config == candidate.config:
        raise InputError(f"launch {standing.number} has this configuration already: {standing.trial}")
    runs = {"repeats": list(candidate.values), "searched": candidate.searched}
    return _entry(launches, verdict.round, candidate, verdict.to_mapping() | runs, now=now, who=who, note=note,
                  revision=revision, command=command, test_set_looked_at=test_set_looked_at)  # fmt: skip


def kept(
    launches: Sequence[Launch],
    verdict: Verdict,
    *,
    now: datetime,
    who: str | None = None,
    note: str = "",
) -> Launch:
    """The entry which records that the baseline stays, with the verdict at that time; ``InputError`` without one."""
    standing = current_launch(list(launches))
    if verdict.baseline is None or (standing is None and verdict.baseline == verdict.candidate):
        raise InputError(
            f"{verdict.round} has no baseline that could be kept; adopt its candidate, or train one with "
            "`tunebook baseline DESIGN`"
        )
    revision = standing.revision if standing else None
    entry = _entry(launches, verdict.round, verdict.baseline, verdict.to_mapping(), now=now, who=who, note=note,
                   revision=revision, command=None, test_set_looked_at=False)  # fmt: skip
    return replace(entry, keeps=True)


def first_launch(
    launches: Sequence[Launch],
    round_name: str,
    contender: Contender,
    evidence: dict[str, Any],
    *,
    now: datetime,
    who: str | None = None,
    note: str = "",
    revision: str | None = None,
    command: str | None = None,
) -> Launch:
    """Launch 0, the first baseline (S1); ``InputError`` when a launch is in force."""
    standing = current_launch(list(launches))
    if standing is not None:
        raise InputError(f"launch {standing.number} is in force already; adopt another one with `tunebook decide`")
    return _entry(launches, round_name, contender, evidence, now=now, who=who, note=note,
                  revision=revision, command=command, test_set_looked_at=False)  # fmt: skip


def rollback(
    launches: Sequence[Launch], number: int, *, now: datetime, who: str | None = None, note: str = ""
) -> Launch:
    """The entry that takes launch ``number`` out of force; nothing is deleted.

    ``InputError``: no such launch, an entry that is no launch itself, or one rolled back before.
    """
    by_number = {launch.number: launch for launch in launches}
    target = by_number.get(number)
    if target is None:
        there = ", ".join(str(known) for known in sorted(by_number)) or "none"
        raise InputError(f"the ledger has no launch {number}; there are: {there}")
    if target.examines is not None:
        raise InputError(f"entry {number} records the test set of launch {target.examines}; that cannot be undone")
    if target.keeps:
        raise InputError(f"entry {number} records that the baseline stayed; there is nothing to take back")
    if target.rolls_back is not None:
        raise InputError(
            f"entry {number} is the roll-back of launch {target.rolls_back}; to have that launch back, adopt it again"
        )
    earlier = next((launch for launch in launches if launch.rolls_back == number), None)
    if earlier is not None:
        raise InputError(f"launch {number} was rolled back already, by entry {earlier.number} on {earlier.at:%Y-%m-%d}")
    return Launch(
        number=_next_number(launches),
        round=target.round,
        trial=target.trial,
        config=target.config,
        at=now,
        revision=target.revision,
        who=who,
        note=note,
        rolls_back=number,
    )


def is_overruled(launch: Launch) -> bool:
    """Whether a person adopted this against its verdict."""
    return launch.is_launch and launch.evidence.get("verdict", "adopt") != str(Ruling.ADOPT)


def design_name(launch: Launch) -> str:
    """The name of the round that trains a launch again."""
    return f"launch-{launch.number}"


def reproduce_command(design: Round, launch: Launch, *, seed: int = 0) -> str:
    """What to type to train a launch again: the checkout of its revision, then the training itself.

    A pipeline is started by the design ``design_name``, in which every hyperparameter is fixed and which
    adopting writes; a command of one's own has its placeholders filled in.
    """
    steps = [f"git checkout {launch.revision}"] if launch.revision else []
    if design.command is None:
        return " && ".join([*steps, f"tunebook run {design_name(launch)}"])
    values = {**launch.config, "seed": seed, "max_train_steps": design.max_train_steps, "trial": launch.trial}
    missing = [name for name in placeholders(design.command) if name not in values]
    if missing:
        raise InputError(f"launch {launch.number} has no value for {', '.join(missing)}, which the command needs")
    words = [word.format_map({name: _spelled(value) for name, value in values.items()}) for word in design.command]
    return " && ".join([*steps, shlex.join(words)])


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _entry(
    launches: Sequence[Launch],
    round_name: str,
    contender: Contender,
    evidence: dict[str, Any],
    *,
    now: datetime,
    who: str | None,
    note: str,
    revision: str | None,
    command: str | None,
    test_set_looked_at: bool,
) -> Launch:
    return Launch(
        number=_next_number(launches),
        round=round_name,
        trial=contender.trial,
        config=contender.config,
        at=now,
        evidence=evidence,
        revision=revision,
        command=command,
        who=who,
        note=note,
        test_set_looked_at=test_set_looked_at,
    )


def _next_number(launches: Sequence[Launch]) -> int:
    return max((launch.number for launch in launches), default=-1) + 1


def pipeline_fingerprint(design: Round, revision: str | None = None) -> str:
    """What an estimate of trial variance holds for: the way to train, the code, the steps, the objective,
    and the batch size, model family and data where the design names them (S7).
    """
    parts = {
        "way": design.way_to_train,
        "revision": revision,
        "steps": design.max_train_steps,
        "objective": [design.objective.metric, design.objective.direction, str(design.objective.reduce)],
        "marks": {name: str(value) for name, value in sorted(_marks(design).items())},
    }
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that makes tuned values untrustworthy, and what to tune again, most urgent first."""

    what: str
    before: str
    after: str
    retune: tuple[str, ...]


def stale(before: Round, after: Round) -> tuple[Change, ...]:
    """What changed between two designs so that values tuned under the first are no longer trusted (S7)."""
    changes = []
    for what, names in (("batch size", BATCH_NAMES), ("model family", FAMILY_NAMES), ("data", DATA_NAMES)):
        old, new = _mark(before, names), _mark(after, names)
        if old != new and old is not None and new is not None:
            changes.append(Change(what=what, before=old, after=new, retune=RETUNE[what]))
    for what, old, new in (
        ("max_train_steps", str(before.max_train_steps), str(after.max_train_steps)),
        ("way to train", before.way_to_train, after.way_to_train),
    ):
        if old != new:
            changes.append(Change(what=what, before=old, after=new, retune=RETUNE[what]))
    return tuple(changes)


STALE_WORDS = Words(
    says="{what} changed from {before} to {after} since {round}",
    why="values tuned under the old one are no longer trusted, and neither is its trial variance",
    fix="tune again, in this order: {retune}",
)


def stale_findings(before: Round, after: Round) -> tuple[Finding, ...]:
    """The changes as findings of code ``stale_baseline``."""
    return tuple(
        Finding(
            code="stale_baseline",
            requirement="S7",
            severity=Severity.WARNING,
            words=STALE_WORDS,
            evidence={
                "what": change.what,
                "before": change.before,
                "after": change.after,
                "round": before.name or "the earlier round",
                "retune": ", ".join(change.retune),
            },
            subject=Subject(hyperparameter=change.what if change.what != "way to train" else None),
        )
        for change in stale(before, after)
    )


def _marks(design: Round) -> dict[str, str]:
    found = {"batch size": BATCH_NAMES, "model family": FAMILY_NAMES, "data": DATA_NAMES}
    return {what: mark for what, names in found.items() if (mark := _mark(design, names)) is not None}


def _mark(design: Round, names: Sequence[str]) -> str | None:
    """The value a design holds one of these names at; None where it has none or searches it."""
    return next((_constant(item) for item in design.fixed if item.name.lower() in names), None)


def _constant(item: Hyperparameter) -> str:
    assert isinstance(item.domain, Constant)
    return item.domain.describe()

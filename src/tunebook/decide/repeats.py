"""Repeats: the same configurations with fresh seeds (D1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunebook.core.config import Config
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Round
from tunebook.core.search import MAX_SEED
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.decide.arms import Arms
from tunebook.decide.baseline import Baseline
from tunebook.errors import InputError, Problem
from tunebook.evidence import Evidence, TrialRecord

#: Repeats of a configuration unless somebody asks for another number (D1).
DEFAULT_SEEDS = 5
MAX_SEEDS_AT_ONCE = 1000
#: Seeds stay below what every framework takes: 32 bits, of which some use 31.
SEED_BITS = 31


def repeat_specs(
    evidence: Evidence,
    baseline: Baseline | None = None,
    trials: Sequence[str] | None = None,
    seeds: int = DEFAULT_SEEDS,
    *,
    expected_best: Config | None = None,
) -> tuple[TrialSpec, ...]:
    """Trials that run the best configuration of every setting, and the baseline, with ``seeds`` new seeds.

    ``trials`` are names of trials to repeat instead. ``expected_best``, of a search that learns, takes the place of
    the best run. A seed is derived from the configuration and from how
    often it ran, so asking again gives further seeds, and no seed that the configuration already had, in the round of
    the baseline neither.
    The baseline is trained for as many steps as this round (T1). ``InputError``: nothing is complete, or a name
    is unknown.
    """
    if not 1 <= seeds <= MAX_SEEDS_AT_ONCE:
        raise InputError(f"--seeds {seeds} is not a whole number from 1 to {MAX_SEEDS_AT_ONCE}")
    chosen = _named(evidence, trials) if trials is not None else _best(evidence, baseline, expected_best)
    elsewhere = {baseline.config: baseline.used_seeds} if baseline is not None else {}
    return tuple(
        spec
        for study, config in chosen.values()
        for spec in _specs(evidence, study, config, seeds, elsewhere.get(config, frozenset()))
    )


def _named(evidence: Evidence, names: Sequence[str]) -> dict[Config, tuple[str, Config]]:
    known = {trial.name: trial for trial in evidence.trials}
    problems = [
        Problem(key=(), message=f"{evidence.name} has no trial {name!r}{did_you_mean(name, known)}")
        for name in names
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    return _distinct(known[name] for name in names)


def _best(
    evidence: Evidence, baseline: Baseline | None, expected_best: Config | None
) -> dict[Config, tuple[str, Config]]:
    """The configuration of every setting that the search found, whatever repeats have said since."""
    arms = Arms.of(evidence)
    records = {trial.name: trial for trial in evidence.trials}
    best = []
    for pool in arms.settings.values():
        searched = [arm for arm in pool if arm.search_value is not None]
        expected = [arm for arm in searched if arm.config == expected_best]
        if expected:
            best += expected
        elif searched:
            best.append(min(searched, key=lambda arm: (arm.search_value, arm.config.canonical())))
    chosen = _distinct(records[arm.trial] for arm in best)
    if baseline is not None:
        chosen.setdefault(baseline.config, ("baseline", baseline.config))
    return chosen


def _distinct(records: Iterator[TrialRecord] | Sequence[TrialRecord]) -> dict[Config, tuple[str, Config]]:
    chosen: dict[Config, tuple[str, Config]] = {}
    for record in records:
        chosen.setdefault(record.config, (record.study, record.config))
    return chosen


def _specs(
    evidence: Evidence, study: str, config: Config, seeds: int, elsewhere: frozenset[int]
) -> Iterator[TrialSpec]:
    used = {trial.seed for trial in evidence.trials if trial.config == config} | elsewhere
    for seed in fresh_seeds(config, used, seeds):
        yield TrialSpec(
            study=study,
            config=config,
            seed=seed,
            max_train_steps=evidence.round.max_train_steps,
            way_to_train=evidence.round.way_to_train,
            purpose=TrialPurpose.REPEAT,
        )


def fresh_seeds(config: Config, used: set[int], n_seeds: int) -> list[int]:
    """``n_seeds`` distinct seeds that are not in ``used``: the first ones of the configuration's own sequence."""
    found: list[int] = []
    number = 0
    while len(found) < n_seeds:
        content = f"{config.canonical()}|repeat|{number}".encode()
        seed = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") % 2**SEED_BITS
        if seed not in used and seed not in found and seed <= MAX_SEED:
            found.append(seed)
        number += 1
    return found


def repeated_study(design: Round, number: int) -> Round:
    """The same round searched with another search seed: repetition ``number`` (from 1) of its studies (D2).

    Its evidence goes to ``decide(..., replicas=...)``. ``InputError`` for a search that has no seed to change.
    """
    if number < 1:
        raise InputError(f"repetitions of a study are counted from 1, not {number}")
    if design.search.algorithm in ("grid", "list"):
        raise InputError(
            f"a search by {design.search.algorithm} draws nothing, so repeating it finds the same; "
            "use algorithm = 'halton' or 'random' to measure study variance"
        )
    content = f"{design.search.seed}|study|{number}".encode()
    seed = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") % 2**SEED_BITS
    name = f"{design.name}-again-{number}" if design.name else ""
    return replace(design, name=name, search=replace(design.search, seed=seed))

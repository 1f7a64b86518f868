"""warmup: the shortest one that lets training survive a learning rate ten times the unstable one (I2).

States: the sweep of stability; warmup lengths by orders of magnitude, shortest first; two steps of
bisection on a log scale; whole runs with the warmup before the baseline's schedule, which is the proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.finding import Finding
from tunebook.core.hyperparameter import Range
from tunebook.core.objective import Objective
from tunebook.core.round import Round
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.plan.names import Kind
from tunebook.procedures import stability_words, warmup_words
from tunebook.procedures.losses import course
from tunebook.procedures.procedure import Conclusion, Procedure, Run, Seen, carry_out, latest
from tunebook.procedures.single import (
    base_config,
    check_positive,
    one_of_kind,
    required,
    varied_round,
    with_fixed,
    with_range,
)
from tunebook.procedures.stability import Stability
from tunebook.procedures.sweep import NEARLY, RATES, TWICE, Sweep, Verdict, read_sweep

#: I2: the base rate is this many times the rate that is unstable.
FACTOR = 10.0
#: Where no warmup survives that, it may be beyond what the workload stands at any time: half a decade lower, twice.
LOWER = (1.0, 10**-0.5, 0.1)
#: I2: warmups are tried up to this share of the run, and warned about above the other.
LONGEST_SHARE = 0.10
LONG_SHARE = 0.05
#: I2: after the warmup the rate stays constant for twice its length.
HOLD_PER_WARMUP = 2
#: Steps of bisection between the longest that fails and the shortest that survives: within a factor of 1.8.
BISECTIONS = 2
#: Rates of the final comparison, as shares of the base rate on a log scale.
COMPARED = (0.1, 0.3, 1.0)
SEEDS = 2
WARMUP = "warmup_steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """Whole runs at one rate with the warmup: the share that was unstable and the median key (lower better)."""

    rate: float
    unstable: float
    key: float
    onset: float | None

    @property
    def survives(self) -> bool:
        """Whether no run was in trouble."""
        return self.unstable == 0.0


@dataclass(frozen=True, kw_only=True)
class Warmup(Procedure):
    """The base rate is ``factor`` times the lowest unstable one; ``lengths`` are tried instead of powers of ten.

    The training code warms up over ``warmup_steps``, as the schedules of ``tunebook.kit`` do, and stays
    constant after it.
    """

    name: ClassVar[str] = "warmup"

    design: Round
    config: Mapping[str, Value] = field(default_factory=dict)
    hyperparameter: str | None = None
    warmup_name: str = WARMUP
    low: float | None = None
    high: float | None = None
    rates: int = RATES
    factor: float = FACTOR
    lengths: tuple[int, ...] = ()
    seeds: int = SEEDS
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(factor=self.factor, seeds=self.seeds, **{f"warmup of {n}": n for n in self.lengths})
        required(self._base, self.warmup_name, warmup_words.HOW_TO_WARM_UP)
        too_long = [length for length in self.lengths if length > self.design.max_train_steps]
        if too_long:
            raise InputError(
                f"a warmup of {too_long[0]} steps is longer than the run of {self.design.max_train_steps}; give at "
                f"most {self._longest} ({LONGEST_SHARE:.0%} of the run)"
            )
        if not self._lengths:
            raise InputError(
                f"a run of {self.design.max_train_steps} steps has no room for a warmup of at least 1 step within "
                f"{LONGEST_SHARE:.0%} of it; raise max_train_steps"
            )

    @property
    def outlook(self) -> str:
        return (
            f"{self._stability.outlook}. If it is unstable: warmups of {', '.join(map(str, self._lengths))} steps at "
            f"{self.factor:g} times the unstable rate, each held for twice as long, {self.seeds} seeds, until one "
            "survives (if none does, at a third and a tenth of that); "
            f"then {len(COMPARED)} rates over whole runs with it"
        )

    def next_round(self, seen: Seen) -> Round | None:
        planned = self._stability.next_round(seen)
        if planned is not None:
            return planned
        sweep = self._sweep(seen)
        if not self._is_unstable(seen):
            return None
        return self._next_trial_of_a_length(seen, sweep) or self._next_final(seen, sweep)

    def conclude(self, seen: Seen) -> Conclusion:
        sweep = self._sweep(seen)
        if not self._is_unstable(seen):
            stability = self._stability.conclude(seen)
            return replace(stability, procedure=self.name)
        base, tried = self._level(seen, sweep)
        length = _shortest(tried)
        finals = self._finals(seen, sweep, length) if length else ()
        kept = [final for final in finals if final.survives]
        mends = any(final.rate >= 0.99 * self._unstable_rate(sweep) for final in kept)
        numbers = sweep.to_mapping() | {
            "lengths": {str(key): value for key, value in sorted(tried.items())},
            "base_rate": base,
            "warmup_steps": length if mends else None,
            "finals": [
                {"rate": one.rate, "unstable": one.unstable, "key": one.key, "onset": one.onset} for one in finals
            ],
        }
        design = self._applied(length, kept) if length and mends else None
        return Conclusion(
            procedure=self.name,
            answer="warmup" if design else "warmup does not mend it",
            findings=tuple(self._findings(sweep, base, tried, length, finals, mends)),
            numbers=numbers,
            design=design,
            changes=self._changes(length, design),
        )

    # -- inside ------------------------------------------------------------------------------

    @cached_property
    def _base(self) -> Config:
        base = base_config(self.design, self.config)
        return base.merged({self.warmup_name: 0}) if self.warmup_name in base else base

    @cached_property
    def _rate(self) -> str:
        return one_of_kind(self.design, self._base, Kind.LEARNING_RATE, self.hyperparameter)

    @cached_property
    def _stability(self) -> Stability:
        return Stability(
            design=replace(self.design, name=f"{self.design.name}-{self.name}" if self.design.name else self.name),
            config=self._base,
            hyperparameter=self._rate,
            low=self.low,
            high=self.high,
            rates=self.rates,
            seed=self.seed,
        )

    @property
    def _longest(self) -> int:
        return int(LONGEST_SHARE * self.design.max_train_steps)

    @property
    def _lengths(self) -> tuple[int, ...]:
        """Powers of ten from 10 on below a tenth of the run, and that tenth itself."""
        if self.lengths:
            return tuple(sorted(self.lengths))
        powers = [10**power for power in range(1, 16) if 10**power < self._longest]
        return (*powers, self._longest) if self._longest else ()

    def _sweep(self, seen: Seen) -> Sweep:
        return self._stability.sweep.read(seen)

    def _is_unstable(self, seen: Seen) -> bool:
        return self._stability.conclude(seen).answer == Verdict.UNSTABLE

    def _unstable_rate(self, sweep: Sweep) -> float:
        return sweep.unstable_rate or TWICE * sweep.best_rate

    def _base_rates(self, sweep: Sweep) -> list[float]:
        """The rates that warmups are tried at, the highest first; none is below the one that is unstable."""
        factors = [self.factor * lower for lower in LOWER]
        kept = [factor for factor in factors if factor >= 1.0 / NEARLY] or factors[:1]
        return [float(f"{factor * self._unstable_rate(sweep):.3g}") for factor in kept]

    def _level(self, seen: Seen, sweep: Sweep) -> tuple[float, dict[int, bool]]:
        """The rate that is being tried, and which lengths survive it: the next lower one once all of them failed."""
        rates = self._base_rates(sweep)
        for base in rates:
            tried = self._survived(seen, sweep, base)
            if base == rates[-1] or _shortest(tried) is not None or self._next_length(tried) is not None:
                break
        return base, tried

    def _next_trial_of_a_length(self, seen: Seen, sweep: Sweep) -> Round | None:
        base, tried = self._level(seen, sweep)
        length = self._next_length(tried)
        if length is None:
            return None
        rounds = (self._length_round(sweep, base, length, number) for number in range(self.seeds))
        return next(planned for planned in rounds if latest(seen, planned.name) is None)

    def _next_length(self, tried: Mapping[int, bool]) -> int | None:
        """The next longer one while none survives, then the middle between failure and survival."""
        shortest = _shortest(tried)
        if shortest is None:
            return next((length for length in self._lengths if length not in tried), None)
        failing = max(
            (length for length, survives in tried.items() if not survives and length < shortest), default=None
        )
        n_bisected = len(set(tried) - set(self._lengths))
        if failing is None or n_bisected >= BISECTIONS:
            return None
        between = round(math.sqrt(failing * shortest))
        return between if failing < between < shortest else None

    def _survived(self, seen: Seen, sweep: Sweep, base: float) -> dict[int, bool]:
        """Whether each length that was tried at ``base`` with all seeds lets every one of them survive."""
        found: dict[int, list[bool]] = {}
        for evidence in seen:
            if evidence.round.name.startswith(self._length_prefix(base)):
                length = _whole(evidence.trials[0].config[self.warmup_name])
                found.setdefault(length, []).append(not self._course_is_unstable(evidence, 0, sweep))
        return {length: all(runs) for length, runs in found.items() if len(runs) >= self.seeds or not all(runs)}

    def _course_is_unstable(self, evidence: Evidence, trial: int, sweep: Sweep) -> bool:
        return course(evidence, trial, sweep.loss, sweep.gain).is_unstable

    def _length_prefix(self, base: float) -> str:
        return f"{self._stability.design.name}-at-{base:g}-of-"

    def _length_round(self, sweep: Sweep, base: float, length: int, number: int) -> Round:
        steps = (1 + HOLD_PER_WARMUP) * length
        return varied_round(
            self._stability.design,
            suffix=f"at-{base:g}-of-{length}" + (f"-{number + 1}" if number else ""),
            goal=f"Does a warmup of {length} steps survive a learning rate of {base:g}?",
            config=self._base.merged({self._rate: base}),
            name=self.warmup_name,
            values=[length],
            seed=self.seed + number,
            max_train_steps=steps,
            objective=Objective(metric=sweep.loss, direction="minimize", reduce="final"),
        )

    def _next_final(self, seen: Seen, sweep: Sweep) -> Round | None:
        base, tried = self._level(seen, sweep)
        length = _shortest(tried)
        if length is None:
            return None
        rounds = (self._final_round(base, length, number) for number in range(self.seeds))
        return next((planned for planned in rounds if latest(seen, planned.name) is None), None)

    def _final_round(self, base: float, length: int, number: int) -> Round:
        return varied_round(
            self._stability.design,
            suffix="whole" + (f"-{number + 1}" if number else ""),
            goal=f"Do whole runs with a warmup of {length} steps survive higher learning rates?",
            config=self._base.merged({self.warmup_name: length}),
            name=self._rate,
            values=[float(f"{share * base:.3g}") for share in COMPARED],
            seed=self.seed + number,
            max_train_steps=self.design.max_train_steps + length,
        )

    def _finals(self, seen: Seen, sweep: Sweep, length: int) -> tuple[Final, ...]:
        base, _ = self._level(seen, sweep)
        names = [self._final_round(base, length, number).name for number in range(self.seeds)]
        found = [evidence for name in names if (evidence := latest(seen, name)) is not None]
        read = read_sweep(found, self._rate)
        return tuple(
            Final(
                rate=float(rate),
                unstable=self._share(found, sweep, float(rate)),
                key=float(key),
                onset=None if np.isnan(onset) else float(onset),
            )
            for rate, key, onset in zip(read.rates, read.keys, read.onsets, strict=True)
        )

    def _share(self, rounds: list[Evidence], sweep: Sweep, rate: float) -> float:
        runs = [
            self._course_is_unstable(evidence, number, sweep)
            for evidence in rounds
            for number, trial in enumerate(evidence.trials)
            if trial.config[self._rate] == rate
        ]
        return float(np.mean(runs))

    def _findings(
        self,
        sweep: Sweep,
        base: float,
        tried: Mapping[int, bool],
        length: int | None,
        finals: tuple[Final, ...],
        mends: bool,
    ) -> Iterator[Finding]:
        yield stability_words.unstable(self._rate, sweep, 0, 0)
        if length is None:
            yield warmup_words.none_survives(base, tried)
        elif not mends:
            yield warmup_words.not_mended(length, base, finals)
        else:
            kept = [final for final in finals if final.survives]
            best = min(kept, key=lambda final: final.key)
            sign = self.design.objective.sign
            before = sign * float(np.nanmin(sweep.keys))
            yield warmup_words.mended(length, base, best.rate, sign * best.key, before, self.design)
            if length > LONG_SHARE * self.design.max_train_steps:
                yield warmup_words.long(length, self.design.max_train_steps)

    def _applied(self, length: int, kept: list[Final]) -> Round:
        """The baseline with the warmup before it, longer by it, and with the rates it opens."""
        because = "the shortest warmup that survived"
        changed = with_fixed(self.design, self.warmup_name, length, because)
        changed = replace(changed, max_train_steps=self.design.max_train_steps + length)
        highest = max(final.rate for final in kept)
        for item in changed.searched:
            if item.name == self._rate and isinstance(item.domain, Range):
                changed = with_range(changed, self._rate, replace(item.domain, high=max(highest, item.domain.high)))
        if any(item.name == self._rate for item in changed.fixed):
            best = min(kept, key=lambda final: final.key)
            changed = with_fixed(changed, self._rate, best.rate, "the best rate of whole runs with the warmup")
        return changed

    def _changes(self, length: int | None, design: Round | None) -> tuple[str, ...]:
        if design is None:
            return ()
        return (
            f"{self.warmup_name} = {length}, fixed",
            f"max_train_steps = {design.max_train_steps}, longer by the warmup",
            f"{self._rate}: rates up to the highest that survived",
        )


def run_warmup(run: Run, design: Round, **options: object) -> Conclusion:
    """Look for the shortest warmup with ``run``; options are the fields of ``Warmup``."""
    return carry_out(Warmup(design=design, **options), run)  # type: ignore[arg-type]


def _shortest(tried: Mapping[int, bool]) -> int | None:
    return min((length for length, survives in tried.items() if survives), default=None)


def _whole(value: Value) -> int:
    return int(value)

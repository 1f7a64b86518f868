"""stability: is the workload unstable? (I1, I4)

A sweep over learning rates. Where rates up to ten times the best are in trouble, a closer look with fresh
seeds finds where the best rate and the trouble really are; where they are neither together nor clearly
apart, about 500 steps at twice the best, with several seeds, decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tunebook.core.config import Config, Value
from tunebook.core.finding import Finding
from tunebook.core.round import Round
from tunebook.evidence import Evidence
from tunebook.plan.names import Kind
from tunebook.procedures import stability_words as words
from tunebook.procedures.losses import Course, course
from tunebook.procedures.procedure import Conclusion, Procedure, Run, Seen, carry_out, latest
from tunebook.procedures.single import base_config, check_positive, one_of_kind, varied_round
from tunebook.procedures.sweep import CLOSER, RATES, TWICE, Sweep, Verdict, read_sweep, sweep_rates

#: The early check of the playbook.
CHECK_STEPS = 500
CHECK_SEEDS = 3
#: Fresh seeds of the closer look.
CLOSER_SEEDS = 2


@dataclass(frozen=True, kw_only=True)
class RateSweep:
    """The sweep that stability, warmup and clipping start from; ``prefix`` goes into the names of its rounds."""

    design: Round
    config: Config
    rate: str
    rates: tuple[float, ...]
    prefix: str
    seeds: int = 1
    seed: int = 0

    def next_round(self, seen: Seen) -> Round | None:
        """The sweep with the next seed, then where it leaves doubt the closer look; None when all were run."""
        planned = _first_unseen([self._round(number) for number in range(self.seeds)], seen)
        if planned is not None:
            return planned
        sweep = read_sweep(self._swept(seen), self.rate)
        return _first_unseen(self._closer_rounds(sweep), seen) if sweep.verdict is Verdict.IN_DOUBT else None

    def read(self, seen: Seen) -> Sweep:
        """What the sweeps show together."""
        return read_sweep(self._swept(seen), self.rate, self._looked_closer(seen))

    def evidence(self, seen: Seen) -> list[Evidence]:
        """The rounds of the sweep that were run, with those of the closer look."""
        return [*self._swept(seen), *self._looked_closer(seen)]

    def _swept(self, seen: Seen) -> list[Evidence]:
        return _found([self._round(number) for number in range(self.seeds)], seen)

    def _looked_closer(self, seen: Seen) -> list[Evidence]:
        return _found(self._closer_rounds(read_sweep(self._swept(seen), self.rate)), seen)

    def _round(self, number: int) -> Round:
        return varied_round(
            self.design,
            suffix=f"{self.prefix}-sweep" + (f"-{number + 1}" if number else ""),
            goal="Where on the scale of learning rates does training work, and where does it fail?",
            config=self.config,
            name=self.rate,
            values=self.rates,
            seed=self.seed + number,
        )

    def _closer_rounds(self, sweep: Sweep) -> list[Round]:
        """The closer look that a sweep alone leads to, one round per fresh seed."""
        if sweep.verdict in (Verdict.NOTHING_TRAINS, Verdict.AT_THE_EDGE):
            return []
        return [
            varied_round(
                self.design,
                suffix=f"{self.prefix}-closer" + (f"-{number + 1}" if number else ""),
                goal=f"With fresh seeds, where around {sweep.best_rate:g} is the best rate, and where does it fail?",
                config=self.config,
                name=self.rate,
                values=sweep.closer_rates(),
                seed=self.seed + self.seeds + number,
            )
            for number in range(CLOSER_SEEDS)
        ]


@dataclass(frozen=True, kw_only=True)
class Stability(Procedure):
    """``low`` and ``high`` bound the sweep, by default as the design does; ``config`` overrides its values."""

    name: ClassVar[str] = "stability"

    design: Round
    config: Mapping[str, Value] = field(default_factory=dict)
    hyperparameter: str | None = None
    low: float | None = None
    high: float | None = None
    rates: int = RATES
    seeds: int = 1
    check_steps: int = CHECK_STEPS
    check_seeds: int = CHECK_SEEDS
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(seeds=self.seeds, check_steps=self.check_steps, check_seeds=self.check_seeds)
        assert self.sweep.rates

    @property
    def outlook(self) -> str:
        sweep = self.sweep
        return (
            f"{len(sweep.rates)} learning rates from {sweep.rates[0]:g} to {sweep.rates[-1]:g}, "
            f"{self.seeds} seed{'s' * (self.seeds > 1)}; when in doubt some {len(CLOSER)} around the best with "
            f"{CLOSER_SEEDS} fresh seeds, and {self.check_seeds} runs of {self._check_steps} steps at twice the best"
        )

    def next_round(self, seen: Seen) -> Round | None:
        planned = self.sweep.next_round(seen)
        if planned is not None:
            return planned
        sweep = self.sweep.read(seen)
        if sweep.verdict is not Verdict.IN_DOUBT:
            return None
        return _first_unseen(self._checks(sweep), seen)

    def conclude(self, seen: Seen) -> Conclusion:
        sweep = self.sweep.read(seen)
        checks = self._checked(seen, sweep)
        n_bad = sum(check.is_unstable for check in checks)
        verdict = sweep.verdict
        if verdict is Verdict.IN_DOUBT:
            verdict = Verdict.UNSTABLE if 2 * n_bad >= len(checks) else Verdict.STABLE
        return Conclusion(
            procedure=self.name,
            answer=str(verdict),
            findings=tuple(self._findings(verdict, sweep, len(checks), n_bad)),
            numbers=sweep.to_mapping() | {"checks": len(checks), "unstable_checks": n_bad, "onset": sweep_onset(sweep)},
        )

    def _findings(self, verdict: Verdict, sweep: Sweep, n_checks: int, n_bad: int) -> Iterator[Finding]:
        rate = self.sweep.rate
        if verdict is Verdict.NOTHING_TRAINS:
            yield words.nothing_trains(rate, sweep)
        elif verdict is Verdict.AT_THE_EDGE:
            yield words.at_the_edge("I1", rate, sweep.rates, sweep.best, self.design)
        elif verdict is Verdict.UNSTABLE:
            yield words.unstable(rate, sweep, n_checks, n_bad)
        else:
            yield words.stable(rate, sweep, n_checks, n_bad)

    @property
    def sweep(self) -> RateSweep:
        """The sweep it starts with."""
        base = base_config(self.design, self.config)
        rate = one_of_kind(self.design, base, Kind.LEARNING_RATE, self.hyperparameter)
        return RateSweep(
            design=self.design,
            config=base,
            rate=rate,
            rates=sweep_rates(self.design, rate, self.rates, self.low, self.high),
            prefix=self.name,
            seeds=self.seeds,
            seed=self.seed,
        )

    @property
    def _check_steps(self) -> int:
        return min(self.check_steps, self.design.max_train_steps)

    def _checks(self, sweep: Sweep) -> list[Round]:
        return [self._check(sweep, number) for number in range(self.check_seeds)]

    def _check(self, sweep: Sweep, number: int) -> Round:
        return varied_round(
            self.design,
            suffix=f"{self.name}-check" + (f"-{number + 1}" if number else ""),
            goal="Does training survive twice the best learning rate?",
            config=self.sweep.config,
            name=self.sweep.rate,
            values=[float(f"{TWICE * sweep.optimum:.3g}")],
            seed=self.seed + number,
            max_train_steps=self._check_steps,
        )

    def _checked(self, seen: Seen, sweep: Sweep) -> list[Course]:
        if sweep.verdict is not Verdict.IN_DOUBT:
            return []
        return [course(evidence, 0, sweep.loss, sweep.gain) for evidence in _found(self._checks(sweep), seen)]


def _found(rounds: Sequence[Round], seen: Seen) -> list[Evidence]:
    return [evidence for planned in rounds if (evidence := latest(seen, planned.name)) is not None]


def _first_unseen(rounds: Sequence[Round], seen: Seen) -> Round | None:
    return next((planned for planned in rounds if latest(seen, planned.name) is None), None)


def sweep_onset(sweep: Sweep) -> float | None:
    """Where in a run the trouble begins at the lowest unstable rate; None where nothing trains or fails."""
    return None if sweep.verdict is Verdict.NOTHING_TRAINS else sweep.onset


def run_stability(run: Run, design: Round, **options: object) -> Conclusion:
    """Find out with ``run`` whether training is unstable; options are the fields of ``Stability``."""
    return carry_out(Stability(design=design, **options), run)  # type: ignore[arg-type]

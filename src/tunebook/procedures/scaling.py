"""scaling: steps to a goal against batch size, with everything else tuned anew at every size (S5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tunebook.core.finding import Finding
from tunebook.core.hyperparameter import Choice, Hyperparameter
from tunebook.core.outcome import Status
from tunebook.core.round import Purpose, Question, Round
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray
from tunebook.plan.cube import to_unit
from tunebook.plan.names import Kind, kind_of
from tunebook.procedures import scaling_words as words
from tunebook.procedures.noise_scale import running_noise_scale
from tunebook.procedures.procedure import Conclusion, Procedure, Run, Seen, carry_out, latest
from tunebook.procedures.redraw import MOST_DRAWS, again_name, drawn_again, pooled
from tunebook.procedures.single import NO_NAME, one_of_kind, with_fixed
from tunebook.procedures.steps_to_goal import (
    MIN_SIZES,
    Fit,
    Interval,
    bootstrap_critical,
    fit_steps,
    largest_perfect,
    rate_rule,
)

#: Below this many feasible trials a study's fastest one is more luck than tuning (methods 2: 50 to 100).
FEW_TRIALS = 10
#: A best value this close to the end of its range, in the unit cube, may belong outside (methods 2).
NEAR_EDGE = 0.10
#: Budgets that are compared, as shares of the longest any batch size was trained for.
BUDGET_SHARE = 0.5
NORM, HALF_NORM = "grad_norm", "grad_norm_half"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSize:
    """One batch size: the steps to the goal of every feasible trial that counts (infinite where it missed it), the
    number of the fastest of them in the evidence, and the best value of all of them.
    """

    batch_size: int
    steps: FloatArray
    fastest: int | None
    best: float
    n_feasible: int
    n_infeasible: int

    @property
    def n_drawn(self) -> int:
        """All trials that ended, whether they count or not."""
        return self.n_feasible + self.n_infeasible

    @property
    def least(self) -> float:
        """Steps of the fastest trial; infinite when none reached the goal."""
        return float(self.steps.min(initial=np.inf))


@dataclass(frozen=True, kw_only=True)
class Scaling(Procedure):
    """One study per batch size over the nuisance space of the design, ``max_train_steps`` for all of them.

    ``goal`` is a value of the objective's metric; without it, the best that the worst batch size reached.
    """

    name: ClassVar[str] = "scaling"

    design: Round
    batch_sizes: tuple[int, ...]
    hyperparameter: str | None = None
    goal: float | None = None
    trials: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if len(set(self.batch_sizes)) < MIN_SIZES or min(self.batch_sizes) < 1:
            raise InputError(f"{len(set(self.batch_sizes))} batch sizes; give at least {MIN_SIZES} different ones")
        others = [item for item in self.design.searched if kind_of(item.name) is not Kind.BATCH_SIZE]
        if not any(kind_of(item.name) is Kind.LEARNING_RATE for item in others):
            raise InputError(
                "the design searches no learning rate: at every batch size it has to be tuned anew, or the comparison "
                "is one of learning rates; give it a range under [nuisance]"
            )
        assert self._name

    @property
    def outlook(self) -> str:
        sizes = ", ".join(map(str, sorted(set(self.batch_sizes))))
        return (
            f"{self._trials} trials at each {self._name} of {sizes}, {self.design.max_train_steps} steps each; "
            f"infeasible ones are drawn again, up to {MOST_DRAWS * self._trials} trials a size"
        )

    def next_round(self, seen: Seen) -> Round | None:
        planned = self._round
        if latest(seen, planned.name) is None:
            return planned
        return drawn_again(planned, self._evidence(seen), len(self._again(seen)))

    def conclude(self, seen: Seen) -> Conclusion:
        evidence = self._evidence(seen)
        sizes = read_sizes(evidence, self._name, self.goal)
        goal = goal_of(evidence, self._name, self.goal)
        reached = [size for size in sizes if size.fastest is not None]
        numbers = self._numbers(evidence, sizes, goal)
        if len(reached) < MIN_SIZES:
            findings = [words.goal_missed(evidence, goal, len(reached))]
            return Conclusion(procedure=self.name, answer="goal missed", findings=tuple(findings), numbers=numbers)
        fit, interval = _fitted(reached, self.seed or 0)
        numbers |= _fit_numbers(reached, fit, interval) | {"best_rates": _best_rates(evidence, reached)}
        findings = list(self._findings(evidence, sizes, reached, fit, interval, numbers))
        design, changes = self._applied(reached, fit)
        return Conclusion(
            procedure=self.name,
            answer=f"critical batch size {fit.critical_batch_size:.3g}",
            findings=tuple(findings),
            numbers=numbers,
            design=design,
            changes=changes,
        )

    # -- inside ------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        config = {item.name: 0 for item in self.design.hyperparameters}
        return one_of_kind(self.design, config, Kind.BATCH_SIZE, self.hyperparameter)

    def _again(self, seen: Seen) -> list[Evidence]:
        """The rounds in which infeasible trials were drawn again."""
        names = {again_name(self._round, number) for number in range(len(seen))}
        return [evidence for evidence in seen if evidence.round.name in names]

    def _evidence(self, seen: Seen) -> Evidence:
        """All trials of all sizes."""
        first = latest(seen, self._round.name)
        assert first is not None
        return pooled(self._round, [first, *self._again(seen)])

    @property
    def _trials(self) -> int:
        return self.trials or self.design.search.trials

    @property
    def _round(self) -> Round:
        def others(space: tuple[Hyperparameter, ...]) -> tuple[Hyperparameter, ...]:
            return tuple(item for item in space if item.name != self._name)

        search = replace(self.design.search, trials=self._trials, studies="separate")
        return replace(
            self.design,
            goal="How many steps does it take to the goal at each batch size?",
            question=Question.COMPARE,
            purpose=Purpose.BATCH_SIZE_SCALING,
            scientific=(Hyperparameter(self._name, Choice(*sorted(set(self.batch_sizes)))),),
            nuisance=(*others(self.design.nuisance), *others(self.design.scientific)),
            fixed=others(self.design.fixed),
            search=search if self.seed is None else replace(search, seed=self.seed),
            name=f"{self.design.name or NO_NAME}-{self.name}",
        )

    def _numbers(self, evidence: Evidence, sizes: Sequence[AtSize], goal: float) -> dict[str, Any]:
        return {
            "goal": goal,
            "sizes": [
                {
                    "batch_size": size.batch_size,
                    "steps": size.least if np.isfinite(size.least) else None,
                    "examples": size.least * size.batch_size if np.isfinite(size.least) else None,
                    "best": size.best,
                    "counted": len(size.steps),
                    "feasible": size.n_feasible,
                    "infeasible": size.n_infeasible,
                    "config": dict(evidence.trials[size.fastest].config) if size.fastest is not None else None,
                }
                for size in sizes
            ],
            "budgets": budgets(evidence, self._name),
            "noise_scale": noise_scales(evidence, self._name),
        }

    def _findings(
        self,
        evidence: Evidence,
        sizes: Sequence[AtSize],
        reached: Sequence[AtSize],
        fit: Fit,
        interval: Interval | None,
        numbers: Mapping[str, Any],
    ) -> Iterator[Finding]:
        yield words.regimes(self._name, fit, interval, numbers["perfect_to"], [size.batch_size for size in reached])
        yield from words.missing(self._name, [size for size in sizes if size.fastest is None], numbers["goal"])
        few = [size for size in sizes if len(size.steps) < max(FEW_TRIALS, self._trials)]
        if few:
            yield words.few_trials(self._name, sizes, max(FEW_TRIALS, self._trials))
        yield from self._rates(numbers["best_rates"])
        yield from self._edges(evidence, reached)
        yield from words.budgets(self._name, numbers["budgets"], evidence.round.objective.sign)
        yield from words.noise(self._name, numbers["noise_scale"], fit.critical_batch_size)

    def _rates(self, best: Mapping[str, FloatArray]) -> Iterator[Finding]:
        found = rate_rule(best["batch_sizes"], best["rates"])
        if found is not None:
            yield words.rate_rule(self._name, found, best["batch_sizes"], best["rates"])

    def _edges(self, evidence: Evidence, reached: Sequence[AtSize]) -> Iterator[Finding]:
        for item in evidence.round.nuisance:
            trials = [evidence.trials[size.fastest] for size in reached if size.fastest is not None]
            values = [trial.config.get(item.name) for trial in trials]
            units = to_unit(item.domain, values)
            at_edge = np.minimum(units, 1 - units) < NEAR_EDGE
            near = [size.batch_size for size, is_near in zip(reached, at_edge, strict=True) if is_near]
            if near and not isinstance(item.domain, Choice):
                yield words.near_edge(item.label, near, [size.batch_size for size in reached])

    def _applied(self, reached: Sequence[AtSize], fit: Fit) -> tuple[Round, tuple[str, ...]]:
        perfect = largest_perfect(np.array([float(size.batch_size) for size in reached]), fit)
        chosen = int(perfect if perfect is not None else reached[0].batch_size)
        because = f"the largest that scales perfectly; critical batch size {fit.critical_batch_size:.3g}"
        return with_fixed(self.design, self._name, chosen, because), (f"{self._name} = {chosen}, fixed",)


def run_scaling(run: Run, design: Round, batch_sizes: Sequence[int], **options: object) -> Conclusion:
    """Measure steps to a goal against batch size with ``run``; options are the fields of ``Scaling``."""
    return carry_out(Scaling(design=design, batch_sizes=tuple(batch_sizes), **options), run)  # type: ignore[arg-type]


def goal_of(evidence: Evidence, name: str, goal: float | None) -> float:
    """The goal as given, else the best value of the batch size whose best is worst: all sizes reach that.

    Not quite it but the next number, because a goal is reached when it is passed.
    """
    if goal is not None:
        return goal
    sign = evidence.round.objective.sign
    keys = sign * _bests(evidence)
    batches = _batches(evidence, name)
    by_size = [keys[(batches == size) & np.isfinite(keys)] for size in np.unique(batches)]
    worst = max((float(own.min()) for own in by_size if len(own)), default=np.nan)
    return float(sign * np.nextafter(worst, np.inf))


def read_sizes(evidence: Evidence, name: str, goal: float | None) -> tuple[AtSize, ...]:
    """Every batch size with the steps its trials needed; a diverged trial never reached anything.

    All sizes count with the same number of feasible trials, the first ones of each study: the fastest of
    more would be faster by chance alone.
    """
    wanted = goal_of(evidence, name, goal)
    batches = _batches(evidence, name)
    steps = steps_to(evidence, wanted)
    complete = evidence.mask(Status.COMPLETE)
    bests = _bests(evidence)
    sign = evidence.round.objective.sign
    rows = {int(size): np.flatnonzero(complete & (batches == size)) for size in np.unique(batches)}
    n_equal = min((len(own) for own in rows.values() if len(own)), default=0)
    found = []
    for size, own in rows.items():
        kept = own[:n_equal]
        fastest = int(kept[np.argmin(steps[kept])]) if len(kept) and np.isfinite(steps[kept]).any() else None
        values = bests[kept][np.isfinite(bests[kept])]
        found.append(
            AtSize(
                batch_size=size,
                steps=steps[kept],
                fastest=fastest,
                best=float(sign * (sign * values).min()) if len(values) else float("nan"),
                n_feasible=len(own),
                n_infeasible=int((evidence.mask(Status.INFEASIBLE) & (batches == size)).sum()),
            )
        )
    return tuple(found)


def steps_to(evidence: Evidence, goal: float) -> FloatArray:
    """Training steps of every trial to the first evaluation that is strictly better than ``goal``; else infinite.

    Steps are counted from 0, so the evaluation after step ``s`` took ``s + 1``.
    """
    objective = evidence.round.objective
    curves = evidence.curves.get(objective.metric)
    found = np.full(len(evidence.trials), np.inf)
    for trial in range(len(found)) if curves is not None else ():
        steps, values = curves[trial]  # type: ignore[index]
        passed = np.flatnonzero(np.isfinite(values) & (objective.sign * values < objective.sign * goal))
        if len(passed):
            found[trial] = float(steps[passed[0]]) + 1.0
    return found


def budgets(evidence: Evidence, name: str) -> dict[str, Any]:
    """The best value per batch size within a budget of steps, and of examples (epochs): they rank oppositely."""
    batches = _batches(evidence, name)
    sizes = np.unique(batches)
    steps = max(1, int(BUDGET_SHARE * evidence.round.max_train_steps))
    examples = int(steps * sizes.min())
    return {
        "steps": steps,
        "examples": examples,
        "batch_sizes": sizes.astype(int),
        "best_by_steps": [_best_within(evidence, batches == size, steps) for size in sizes],
        "best_by_examples": [_best_within(evidence, batches == size, int(examples // size)) for size in sizes],
    }


def noise_scales(evidence: Evidence, name: str) -> dict[str, float]:
    """The gradient noise scale per batch size from ``grad_norm`` and ``grad_norm_half``, the root mean square norm
    over the two halves of the batch; of the best trial of each size, empty where they were not logged.
    """
    whole, half = evidence.curves.get(NORM), evidence.curves.get(HALF_NORM)
    found: dict[str, float] = {}
    if whole is None or half is None:
        return found
    for size in read_sizes(evidence, name, None):
        if size.fastest is None or size.batch_size % 2:
            continue
        large, small = whole[size.fastest][1], half[size.fastest][1]
        if len(large) == len(small) and len(large) and np.isfinite(large).all() and np.isfinite(small).all():
            scale = running_noise_scale(size.batch_size // 2, size.batch_size, small, large).batch_size
            if scale is not None:
                found[str(size.batch_size)] = scale
    return found


def effective_rate(evidence: Evidence, trial: int) -> float:
    """The learning rate of a trial, divided by one minus its momentum where it has one (methods 2)."""
    config = evidence.trials[trial].config
    kinds = {kind_of(key): float(value) for key, value in config.items() if not isinstance(value, str | bool)}
    rate = kinds[Kind.LEARNING_RATE]
    if Kind.ONE_MINUS_MOMENTUM in kinds:
        return rate / kinds[Kind.ONE_MINUS_MOMENTUM]
    momentum = kinds.get(Kind.MOMENTUM, 0.0)
    return rate / (1.0 - momentum) if momentum < 1 else rate


def _fitted(reached: Sequence[AtSize], seed: int) -> tuple[Fit, Interval | None]:
    batch_sizes = np.array([size.batch_size for size in reached], dtype=np.float64)
    fit = fit_steps(batch_sizes, np.array([size.least for size in reached]))
    return fit, bootstrap_critical(batch_sizes, [size.steps for size in reached], seed=seed)


def _fit_numbers(reached: Sequence[AtSize], fit: Fit, interval: Interval | None) -> dict[str, Any]:
    batch_sizes = np.array([size.batch_size for size in reached], dtype=np.float64)
    return {
        "critical_batch_size": fit.critical_batch_size,
        "interval": None if interval is None else [interval.low, interval.high],
        "least_steps": fit.least_steps,
        "least_examples": fit.least_examples,
        "sharpness": fit.sharpness,
        "error_in_doublings": fit.error,
        "perfect_to": largest_perfect(batch_sizes, fit),
        "regimes": {str(int(size)): str(fit.regime(float(size))) for size in batch_sizes},
        "fitted_steps": fit.steps(batch_sizes),
    }


def _best_rates(evidence: Evidence, reached: Sequence[AtSize]) -> dict[str, FloatArray]:
    """The effective learning rates of the fastest trials."""
    fastest = [(size.batch_size, size.fastest) for size in reached if size.fastest is not None]
    return {
        "batch_sizes": np.array([size for size, _ in fastest], dtype=np.float64),
        "rates": np.array([effective_rate(evidence, trial) for _, trial in fastest]),
    }


def _batches(evidence: Evidence, name: str) -> FloatArray:
    return np.array([float(trial.config[name]) for trial in evidence.trials])


def _bests(evidence: Evidence) -> FloatArray:
    return evidence.scores(replace(evidence.round.objective, reduce="best")).values


def _best_within(evidence: Evidence, mask: Any, steps: int) -> float | None:
    """The best value any trial of ``mask`` reached in its first ``steps`` steps."""
    objective = evidence.round.objective
    curves = evidence.curves.get(objective.metric)
    keys = [
        objective.sign * values[(own < steps) & np.isfinite(values)]
        for trial in np.flatnonzero(mask)
        for own, values in ([curves[int(trial)]] if curves is not None else [])
    ]
    least = min((float(part.min()) for part in keys if len(part)), default=None)
    return None if least is None else objective.sign * least

"""steps: a first value for ``max_train_steps`` (T3).

A sweep of constant learning rates without augmentation and regularisation; the steps that the fastest
trial needs to fit the training set perfectly. No conclusion when the best rate is at the edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.finding import Finding
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray, IntArray
from tunebook.plan.names import Kind, kind_of
from tunebook.procedures import stability_words
from tunebook.procedures import train_steps_words as words
from tunebook.procedures.procedure import Conclusion, Procedure, Run, Seen, carry_out, latest
from tunebook.procedures.single import base_config, check_positive, one_of_kind, varied_round
from tunebook.procedures.sweep import RATES, sweep_rates

REGULARIZERS = frozenset({Kind.REGULARIZER_STRENGTH, Kind.REGULARIZER_PRESENCE, Kind.WEIGHT_DECAY})
#: Values that switch a regulariser off, whatever it is.
OFF_WORDS = frozenset({"none", "off", "no", "false", ""})
#: Bins of the histogram of best steps: tenths of the run, as the playbook's first 10 % asks for.
N_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Per rate, ascending: steps to a perfect fit of the training set (infinite without), the closest value to it,
    and the step of the best value of the design's objective (-1 without).
    """

    rates: FloatArray
    steps: FloatArray
    closest: FloatArray
    best_steps: FloatArray

    @property
    def fastest(self) -> IntArray:
        """The places of the fastest rates; several where evaluations are too far apart to tell."""
        return np.flatnonzero((self.steps == self.steps.min()) & np.isfinite(self.steps))

    @property
    def edge(self) -> int | None:
        """The end of the sweep that the fastest rates reach to; None when slower ones lie on both sides."""
        if not len(self.fastest):
            return None
        if self.fastest[0] == 0:
            return 0
        return len(self.rates) - 1 if self.fastest[-1] == len(self.rates) - 1 else None


@dataclass(frozen=True, kw_only=True)
class TrainSteps(Procedure):
    """``config`` switches regularisers off, ``keep`` names those that cannot be. ``metric`` is measured on the
    whole training set and ``perfect`` is its value when that is fitted: by default the training twin of
    the objective's metric, 0 when it is minimised and 1 when it is maximised.
    """

    name: ClassVar[str] = "steps"

    design: Round
    config: Mapping[str, Value] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    hyperparameter: str | None = None
    metric: str | None = None
    perfect: float | None = None
    low: float | None = None
    high: float | None = None
    rates: int = RATES
    max_train_steps: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(max_train_steps=self._steps)
        if self.perfect is None and "loss" in self._objective.metric:
            raise InputError(
                f"{self._objective.metric} never is exactly 0, whatever is fitted: name the error or accuracy on the "
                "training set with --metric, or say with --perfect below which value of the loss it is fitted"
            )
        on = [f"{name} = {value}" for name, value in self._regularizers().items()]
        if on:
            names = list(self._regularizers())
            raise InputError(
                f"regularisation or augmentation is on ({', '.join(on)}), and a perfect fit is looked for without any: "
                f"switch it off, as in --set {names[0]}=0, or keep it knowingly with --keep {names[0]}"
            )

    @property
    def outlook(self) -> str:
        rates = self._rates
        return (
            f"{len(rates)} constant learning rates from {rates[0]:g} to {rates[-1]:g}, {self._steps} steps each, until "
            f"{self._objective.metric} is {self._perfect:g}"
        )

    def next_round(self, seen: Seen) -> Round | None:
        planned = self._round
        return planned if latest(seen, planned.name) is None else None

    def conclude(self, seen: Seen) -> Conclusion:
        evidence = latest(seen, self._round.name)
        assert evidence is not None
        fitted = read_fits(evidence, self._rate, self._perfect, self.design.objective)
        finding = self._finding(fitted)
        found = int(fitted.steps.min()) if finding.code == "steps" else None
        design = replace(self.design, max_train_steps=found) if found else None
        return Conclusion(
            procedure=self.name,
            answer=str(found) if found else "refused",
            findings=(finding,),
            design=design,
            changes=(f"max_train_steps = {found}",) if found else (),
            numbers={
                "rates": fitted.rates,
                "steps_to_fit": fitted.steps,
                "closest": fitted.closest,
                "best_steps": fitted.best_steps,
                "histogram": histogram(fitted.best_steps, self._steps),
                "metric": self._objective.metric,
                "perfect": self._perfect,
                "max_train_steps": found,
            },
        )

    # -- inside ------------------------------------------------------------------------------

    @cached_property
    def _base(self) -> Config:
        return base_config(self.design, self.config)

    @cached_property
    def _rate(self) -> str:
        return one_of_kind(self.design, self._base, Kind.LEARNING_RATE, self.hyperparameter)

    @cached_property
    def _rates(self) -> tuple[float, ...]:
        return sweep_rates(self.design, self._rate, self.rates, self.low, self.high)

    @property
    def _steps(self) -> int:
        return self.design.max_train_steps if self.max_train_steps is None else self.max_train_steps

    @property
    def _perfect(self) -> float:
        if self.perfect is not None:
            return self.perfect
        return 0.0 if self.design.objective.direction == "minimize" else 1.0

    @property
    def _objective(self) -> Objective:
        own = self.design.objective
        metric = self.metric or f"train/{own.metric.rpartition('/')[2]}"
        return Objective(metric=metric, direction=own.direction, reduce="best")

    @property
    def _round(self) -> Round:
        return varied_round(
            self.design,
            suffix=self.name,
            goal="How many steps does the fastest constant learning rate need to fit the training set perfectly?",
            config=self._base,
            name=self._rate,
            values=self._rates,
            seed=self.seed,
            max_train_steps=self._steps,
            objective=self._objective,
        )

    def _regularizers(self) -> dict[str, Value]:
        """What regularises in the configuration and was not asked to be kept."""
        return {
            name: value
            for name, value in self._base.items()
            if name not in self.keep
            and kind_of(name, is_switch=isinstance(value, bool)) in REGULARIZERS
            and _is_on(value)
        }

    def _finding(self, fitted: Fitted) -> Finding:
        if not len(fitted.fastest):
            return words.no_fit(self._rate, fitted.rates, fitted.closest, self._objective, self._perfect, self._steps)
        if fitted.edge is not None:
            return stability_words.at_the_edge("T3", self._rate, fitted.rates, fitted.edge, self.design)
        return words.found(
            self._rate, fitted.rates[fitted.fastest].tolist(), int(fitted.steps.min()), self.design.max_train_steps
        )


def run_steps(run: Run, design: Round, **options: object) -> Conclusion:
    """Look for a first ``max_train_steps`` with ``run``; options are the fields of ``TrainSteps``."""
    return carry_out(TrainSteps(design=design, **options), run)  # type: ignore[arg-type]


def read_fits(evidence: Evidence, name: str, perfect: float, objective: Objective) -> Fitted:
    """What every rate of the sweep did; a diverged run fitted nothing."""
    order = np.argsort([float(trial.config[name]) for trial in evidence.trials])
    own = evidence.round.objective
    scores = evidence.scores()
    bests = evidence.scores(replace(objective, reduce="best"))
    return Fitted(
        rates=np.array([float(evidence.trials[i].config[name]) for i in order]),
        steps=np.array([_steps_to_fit(evidence, int(i), own, perfect) for i in order]),
        closest=scores.values[order],
        best_steps=bests.steps[order].astype(np.float64),
    )


def histogram(best_steps: FloatArray, max_train_steps: int) -> dict[str, Any]:
    """How many trials had their best step in each tenth of the run."""
    counts, edges = np.histogram(best_steps[best_steps >= 0], bins=N_BINS, range=(0, max_train_steps))
    return {"edges": edges, "counts": counts}


def _steps_to_fit(evidence: Evidence, trial: int, objective: Objective, perfect: float) -> float:
    curves = evidence.curves.get(objective.metric)
    if curves is None or evidence.trials[trial].status is not Status.COMPLETE:
        return float("inf")
    steps, values = curves[trial]
    fitted = np.flatnonzero(objective.sign * values <= objective.sign * perfect)
    return float(steps[fitted[0]]) + 1.0 if len(fitted) else float("inf")


def _is_on(value: Value) -> bool:
    return value.lower() not in OFF_WORDS if isinstance(value, str) else bool(value)

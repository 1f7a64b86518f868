"""The baseline: the ledger's current launch as a decision sees it, and the first one of a workload (S1, D4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Constant, Hyperparameter
from tunebook.core.launch import Launch
from tunebook.core.objective import Objective
from tunebook.core.problems import Problems, did_you_mean
from tunebook.core.round import Question, Round, active_fixed
from tunebook.core.search import Search
from tunebook.core.trial import Study, TrialPurpose, TrialSpec
from tunebook.decide.arms import Arm, Arms, choose
from tunebook.errors import InputError, Problem
from tunebook.evidence import Evidence
from tunebook.plan.cube import from_unit
from tunebook.stats.posterior import Sample

#: A run has to be this many standard deviations of its own seeds better than chance, where they are known.
CLEAR_SPREADS = 3.0
#: Without repeats: how far from chance towards the best value of the metric anybody would call clear,
#: as a share of the chance level. Chance at 0.9 error is clearly beaten from 0.81 on.
CLEAR_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A configuration that was adopted earlier, with the runs it has in its own round.

    ``values`` are in units of the objective, of runs that did not choose it; where all its rivals were
    repeated as well, of all runs, with ``luck`` (0 or more) as what having been the best of them gained.
    ``seeds`` are those of the values and ``used_seeds`` all that the configuration had in its round: one of them
    in another round is the same run. ``way_to_train`` is the pipeline or command of its round. ``is_launch`` is
    false for the best of what an exploitation started from, which stands in while no launch is in force.
    """

    trial: str
    config: Config
    round: str
    objective: Objective
    max_train_steps: int
    values: tuple[float, ...] = ()
    infeasible: int = 0
    luck: float = 0.0
    way_to_train: str | None = None
    is_launch: bool = True
    seeds: tuple[int, ...] = ()
    used_seeds: frozenset[int] = frozenset()

    @classmethod
    def incumbent(cls, evidence: Evidence, objective: Objective | None = None) -> Baseline | None:
        """The best configuration of a round with its fresh runs, if it has any; None where nothing is complete."""
        judged_by = _judged_by(evidence, objective)
        try:
            chosen = choose(Arms.of(evidence, judged_by).every)
        except InputError:  # nothing is complete
            return None
        if chosen is None:
            return None
        return cls(
            trial=chosen.arm.trial,
            config=chosen.arm.config,
            round=evidence.name,
            objective=judged_by,
            max_train_steps=evidence.round.max_train_steps,
            values=tuple(judged_by.sign * value for value in chosen.values),
            infeasible=chosen.infeasible,
            luck=chosen.luck,
            way_to_train=evidence.round.way_to_train,
            is_launch=False,
            seeds=chosen.seeds,
            used_seeds=_seeds_of(evidence, chosen.arm.config),
        )

    @classmethod
    def of(cls, launch: Launch, evidence: Evidence, objective: Objective | None = None) -> Baseline:
        """The baseline that ``launch`` names, with its runs in ``evidence``, a snapshot of the launch's round.

        Judged by ``objective`` where its runs logged that metric, so that rounds with different objectives can be
        compared (L1); else by that of its own round.
        """
        own, objective = evidence.round.objective, _judged_by(evidence, objective)
        try:
            arms = Arms.of(evidence, objective)
        except InputError:  # nothing of it beats the chance level of the other round
            if objective == own:
                raise
            return cls.of(launch, evidence)
        arm = arms.find(launch.config)
        chosen = choose(arms.settings[arm.setting]) if arm else None
        if chosen is None or chosen.arm != arm or not chosen.values:
            chosen = None
        values, seeds = (chosen.values, chosen.seeds) if chosen else _unbiased(arm)
        return cls(
            trial=launch.trial,
            config=launch.config,
            round=launch.round,
            objective=objective,
            max_train_steps=evidence.round.max_train_steps,
            values=tuple(objective.sign * value for value in values),
            infeasible=chosen.infeasible if chosen else (arm.infeasible if arm else 0),
            luck=chosen.luck if chosen else 0.0,
            way_to_train=evidence.round.way_to_train,
            seeds=seeds,
            used_seeds=_seeds_of(evidence, launch.config),
        )

    def differences(self, evidence: Evidence, objective: Objective) -> tuple[Problem, ...]:
        """Every reason why its runs cannot be compared with those of ``evidence``; empty when they can."""
        problems = Problems()
        for what in ("metric", "direction", "reduce"):
            own, other = getattr(self.objective, what), getattr(objective, what)
            if own != other:
                problems.add(
                    f"the baseline of {self.round} was judged by {what} {own}, {evidence.name} is judged by {other}; "
                    f"run the baseline again with `tunebook repeat {evidence.name}`, or decide under its objective "
                    "with --objective",
                    "objective",
                    what,
                )
        if self.max_train_steps != evidence.round.max_train_steps:
            problems.add(
                f"the baseline of {self.round} was trained for {self.max_train_steps} steps, {evidence.name} trains "
                f"for {evidence.round.max_train_steps}; run the baseline again for as many steps with "
                f"`tunebook repeat {evidence.name}` (T1)",
                "max_train_steps",
            )
        return tuple(problems)


def _judged_by(evidence: Evidence, objective: Objective | None) -> Objective:
    is_known = objective is not None and objective.metric in evidence.metrics
    return objective if objective is not None and is_known else evidence.round.objective


def _unbiased(arm: Arm | None) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Fresh runs of a configuration with their seeds; its only run when there are no others."""
    if arm is None:
        return (), ()
    return (arm.fresh, arm.seeds) if arm.fresh else (arm.every, arm.every_seed)


def _seeds_of(evidence: Evidence, config: Config) -> frozenset[int]:
    return frozenset(trial.seed for trial in evidence if trial.config == config)


def initial_config(design: Round, given: dict[str, Value] | None = None) -> Config:
    """The first configuration of a workload: what is ``given``, the fixed values, and the middle of every
    range on its scale (the first of every choice); ``InputError`` for a name or value the design has not.
    """
    given = dict(given or {})
    _check_given(design, given)
    config = Config()
    pending = list(design.searched)
    while pending:
        config = config.merged(active_fixed(design.fixed, config))
        ready = [item for item in pending if item.is_active(config)]
        if not ready:
            break
        config = config.merged({item.name: given.get(item.name, middle(item)) for item in ready})
        pending = [item for item in pending if item not in ready]
    return config.merged(active_fixed(design.fixed, config))


def middle(item: Hyperparameter) -> Value:
    """The middle of a range on its scale; the first value of a choice."""
    values = getattr(item.domain, "values", ())
    return values[0] if values else from_unit(item.domain, np.array([0.5]))[0]


def _check_given(design: Round, given: dict[str, Value]) -> None:
    problems = Problems()
    known: dict[str, list[Hyperparameter]] = {}
    for item in design.hyperparameters:
        known.setdefault(item.name, []).append(item)
    for name, value in given.items():
        if name not in known:
            problems.add(f"is no hyperparameter of this design{did_you_mean(name, known)}", name)
        elif not any(value in item.domain for item in known[name]):
            accepted = " or ".join(item.domain.describe() for item in known[name])
            problems.add(f"{value!r} is outside of {accepted}", name)
    problems.raise_if_any()


def baseline_spec(design: Round, config: dict[str, Value] | None = None, *, seed: int | None = None) -> TrialSpec:
    """The trial of the first baseline (S1)."""
    values = initial_config(design, config)
    setting = Config({item.name: values[item.name] for item in design.scientific if item.name in values})
    return TrialSpec(
        study=Study.of(setting).name,
        config=values,
        seed=design.search.seed if seed is None else seed,
        max_train_steps=design.max_train_steps,
        way_to_train=design.way_to_train,
        purpose=TrialPurpose.BASELINE,
    )


def baseline_design(
    design: Round,
    config: dict[str, Value] | None = None,
    *,
    name: str = "00-baseline",
    because: str = "the initial choice",
) -> Round:
    """A round that trains the initial configuration and nothing else: every hyperparameter fixed, and why."""
    values = initial_config(design, config)
    fixed = tuple(Hyperparameter(key, Constant(value, _because(design, key, because))) for key, value in values.items())
    return replace(
        design,
        goal="The first baseline: does the initial configuration clearly beat chance?",
        question=Question.MINIMIZE,
        scientific=(),
        nuisance=(),
        fixed=fixed,
        search=Search(trials=1, seed=design.search.seed),
        name=name,
    )


def _because(design: Round, name: str, otherwise: str) -> str:
    """The design's own reason for a fixed value, else another one."""
    own = [item.domain.because for item in design.fixed if item.name == name and isinstance(item.domain, Constant)]
    return next((reason for reason in own if reason), otherwise)


WORDS = Words(
    says="the baseline reaches {value:.6g} of {metric} where an untrained model reaches {chance:.6g}",
    why="everything that follows is measured against this run; if it has not learned, there is a bug to find first",
    fix="look at the data, the labels and the loss of the first steps; then at a learning rate ten times smaller",
)


def check_has_chance(objective: Objective) -> None:
    """``InputError`` when the design does not say what an untrained model reaches."""
    if objective.chance is None:
        raise InputError(
            "the design states no chance level: add chance = ... to [objective], the value of an untrained model "
            "(error 0.9 for ten classes of equal size), so that the baseline can be checked against it (S1)"
        )


def beats_chance(objective: Objective, values: tuple[float, ...], trial: str = "") -> Finding | None:
    """A finding when runs of the baseline do not clearly beat chance; None when they do.

    ``values`` are of complete runs. ``InputError`` when the design states no chance level or no run is
    complete: then nothing can be said.
    """
    check_has_chance(objective)
    if not values:
        raise InputError("the baseline has no complete run; look at its failure first")
    if not is_clear(objective, values):
        return Finding(
            code="not_better_than_chance",
            requirement="S1",
            severity=Severity.BLOCKING,
            words=WORDS,
            evidence={"metric": objective.metric, "value": float(np.mean(values)), "chance": objective.chance},
            subject=Subject(trial=trial or None),
        )
    return None


def is_clear(objective: Objective, values: tuple[float, ...]) -> bool:
    """Whether the mean of ``values`` is beyond chance by three standard deviations, or by a tenth of the
    chance level where only one run tells (any better value where chance is 0).
    """
    assert objective.chance is not None
    sample = Sample.of(values)
    ahead = objective.sign * (objective.chance - sample.mean)
    if sample.degrees and sample.squares > 0.0:
        return ahead > CLEAR_SPREADS * float(np.sqrt(sample.squares / sample.degrees))
    return ahead > 0.0 and ahead >= CLEAR_SHARE * abs(objective.chance)

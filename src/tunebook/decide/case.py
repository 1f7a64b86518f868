"""The case: which two configurations are compared, by which runs, and what their variance rests on (D3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.verdict import Complexity, RestsOn
from tunebook.decide.arms import Arm, Arms, Choice, alone, choose, search_keys
from tunebook.decide.baseline import Baseline
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.stats.posterior import Sample, TrialVariance, common_sd, trial_variance
from tunebook.stats.selection import without_luck
from tunebook.stats.variance import Spread

#: An improvement of this many trial standard deviations keeps a decision open, where the design does not say.
RULED_OUT_SPREADS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything one decision is made from. ``baseline`` is None where there is nothing to compare with."""

    arms: Arms
    baseline: Choice | None
    candidate: Choice | None
    variance: TrialVariance | None
    rests_on: RestsOn
    complexity: Complexity
    threshold: float
    replicas: tuple[Arms, ...] = ()

    @property
    def objective(self) -> Objective:
        """What is compared."""
        return self.arms.objective

    @property
    def material(self) -> float:
        """The improvement that has to be ruled out to keep the baseline: the design's, else one trial standard
        deviation, which is stricter than what ``learn.material`` takes for noise; 0 where nothing tells.
        """
        return self.objective.material if self.objective.material is not None else RULED_OUT_SPREADS * self.spread

    @property
    def spread(self) -> float:
        """The trial standard deviation of the two configurations; 0 where nothing tells."""
        both = sides(self)
        return common_sd(*both, self.variance) if self.variance is not None and both is not None else 0.0


def replica(other: Evidence, evidence: Evidence, objective: Objective | None) -> Arms:
    """Another search of the same round; ``InputError`` when it is not one."""
    same = ("max_train_steps", "objective", "way_to_train", "scientific", "nuisance")
    different = [what for what in same if getattr(other.round, what) != getattr(evidence.round, what)]
    if different:
        raise InputError(f"{other.name} is no repetition of {evidence.name}: it differs in {', '.join(different)}")
    return Arms.of(other, objective)


def comparable(arms: Arms, baseline: Baseline) -> Baseline:
    """The launch with what counts here: its runs of a round that differs in objective or steps do not, and
    ``InputError`` when it has no others in this one.
    """
    problems = baseline.differences(arms.evidence, arms.objective)
    if not problems:
        return baseline
    own = arms.find(baseline.config)
    if own is None or not own.every:
        raise InputError(problems)
    return replace(baseline, values=(), infeasible=0, luck=0.0)


def case_of(
    arms: Arms,
    baseline: Baseline | None,
    complexity: Complexity,
    threshold: float,
    earlier: Spread | None,
    expected_best: Config | None = None,
) -> Case:
    """Choose what is compared, and pool the trial variance over everything that was repeated.

    The candidate is ``expected_best`` where that is known and ran here, else the best by repeats, else by its run.
    """
    against = _launched(arms, baseline) if baseline is not None else _first_best(arms)
    pool = [arm for arm in arms.every if against is None or _may_replace(arm, against, has_launch=baseline is not None)]
    # What only ran here to be compared with, such as a baseline of before, is not what this round found.
    pool = [arm for arm in pool if arm.first is not None or arm.first_infeasible] or pool
    expected = next((arm for arm in pool if arm.config == expected_best and arm.every and not arm.is_unusable), None)
    candidate = alone(expected, was_selected=True) if expected is not None else choose(pool) if pool else None
    samples = _samples(arms, against)
    within = trial_variance(samples)
    variance = trial_variance(samples, earlier)
    rests_on = RestsOn.NONE
    if variance is not None and against is not None and candidate is not None:
        measured = within is not None and against.values and candidate.values
        # Repeats of candidates before this one tell how much runs differ, too; alone they make no verdict (crowding).
        is_known = earlier is not None or (within is not None and expected is not None)
        rests_on = RestsOn.REPEATS if measured else RestsOn.EARLIER if is_known else RestsOn.NONE
    return Case(
        arms=arms,
        baseline=against,
        candidate=candidate,
        variance=variance,
        rests_on=rests_on,
        complexity=complexity,
        threshold=threshold,
    )


def _samples(arms: Arms, against: Choice | None) -> list[Sample]:
    """Every configuration that ran more than once; a baseline with its runs here and elsewhere, once."""
    if against is None or len(against.values) < 2:
        return arms.samples
    rest = [Sample.of(arm.fresh) for arm in arms.every if len(arm.fresh) >= 2 and arm.config != against.arm.config]
    return [*rest, Sample.of(against.values)]


def _launched(arms: Arms, baseline: Baseline) -> Choice:
    """The launch with its runs here and in its own round, each once; nobody chooses it any more."""
    own = arms.find(baseline.config)
    sign = arms.objective.sign
    values = [sign * value for value in baseline.values]
    infeasible = baseline.infeasible
    if own is not None and baseline.round != arms.evidence.name:
        here = alone(own, was_selected=False)
        values += [value for value, seed in zip(here.values, here.seeds, strict=True) if seed not in baseline.seeds]
        infeasible += here.infeasible
    arm = own or Arm(config=baseline.config, setting=Config(), trial=baseline.trial, first=None, fresh=tuple(values))
    if arm.first is None:
        arm = replace(arm, trial=baseline.trial)
    luck = baseline.luck * len(baseline.values) / len(values) if values else 0.0
    return Choice(arm=arm, values=tuple(sorted(values)), infeasible=infeasible, luck=luck)


def _first_best(arms: Arms) -> Choice | None:
    """The best of the first setting that has one; None with one setting, which leaves nothing to compare."""
    if len(arms.settings) < 2:
        return None
    return next((chosen for pool in arms.settings.values() if (chosen := choose(pool))), None)


def _may_replace(arm: Arm, against: Choice, *, has_launch: bool) -> bool:
    """Whether a configuration is a candidate: another one and, without a launch, of another setting."""
    if arm.config == against.arm.config:
        return False
    return has_launch or arm.setting != against.arm.setting


def sides(case: Case) -> tuple[Sample, Sample] | None:
    """Baseline and candidate as the statistics take them; None without a variance to rest on."""
    if case.rests_on is RestsOn.NONE or case.baseline is None or case.candidate is None:
        return None
    baseline, candidate = (_side(case, choice) for choice in (case.baseline, case.candidate))
    return None if baseline is None or candidate is None else (baseline, candidate)


def _side(case: Case, choice: Choice) -> Sample | None:
    """Its fresh runs; without any, the value that won the search, pulled back by what luck it had."""
    if choice.sample is not None or case.variance is None:
        return choice.sample
    own = choice.arm.search_value
    if own is None:  # a baseline of another round without a run that tells of it
        return None
    keys = search_keys(case.arms.settings.get(choice.arm.setting, (choice.arm,)))
    value, kept = without_luck(keys, case.variance.sd**2, own)
    return Sample(mean=value, n=1, shrink=max(kept, 1.0 / max(len(keys), 1)))

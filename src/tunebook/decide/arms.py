"""Arms: a round's runs by configuration, with the run that won the search told from fresh repeats (D1).

Runs of one configuration with different seeds are repeats of it, wherever they come from. The run by
which a search chose its winner was lucky as well as good, so it does not count for the winner; where
every configuration of a setting was repeated alike, no single run did the choosing, so all count and
the luck of the choice is taken off in numbers (``stats.selection``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.problems import did_you_mean
from tunebook.core.trial import TrialPurpose
from tunebook.decide.settings import Settings
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray
from tunebook.learn.view import View
from tunebook.stats.posterior import Sample
from tunebook.stats.selection import luck_of_the_best

#: A configuration that cannot be trained this often is passed over while there is another one.
UNUSABLE_SHARE = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One configuration of a round. Values have lower better, whatever the direction of the metric.

    ``first`` is the value of the run the search chose by (None when that was infeasible or is not there),
    ``fresh`` those of the other complete runs, sorted; ``infeasible`` counts the runs among these that
    could not be trained, ``first_infeasible`` says so of the first one. ``first_seed`` and ``seeds`` are theirs, as the
    same seed in another round is the same run.
    """

    config: Config
    setting: Config
    trial: str
    first: float | None
    fresh: tuple[float, ...]
    infeasible: int = 0
    first_infeasible: bool = False
    first_seed: int | None = None
    seeds: tuple[int, ...] = ()

    @property
    def every(self) -> tuple[float, ...]:
        """All values, sorted."""
        return tuple(sorted((*self.fresh, *(() if self.first is None else (self.first,)))))

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The seeds of ``every``, in its order."""
        first = [] if self.first is None or self.first_seed is None else [(self.first, self.first_seed)]
        return tuple(seed for _, seed in sorted((*zip(self.fresh, self.seeds, strict=False), *first)))

    @property
    def n_runs(self) -> int:
        """All runs that ended as a result."""
        return len(self.every) + self.infeasible + self.first_infeasible

    @property
    def search_value(self) -> float | None:
        """What the search saw of this configuration: its first run, else the mean of the others."""
        if self.first is not None or self.first_infeasible or not self.fresh:
            return self.first
        return float(np.mean(self.fresh))

    @property
    def is_unusable(self) -> bool:
        """Too often infeasible among several runs to be launched."""
        n_infeasible = self.infeasible + self.first_infeasible
        return n_infeasible >= 2 and n_infeasible >= UNUSABLE_SHARE * self.n_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The configuration chosen from a pool, with the runs that count for it.

    ``values`` have lower better, ``seeds`` are theirs; ``luck`` is what the choice by these very values is expected
    to have gained, to be taken off again. ``n_others`` is how many the choice was between, beside the chosen.
    """

    arm: Arm
    values: tuple[float, ...]
    infeasible: int
    luck: float = 0.0
    n_others: int = 0
    seeds: tuple[int, ...] = ()

    @property
    def sample(self) -> Sample | None:
        """The values as the statistics take them, without the luck; None without values."""
        if not self.values:
            return None
        sample = Sample.of(self.values)
        return Sample(mean=sample.mean + self.luck, n=sample.n, squares=sample.squares)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arms:
    """All configurations of a round, in an order that does not depend on that of the trials."""

    evidence: Evidence
    objective: Objective
    every: tuple[Arm, ...]
    place: Callable[[Config], tuple[object, ...]]

    @classmethod
    def of(cls, evidence: Evidence, objective: Objective | None = None) -> Arms:
        """Group a round's runs by configuration; ``InputError`` when nothing is complete yet."""
        view = View.of(evidence, objective)
        if not view.feasible.any():
            raise InputError(_nothing_yet(evidence, view))
        groups: dict[Config, list[int]] = {}
        for number, trial in enumerate(evidence.trials):
            if view.feasible[number] or view.infeasible[number]:
                groups.setdefault(trial.config, []).append(number)
        seed, settings = _search_seed(evidence), Settings.of(evidence)
        arms = [_arm(view, numbers, seed, settings) for numbers in groups.values()]
        arms.sort(key=lambda arm: arm.config.canonical())
        return cls(evidence=evidence, objective=view.objective, every=tuple(arms), place=settings.place)

    @cached_property
    def settings(self) -> Mapping[Config, tuple[Arm, ...]]:
        """The arms of every scientific setting, settings in the order of the design."""
        found: dict[Config, list[Arm]] = {}
        for arm in self.every:
            found.setdefault(arm.setting, []).append(arm)
        ordered = sorted(found, key=self.place)
        return {setting: tuple(found[setting]) for setting in ordered}

    def find(self, config: Config) -> Arm | None:
        """The arm of this configuration, if it was run."""
        return next((arm for arm in self.every if arm.config == config), None)

    @property
    def samples(self) -> list[Sample]:
        """Every configuration that ran more than once: what the trial variance is pooled over.

        All runs of it: which of them won a search says where they lie, hardly how far apart.
        """
        return [Sample.of(arm.fresh) for arm in self.every if len(arm.fresh) >= 2]


def choose(pool: Sequence[Arm]) -> Choice | None:
    """The best configuration of a pool, with the runs that may count for it; None when none is feasible."""
    feasible = [arm for arm in pool if arm.every]
    if not feasible:
        return None
    usable = [arm for arm in feasible if not arm.is_unusable]
    if usable and (len(pool) == 1 or is_crossed(pool)):
        return _chosen(usable, {arm: arm.every for arm in usable}, with_first=True)
    repeated = {arm: arm.fresh for arm in usable if arm.fresh} or {arm: arm.fresh for arm in feasible if arm.fresh}
    most = max((len(values) for values in repeated.values()), default=0)
    if most:
        # one accidental duplicate among configurations with five repeats each is no contender
        repeated = {arm: values for arm, values in repeated.items() if 2 * len(values) >= most}
        return _chosen(list(repeated), repeated, with_first=False)
    usable = usable or feasible
    searched = [arm for arm in usable if arm.first is not None]
    best = min(searched, key=lambda arm: (arm.first, arm.config.canonical()))
    return Choice(arm=best, values=(), infeasible=best.infeasible, n_others=len(usable) - 1)


def is_crossed(pool: Sequence[Arm]) -> bool:
    """Whether every configuration was run several times, and about equally often."""
    counts = [arm.n_runs for arm in pool]
    return min(counts) >= 2 and 2 * min(counts) >= max(counts)


def alone(arm: Arm, *, was_selected: bool) -> Choice:
    """A configuration that nobody chooses any more; its first run counts when it won no search."""
    values, seeds = (arm.fresh, arm.seeds) if was_selected else (arm.every, arm.every_seed)
    infeasible = arm.infeasible + (arm.first_infeasible and not was_selected)
    return Choice(arm=arm, values=values, infeasible=infeasible, seeds=seeds)


def search_keys(arms: Sequence[Arm]) -> FloatArray:
    """What a study's search saw: one value a configuration, NaN where infeasible."""
    crossed = is_crossed(arms)
    values = [float(np.mean(arm.every)) if crossed and arm.every else arm.search_value for arm in arms]
    return np.array([np.nan if value is None else value for value in values])


def _chosen(arms: Sequence[Arm], values: Mapping[Arm, tuple[float, ...]], *, with_first: bool) -> Choice:
    means = np.array([np.mean(values[arm]) for arm in arms])
    best = int(means.argmin())
    arm = arms[best]
    return Choice(
        arm=arm,
        values=values[arm],
        infeasible=arm.infeasible + (with_first and arm.first_infeasible),
        luck=luck_of_the_best(means, _errors([values[arm] for arm in arms])),
        n_others=len(arms) - 1,
        seeds=arm.every_seed if with_first else arm.seeds,
    )


def _errors(values: Sequence[tuple[float, ...]]) -> FloatArray:
    """Standard errors of the means, from the median variance of the better half; 0 where nothing ran twice.

    Only near the best is the spread about the same everywhere; a poor configuration that scatters widely
    has nothing to do with the luck of the best one.
    """
    samples = sorted((Sample.of(own) for own in values), key=lambda sample: sample.mean)
    better = [sample for sample in samples if sample.degrees][: max((len(samples) + 1) // 2, 2)]
    variance = float(np.median([sample.squares / sample.degrees for sample in better])) if better else 0.0
    return np.sqrt(variance / np.array([len(own) for own in values]))


def _arm(view: View, numbers: list[int], seed: int | None, settings: Settings) -> Arm:
    trials = view.evidence.trials
    first = _first(view, numbers, seed)
    rest = [number for number in numbers if number != first]
    fresh = sorted((float(view.keys[number]), trials[number].seed) for number in rest if view.feasible[number])
    config = trials[numbers[0]].config
    shown = first if first is not None else min(rest, key=lambda number: trials[number].name)
    return Arm(
        config=config,
        setting=settings.setting(trials[shown]),
        trial=trials[shown].name,
        first=float(view.keys[first]) if first is not None and view.feasible[first] else None,
        fresh=tuple(value for value, _ in fresh),
        infeasible=len(rest) - len(fresh),
        first_infeasible=first is not None and not view.feasible[first],
        first_seed=None if first is None else trials[first].seed,
        seeds=tuple(seed for _, seed in fresh),
    )


def _first(view: View, numbers: list[int], seed: int | None) -> int | None:
    """The run the search chose by: its search trial; of several that with the seed of the search, or the
    first one. None when all are repeats or baselines.
    """
    trials = view.evidence.trials
    searched = [number for number in numbers if trials[number].purpose in (TrialPurpose.SEARCH, TrialPurpose.EXPLOIT)]
    with_seed = [number for number in searched if trials[number].seed == seed]
    return next(iter(with_seed or searched), None)


def _search_seed(evidence: Evidence) -> int | None:
    """The seed that most searched configurations ran with; None when there is no such seed."""
    searched = [trial for trial in evidence.trials if trial.purpose is TrialPurpose.SEARCH]
    n_configs = len({trial.config for trial in searched})
    counts = Counter(seed for _, seed in {(trial.config, trial.seed) for trial in searched})
    seed, count = min(counts.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))
    return seed if 2 * count > n_configs else None


def _nothing_yet(evidence: Evidence, view: View) -> str:
    if view.infeasible.any():
        return f"{evidence.name}: all trials so far are infeasible; there is nothing to decide between (L4)"
    if view.objective.metric not in evidence.metrics and evidence.metrics:
        known = ", ".join(evidence.metrics)
        return (
            f"{evidence.name}: no trial logged {view.objective.metric}"
            f"{did_you_mean(view.objective.metric, evidence.metrics)}; logged are: {known}"
        )
    if evidence.trials and evidence.mask(Status.FAILED).all():
        return (
            f"{evidence.name}: all trials failed; mend what `tunebook run {evidence.name}` says of them, then give it "
            "--retry-failed"
        )
    return (
        f"{evidence.name}: no trial is complete with a finite {view.objective.metric} yet; "
        f"carry on with `tunebook run {evidence.name}` first"
    )

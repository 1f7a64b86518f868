"""What a number of trials can be expected to find, and what they cost (R6, S6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from tunebook.core.config import Config
from tunebook.core.round import Round
from tunebook.core.trial import Study
from tunebook.plan.branches import Branches
from tunebook.plan.trials import studies_of, trial_counts

#: Shares of the space whose chance of a hit a plan shows.
GOOD_SHARES = (0.2, 0.1, 0.05)
#: Sampling is too sparse when the chance of a trial in the best fifth of the space is below this: the
#: best trial then says more about luck than about its setting. Reached from 8 trials on.
DENSITY_SHARE = 0.2
DENSITY_CHANCE = 0.8
#: Ranges are too wide for the budget with fewer trials per searched dimension than this: two are what
#: it takes to see both halves of every range.
TRIALS_PER_DIMENSION = 2
#: Too many settings share a study when one gets fewer trials than this: a best of four says little
#: (the quartiles of a best of six were still 0.02 apart in the playbook's ResNet-50 example).
TRIALS_PER_SETTING = 5


class Want(StrEnum):
    """The three things a budget buys; more of one leaves less for the others."""

    SETTINGS = "more settings"
    RANGES = "wider ranges"
    DENSITY = "denser sampling"


def chance_of_hit(n_trials: int, share: float, at_least: int = 1) -> float:
    """Chance that ``at_least`` of ``n_trials`` independent uniform trials lie in the best ``share`` of the space.

    ``share`` is in (0, 1]. Scrambled Halton points do slightly better (methods 1b).
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share {share} is outside of (0, 1]")
    if at_least <= 0:
        return 1.0
    if n_trials < at_least:
        return 0.0
    if at_least == 1:
        return 1.0 - (1.0 - share) ** n_trials
    from scipy.special import bdtrc

    return float(bdtrc(at_least - 1, n_trials, share))


def trials_needed(share: float, chance: float = 0.95) -> int:
    """The least number of uniform trials with at least this ``chance`` of one in the best ``share``.

    Both are in (0, 1): 14, 29, 59, 149 and 299 for 95 % and the best 20, 10, 5, 2 and 1 % (methods 4).
    """
    if not (0.0 < share < 1.0 and 0.0 < chance < 1.0):
        raise ValueError(f"share {share} and chance {chance} have to be between 0 and 1")
    return math.ceil(math.log1p(-chance) / math.log1p(-share) - 1e-12)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPlan:
    """One branch of a study: its ``n_trials`` (a mean, where branches take turns) and ``n_dimensions``."""

    values: Config
    n_trials: float
    n_dimensions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """One study as planned. ``n_trials`` is below ``n_asked`` where the space holds no more configurations.

    ``n_settings`` is the number of scientific settings that share the study; ``chances`` are those of
    at least one trial per setting in the best share of the space, for every share of ``GOOD_SHARES``.
    """

    study: Study
    n_trials: int
    n_asked: int
    n_settings: int
    branches: tuple[BranchPlan, ...]
    chances: tuple[tuple[float, float], ...]
    starves: tuple[Want, ...]

    @property
    def n_dimensions(self) -> int:
        """The most dimensions that are searched at once."""
        return max((branch.n_dimensions for branch in self.branches), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Predicted use of time and money (S6); None where nothing is known yet.

    ``seconds`` is wall time on ``workers`` workers, ``busy_seconds`` the sum over trials, ``cost`` in the
    unit of the design's ``cost_per_hour``.
    """

    n_trials: int
    workers: int
    seconds_per_step: float | None
    seconds: float | None
    busy_seconds: float | None
    cost: float | None


def predict_cost(design: Round, n_trials: int, seconds_per_step: float | None = None, workers: int = 1) -> Cost:
    """Time = seconds per step x steps, in as many waves as the workers need; cost by the busy hour.

    ``seconds_per_step`` comes from trials already seen; without it the design's own figure is taken.
    """
    pace = design.run.seconds_per_step if seconds_per_step is None else seconds_per_step
    if pace is None:
        return Cost(
            n_trials=n_trials, workers=workers, seconds_per_step=None, seconds=None, busy_seconds=None, cost=None
        )
    each = pace * design.max_train_steps
    busy = each * n_trials
    price = design.run.cost_per_hour
    return Cost(
        n_trials=n_trials,
        workers=workers,
        seconds_per_step=pace,
        seconds=each * math.ceil(n_trials / max(workers, 1)),
        busy_seconds=busy,
        cost=None if price is None else busy / 3600.0 * price,
    )


def study_plans(design: Round) -> tuple[StudyPlan, ...]:
    """The plan of every study; ``InputError`` when the design cannot be planned."""
    branches = Branches(design)
    counts = trial_counts(design)
    return tuple(_study_plan(branches, study, counts[study.name]) for study in studies_of(design))


def starved(n_per_setting: float, n_dimensions: int, n_settings: int) -> tuple[Want, ...]:
    """What a budget of ``n_per_setting`` trials per scientific setting has too little for."""
    wants = []
    if n_settings > 1 and n_per_setting < TRIALS_PER_SETTING:
        wants.append(Want.SETTINGS)
    if n_per_setting < TRIALS_PER_DIMENSION * n_dimensions:
        wants.append(Want.RANGES)
    if n_dimensions and chance_of_hit(math.floor(n_per_setting), DENSITY_SHARE) < DENSITY_CHANCE:
        wants.append(Want.DENSITY)
    return tuple(wants)


def _study_plan(branches: Branches, study: Study, n_trials: int) -> StudyPlan:
    search = branches.design.search
    settings = branches.settings if branches.is_joint and search.algorithm != "list" else (study.setting,)
    plans = tuple(plan for setting in settings for plan in _branch_plans(branches, setting, n_trials / len(settings)))
    per_setting = n_trials / len(settings)
    n_dimensions = max((plan.n_dimensions for plan in plans), default=0)
    return StudyPlan(
        study=study,
        n_trials=n_trials,
        n_asked=n_trials if search.algorithm == "list" else search.trials,
        n_settings=len(settings),
        branches=plans,
        chances=tuple((share, chance_of_hit(math.floor(per_setting), share)) for share in GOOD_SHARES),
        starves=starved(per_setting, n_dimensions, len(settings)),
    )


def _branch_plans(branches: Branches, setting: Config, n_trials: float) -> list[BranchPlan]:
    scientific = {item.name for item in branches.design.scientific}
    return [
        BranchPlan(
            values=leaf.allotted,
            n_trials=n_trials * share,
            n_dimensions=sum(item.name not in scientific for item in leaf.drawn),
        )
        for leaf, share in branches.leaves(setting)
    ]

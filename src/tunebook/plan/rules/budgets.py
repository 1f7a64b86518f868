"""Rules about the whole plan: whether it can be carried out, and what its budget is too small for (R5, R6, S2)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tunebook.core.action import AddTrials
from tunebook.core.config import spelled
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.round import Question, Round
from tunebook.plan.branches import Branches, Leaf, obstacles
from tunebook.plan.budget import (
    DENSITY_CHANCE,
    DENSITY_SHARE,
    TRIALS_PER_DIMENSION,
    TRIALS_PER_SETTING,
    StudyPlan,
    Want,
    chance_of_hit,
    study_plans,
    trials_needed,
)
from tunebook.plan.catalogue import lookup, n_to_tune
from tunebook.plan.names import OPTIMIZER_KINDS, Kind
from tunebook.plan.rules.common import kind
from tunebook.plan.search import grid

UNPLANNABLE = Words(
    says="No trials can be planned: {message}.",
    why="Nothing can be run before this is mended.",
)
NOTHING_COMPARED = Words(
    says="The question is {question!r}, but nothing is scientific.",
    why="A round measures the effect of what is scientific; without any, all trials are one search.",
    fix="Put what the goal asks about under [scientific], or set question = 'minimize'.",
)
FEW_TRIALS = Words(
    says="{trials} trials for each scientific setting find the best fifth of the space with a chance of {chance:.0%}.",
    why="With sampling this sparse the best trial is a matter of luck, and so is any comparison of best trials.",
    fix="Set [search] trials to at least {needed}, compare fewer settings, or fix a nuisance.",
)
STARVED_RANGES = Words(
    says="{trials:g} trials search {dimensions} dimensions in {where}.",
    why="With fewer than {least} trials a dimension, not even both halves of every range are seen; wide ranges will "
    "look empty.",
    fix="Raise [search] trials to {needed}, narrow what is known, or fix what matters least.",
)
STARVED_SETTINGS = Words(
    says="{settings} scientific settings share {total} trials, {trials:g} each.",
    why="The best of fewer than {least} trials says little about a setting.",
    fix="Raise [search] trials to {needed}, or compare fewer settings.",
)
FINITE_SPACE = Words(
    says="Study {study} holds {size} different configurations, fewer than the {asked} trials asked for.",
    why="A configuration is not run twice by a search, so the study will have {size} trials.",
    fix="Ask for {size} trials, or widen the space.",
)
GRID_INCOMPLETE = Words(
    says="{trials} trials leave the grid of study {study} incomplete.",
    why="Until a level is complete, one part of the space is searched more finely than the rest.",
    fix="Set [search] trials to {complete}, where the grid is even.",
)
ADAPTIVE = Words(
    says="Bayesian optimisation searches a round that asks to {question}.",
    why="Its trials crowd where it hopes for the best value, so what the checks say about the space and the settings "
    "rests on an uneven sample; exploration needs an even one.",
    fix="Use algorithm = 'halton' while you explore, and `tunebook exploit` when only the best value is asked for.",
)
TOO_MANY_TUNED = Words(
    says="{trials} trials search {count} hyperparameters of {optimizer} in {study}: {names}.",
    why="A budget of {trials} trials carries {carried}: more dimensions thin out the search in the one that matters "
    "most, the learning rate.",
    fix="Fix {surplus} at the usual value, or raise [search] trials above {needed}.",
)

#: The number of trials that has to be exceeded to tune one hyperparameter of the optimizer more (S2).
TRIALS_FOR = {2: 9, 3: 25, 4: 50}


def unplannable(design: Round) -> Iterator[Finding]:
    """What keeps a valid design from being planned (R5)."""
    for problem in obstacles(design):
        name = problem.key[-1] if problem.key[:1] in (("scientific",), ("nuisance",)) and len(problem.key) > 1 else None
        yield Finding(
            code="unplannable",
            requirement="R5",
            severity=Severity.BLOCKING,
            words=UNPLANNABLE,
            evidence={"message": problem.message.rstrip("."), "key": ".".join(problem.key)},
            subject=Subject(hyperparameter=name),
        )


def nothing_compared(design: Round) -> Iterator[Finding]:
    """A question about settings needs settings (R1)."""
    if design.question is not Question.MINIMIZE and not design.scientific:
        yield _finding("nothing_compared", "R1", NOTHING_COMPARED, question=str(design.question))


def sampling(design: Round) -> Iterator[Finding]:
    """Which of more settings, wider ranges and denser sampling the budget starves (R6)."""
    for plan in _plans(design):
        per_setting = plan.n_trials / plan.n_settings
        is_finite = plan.n_trials < plan.n_asked
        if Want.DENSITY in plan.starves and not is_finite:
            yield _few_trials(plan, math.floor(per_setting))
        if Want.SETTINGS in plan.starves and not is_finite:
            yield _finding(
                "starved",
                "R6",
                STARVED_SETTINGS,
                study=plan.study.name,
                next_step=AddTrials(trials=TRIALS_PER_SETTING * plan.n_settings),
                settings=plan.n_settings,
                total=plan.n_trials,
                trials=per_setting,
                least=TRIALS_PER_SETTING,
                needed=TRIALS_PER_SETTING * plan.n_settings,
                wants=str(Want.SETTINGS),
            )
        yield from _starved_ranges(plan, is_finite)


def _few_trials(plan: StudyPlan, per_setting: int) -> Finding:
    needed = trials_needed(DENSITY_SHARE, DENSITY_CHANCE) * plan.n_settings
    return _finding(
        "few_trials",
        "R6",
        FEW_TRIALS,
        study=plan.study.name,
        next_step=AddTrials(trials=needed),
        trials=per_setting,
        chance=chance_of_hit(per_setting, DENSITY_SHARE),
        needed=needed,
        wants=str(Want.DENSITY),
    )


def _starved_ranges(plan: StudyPlan, is_finite: bool) -> Iterator[Finding]:
    """The branch that is worst off, where it gets too few trials for its dimensions."""
    short = [branch for branch in plan.branches if branch.n_trials < TRIALS_PER_DIMENSION * branch.n_dimensions]
    if not short or is_finite:
        return
    worst = min(short, key=lambda branch: branch.n_trials / branch.n_dimensions)
    needed = math.ceil(plan.n_trials * TRIALS_PER_DIMENSION * worst.n_dimensions / max(worst.n_trials, 1e-9))
    where = ", ".join(f"{name}={spelled(value)}" for name, value in worst.values.items())
    yield _finding(
        "starved",
        "R6",
        STARVED_RANGES,
        study=plan.study.name,
        next_step=AddTrials(trials=needed),
        trials=round(worst.n_trials, 2),
        dimensions=worst.n_dimensions,
        least=TRIALS_PER_DIMENSION,
        needed=needed,
        where=where or f"study {plan.study.name}",
        wants=str(Want.RANGES),
    )


def finite_spaces(design: Round) -> Iterator[Finding]:
    """A study cannot have more trials than its space has configurations."""
    for plan in _plans(design):
        if plan.n_trials < plan.n_asked:
            yield _finding(
                "finite_space", "R6", FINITE_SPACE, study=plan.study.name, size=plan.n_trials, asked=plan.n_asked
            )


def grids(design: Round) -> Iterator[Finding]:
    """A grid is even only at certain sizes (R7)."""
    if design.search.algorithm != "grid":
        return
    for plan, leaf in _single_leaves(design):
        complete = grid.complete_size(leaf.axes, plan.n_trials)
        if plan.n_trials < complete:
            yield _finding(
                "grid_incomplete",
                "R7",
                GRID_INCOMPLETE,
                study=plan.study.name,
                next_step=AddTrials(trials=complete),
                trials=plan.n_trials,
                complete=complete,
            )


def adaptive(design: Round) -> Iterator[Finding]:
    """Exploration takes an even sample; a search that learns takes another (R7, X1)."""
    if design.search.algorithm == "bayes" and design.question is not Question.MINIMIZE:
        yield _finding("adaptive_search", "R7", ADAPTIVE, question=str(design.question))


def optimizer_budget(design: Round) -> Iterator[Finding]:
    """How many hyperparameters of the optimizer a budget can carry (S2)."""
    if obstacles(design) or design.search.algorithm == "list":
        return
    branches = Branches(design)
    n_settings = len(branches.settings) if branches.is_joint else 1
    worst: dict[str, Finding] = {}
    for setting in branches.settings:
        for leaf, share in branches.leaves(setting):
            for finding in _too_many_tuned(leaf, int(design.search.trials * share / n_settings)):
                worst.setdefault(str(finding.evidence["names"]), finding)
    yield from worst.values()


def _too_many_tuned(leaf: Leaf, n_trials: int) -> Iterator[Finding]:
    tuned = sorted(
        (item for item in leaf.drawn if kind(item) in OPTIMIZER_KINDS), key=lambda item: _PRIORITY.index(kind(item))
    )
    carried = n_to_tune(n_trials)
    if len(tuned) <= carried:
        return
    names = [item.label for item in tuned]
    yield _finding(
        "optimizer_budget",
        "S2",
        TOO_MANY_TUNED,
        hyperparameter=names[-1],
        trials=n_trials,
        count=len(tuned),
        carried=carried,
        optimizer=_optimizer_of(leaf),
        names=", ".join(names),
        surplus=", ".join(names[carried:]),
        needed=TRIALS_FOR[min(len(tuned), max(TRIALS_FOR))],
        study=", ".join(f"{name}={spelled(value)}" for name, value in leaf.allotted.items()) or "every trial",
    )


_PRIORITY = (
    Kind.LEARNING_RATE,
    Kind.MOMENTUM,
    Kind.ONE_MINUS_MOMENTUM,
    Kind.EPSILON,
    Kind.BETA2,
    Kind.ONE_MINUS_BETA2,
)


def _optimizer_of(leaf: Leaf) -> str:
    for item in leaf.active:
        if kind(item) is Kind.OPTIMIZER and item.name in leaf.decided:
            found = lookup(str(leaf.decided[item.name]))
            return found.name if found else str(leaf.decided[item.name])
    return "the optimizer"


def _plans(design: Round) -> tuple[StudyPlan, ...]:
    """The plans of the studies; none where nothing can be planned or a person chose every trial."""
    if design.search.algorithm == "list" or obstacles(design):
        return ()
    return study_plans(design)


def _single_leaves(design: Round) -> Iterator[tuple[StudyPlan, Leaf]]:
    """Studies that are one sequence, with no branches that take turns."""
    branches = Branches(design)
    for plan in _plans(design):
        leaves = list(branches.leaves(plan.study.setting))
        if len(leaves) == 1:
            yield plan, leaves[0][0]


def _finding(
    code: str,
    requirement: str,
    words: Words,
    study: str | None = None,
    hyperparameter: str | None = None,
    next_step: AddTrials | None = None,
    **evidence: object,
) -> Finding:
    return Finding(
        code=code,
        requirement=requirement,
        severity=Severity.WARNING,
        words=words,
        evidence={"study": study, **evidence},
        subject=Subject(study=study if code != "optimizer_budget" else None, hyperparameter=hyperparameter),
        next=next_step,
    )

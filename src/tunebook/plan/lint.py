"""The linter: every rule of thumb the playbook has for a design, as findings (R3, S4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tunebook.core.finding import Finding, by_importance
from tunebook.core.round import Round
from tunebook.plan.rules import budgets, roles, scales

Rule = Callable[[Round], Iterable[Finding]]

#: All rules. ``max_train_steps`` has none: a design that searches it cannot be constructed (T1).
RULES: tuple[Rule, ...] = (
    budgets.unplannable,
    budgets.nothing_compared,
    roles.optimizer_hyperparameters,
    roles.optimizer_choice,
    roles.regularizers,
    roles.architecture,
    roles.batch_size,
    scales.learning_rates,
    scales.momenta,
    scales.magnitudes,
    scales.counts,
    budgets.sampling,
    budgets.finite_spaces,
    budgets.grids,
    budgets.adaptive,
    budgets.optimizer_budget,
    roles.caveats,
)


#: Rules about what has to be compared, and not tuned.
COMPARING: tuple[Rule, ...] = (roles.optimizer_choice, roles.regularizers, roles.architecture)


def lint(design: Round) -> tuple[Finding, ...]:
    """What the rules say about a design, most important first; each finding with its reason and its fix."""
    # An exploitation asks no question any more: what was compared is searched with the rest (X1).
    rules = [rule for rule in RULES if not design.search.start_from or rule not in COMPARING]
    found = [finding for rule in rules for finding in rule(design)]
    return tuple(sorted(found, key=by_importance))

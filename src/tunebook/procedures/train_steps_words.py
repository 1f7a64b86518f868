"""What a sweep without regularisation says about the length of training: the findings of steps (T3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tunebook.core.action import Action, Lengthen, Shorten
from tunebook.core.finding import Finding, Severity, Words
from tunebook.core.objective import Objective
from tunebook.evidence import FloatArray
from tunebook.procedures.procedure import told

FOUND = Words(
    says=(
        "The fastest constant {hyperparameter} ({rates}) fits the training set perfectly in {steps} steps; slower ones "
        "lie on both sides of it."
    ),
    why=(
        "That is a first value for max_train_steps: training surely needs no fewer steps to exploit the data, and with "
        "regularisation or augmentation it may need more."
    ),
    fix="Start with {steps} steps, and look at the best steps of the trials of the first round.",
)
NO_FIT = Words(
    says=(
        "No {hyperparameter} from {low:.3g} to {high:.3g} fits the training set perfectly in {steps} steps; "
        "{closest_rate:.3g} came closest with {metric} {closest:.4g} instead of {perfect:g}."
    ),
    why="Without a perfect fit there is no number of steps that one takes.",
    fix="Train longer (--steps {longer}), use a larger model, or say what is good enough with --perfect.",
)


def found(rate: str, rates: Sequence[float], steps: int, before: int) -> Finding:
    """The answer."""
    evidence = {"hyperparameter": rate, "rates": ", ".join(f"{one:.3g}" for one in rates), "steps": steps}
    action: Action = Shorten(max_train_steps=steps) if steps < before else Lengthen(max_train_steps=steps)
    return told("steps", "T3", FOUND, evidence, severity=Severity.NOTE, confidence=0.9, action=action)


def no_fit(
    rate: str, rates: FloatArray, closest: FloatArray, objective: Objective, perfect: float, steps: int
) -> Finding:
    """No trial fits; says which came closest."""
    keys = np.where(np.isfinite(closest), objective.sign * closest, np.inf)
    number = int(np.argmin(keys))
    evidence = {
        "hyperparameter": rate,
        "low": float(rates[0]),
        "high": float(rates[-1]),
        "steps": steps,
        "closest_rate": float(rates[number]),
        "closest": float(closest[number]),
        "metric": objective.metric,
        "perfect": perfect,
        "longer": 4 * steps,
    }
    action = Lengthen(max_train_steps=4 * steps)
    return told("goal_missed", "T3", NO_FIT, evidence, severity=Severity.BLOCKING, action=action)

"""Rounds and evidence for the tests of the checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study, TrialPurpose
from tunebook.evidence import Curves, Evidence, TrialRecord

METRIC = "valid/error"
LEARNING_RATE = {"low": 1e-4, "high": 1.0, "scale": "log"}


def make_round(**changed: Any) -> Round:
    """A round with a learning rate and a momentum to tune; ``changed`` replaces parts of it."""
    parts: dict[str, Any] = {
        "goal": "What is the best learning rate?",
        "question": "understand",
        "pipeline": "train.py:train",
        "max_train_steps": 1000,
        "objective": {"metric": METRIC},
        "nuisance": {"learning_rate": LEARNING_RATE, "one_minus_momentum": {"low": 1e-3, "high": 1.0, "scale": "log"}},
        "search": {"trials": 24},
    }
    return Round(**{**parts, **changed})


def record(number: int, config: Mapping[str, Any], status: Status = Status.COMPLETE, **changed: Any) -> TrialRecord:
    """One trial of the study ``all``, named by its number."""
    causes = {Status.INFEASIBLE: Cause.DIVERGED, Status.FAILED: Cause.ERROR}
    parts: dict[str, Any] = {
        "name": f"t{number}", "study": "all", "config": Config(config), "seed": number, "status": status,
        "cause": causes.get(status), "purpose": TrialPurpose.SEARCH,
    }  # fmt: skip
    return TrialRecord(**{**parts, **changed})


def make_evidence(
    design: Round,
    trials: Sequence[TrialRecord],
    values: Sequence[float] = (),
    curves: Mapping[str, Curves] | None = None,
) -> Evidence:
    """Evidence in which trial i logged ``values[i]`` once, at the last step, unless ``curves`` say otherwise."""
    if curves is None:
        last = design.max_train_steps
        packed = Curves.pack([([last], [value]) if np.isfinite(value) else ([], []) for value in values])
        curves = {design.objective.metric: packed} if len(values) else {}
    names = dict.fromkeys(trial.study for trial in trials)
    return Evidence(
        name="01-test", round=design, studies=tuple(Study(name) for name in names), trials=tuple(trials), curves=curves
    )


def points(n_trials: int, n_dimensions: int, seed: int = 0) -> np.ndarray:
    """Scrambled Halton points of the unit cube."""
    from scipy.stats import qmc

    return np.asarray(qmc.Halton(n_dimensions, scramble=True, rng=np.random.default_rng(seed)).random(n_trials))


def log_values(units: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values at unit coordinates of a logarithmic range."""
    return low * (high / low) ** units

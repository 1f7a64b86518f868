"""Synthetic rounds for the tests and benchmarks of show."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study
from tunebook.evidence import Curves, Evidence, TrialRecord

METRICS = ("valid/error", "train/error", "train/loss", "grad_norm")


def design(n_trials: int, **changes: Any) -> Round:
    table: dict[str, Any] = {
        "goal": "Does dropout help?",
        "question": "compare",
        "pipeline": "train.py:train",
        "max_train_steps": 1000,
        "objective": {"metric": "valid/error", "direction": "minimize", "reduce": "best"},
        "scientific": {"use_dropout": [False, True]},
        "nuisance": {
            "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
            "momentum": {"low": 0.5, "high": 0.999, "scale": "reverse_log"},
            "layers": {"low": 1, "high": 4, "type": "int"},
            "activation": ["relu", "gelu", "tanh"],
            "weight_decay": {"low": 1e-6, "high": 1e-2, "scale": "log"},
            "label_smoothing": {"low": 0.0, "high": 0.3},
            "when": {"use_dropout": {"true": {"dropout_rate": {"low": 0.05, "high": 0.7}}}},
        },
        "search": {"algorithm": "halton", "trials": max(n_trials // 2, 1), "studies": "separate"},
    }
    return Round(**(table | changes))


def make_evidence(
    n_trials: int = 24,
    n_points: int = 50,
    seed: int = 0,
    names: str = "trial-{:05d}",
    metrics: tuple[str, ...] = METRICS,
) -> Evidence:
    """Two studies; the error has a valley in the learning rate and trials above a threshold diverge."""
    random = np.random.default_rng(seed)
    made = design(n_trials)
    trials, curves = [], {metric: [] for metric in metrics}
    for number in range(n_trials):
        config = _config(random, number)
        noise = random.normal(0, 0.01)
        log_rate = np.log10(float(config["learning_rate"]))
        diverges = log_rate - np.log10(1 - float(config["momentum"])) > 0.8
        trials.append(
            TrialRecord(
                name=names.format(number),
                study=f"use_dropout={'true' if config['use_dropout'] else 'false'}",
                config=config,
                seed=number,
                status=Status.INFEASIBLE if diverges else Status.COMPLETE,
                cause=Cause.DIVERGED if diverges else None,
            )
        )
        floor = 0.05 + 0.03 * (log_rate + 2) ** 2 + noise + (0.0 if config["use_dropout"] else 0.02)
        for metric, parts in curves.items():
            parts.append(_curve(random, metric, floor, diverges, n_points))
    studies = tuple(Study(f"use_dropout={word}", Config({"use_dropout": value})) for word, value in _SETTINGS)
    packed = {metric: Curves.pack(parts) for metric, parts in curves.items()}
    return Evidence(name="01-dropout", round=made, studies=studies, trials=tuple(trials), curves=packed)


_SETTINGS = (("false", False), ("true", True))


def _config(random: np.random.Generator, number: int) -> Config:
    drops = bool(number % 2)
    values: dict[str, Any] = {
        "use_dropout": drops,
        "learning_rate": float(10 ** random.uniform(-4, 0)),
        "momentum": float(1 - 10 ** random.uniform(-3, np.log10(0.5))),
        "layers": int(random.integers(1, 5)),
        "activation": str(random.choice(["relu", "gelu", "tanh"])),
        "weight_decay": float(10 ** random.uniform(-6, -2)),
        "label_smoothing": float(random.uniform(0, 0.3)),
    }
    if drops:
        values["dropout_rate"] = float(random.uniform(0.05, 0.7))
    return Config(values)


def _curve(
    random: np.random.Generator, metric: str, floor: float, diverges: bool, n_points: int
) -> tuple[np.ndarray, np.ndarray]:
    steps = np.linspace(0, 1000, n_points).astype(np.int64)
    share = steps / 1000
    if metric == "grad_norm":
        values = np.exp(random.normal(0.5 - share, 0.4))
    else:
        gap = {"valid/error": 1.0, "train/error": 0.7, "train/loss": 2.5}[metric]
        values = gap * (floor + (0.9 - floor) * np.exp(-6 * share) + random.normal(0, 0.005, n_points))
    if diverges:
        cut = max(2, n_points // 4)
        values = values * np.exp(8 * np.minimum(share * n_points / cut, 1.2))
        values[cut:] = np.nan
    return steps, values

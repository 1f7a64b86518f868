"""Rounds with known values for the tests of deciding."""

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


def design(**changes: Any) -> Round:
    """A small round: one scientific choice, a learning rate, a fixed batch size."""
    tables: dict[str, Any] = {
        "goal": "Does dropout help?",
        "question": "compare",
        "pipeline": "train.py:train",
        "max_train_steps": 1000,
        "objective": {"metric": METRIC, "direction": "minimize"},
        "scientific": {"use_dropout": [False, True]},
        "nuisance": {"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}},
        "fixed": {"batch_size": 128},
        "search": {"trials": 8},
        "name": "01-dropout",
    }
    return Round(**{**tables, **changes})


def run(
    config: Mapping[str, Any],
    value: float | None,
    *,
    seed: int = 0,
    purpose: TrialPurpose = TrialPurpose.SEARCH,
    name: str | None = None,
    study: str | None = None,
) -> tuple[TrialRecord, float]:
    """One run; ``value`` None makes it infeasible."""
    scientific = {key: config[key] for key in ("use_dropout",) if key in config}
    record = TrialRecord(
        name=name or f"{Config(config).canonical()}#{seed}",
        study=study or Study.of(Config(scientific)).name,
        config=Config(config),
        seed=seed,
        status=Status.COMPLETE if value is not None else Status.INFEASIBLE,
        purpose=purpose,
        cause=None if value is not None else Cause.DIVERGED,
    )
    return record, np.nan if value is None else value


def evidence(runs: Sequence[tuple[TrialRecord, float]], round_: Round | None = None, name: str = "01") -> Evidence:
    """A snapshot with one evaluation a run."""
    round_ = round_ or design()
    curves = Curves.pack([([1000], [value]) for _, value in runs])
    records = tuple(record for record, _ in runs)
    settings = {record.study: record for record in records}
    studies = tuple(
        Study.of(Config({item.name: record.config[item.name] for item in round_.scientific}))
        for record in settings.values()
    )
    return Evidence(
        name=name,
        round=round_,
        studies=tuple(dict.fromkeys(studies)),
        trials=records,
        curves={round_.objective.metric: curves},
    )


def repeats(config: Mapping[str, Any], values: Sequence[float | None], first_seed: int = 1) -> list[Any]:
    """Fresh repeats of a configuration."""
    return [
        run(config, value, seed=first_seed + number, purpose=TrialPurpose.REPEAT) for number, value in enumerate(values)
    ]


def config(use_dropout: bool, rate: float) -> dict[str, Any]:
    """A configuration of the default design."""
    return {"use_dropout": use_dropout, "learning_rate": rate, "batch_size": 128}


def searched(use_dropout: bool, values: Sequence[float | None], scale: float = 1.0) -> list[Any]:
    """One search run for each value, at learning rates 0.001 × 1, 2, 3, …"""
    return [run(config(use_dropout, scale * 1e-3 * (k + 1)), value) for k, value in enumerate(values)]

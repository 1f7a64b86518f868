"""Imported: what a bridge brings home, before anything is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tunebook.core.round import Round
from tunebook.store.imports import ImportedTrial

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Points: TypeAlias = tuple[IntArray, FloatArray]
"""Steps, strictly ascending, and values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRound:
    """A round that was run elsewhere: its name in the project, its design, its finished trials."""

    name: str
    design: Round
    trials: tuple[ImportedTrial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Everything below one folder. ``skipped`` names the trials that were left out, each with the reason."""

    rounds: tuple[ImportedRound, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def n_trials(self) -> int:
        """How many trials were read."""
        return sum(len(item.trials) for item in self.rounds)

    def to_mapping(self) -> dict[str, Any]:
        """The import as ``import --json`` shows it."""
        return {
            "rounds": [item.name for item in self.rounds],
            "trials": self.n_trials,
            "skipped": [{"trial": trial, "why": why} for trial, why in self.skipped],
        }


def ascending(steps: Iterable[int], values: Iterable[float]) -> Points:
    """Points in order of their steps; of a step that was logged again after a restart the last one counts."""
    all_steps = np.fromiter(steps, dtype=np.int64)
    all_values = np.fromiter(values, dtype=np.float64)
    if np.all(all_steps[1:] > all_steps[:-1]):
        return all_steps, all_values
    unique, from_end = np.unique(all_steps[::-1], return_index=True)
    return unique, all_values[::-1][from_end]


def has_finite(curves: Mapping[str, Points], metric: str) -> bool:
    """Whether the metric was logged with at least one finite value."""
    return metric in curves and bool(np.isfinite(curves[metric][1]).any())

"""Evidence: an immutable snapshot of one round, and all a check ever sees (house rule: no store inside).

Trials are columns, curves are ragged arrays: 10,000 trials load without a Python object per point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study, TrialPurpose

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
AnyArray = TypeVar("AnyArray", FloatArray, IntArray)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One row of the evidence. ``name`` is what people and JSON call the trial."""

    name: str
    study: str
    config: Config
    seed: int
    status: Status
    purpose: TrialPurpose = TrialPurpose.SEARCH
    cause: Cause | None = None
    detail: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """One metric of all trials: trial ``i`` owns ``steps[offsets[i]:offsets[i + 1]]``.

    ``offsets`` has one entry more than there are trials. Steps ascend strictly within a trial; a
    trial that never logged the metric owns an empty stretch. Values may be NaN or infinite.
    """

    offsets: IntArray
    steps: IntArray
    values: FloatArray

    def __post_init__(self) -> None:
        for array in (self.offsets, self.steps, self.values):
            array.flags.writeable = False
        if self.offsets[-1] != len(self.steps) or len(self.steps) != len(self.values):
            raise ValueError("offsets, steps and values of different lengths")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, trial: int) -> tuple[IntArray, FloatArray]:
        """Steps and values of one trial, as views."""
        part = slice(self.offsets[trial], self.offsets[trial + 1])
        return self.steps[part], self.values[part]

    @classmethod
    def pack(cls, parts: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> Curves:
        """Build from one ``(steps, values)`` pair a trial, in the order of the trials."""
        steps = [np.asarray(part[0], dtype=np.int64) for part in parts]
        values = [np.asarray(part[1], dtype=np.float64) for part in parts]
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in steps], out=offsets[1:])
        return cls(
            offsets,
            np.concatenate(steps) if steps else np.empty(0, np.int64),
            np.concatenate(values) if values else np.empty(0, np.float64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The objective of every trial: ``values`` and the ``steps`` they were reached at.

    A trial without a finite objective has the value NaN and the step -1.
    """

    values: FloatArray
    steps: IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What one round has shown so far: its design, its trials and their curves."""

    name: str
    round: Round
    studies: tuple[Study, ...]
    trials: tuple[TrialRecord, ...]
    curves: Mapping[str, Curves] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "curves", MappingProxyType(dict(self.curves)))
        for metric, curves in self.curves.items():
            if len(curves) != len(self.trials):
                raise ValueError(f"{metric} has {len(curves)} curves for {len(self.trials)} trials")

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics that any trial logged, sorted."""
        return tuple(sorted(self.curves))

    @cached_property
    def configurations(self) -> IntArray:
        """A number per trial that repeats of one configuration share."""
        numbers: dict[Config, int] = {}
        found = [numbers.setdefault(trial.config, len(numbers)) for trial in self.trials]
        return read_only(np.array(found, dtype=np.int64))

    def mask(
        self, *statuses: Status, study: str | None = None, purpose: TrialPurpose | None = None
    ) -> npt.NDArray[np.bool_]:
        """Which trials have one of ``statuses`` (any when none is given), this study and this purpose."""
        return np.array(
            [
                (not statuses or trial.status in statuses)
                and (study is None or trial.study == study)
                and (purpose is None or trial.purpose is purpose)
                for trial in self.trials
            ],
            dtype=bool,
        )

    def scores(self, objective: Objective | None = None) -> Scores:
        """The objective of every complete trial, from its curve; by default the round's own (L1)."""
        objective = objective or self.round.objective
        curves = self.curves.get(objective.metric)
        if curves is None:
            n_trials = len(self.trials)
            return Scores(np.full(n_trials, np.nan), np.full(n_trials, -1, dtype=np.int64))
        scores = score_curves(curves, objective)
        complete = self.mask(Status.COMPLETE)
        if objective.metric != self.round.objective.metric:
            # A trial that only lacked the design's metric ended well and has this one.
            complete = complete | np.array([trial.cause is Cause.NO_OBJECTIVE for trial in self.trials], dtype=bool)
        return Scores(
            read_only(np.where(complete, scores.values, np.nan)), read_only(np.where(complete, scores.steps, -1))
        )

    def __iter__(self) -> Iterator[TrialRecord]:
        return iter(self.trials)


def ranking(scores: Scores, objective: Objective) -> IntArray:
    """Trials with a finite objective, best first; ties keep the order of the trials."""
    keys = objective.sign * scores.values
    order = np.argsort(keys, kind="stable")
    return order[np.isfinite(keys[order])].astype(np.int64)


def score_curves(curves: Curves, objective: Objective) -> Scores:
    """Reduce every curve to one number, ignoring what is not finite (L1).

    ``best``: the best value and the first step that has it. ``final``: the last value, NaN when that is
    not finite. ``at``: the value at the last evaluation not after the step. ``last``: the mean of the
    last few, NaN when one of them is not finite; the step is that of the last.
    """
    kind, number = objective.reduction.kind, objective.reduction.number
    starts, ends = curves.offsets[:-1], curves.offsets[1:]
    if kind == "best":
        return _best(curves, objective.sign)
    if kind == "last":
        return _mean_of_last(curves, number)
    if kind == "at":
        ends = starts + _counts_until(curves, number)
    picked = np.where(ends > starts, ends - 1, -1)
    return _picked(curves, picked)


def read_only(array: AnyArray) -> AnyArray:
    """The same array, closed for writing."""
    array.flags.writeable = False
    return array


def _best(curves: Curves, sign: int) -> Scores:
    keys = np.where(np.isfinite(curves.values), sign * curves.values, np.inf)
    lengths = np.diff(curves.offsets)
    is_logged = lengths > 0
    starts = curves.offsets[:-1][is_logged]
    picked = np.full(len(curves), -1, dtype=np.int64)
    if len(starts):
        best = np.repeat(np.minimum.reduceat(keys, starts), lengths[is_logged])
        places = np.flatnonzero(keys == best)
        picked[is_logged] = places[np.searchsorted(places, starts)]
    return _picked(curves, picked)


def _picked(curves: Curves, picked: IntArray) -> Scores:
    if not len(curves.values):
        return Scores(np.full(len(picked), np.nan), np.full(len(picked), -1, dtype=np.int64))
    values = np.where(picked >= 0, curves.values[picked], np.nan)
    finite = np.isfinite(values)
    return Scores(np.where(finite, values, np.nan), np.where(finite, curves.steps[picked], -1).astype(np.int64))


def _counts_until(curves: Curves, step: int) -> IntArray:
    """How many points of each curve lie at or before ``step``."""
    before = np.concatenate(([0], np.cumsum(curves.steps <= step)))
    return (before[curves.offsets[1:]] - before[curves.offsets[:-1]]).astype(np.int64)


def _mean_of_last(curves: Curves, count: int) -> Scores:
    values = np.full(len(curves), np.nan)
    steps = np.full(len(curves), -1, dtype=np.int64)
    for trial in range(len(curves)):
        own_steps, own_values = curves[trial]
        if len(own_values) and np.isfinite(own_values[-count:]).all():
            values[trial] = own_values[-count:].mean()
            steps[trial] = own_steps[-1]
    return Scores(values, steps)

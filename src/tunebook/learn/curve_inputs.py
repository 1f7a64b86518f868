"""Which of the logged metrics are the validation curve, its training twin and the losses; one trial's share of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from tunebook.core.objective import Objective
from tunebook.evidence import Curves, Evidence, FloatArray

Points: TypeAlias = tuple[FloatArray, FloatArray]
"""Steps as fractions of the run, and values."""

#: Words in the name of a metric that is a loss, surest first.
LOSS_WORDS = ("loss", "nll", "cross_entropy", "perplexity", "ppl")
#: The loss of the training batch, where ``train/…`` is evaluated on a part of the training set.
BATCH_LOSS = "train/batch_loss"
#: A loss of the batch that was logged for less of the run than this is not looked at.
COVERED = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveNames:
    """The metrics that the diagnosis reads; None for what was not logged.

    ``primary`` decides; ``twin`` is the same metric on training data; ``valid_loss`` and ``train_loss``
    are one loss on both sets; ``batch_loss`` is the loss of single batches.
    """

    primary: str
    twin: str | None = None
    valid_loss: str | None = None
    train_loss: str | None = None
    batch_loss: str | None = None

    @classmethod
    def among(cls, metrics: Collection[str], objective: Objective) -> CurveNames:
        """Find them by name: ``valid/wer`` has the twin ``train/wer``, the losses have a word of ``LOSS_WORDS``."""
        primary = objective.metric
        split, _, rest = primary.rpartition("/")
        held_out = split if split and split != "train" else "valid"
        valid_loss = loss_named(metrics, held_out)
        paired = f"train/{valid_loss.rpartition('/')[2]}" if valid_loss else ""
        return cls(
            primary=primary,
            twin=present(f"train/{rest}", metrics) if split != "train" else None,
            valid_loss=valid_loss,
            train_loss=present(paired, metrics) or loss_named(metrics, "train"),
            batch_loss=present(BATCH_LOSS, metrics),
        )

    @property
    def all(self) -> tuple[str, ...]:
        """The names that were found, each once."""
        names = (self.primary, self.twin, self.valid_loss, self.train_loss, self.batch_loss)
        return tuple(dict.fromkeys(name for name in names if name is not None))


def present(name: str, metrics: Collection[str]) -> str | None:
    """``name`` when it was logged."""
    return name if name in metrics else None


def loss_named(metrics: Collection[str], split: str) -> str | None:
    """The loss of one split: ``split/loss``, else the first metric of it with a word for a loss in its name."""
    own = sorted(name for name in metrics if name.startswith(f"{split}/") and name != BATCH_LOSS)
    for word in LOSS_WORDS:
        for name in sorted(own, key=lambda name: name != f"{split}/{word}"):
            if word in name.lower():
                return name
    return None


@dataclass(frozen=True, kw_only=True)
class TrialCurves:
    """One trial's curves. ``primary`` and ``twin`` are turned so that lower is better; losses always are.

    A curve that the trial did not log has no points.
    """

    primary: Points
    twin: Points
    valid_loss: Points
    train_loss: Points
    batch_loss: Points
    last_step: int

    @cached_property
    def training(self) -> tuple[Points, ...]:
        """The training losses that cover the run: evaluated, and of the batch."""
        return tuple(points for points in (self.train_loss, self.batch_loss) if covers(points))

    @cached_property
    def losses(self) -> tuple[Points, ...]:
        """All losses there are."""
        return tuple(points for points in (*self.training, self.valid_loss) if len(points[0]))


class CurveReader:
    """Cuts one trial's curves out of the evidence."""

    def __init__(self, evidence: Evidence, objective: Objective) -> None:
        self.names = CurveNames.among(evidence.curves, objective)
        self._sign = objective.sign
        self._curves = {name: evidence.curves[name] for name in self.names.all if name in evidence.curves}
        ends = [last_steps(curves) for curves in evidence.curves.values()]
        self.last_steps = np.max(ends, axis=0) if ends else np.full(len(evidence.trials), -1, dtype=np.int64)

    def __getitem__(self, trial: int) -> TrialCurves:
        names, length = self.names, max(int(self.last_steps[trial]), 1)

        def points(name: str | None, sign: int = 1) -> Points:
            if name is None or name not in self._curves:
                return np.empty(0), np.empty(0)
            steps, values = self._curves[name][trial]
            return steps / length, sign * values

        return TrialCurves(
            primary=points(names.primary, self._sign),
            twin=points(names.twin, self._sign),
            valid_loss=points(names.valid_loss),
            train_loss=points(names.train_loss),
            batch_loss=points(names.batch_loss),
            last_step=int(self.last_steps[trial]),
        )


def last_steps(curves: Curves) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The last step of every trial, -1 where it has no points."""
    ends = curves.offsets[1:]
    if not len(curves.steps):
        return np.full(len(ends), -1, dtype=np.int64)
    return np.where(ends > curves.offsets[:-1], curves.steps[np.maximum(ends - 1, 0)], -1)


def covers(points: Points) -> bool:
    """Whether a curve was logged for most of the run."""
    return len(points[0]) > 0 and float(points[0][-1] - points[0][0]) >= COVERED

"""Evaluation at step intervals with every example counted once, and what the numbers rest on (P5)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import NormalDist
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor, nn

from tunebook.errors import InputError
from tunebook.kit.batches import Batch, n_examples, pad_batch, to_device
from tunebook.kit.logger import MetricLog

#: Gives one value per example (batch,) for each metric.
Measure: TypeAlias = Callable[[nn.Module, Batch], Mapping[str, Tensor]]
#: What a measure calls the class (whole numbers) of each example; it is counted, not averaged.
CLASS = "class"
#: Below this many examples the error of a class is known to no better than 10 points (one standard error at one half).
RARE = 25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One pass over the evaluation data.

    ``means`` are over examples; ``deviations`` are standard deviations between examples (0 for a single one);
    ``class_counts`` and ``class_means`` (class -> metric -> mean) are empty unless the measure gives classes;
    ``examples`` holds every value in the order of the data (n_examples,), double precision, when asked for.
    """

    n_examples: int
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    class_counts: Mapping[int, int] = field(default_factory=dict)
    class_means: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    examples: Mapping[str, Tensor] | None = None

    def standard_error(self, metric: str) -> float:
        """Of the mean of ``metric``, from the spread between examples."""
        return self.deviations[metric] / math.sqrt(self.n_examples)

    def rare_classes(self, below: int = RARE) -> dict[int, int]:
        """Classes with fewer than ``below`` examples, and how many they have."""
        return {label: count for label, count in self.class_counts.items() if count < below}


class Evaluator:
    """Evaluates a model on ``batches`` every so many steps and logs the means.

    ``batches`` is a ``DataLoader`` or any iterable that can be gone through again; ``measure(model, batch)`` returns a
    value per example for each metric, and under ``"class"`` the class of each, if wanted. A batch shorter than
    ``batch_size`` is padded to it, for compiled models and for statistics of the device, and what the padding gives is
    counted with weight zero. Steps, never seconds, decide when: every ``every`` steps, and after the last one when
    ``max_train_steps`` is given. ``train_batch_size`` is only compared: evaluation keeps no gradients and should use a
    batch at least as large. ``keep_examples`` keeps the value of every example, for the variance of the data (D2).
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        measure: Measure,
        *,
        batch_size: int,
        train_batch_size: int | None = None,
        every: int = 100,
        max_train_steps: int | None = None,
        prefix: str = "valid",
        log: MetricLog | None = None,
        device: torch.device | str | None = None,
        keep_examples: bool = False,
    ) -> None:
        if batch_size < 1 or every < 1:
            raise InputError(f"batch_size is {batch_size} and every is {every}; both must be at least 1")
        if iter(batches) is batches:
            raise InputError("batches can be gone through only once; give a DataLoader or a list, not an iterator")
        if train_batch_size is not None and batch_size < train_batch_size:
            warnings.warn(
                f"evaluation in batches of {batch_size} is slower than it need be: training fits {train_batch_size}, "
                f"and evaluation needs less memory; use {train_batch_size} or more",
                stacklevel=2,
            )
        self.batches, self.measure, self.batch_size, self.every = batches, measure, batch_size, every
        self.max_train_steps, self.prefix, self.device, self.keep_examples = (
            max_train_steps,
            prefix,
            device,
            keep_examples,
        )
        self._log = log

    def is_due(self, step: int) -> bool:
        """Whether ``step``, counted from 0, is one to evaluate at."""
        return step % self.every == 0 or (self.max_train_steps is not None and step == self.max_train_steps - 1)

    def __call__(self, model: nn.Module, step: int) -> Evaluation | None:
        """Evaluate and log if ``step`` is due, else return None at once."""
        if not self.is_due(step):
            return None
        evaluation = self.evaluate(model)
        if self._log is not None:
            self._log.log(step, {f"{self.prefix}/{name}": value for name, value in evaluation.means.items()})
        return evaluation

    def evaluate(self, model: nn.Module) -> Evaluation:
        """Evaluate now; the model is put into evaluation mode and back."""
        parts: dict[str, list[Tensor]] = {}
        with evaluating(model):
            for batch in self.batches:
                for name, values in self._measured(model, batch).items():
                    parts.setdefault(name, []).append(values)
        if not parts:
            raise InputError("there is nothing to evaluate: batches is empty")
        # Fetched once, at the end: fetching batch by batch would make an accelerator wait after each.
        columns = {name: torch.cat(values).cpu() for name, values in parts.items()}
        return summarise(columns, keep_examples=self.keep_examples)

    def _measured(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        count = n_examples(batch)
        if count > self.batch_size:
            raise InputError(f"a batch of {count} examples where batch_size is {self.batch_size}")
        batch = pad_batch(batch, self.batch_size)
        if self.device is not None:
            batch = to_device(batch, self.device)
        measured = self.measure(model, batch)
        for name, values in measured.items():
            if values.shape != (self.batch_size,):
                raise InputError(
                    f"{name} has the shape {tuple(values.shape)} for a batch of {self.batch_size}; the measure must "
                    f"give one value per example, so reduce over everything but the first dimension (reduction='none')"
                )
        # Cut off, not multiplied by zero: a NaN in the padding times zero would still be NaN.
        return {name: values.detach()[:count] for name, values in measured.items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def summarise(columns: Mapping[str, Tensor], *, keep_examples: bool = False) -> Evaluation:
    """Means, spreads and counts of one value per example (n_examples,) for each metric."""
    metrics = {name: values.double() for name, values in columns.items() if name != CLASS}
    classes = columns.get(CLASS)
    n = len(next(iter(columns.values())))
    counts, means = _by_class(classes, metrics) if classes is not None else ({}, {})
    return Evaluation(
        n_examples=n,
        means=MappingProxyType({name: float(values.mean()) for name, values in metrics.items()}),
        deviations=MappingProxyType({name: float(values.std()) if n > 1 else 0.0 for name, values in metrics.items()}),
        class_counts=MappingProxyType(counts),
        class_means=MappingProxyType(means),
        examples=MappingProxyType({**columns, **metrics}) if keep_examples else None,
    )


def _by_class(classes: Tensor, metrics: Mapping[str, Tensor]) -> tuple[dict[int, int], dict[int, dict[str, float]]]:
    labels, members, counts = torch.unique(classes, return_inverse=True, return_counts=True)
    found = {int(label): int(count) for label, count in zip(labels, counts, strict=True)}
    means: dict[int, dict[str, float]] = {label: {} for label in found}
    for name, values in metrics.items():
        sums = torch.zeros(len(labels), dtype=torch.float64).index_add_(0, members, values)
        for label, mean in zip(found, (sums / counts).tolist(), strict=True):
            means[label][name] = mean
    return found, means


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Mean of one metric on a sample minus that on the full set, with an interval of the given ``level``."""

    metric: str
    difference: float
    low: float
    high: float
    level: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is one that a fair sample of this size makes: the interval holds 0."""
        return self.low <= 0.0 <= self.high

    def __str__(self) -> str:
        verdict = "agrees with" if self.agrees else "is skewed against"
        return (
            f"the sample {verdict} the full set in {self.metric}: "
            f"difference {self.difference:+.4g}, {self.level:.0%} interval [{self.low:.4g}, {self.high:.4g}]"
        )


def sample_agreement(sample: Evaluation, full: Evaluation, metric: str, *, level: float = 0.95) -> Agreement:
    """Compare evaluations of one model on a sample drawn from the full set and on all of it.

    The interval is normal, with the spread of the full set and the correction for a finite set: the sample is part of
    what it is compared with, so the variance is ``s² (1/n - 1/N)``. ``level`` lies between 0 and 1. Raises
    ``InputError`` when the sample is not smaller than the full set, or lacks the metric.
    """
    if metric not in sample.means or metric not in full.means:
        raise InputError(f"{metric} is not in both evaluations; they have {', '.join(sorted(full.means))}")
    if sample.n_examples >= full.n_examples:
        raise InputError(f"a sample of {sample.n_examples} out of a full set of {full.n_examples} examples")
    if not 0.0 < level < 1.0:
        raise InputError(f"level is {level:g} and must lie between 0 and 1")
    difference = sample.means[metric] - full.means[metric]
    spread = full.deviations[metric] * (1.0 / sample.n_examples - 1.0 / full.n_examples) ** 0.5
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * spread
    return Agreement(metric=metric, difference=difference, low=difference - half, high=difference + half, level=level)

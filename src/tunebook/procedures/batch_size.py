"""batch-size: what fits and what pays, by measurement (S3).

Powers of two, a few steps each, until memory runs out. The sizes that fit are measured again with other
seeds, a pass over all sizes at a time, so that a machine that slows down meanwhile slows all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.finding import Finding
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray
from tunebook.plan.names import Kind
from tunebook.procedures import batch_size_words as words
from tunebook.procedures.procedure import Conclusion, Procedure, Run, Seen, carry_out, latest
from tunebook.procedures.single import base_config, check_positive, one_of_kind, varied_round, with_fixed
from tunebook.procedures.throughput import Size, doublings, find_knee, is_dominated_by_noise

#: Methods 9: the first steps hold compilation, caches and the start of loaders; then time at least 50.
WARM_STEPS = 10
TIMED_STEPS = 50
REPEATS = 3
LEAST = 8
MOST = 2**16
#: A size whose few steps take longer than this ends the ladder: twice as many examples take twice as long.
PATIENCE_SECONDS = 300.0
#: Sizes a round adds to the ladder: starting a round costs more than one size that fails, memory does not.
RUNGS = 2

SECONDS, RATE, WAIT = "seconds_per_step", "examples_per_second", "data_wait_seconds"
_ACCUMULATION = re.compile(r"accum", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BatchSize(Procedure):
    """``least`` and ``most`` bound the sizes; ``config`` overrides values of the design.

    A trial trains ``WARM_STEPS + timed_steps`` steps and needs no checkpoint. The training code logs
    ``examples_per_second`` (or ``seconds_per_step``) and ``data_wait_seconds``, as
    ``tunebook.kit.DataWaitMeter`` does; without them the seconds of whole trials of two lengths are
    compared.
    """

    name: ClassVar[str] = "batch-size"
    is_parallel: ClassVar[bool] = False

    design: Round
    config: Mapping[str, Value] = field(default_factory=dict)
    hyperparameter: str | None = None
    least: int = LEAST
    most: int = MOST
    repeats: int = REPEATS
    timed_steps: int = TIMED_STEPS
    patience_seconds: float = PATIENCE_SECONDS
    memory_gib: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(least=self.least, repeats=self.repeats, timed_steps=self.timed_steps)
        if self.most < self.least:
            raise InputError(f"the largest batch size {self.most} is below the smallest, {self.least}")
        for name, value in self._base.items():
            if _ACCUMULATION.search(name) and not isinstance(value, str) and value > 1:
                raise InputError(
                    f"{name} is {value}: accumulated gradients are no larger batch, they only take longer (S3); "
                    f"measure with --set {name}=1"
                )

    @property
    def outlook(self) -> str:
        return (
            f"{self._name} = {self.least}, {2 * self.least}, … up to {self.most} or until memory runs out, "
            f"{self._steps} steps each, {self.repeats} times, one trial at a time"
        )

    def next_round(self, seen: Seen) -> Round | None:
        first = latest(seen, self._round_name(0, 0))
        rungs = self._next_rungs(first)
        if rungs or first is None:
            return self._round(rungs, 0)
        fitting = _fitting(first, self._name)
        for start_only in (False, True):
            for number in range(self.repeats if fitting else 0):
                if start_only and _is_timed(first):
                    break
                if latest(seen, self._round_name(number, start_only)) is None:
                    return self._round(fitting, number, start_only)
        return None

    def conclude(self, seen: Seen) -> Conclusion:
        first = latest(seen, self._round_name(0, 0))
        assert first is not None
        sizes = self._sizes(seen)
        unfit = _unfit(first, self._name)
        if not sizes:
            return Conclusion(
                procedure=self.name, answer="nothing fits", findings=(words.nothing_fits(self._name, unfit),)
            )
        knee = find_knee(sizes)
        findings = list(words.findings(self._name, sizes, unfit, has_rate=_is_timed(first)))
        is_blamed = any(finding.code == "input_bound" and finding.evidence["is_to_blame"] for finding in findings)
        # A design would outlive the doubt that the findings raise about the measurement.
        is_doubtful = is_blamed or is_dominated_by_noise(sizes, knee)
        design = None if is_doubtful else self._applied(knee.batch_size, sizes)
        findings += self._retune(knee.batch_size) if design else []
        return Conclusion(
            procedure=self.name,
            answer="the input holds training up" if is_blamed else str(knee.batch_size),
            findings=tuple(findings),
            design=design,
            changes=(f"{self._name} = {knee.batch_size}, fixed",) if design else (),
            numbers={
                "sizes": [size.to_mapping() for size in sizes],
                "doublings": [step.to_mapping() for step in doublings(sizes)],
                "knee": knee.batch_size,
                "knee_earliest": knee.earliest,
                "knee_latest": knee.latest,
                "largest_that_fits": sizes[-1].batch_size,
                "smallest_that_does_not_fit": min(unfit, default=None),
                "measured_by": "log" if _is_timed(first) else "seconds of trials of two lengths",
            },
        )

    # -- inside ------------------------------------------------------------------------------

    @property
    def _base(self) -> Config:
        return base_config(self.design, self.config)

    @property
    def _name(self) -> str:
        return one_of_kind(self.design, self._base, Kind.BATCH_SIZE, self.hyperparameter)

    @property
    def _steps(self) -> int:
        return WARM_STEPS + self.timed_steps

    def _round_name(self, number: int, start_only: int) -> str:
        return self._round([self.least], number, bool(start_only)).name

    def _round(self, sizes: Sequence[int], number: int, start_only: bool = False) -> Round:
        suffix = "batch-size" + (f"-{number + 1}" if number else "") + ("-start" if start_only else "")
        made = varied_round(
            self.design,
            suffix=suffix,
            goal="How many examples a second does training take at each batch size?",
            config=self._base,
            name=self._name,
            values=sorted(sizes),
            seed=self.seed + number,
            max_train_steps=WARM_STEPS if start_only else self._steps,
        )
        return replace(made, run=replace(made.run, memory_gib=self.memory_gib or made.run.memory_gib))

    def _next_rungs(self, first: Evidence | None) -> list[int]:
        """All sizes of the first pass when it has to go on; empty when the ladder is complete."""
        if first is None:
            return _doubled(self.least, RUNGS, self.most)
        tried = [int(trial.config[self._name]) for trial in first.trials]
        fitting = _fitting(first, self._name)
        if not fitting:
            return [*tried, min(tried) // 2] if min(tried) > 1 else []
        slowest = max(trial.seconds or 0.0 for trial in first.trials)
        if _unfit(first, self._name) or slowest > self.patience_seconds:
            return []
        more = _doubled(2 * max(tried), RUNGS, self.most)
        return [*tried, *more] if more else []

    def _sizes(self, seen: Seen) -> tuple[Size, ...]:
        passes = [latest(seen, self._round_name(number, 0)) for number in range(self.repeats)]
        starts = [latest(seen, self._round_name(number, 1)) for number in range(self.repeats)]
        measured: dict[int, list[tuple[float, float | None]]] = {}
        for evidence, start in zip(passes, starts, strict=True):
            for trial in range(len(evidence.trials) if evidence else 0):
                found = self._measured(evidence, start, trial) if evidence else None
                if evidence is not None and found is not None:
                    measured.setdefault(int(evidence.trials[trial].config[self._name]), []).append(found)
        return tuple(_size(batch, measured[batch]) for batch in sorted(measured))

    def _measured(self, evidence: Evidence, start: Evidence | None, trial: int) -> tuple[float, float | None] | None:
        """Median seconds per step and seconds of it spent waiting; None for a size that did not fit."""
        record = evidence.trials[trial]
        if record.status is not Status.COMPLETE:
            return None
        waits = _after_warm(evidence, WAIT, trial)
        wait = float(np.mean(waits)) if len(waits) else None
        seconds = _after_warm(evidence, SECONDS, trial)
        rates = _after_warm(evidence, RATE, trial)
        if len(seconds):
            return float(np.median(seconds)), wait
        if len(rates):
            return int(record.config[self._name]) / float(np.median(rates)), wait
        return (_difference(record.seconds, start, record.config, self.timed_steps), wait) if start else None

    def _applied(self, batch_size: int, sizes: Sequence[Size]) -> Round:
        chosen = next(size for size in sizes if size.batch_size == batch_size)
        because = f"measured: {chosen.examples_per_second:.4g} examples/s, doubling it would not pay"
        if batch_size == sizes[-1].batch_size:
            because = f"measured: {chosen.examples_per_second:.4g} examples/s, the largest that was tried and fits"
        return with_fixed(self.design, self._name, batch_size, because)

    def _retune(self, batch_size: int) -> list[Finding]:
        before = self._base[self._name]
        searched = [item.label for item in self.design.searched if item.name != self._name]
        return [words.retune(self._name, before, batch_size, searched)] if before != batch_size else []


def run_batch_size(run: Run, design: Round, **options: object) -> Conclusion:
    """Measure batch sizes with ``run``; options are the fields of ``BatchSize``."""
    return carry_out(BatchSize(design=design, **options), run)  # type: ignore[arg-type]


def _doubled(first: int, count: int, most: int) -> list[int]:
    return [size for size in (first * 2**number for number in range(count)) if size <= most]


def _fitting(evidence: Evidence, name: str) -> list[int]:
    return sorted(int(trial.config[name]) for trial in evidence.trials if trial.status is Status.COMPLETE)


def _unfit(evidence: Evidence, name: str) -> list[int]:
    """Sizes that ran out of memory; ``InputError`` when one is infeasible for another reason."""
    found = []
    for trial in evidence.trials:
        if trial.status is Status.INFEASIBLE:
            if trial.cause is not Cause.OUT_OF_MEMORY:
                raise InputError(
                    f"batch size {trial.config[name]} did not run out of memory but ended as {trial.cause} "
                    f"({trial.detail or 'no reason given'}): choose values it trains with, such as a lower "
                    "learning rate by --set"
                )
            found.append(int(trial.config[name]))
    return sorted(found)


def _after_warm(evidence: Evidence, metric: str, trial: int) -> FloatArray:
    curves = evidence.curves.get(metric)
    if curves is None:
        return np.zeros(0)
    steps, values = curves[trial]
    return values[(steps >= WARM_STEPS) & np.isfinite(values) & (values >= 0)]


def _is_timed(evidence: Evidence) -> bool:
    return any(
        len(_after_warm(evidence, metric, trial)) for metric in (SECONDS, RATE) for trial in range(len(evidence.trials))
    )


def _difference(seconds: float | None, start: Evidence, config: Config, timed_steps: int) -> float:
    """Seconds per step from two trials that differ in length: what both need to start cancels."""
    [short] = [trial.seconds for trial in start.trials if trial.config == config]
    return max((seconds or 0.0) - (short or 0.0), 1e-9) / timed_steps


def _size(batch_size: int, measured: Sequence[tuple[float, float | None]]) -> Size:
    waits: Iterator[float] = (wait for _, wait in measured if wait is not None)
    return Size(
        batch_size=batch_size, seconds=np.array([seconds for seconds, _ in measured]), waits=np.array(list(waits))
    )

"""What the measured throughput says: the findings of batch-size (S3, S7, P6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tunebook.core.config import Value
from tunebook.core.finding import Finding, Severity, Words
from tunebook.procedures.procedure import told
from tunebook.procedures.throughput import (
    INPUT_BOUND_SHARE,
    KNEE,
    Knee,
    Size,
    doublings,
    find_knee,
    is_noisy,
    without_waiting,
)

#: How sure one is of a knee that repeats agree on, and of one that they could place elsewhere.
SURE, UNSURE = 0.95, 0.6

USUAL_CAUSES = (
    "Usual causes: too few loader processes or too little prefetching, preprocessing that could be done once ahead "
    "of training, data on a slow or distant disk, features that are read and never used."
)

NOTHING_FITS = Words(
    says="No {hyperparameter} fits: memory ran out at every size that was tried, down to {smallest}.",
    why="There is nothing to measure and nothing to train with.",
    fix="Use a smaller model, lower precision or a machine with more memory; or raise memory_gib under [run].",
)
PAYS = Words(
    says=(
        "Up to {hyperparameter} = {knee} doubling it pays: {rate:.4g} examples/s at {seconds:.4g} s a step there; one "
        "more doubling has an efficiency of {efficiency:.2f} ({label}), below {limit:g}."
    ),
    why=(
        "Beyond that a step takes longer by nearly as much as it does more. Batch size decides the speed of training; "
        "with everything else tuned anew it hardly changes the best validation result."
    ),
    fix="Fix {hyperparameter} at {knee}, unless more steps are saved than time is lost (`scaling` measures that).",
)
ALL_PAY = Words(
    says="Doubling {hyperparameter} still paid at {knee}, the largest that was tried and fits: {rate:.4g} examples/s.",
    why="{limit_words}",
    fix="Fix {hyperparameter} at {knee}.",
)
INPUT_BOUND = Words(
    says=(
        "At {hyperparameter} = {batch_size} training waits for data {share:.0%} of the time: {rate:.4g} examples/s, "
        "{possible:.4g} if it never had to. {blame}"
    ),
    why="A larger batch is no help against a slow input, and a batch size chosen by it is chosen for the wrong reason.",
    fix="Make the input faster and measure again. " + USUAL_CAUSES,
)
TO_BLAME = "Without the waiting doubling would pay up to {0} instead of {1}: the input is what holds training up."
NOT_TO_BLAME = "Without the waiting doubling would stop to pay at the same size."
FLAT = Words(
    says=(
        "Throughput does not grow from the smallest size on ({hyperparameter} = {batch_size}: efficiency "
        "{efficiency:.2f}), and the trials logged no data_wait_seconds."
    ),
    why=(
        "That is how a processor looks that is busy already, and just as well how an input pipeline looks that cannot "
        "deliver more."
    ),
    fix="Wrap the loader in tunebook.kit.DataWaitMeter(log=trial) and measure again, or try synthetic data.",
)
NOISY = Words(
    says=(
        "The measured times are dominated by noise: repeats of one size differ by {spread:.0%} in the median and by up "
        "to {worst:.0%}; the knee at {knee} could lie anywhere from {earliest} to {latest}."
    ),
    why="A difference between two sizes that is no larger than between two runs of one size is no difference.",
    fix="Measure on a quiet machine, with more steps (--steps) and more repeats (--repeats).",
)
COARSE = Words(
    says="The trials logged neither examples_per_second nor seconds_per_step, so whole trials were timed.",
    why="Two trials of different length tell the time of a step with the noise of two starts in it.",
    fix="Log examples_per_second, as tunebook.kit.DataWaitMeter(log=trial) does.",
)
RETUNE = Words(
    says="The batch size changes from {before} to {after}; values tuned at {before} are no longer to be trusted.",
    why="Optimizer and regularisation hyperparameters depend on the batch size more than on most other things.",
    fix="Tune again: {searched}.",
)


def nothing_fits(name: str, unfit: Sequence[int]) -> Finding:
    """Blocking: even the smallest size ran out of memory."""
    return told(
        "out_of_memory",
        "S3",
        NOTHING_FITS,
        {"hyperparameter": name, "smallest": min(unfit)},
        severity=Severity.BLOCKING,
    )


def findings(name: str, sizes: Sequence[Size], unfit: Sequence[int], *, has_rate: bool) -> Iterator[Finding]:
    """Everything there is to say about sizes that fit."""
    knee = find_knee(sizes)
    noisy = is_noisy(sizes, knee)
    about_input = list(_input(name, sizes, knee))
    yield from about_input
    if not any(finding.evidence.get("is_to_blame") for finding in about_input):
        yield _knee(name, sizes, knee, unfit, UNSURE if noisy else SURE)
    if noisy:
        yield _noisy(sizes, knee)
    if not has_rate:
        yield told("coarse_timing", "S3", COARSE, {}, severity=Severity.NOTE)


def retune(name: str, before: Value, after: int, searched: Sequence[str]) -> Finding:
    """S7: the batch size changes, and what was tuned with it."""
    evidence: dict[str, Any] = {
        "hyperparameter": name,
        "before": before,
        "after": after,
        "searched": ", ".join(searched) or "the learning rate and what else the optimizer has",
    }
    return told("retune", "S7", RETUNE, evidence, severity=Severity.WARNING)


def _knee(name: str, sizes: Sequence[Size], knee: Knee, unfit: Sequence[int], confidence: float) -> Finding:
    chosen = next(size for size in sizes if size.batch_size == knee.batch_size)
    evidence: dict[str, Any] = {"hyperparameter": name, "knee": knee.batch_size, "rate": chosen.examples_per_second}
    if not knee.is_reached:
        memory = f"Memory ran out at {min(unfit)}." if unfit else "Memory was not the limit; larger sizes may pay too."
        return told(
            "batch_size",
            "S3",
            ALL_PAY,
            evidence | {"limit_words": memory},
            severity=Severity.NOTE,
            confidence=confidence,
        )
    step = next(step for step in doublings(sizes) if step.batch_size == knee.batch_size)
    evidence |= {"seconds": chosen.step_seconds, "efficiency": step.efficiency, "label": step.label, "limit": KNEE}
    return told("batch_size", "S3", PAYS, evidence, severity=Severity.NOTE, confidence=confidence)


def _input(name: str, sizes: Sequence[Size], knee: Knee) -> Iterator[Finding]:
    """At the first size that no longer pays, or at the largest one."""
    beyond = next((size for size in sizes if size.batch_size > knee.batch_size), sizes[-1])
    share = beyond.wait_share
    if share is None:
        if knee.is_reached and knee.batch_size == sizes[0].batch_size:
            evidence: dict[str, Any] = {"batch_size": knee.batch_size, "efficiency": doublings(sizes)[0].efficiency}
            evidence |= {"hyperparameter": name}
            yield told("throughput_flat", "S3", FLAT, evidence, severity=Severity.WARNING, confidence=0.5)
        return
    if share <= INPUT_BOUND_SHARE:
        return
    computing = find_knee(without_waiting(sizes))
    blamed = knee.is_reached and computing.batch_size > knee.batch_size
    evidence = {
        "hyperparameter": name,
        "batch_size": beyond.batch_size,
        "share": share,
        "rate": beyond.examples_per_second,
        "possible": beyond.batch_size / max(beyond.compute_seconds, 1e-9),
        "is_to_blame": blamed,
        "blame": TO_BLAME.format(computing.batch_size, knee.batch_size) if blamed else NOT_TO_BLAME,
    }
    severity = Severity.BLOCKING if blamed else Severity.WARNING
    yield told("input_bound", "P6", INPUT_BOUND, evidence, severity=severity, confidence=SURE)


def _noisy(sizes: Sequence[Size], knee: Knee) -> Finding:
    spreads = [size.spread for size in sizes]
    evidence: dict[str, Any] = {
        "spread": float(np.median(spreads)),
        "worst": max(spreads),
        "knee": knee.batch_size,
        "earliest": knee.earliest,
        "latest": knee.latest,
    }
    return told("noisy_throughput", "S3", NOISY, evidence, severity=Severity.WARNING, confidence=SURE)

"""What warmups of different lengths say: the findings of the warmup procedure (I2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunebook.core.action import Lengthen
from tunebook.core.finding import Finding, Severity, Words
from tunebook.core.round import Round
from tunebook.procedures.procedure import told

if TYPE_CHECKING:
    from tunebook.procedures.warmup import Final

HOW_TO_WARM_UP = (
    "the warmup is what this procedure varies. Add warmup_steps = 0 under [fixed] and let training use it, as in "
    "tunebook.kit.constant_schedule(trial.max_train_steps, warmup_steps=trial['warmup_steps']); or name yours with "
    "--warmup-name"
)
MENDED = Words(
    says=(
        "A warmup of {warmup_steps} steps is the shortest that survives a learning rate of {base:.3g}; whole runs with "
        "it train best at {rate:.3g}, with {metric} {after:.4g} against {before:.4g} without a warmup."
    ),
    why="The warmup takes training past its early instability, so that rates beyond the old limit can be used.",
    fix=(
        "Put the warmup before the schedule, train {warmup_steps} steps longer, and tune the learning rate anew up to "
        "{base:.3g}. Compare by the best checkpoint."
    ),
)
NONE_SURVIVES = Words(
    says="No warmup that was tried ({lengths} steps) survives a learning rate of {base:.3g}.",
    why="An instability that is left after a tenth of the run is not one of the start.",
    fix="Try gradient clipping (`tunebook clipping`).",
)
NOT_MENDED = Words(
    says=(
        "A warmup of {warmup_steps} steps survives a learning rate of {base:.3g} at first, but whole runs with it do "
        "not: {n_unstable} of {n_rates} rates from the unstable one on are unstable, beginning at {onset:.0%} of the "
        "run."
    ),
    why="The instability does not lie in the start of training, so a warmup only delays it.",
    fix="Clip gradients instead (`tunebook clipping`).",
)
LONG = Words(
    says="The warmup takes {share:.1%} of the run ({warmup_steps} of {steps} steps).",
    why="Above 5 % a warmup uses up a noticeable part of the training it is meant to help.",
    fix="Train longer.",
)


def mended(length: int, base: float, rate: float, after: float, before: float, design: Round) -> Finding:
    """The warmup helps: whole runs survive where they did not."""
    evidence = {
        "hyperparameter": "warmup_steps",
        "warmup_steps": length,
        "base": base,
        "rate": rate,
        "metric": design.objective.metric,
        "after": after,
        "before": before,
    }
    action = Lengthen(max_train_steps=design.max_train_steps + length)
    return told("warmup", "I2", MENDED, evidence, severity=Severity.NOTE, confidence=0.95, action=action)


def none_survives(base: float, tried: Mapping[int, bool]) -> Finding:
    """No length helps."""
    evidence = {"base": base, "lengths": ", ".join(map(str, sorted(tried)))}
    return told("warmup_fails", "I2", NONE_SURVIVES, evidence, severity=Severity.WARNING, confidence=0.9)


def not_mended(length: int, base: float, finals: Sequence[Final]) -> Finding:
    """The start survives, the run does not."""
    onsets = [final.onset for final in finals if final.onset is not None]
    evidence = {
        "warmup_steps": length,
        "base": base,
        "n_unstable": sum(not final.survives for final in finals),
        "n_rates": len(finals),
        "onset": min(onsets, default=0.0),
    }
    return told("warmup_fails", "I2", NOT_MENDED, evidence, severity=Severity.WARNING, confidence=0.9)


def long(length: int, steps: int) -> Finding:
    """The warmup is a large part of the run."""
    evidence = {"warmup_steps": length, "steps": steps, "share": length / steps}
    return told(
        "long_warmup", "I2", LONG, evidence, severity=Severity.WARNING, action=Lengthen(max_train_steps=20 * length)
    )

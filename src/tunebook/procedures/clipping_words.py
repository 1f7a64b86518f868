"""What clipped runs say: the findings of the clipping procedure (I3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunebook.core.action import Clip
from tunebook.core.finding import Finding, Severity, Words
from tunebook.procedures.procedure import told
from tunebook.procedures.stability_words import OTHER_REMEDIES

if TYPE_CHECKING:
    from tunebook.procedures.clipping import Clipped

HOW_TO_CLIP = (
    "the threshold is what this procedure varies. Add clip_norm = 1e30 (which clips nothing) under [fixed] and let "
    "training use it, as in tunebook.kit.GradientClipper(trial['clip_norm'], log=trial); or name yours with --clip-name"
)
HOW_TO_LOG = (
    "log the unclipped norm of all gradients together as 'grad_norm' at every step, as "
    "tunebook.kit.GradientClipper(log=trial) does"
)
MENDED = Words(
    says=(
        "Clipped at {threshold:.4g} training survives the learning rates that it failed at; {share:.0%} of the steps "
        "are clipped. The best is then {rate:.3g} with {metric} {after:.4g} against {before:.4g} without clipping."
    ),
    why="A few gradients far longer than the others were what undid training; cut to length they no longer do.",
    fix="Keep the threshold and tune the learning rate anew; look at it again when batch size or model change.",
)
AGGRESSIVE = Words(
    says="At {threshold:.4g} {share:.0%} of the steps are clipped, which is extremely aggressive.",
    why="Clipping most steps to one length is a roundabout way of lowering the learning rate. {outcome}",
    fix="Lower the learning rate instead, or try a warmup.",
)
NOT_MENDED = Words(
    says="Training stays unstable at a learning rate of {rate:.3g} with gradients clipped at {thresholds}.",
    why="Then single long gradients are not what makes it unstable.",
    fix="Try a warmup (`tunebook warmup`). " + OTHER_REMEDIES,
)


def mended(name: str, chosen: Clipped, after: float, before: float, metric: str) -> Finding:
    """Clipping helps."""
    evidence = {
        "hyperparameter": name,
        "threshold": chosen.threshold,
        "share": chosen.share,
        "rate": chosen.rate,
        "metric": metric,
        "after": after,
        "before": before,
    }
    action = Clip(hyperparameter=name, low=chosen.threshold / 3, high=chosen.threshold * 3)
    return told("clipping", "I3", MENDED, evidence, severity=Severity.NOTE, confidence=0.95, action=action)


def aggressive(name: str, threshold: float, share: float, *, is_mended: bool) -> Finding:
    """More than half of the steps are clipped."""
    outcome = "Training survives with it, and would with a lower rate as well." if is_mended else "Nor does it help."
    evidence = {"hyperparameter": name, "threshold": threshold, "share": share, "outcome": outcome}
    return told("clipping_aggressive", "I3", AGGRESSIVE, evidence, severity=Severity.WARNING)


def not_mended(thresholds: Sequence[float], rate: float) -> Finding:
    """Clipping does not help."""
    evidence = {"rate": rate, "thresholds": ", ".join(f"{threshold:.4g}" for threshold in thresholds)}
    return told("clipping_fails", "I3", NOT_MENDED, evidence, severity=Severity.WARNING, confidence=0.9)

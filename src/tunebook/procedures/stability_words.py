"""What sweeps over learning rates say: findings shared by stability, warmup, clipping and steps (I1, I4)."""

from __future__ import annotations

import numpy as np

from tunebook.core.action import WarmUp, Widen
from tunebook.core.finding import Finding, Severity, Words
from tunebook.core.hyperparameter import Range
from tunebook.core.round import Round
from tunebook.evidence import FloatArray
from tunebook.procedures.losses import EARLY
from tunebook.procedures.procedure import told
from tunebook.procedures.sweep import Sweep

#: How far an edge moves out: a decade, as the learning check widens ranges.
WIDER = 10.0

OTHER_REMEDIES = (
    "Other remedies: another optimizer, normalisation inside of the residual branch (x + f(Norm(x))), branches "
    "initialised to zero; lowering the learning rate comes last."
)
UNSTABLE = Words(
    says=(
        "The best {hyperparameter} is {best:.3g}, and training becomes unstable from {unstable:.3g} on, beginning at "
        "{onset:.0%} of the run. {checked}"
    ),
    why=(
        "The best learning rate is then the largest that training survives. With the instability mended a larger one "
        "may train faster and further."
    ),
    fix="{remedy} " + OTHER_REMEDIES,
)
STABLE = Words(
    says=("Training is stable around the best {hyperparameter}, {best:.3g}: {above} {checked}"),
    why="What limits the result is something other than instability, so warmup or clipping would mend nothing.",
    fix="Change nothing for stability's sake.",
)
EDGE = Words(
    says="The best {hyperparameter} of the sweep, {best:.3g}, is its {end}: nothing is known about what lies beyond.",
    why="A conclusion from the edge of a sweep is a conclusion about the sweep.",
    fix="Sweep from {low:.2g} to {high:.2g}.",
)
NOTHING = Words(
    says="No {hyperparameter} from {low:.3g} to {high:.3g} trains: every run diverges.",
    why="That is more often an error in the data, the loss or the initialisation than an instability.",
    fix="Sweep lower rates (--low, --high); if those fail too, look for a bug.",
)
EARLY_REMEDY = "It begins early: try a warmup first (`tunebook warmup`), then gradient clipping."
LATE_REMEDY = "It begins in the middle of the run: try gradient clipping (`tunebook clipping`): a warmup ends before."


def unstable(rate: str, sweep: Sweep, n_checks: int, n_bad: int) -> Finding:
    """The verdict that warmup and clipping are for."""
    onset = sweep.onset if sweep.onset is not None and np.isfinite(sweep.onset) else 0.0
    evidence = {
        "hyperparameter": rate,
        "best": sweep.best_rate,
        "unstable": sweep.unstable_rate or 2 * sweep.best_rate,
        "onset": onset,
        "checked": _checked(n_checks, n_bad),
        "remedy": EARLY_REMEDY if onset <= EARLY else LATE_REMEDY,
    }
    confidence = 0.95 if n_bad == n_checks else 0.8
    action = WarmUp(hyperparameter=rate, best=sweep.best_rate)
    return told("unstable", "I1", UNSTABLE, evidence, severity=Severity.WARNING, confidence=confidence, action=action)


def stable(rate: str, sweep: Sweep, n_checks: int = 0, n_bad: int = 0, requirement: str = "I1") -> Finding:
    """The verdict that asks for nothing."""
    failing = sweep.unstable_rate
    above = "no rate above it fails." if failing is None else f"it takes {failing:.3g} to make it fail."
    evidence = {
        "hyperparameter": rate,
        "best": sweep.best_rate,
        "above": above,
        "checked": _checked(n_checks, n_bad),
    }
    confidence = 0.95 if n_bad == 0 else 0.7
    return told("stable", requirement, STABLE, evidence, severity=Severity.NOTE, confidence=confidence)


def at_the_edge(requirement: str, rate: str, rates: FloatArray, best: int, design: Round) -> Finding:
    """Refuses to conclude: the best rate is the first or the last of the sweep."""
    is_high = best > 0
    low, high = float(rates[0]), float(rates[-1])
    low, high = (low, WIDER * high) if is_high else (low / WIDER, high)
    evidence = {
        "hyperparameter": rate,
        "best": float(rates[best]),
        "end": "highest" if is_high else "lowest",
        "direction": "high" if is_high else "low",
        "low": low,
        "high": high,
    }
    can_widen = any(item.name == rate and isinstance(item.domain, Range) for item in design.searched)
    action = Widen(hyperparameter=rate, low=low, high=high) if can_widen else None
    return told("boundary", requirement, EDGE, evidence, severity=Severity.BLOCKING, action=action)


def nothing_trains(rate: str, sweep: Sweep) -> Finding:
    """Every run of the sweep diverged."""
    evidence = {"hyperparameter": rate, "low": float(sweep.rates[0]), "high": float(sweep.rates[-1])}
    return told("infeasible_fraction", "I1", NOTHING, evidence, severity=Severity.BLOCKING)


def _checked(n_checks: int, n_bad: int) -> str:
    if not n_checks:
        return ""
    return f"At twice the best rate {n_bad} of {n_checks} short runs are unstable."

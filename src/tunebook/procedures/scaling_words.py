"""What steps to a goal say about batch sizes: the findings of scaling (S5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.core.finding import Finding, Severity, Words
from tunebook.evidence import Evidence, FloatArray
from tunebook.procedures.procedure import told
from tunebook.procedures.steps_to_goal import Fit, Interval, RateRule, Regime

if TYPE_CHECKING:
    from tunebook.procedures.scaling import AtSize

REGIMES = Words(
    says=(
        "Steps to the goal halve with every doubling of {hyperparameter} up to {perfect} (perfect scaling); the "
        "critical batch size is {critical:.3g}{interval}. {diminishing}{flat}"
    ),
    why=(
        "Up to the critical size a larger batch saves as many steps as it costs examples; beyond it examples are "
        "wasted, and far beyond it steps no longer fall."
    ),
    fix="Take the largest size that scales perfectly and still pays in throughput (`batch-size` measures that).",
)
MISSED = Words(
    says=(
        "Only {n_reached} batch sizes reach the goal of {goal:.6g}, and 4 are needed; {closest} came closest with "
        "{best:.6g}."
    ),
    why="Steps to a goal that is not reached cannot be compared.",
    fix="Choose a goal that every size reaches, at most {best:.6g} as good, or train longer and with more trials.",
)
LEFT_OUT = Words(
    says="No trial with {hyperparameter} = {sizes} reaches the goal of {goal:.6g}; they are left out.",
    why="The curve says nothing about sizes that never arrive.",
    fix="Train longer, add trials, or choose an easier goal.",
)
FEW = Words(
    says="Each size is judged by {kept} feasible trials, fewer than {wanted} ({sizes}).",
    why="The fastest of a few trials depends on luck; Shallue et al. ran a hundred per batch size.",
    fix="{advice}",
)
RULE = Words(
    says=(
        "The best learning rate grows like {hyperparameter} to the power {exponent:.2f} ± {error:.2f}: {verdict} From "
        "{smallest} on, the linear rule is off by a factor of {linear_off:.3g} at {largest}, the square-root rule by "
        "{root_off:.3g}."
    ),
    why="No rule holds for all workloads, which is why the learning rate is tuned anew at every size here.",
    fix="Use a rule to centre a search, not to replace it.",
)
EDGE = Words(
    says="At {sizes} the fastest trial has its {hyperparameter} within a tenth of an end of the range.",
    why="If the best value lies outside of it, those sizes look slower than they are, and the bend moves.",
    fix="Widen the range and run again.",
)
BUDGETS = Words(
    says=(
        "Within {steps} steps the best values favour {by_steps} batches, within {examples} examples {by_examples} ones "
        "(rank correlations with the batch size: {tau_steps:+.2f} and {tau_examples:+.2f})."
    ),
    why="A budget of steps gives large batches more examples, one of epochs gives small batches more steps.",
    fix="Compare batch sizes by time or cost to a goal, not within either budget.",
)
NOISE = Words(
    says=(
        "The gradient noise scale of the fastest runs is {scale:.3g} (median over batch sizes, {low:.3g} to "
        "{high:.3g}); the measured critical batch size is {critical:.3g}."
    ),
    why="It guesses the order of magnitude from gradients alone, varies in a run and does not see preconditioning.",
    fix="Use it to choose where to start the ladder of sizes, never as the verdict.",
)


def regimes(name: str, fit: Fit, interval: Interval | None, perfect: float | None, sizes: Sequence[int]) -> Finding:
    """The main result."""
    by = {regime: [size for size in sizes if fit.regime(size) is regime] for regime in Regime}
    evidence = {
        "hyperparameter": name,
        "perfect": f"{perfect:g}" if perfect is not None else "less than the smallest size tried",
        "critical": fit.critical_batch_size,
        "interval": f" ({interval.low:.3g} to {interval.high:.3g}, 95 %)" if interval else " (no interval)",
        "diminishing": _listed("Diminishing returns at", by[Regime.DIMINISHING]),
        "flat": _listed("More than the least number of steps is hardly saved from", by[Regime.FLAT][:1]),
    }
    outside = not min(sizes) <= fit.critical_batch_size <= max(sizes)
    confidence = 0.5 if outside or interval is None else 0.9
    return told("scaling", "S5", REGIMES, evidence, severity=Severity.NOTE, confidence=confidence)


def goal_missed(evidence: Evidence, goal: float, n_reached: int) -> Finding:
    """Too few sizes reach the goal; says which trial was the closest."""
    objective = evidence.round.objective
    keys = objective.sign * evidence.scores().values
    known = np.isfinite(keys).any()
    number = int(np.nanargmin(keys)) if known else 0
    said = {
        "goal": goal,
        "n_reached": n_reached,
        "closest": f"trial {evidence.trials[number].name} ({evidence.trials[number].study})" if known else "no trial",
        "best": float(objective.sign * keys[number]) if known else float("nan"),
    }
    return told("goal_missed", "S5", MISSED, said, severity=Severity.BLOCKING)


def missing(name: str, sizes: Sequence[AtSize], goal: float) -> Iterator[Finding]:
    """Sizes that are left out."""
    if sizes:
        listed = ", ".join(str(size.batch_size) for size in sizes)
        evidence = {"hyperparameter": name, "sizes": listed, "goal": goal}
        yield told("goal_missed", "S5", LEFT_OUT, evidence, severity=Severity.WARNING)


def few_trials(name: str, sizes: Sequence[AtSize], wanted: int) -> Finding:
    """Too few trials to speak of a fastest one; ``sizes`` are all of them."""
    kept = max(len(size.steps) for size in sizes)
    bad = [size for size in sizes if size.n_feasible == min(size.n_feasible for size in sizes) and size.n_infeasible]
    listed = ", ".join(f"{name} {size.batch_size}: {size.n_feasible} of {size.n_drawn} drawn" for size in bad or sizes)
    narrow = (
        "Add trials (--trials), or narrow the range to where training works: what is infeasible was drawn again "
        "as often as allowed."
    )
    evidence = {
        "hyperparameter": name,
        "sizes": listed,
        "kept": kept,
        "wanted": wanted,
        "advice": narrow if bad and bad[0].n_feasible < wanted else "Add trials (--trials).",
    }
    return told("undersampled", "S5", FEW, evidence, severity=Severity.WARNING)


def rate_rule(name: str, rule: RateRule, batch_sizes: FloatArray, rates: FloatArray) -> Finding:
    """The best rates against the linear and the square-root rule."""
    growth = float(batch_sizes[-1] / batch_sizes[0])
    actual = float(rates[-1] / rates[0])
    holds = [word for word, power in (("linear", 1.0), ("square-root", 0.5)) if rule.allows(power)]
    verdict = f"in agreement with the {' and the '.join(holds)} rule." if holds else "neither rule holds."
    evidence = {
        "hyperparameter": name,
        "exponent": rule.exponent,
        "error": rule.error,
        "verdict": verdict,
        "smallest": int(batch_sizes[0]),
        "largest": int(batch_sizes[-1]),
        "linear_off": _factor(growth / actual),
        "root_off": _factor(growth**0.5 / actual),
    }
    return told("rate_rule", "S5", RULE, evidence, severity=Severity.NOTE, confidence=0.8)


def near_edge(label: str, near: Sequence[int], sizes: Sequence[int]) -> Finding:
    """A best value close to the end of its range."""
    evidence = {"hyperparameter": label, "sizes": "batch size " + ", ".join(map(str, near))}
    return told(
        "boundary", "S5", EDGE, evidence, severity=Severity.WARNING, confidence=min(0.9, 0.5 + len(near) / len(sizes))
    )


def budgets(name: str, found: Mapping[str, Any], sign: int) -> Iterator[Finding]:
    """How a budget of steps and one of examples rank the sizes."""
    by_steps = _tau(found["batch_sizes"], found["best_by_steps"])
    by_examples = _tau(found["batch_sizes"], found["best_by_examples"])
    if by_steps is None or by_examples is None:
        return
    evidence = {
        "hyperparameter": name,
        "steps": found["steps"],
        "examples": found["examples"],
        "by_steps": _favoured(sign * by_steps),
        "by_examples": _favoured(sign * by_examples),
        "tau_steps": by_steps,
        "tau_examples": by_examples,
    }
    yield told("budgets", "S5", BUDGETS, evidence, severity=Severity.NOTE, confidence=0.8)


def noise(name: str, scales: Mapping[str, float], critical: float) -> Iterator[Finding]:
    """The cheap predictor beside the measured value."""
    if scales:
        values = list(scales.values())
        evidence = {
            "hyperparameter": name,
            "scale": float(np.median(values)),
            "low": min(values),
            "high": max(values),
            "critical": critical,
        }
        yield told("noise_scale", "S5", NOISE, evidence, severity=Severity.NOTE, confidence=0.5)


def _tau(sizes: Any, bests: Sequence[float | None]) -> float | None:
    """Kendall's rank correlation of batch size and value; None with fewer than 3 values."""
    from scipy.stats import kendalltau

    known = [(size, best) for size, best in zip(sizes, bests, strict=True) if best is not None]
    if len(known) < 3:
        return None
    tau = float(kendalltau([size for size, _ in known], [best for _, best in known]).statistic)
    return tau if np.isfinite(tau) else None


def _favoured(tau: float) -> str:
    return "large" if tau < 0 else "small" if tau > 0 else "no particular"


def _factor(ratio: float) -> float:
    return max(ratio, 1 / ratio)


def _listed(words: str, sizes: Sequence[int]) -> str:
    return f"{words} {', '.join(map(str, sizes))}. " if sizes else ""

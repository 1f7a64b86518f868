"""Check: which hyperparameters matter, which interact, which can be fixed, and what range is good (L8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tunebook.core.action import Fix, Narrow
from tunebook.core.config import spelled
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Hyperparameter, Range, Role
from tunebook.evidence import FloatArray
from tunebook.learn.limits import bounds
from tunebook.learn.terrain import Terrain, terrain
from tunebook.learn.view import View
from tunebook.plan.cube import from_unit, in_three_digits
from tunebook.stats.good_region import optimum_positions
from tunebook.stats.sensitivity import Indices, pair_interaction, sobol

#: With fewer feasible trials per varied hyperparameter, or in all, importance is not stated.
MIN_TRIALS = 20
MIN_TRIALS_PER_DIMENSION = 4
#: A hyperparameter is insensitive when its total index is below this at the upper end of its interval.
INSENSITIVE = 0.03
#: Two interact when what they explain only together exceeds this at the lower end.
INTERACTING = 0.05
#: Pairs are looked at among this many of the most important ones.
N_PAIRED = 4
#: Share of the surface's variance that has to be signal; below, the trials show mostly noise.
MIN_SIGNAL = 0.5
LEVEL = 0.95
#: A range is worth narrowing to less than this share of itself, with this much room on both sides.
NARROW = 0.5
ROOM = 0.1
#: Nearer to an end than this the good region is not cut there.
NEAR_END = 0.12

MATTERS_WORDS = Words(
    says="{ranking}.",
    why=(
        "Shares of the variance of the fitted surface (total Sobol indices with 95 % intervals), averaged over the "
        "searched ranges; wider ranges would give other shares."
    ),
)
FIX_WORDS = Words(
    says=(
        "{hyperparameter} made no difference within {low} to {high}: it explains at most {upper:.1%} of the variance "
        "of the fitted surface, interactions included."
    ),
    why="What does not matter can be fixed, so that the trials go to what does; it stays as a caveat.",
    fix="Fix it at {value}, its value in the best trial.",
)
INTERACTION_WORDS = Words(
    says=(
        "{first} and {second} interact: {share:.0%} ({low:.0%} to {high:.0%}) of the variance is explained by "
        "both together and by neither alone."
    ),
    why="The best value of one depends on the other, so tuning them one at a time, or reading one axis plot, misleads.",
    fix="Keep both in the same search.",
)
NARROW_WORDS = Words(
    says=(
        "Good values of {hyperparameter} lie between {new_low:.3g} and {new_high:.3g}, {share:.0%} of the searched "
        "range {low:g} to {high:g}."
    ),
    why="Trials outside of it are spent where the optimum almost surely is not.",
    fix="Search {hyperparameter} from {new_low:.3g} to {new_high:.3g} when the next round asks about the optimum.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Sobol indices by hyperparameter, for the check and the plot."""

    columns: tuple[Hyperparameter, ...]
    indices: Indices

    @property
    def totals(self) -> FloatArray:
        """Lower end, median and upper end (rows) of the total index of every column."""
        return self.indices.interval(self.indices.total, LEVEL)


def sensitivity(view: View) -> Sensitivity | None:
    """The indices of a view, computed once; None with too few trials or when they show mostly noise."""
    return view.once("sensitivity", lambda: _sensitivity(view))


def _sensitivity(view: View) -> Sensitivity | None:
    found = terrain(view)
    if found is None:
        return None
    n_trials = int(np.isfinite(found.landscape.keys).sum())
    needed = max(MIN_TRIALS, MIN_TRIALS_PER_DIMENSION * len(found.columns))
    if n_trials < needed or found.landscape.surface.signal_share < MIN_SIGNAL:
        return None
    return Sensitivity(found.columns, sobol(found.landscape.surface))


def check(view: View) -> Iterator[Finding]:
    """What matters, what interacts, what to fix, what to narrow; silent when the trials cannot tell."""
    known, found = sensitivity(view), terrain(view)
    if known is None or found is None:
        return
    yield from _matters(known)
    yield from _interactions(found, known)
    yield from _insensitive(view, known)
    yield from _narrow(view, found, known)


def _matters(known: Sensitivity) -> Iterator[Finding]:
    """An order, but only of those whose intervals do not overlap."""
    lower, middle, upper = known.totals
    order = [int(column) for column in np.argsort(-middle)]
    ahead = order[0]
    if any(upper[column] >= lower[ahead] for column in order[1:]):
        return
    shares = ", ".join(f"{known.columns[c].label} {middle[c]:.0%} ({lower[c]:.0%} to {upper[c]:.0%})" for c in order)
    yield Finding(
        code="sensitive",
        requirement="L8",
        severity=Severity.NOTE,
        words=MATTERS_WORDS,
        confidence=LEVEL,
        subject=Subject(hyperparameter=known.columns[ahead].label),
        evidence={
            "ranking": f"{known.columns[ahead].label} matters most: {shares}"
            if len(order) > 1
            else f"It is all {shares}",
            "total": {known.columns[c].label: [float(lower[c]), float(middle[c]), float(upper[c])] for c in order},
        },
    )


def _interactions(found: Terrain, known: Sensitivity) -> Iterator[Finding]:
    middle = known.totals[1]
    leading = sorted(int(column) for column in np.argsort(-middle)[:N_PAIRED] if middle[column] > INTERACTING)
    for a, b in combinations(leading, 2):
        draws = pair_interaction(found.landscape.surface, a, b)
        low, share, high = np.quantile(draws, [0.025, 0.5, 0.975])
        if low > INTERACTING:
            yield Finding(
                code="interaction",
                requirement="L8",
                severity=Severity.NOTE,
                words=INTERACTION_WORDS,
                confidence=float((draws > INTERACTING).mean()),
                subject=Subject(hyperparameter=known.columns[a].label),
                evidence={
                    "first": known.columns[a].label,
                    "second": known.columns[b].label,
                    "share": float(share),
                    "low": float(low),
                    "high": float(high),
                },
            )


def _insensitive(view: View, known: Sensitivity) -> Iterator[Finding]:
    best = view.evidence.trials[int(view.order[0])]
    for column, hyperparameter in enumerate(known.columns):
        draws = known.indices.total[:, column]
        upper = float(known.totals[2, column])
        is_nuisance = view.evidence.round.role_of(hyperparameter) is Role.NUISANCE
        if upper >= INSENSITIVE or not is_nuisance or not hyperparameter.is_active(best.config):
            continue
        value = best.config[hyperparameter.name]
        low, high = bounds_in_words(hyperparameter)
        yield Finding(
            code="insensitive",
            requirement="L8",
            severity=Severity.NOTE,
            words=FIX_WORDS,
            confidence=float((draws < INSENSITIVE).mean()),
            subject=Subject(hyperparameter=hyperparameter.label),
            next=Fix(
                hyperparameter=hyperparameter.label, value=value, because="made no difference in the round before"
            ),
            evidence={
                "hyperparameter": hyperparameter.label,
                "low": low,
                "high": high,
                "upper": upper,
                "value": spelled(value),
            },
        )


def bounds_in_words(hyperparameter: Hyperparameter) -> tuple[str, str]:
    """The ends of a range, or the first and last of a list of choices, as a design spells them."""
    domain = hyperparameter.domain
    if isinstance(domain, Range):
        low, high = bounds(domain)
        return f"{low:g}", f"{high:g}"
    words = domain.describe().split(" | ")
    return words[0], words[-1]


def _narrow(view: View, found: Terrain, known: Sensitivity) -> Iterator[Finding]:
    rows = found.rows(view.searched_trials)
    positions = optimum_positions(found.landscape, rows)
    if not len(positions):
        return
    for column in found.varied(rows):
        hyperparameter = known.columns[column]
        if isinstance(hyperparameter.domain, Range) and known.totals[2, column] >= INSENSITIVE:
            yield from _narrowed(hyperparameter, hyperparameter.domain, positions[:, column])


def _narrowed(hyperparameter: Hyperparameter, domain: Range, positions: FloatArray) -> Iterator[Finding]:
    known = positions[np.isfinite(positions)]
    if not len(known):
        return
    low, high = np.quantile(known, [0.025, 0.975]) + np.array([-ROOM, ROOM])
    low, high = 0.0 if low < NEAR_END else low, 1.0 if high > 1.0 - NEAR_END else high
    new_low, new_high = (float(value) for value in from_unit(domain, np.array([low, high])))
    if high - low >= NARROW or new_low >= new_high or low == 0.0 or high == 1.0:
        return
    yield Finding(
        code="narrow",
        requirement="L8",
        severity=Severity.NOTE,
        words=NARROW_WORDS,
        confidence=LEVEL,
        subject=Subject(hyperparameter=hyperparameter.label),
        next=Narrow(
            hyperparameter=hyperparameter.label,
            low=in_three_digits(new_low, domain),
            high=in_three_digits(new_high, domain),
        ),
        evidence={
            "hyperparameter": hyperparameter.label,
            "low": domain.low,
            "high": domain.high,
            "new_low": in_three_digits(new_low, domain),
            "new_high": in_three_digits(new_high, domain),
            "share": float(high - low),
        },
    )

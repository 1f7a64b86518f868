"""A sweep over learning rates, with everything else at one configuration, and what it says (I1, T3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from tunebook.core.config import Value
from tunebook.core.hyperparameter import Choice, Hyperparameter, Range
from tunebook.core.objective import Objective
from tunebook.core.round import Round
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray, IntArray, ranking
from tunebook.procedures.losses import course, dense_loss, loss_of, own_gain
from tunebook.procedures.single import middle

#: Learning rates of a sweep: two a decade over the four decades people search first.
RATES = 9
#: Around a fixed learning rate: this far to both sides.
AROUND = 100.0
#: The playbook looks at rates up to ten times the best.
ABOVE = 10.0
#: The check of the playbook is made at twice the best rate.
TWICE = 2.0
#: Where a sweep leaves doubt, these multiples of its best rate are trained again, with seeds of their own: the best of
#: many rates is partly the luckiest, and a wall can lie anywhere between two of them.
CLOSER = (10**-1.0, 10**-0.5, 10**-0.25, 1.0, 10**0.25)
#: Rates are rounded, so comparisons of their ratios are, too.
NEARLY = 1.01


class Verdict(StrEnum):
    """What a sweep says about stability."""

    STABLE = "stable"
    UNSTABLE = "unstable"
    IN_DOUBT = "in doubt"
    AT_THE_EDGE = "at the edge"
    NOTHING_TRAINS = "nothing trains"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One entry per rate, ascending. ``keys`` are objective values with lower better, NaN where none is finite.

    ``unstable`` is the share of a rate's runs that were unstable, ``onsets`` where in a run that began (NaN
    without). ``gain`` is by how much the training loss ``loss`` falls in a good run. ``again`` are the keys of
    the closer look around the best rate, from fresh seeds alone, all NaN before there was one: with the seeds
    that picked a rate, its key is too good.
    """

    rates: FloatArray
    keys: FloatArray
    again: FloatArray
    unstable: FloatArray
    onsets: FloatArray
    gain: float
    loss: str
    objective: Objective

    @property
    def is_closer(self) -> bool:
        """Whether there was a closer look that found a rate that trains."""
        return bool(np.isfinite(self.again).any())

    @property
    def best(self) -> int:
        """The place of the best rate, by the closer look where there was one; ``ValueError`` when no rate trains."""
        return int(np.nanargmin(self.again if self.is_closer else self.keys))

    @property
    def best_rate(self) -> float:
        """The best rate."""
        return float(self.rates[self.best])

    @property
    def optimum(self) -> float:
        """Where between the rates of the closer look the best one lies: the bottom of a parabola on the log scale.

        It is the best rate itself before a closer look, and where one of its neighbours does not train.
        """
        looked: IntArray = np.flatnonzero(np.isfinite(self.again))
        place = int(np.searchsorted(looked, self.best))
        if not self.is_closer or not 0 < place < len(looked) - 1:
            return self.best_rate
        near = looked[place - 1 : place + 2]
        a, b, _ = np.polyfit(np.log(self.rates[near] / self.best_rate), self.again[near], 2)
        return float(self.best_rate * np.exp(-b / (2 * a))) if a > 0 else self.best_rate

    @property
    def unstable_rate(self) -> float | None:
        """The lowest rate from the best on at which at least half of the runs are unstable."""
        found = [float(rate) for rate, share in self._from_best() if share >= 0.5]
        return found[0] if found else None

    @property
    def onset(self) -> float | None:
        """Where in a run the trouble begins at the lowest unstable rate."""
        rate = self.unstable_rate
        return None if rate is None else float(self.onsets[int(np.flatnonzero(self.rates == rate)[0])])

    @property
    def verdict(self) -> Verdict:
        """Whether runs are unstable, by the rates up to ten times the best (I1).

        A sweep alone can say that they are not; that they are takes a closer look.
        """
        if not np.isfinite(self.keys).any():
            return Verdict.NOTHING_TRAINS
        unstable = self.unstable_rate
        last = len(self.rates) - 1
        if self.best == 0 or (self.best == last and unstable is None):
            return Verdict.AT_THE_EDGE
        if unstable is None or unstable > NEARLY * ABOVE * self.optimum:
            return Verdict.STABLE
        is_near = unstable <= NEARLY * TWICE * self.optimum
        return Verdict.UNSTABLE if is_near and self.is_closer else Verdict.IN_DOUBT

    def closer_rates(self) -> tuple[float, ...]:
        """What to train again: around the best rate, and the rates from it up to the one that is unstable."""
        rates = [factor * self.best_rate for factor in CLOSER]
        wall = self.unstable_rate or np.inf
        own = [float(rate) for rate, _ in self._from_best() if rate < wall]
        inside = (float(f"{rate:.3g}") for rate in rates if self.rates[0] / NEARLY <= rate < wall)
        known = {_known(rate, self.rates) for rate in inside}
        return tuple(sorted(known.union(own)))

    def to_mapping(self) -> dict[str, Any]:
        """The sweep as JSON shows it, and as a plot needs it."""
        trains = bool(np.isfinite(self.keys).any())
        return {
            "rates": self.rates,
            "metric": self.objective.metric,
            "direction": str(self.objective.direction),
            "objective": self.objective.sign * self.keys,
            "objective_again": self.objective.sign * self.again,
            "unstable_share": self.unstable,
            "onset": self.onsets,
            "best_rate": self.best_rate if trains else None,
            "optimum": self.optimum if trains else None,
            "unstable_rate": self.unstable_rate if trains else None,
            "loss": self.loss,
        }

    def _from_best(self) -> list[tuple[float, float]]:
        return list(zip(self.rates[self.best :], self.unstable[self.best :], strict=True))


def sweep_rates(
    design: Round, name: str, count: int = RATES, low: float | None = None, high: float | None = None
) -> tuple[float, ...]:
    """Rates evenly apart on a log scale, over the design's own range or around its fixed value.

    ``InputError`` unless 0 < low < high and there are at least 5.
    """
    found = _bounds([item for item in design.hyperparameters if item.name == name])
    low = low if low is not None else found[0]
    high = high if high is not None else found[1]
    if not (0 < low < high and count >= 5):
        raise InputError(f"a sweep of {count} rates from {low:g} to {high:g}: give 5 or more, and 0 < low < high")
    return tuple(float(f"{rate:.3g}") for rate in np.geomspace(low, high, count))


def read_sweep(rounds: Sequence[Evidence], name: str, closer: Sequence[Evidence] = ()) -> Sweep:
    """What sweeps with different seeds show together, and the rounds of the closer look with them."""
    loss = dense_loss(rounds[0])
    # Of all runs and not of the complete ones only: where nothing trains there still is something to compare.
    gain = max(
        (own_gain(loss_of(evidence, i, loss)[1]) for evidence in rounds for i in _best_first(evidence)), default=0
    )
    runs: dict[float, list[tuple[float, bool, float]]] = {}
    again: dict[float, list[float]] = {}
    for place, evidence in enumerate([*rounds, *closer]):
        keys = evidence.round.objective.sign * evidence.scores().values
        for number, trial in enumerate(evidence.trials):
            went = course(evidence, number, loss, gain or None)
            onset = np.nan if went.onset is None else went.onset
            rate = _rate(trial.config[name])
            runs.setdefault(rate, []).append((float(keys[number]), went.is_unstable, onset))
            if place >= len(rounds):
                again.setdefault(rate, []).append(float(keys[number]))
    rates = sorted(runs)
    return Sweep(
        rates=np.array(rates),
        keys=np.array([_median([key for key, _, _ in runs[rate]]) for rate in rates]),
        again=np.array([_median(again.get(rate, [])) for rate in rates]),
        unstable=np.array([np.mean([bad for _, bad, _ in runs[rate]]) for rate in rates]),
        onsets=np.array([_median([onset for _, _, onset in runs[rate]]) for rate in rates]),
        gain=float(gain),
        loss=loss,
        objective=rounds[0].round.objective,
    )


def _best_first(evidence: Evidence) -> list[int]:
    """The better half of the trials: a loss that exploded first and came back gained nothing."""
    order: list[int] = ranking(evidence.scores(), evidence.round.objective).tolist()
    return order[: max(1, len(order) // 2)]


def _bounds(items: Sequence[Hyperparameter]) -> tuple[float, float]:
    for item in items:
        if isinstance(item.domain, Range):
            return item.domain.low, item.domain.high
        if isinstance(item.domain, Choice):
            numbers = [_rate(value) for value in item.domain.values]
            return min(numbers), max(numbers)
    value = _rate(middle(items[0].domain)) if items else 0.0
    return value / AROUND, value * AROUND


def _rate(value: Value) -> float:
    if isinstance(value, str | bool):
        raise InputError(f"{value!r} is no learning rate")
    return float(value)


def _known(rate: float, rates: FloatArray) -> float:
    """The rate of the sweep that ``rate`` is but for rounding; itself where there is none."""
    near = float(rates[int(np.argmin(np.abs(np.log(rates / rate))))])
    return near if 1 / NEARLY < near / rate < NEARLY else rate


def _median(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")

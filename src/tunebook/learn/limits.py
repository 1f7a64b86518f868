"""Limits: where a range ends because nothing lies beyond, and how to widen one that does not (L2)."""

from __future__ import annotations

import math
import re

from tunebook.core.hyperparameter import Choice, Domain, Hyperparameter, Range

#: Words in a name that make it a share, which cannot leave 0 to 1.
SHARES = re.compile(
    r"(^|[^a-z])(momentum|beta_?\d?|gamma|dropout|keep|smoothing|fraction|share|ratio|prob|probability|percent)([^a-z]|$)"
)
#: A range on a logarithmic scale grows by half its width and at least by this factor.
LEAST_FACTOR = 10.0
WIDENING = 0.5
#: Digits of a proposed bound; nobody types more.
DIGITS = 2


def is_share(hyperparameter: Hyperparameter) -> bool:
    """Whether its name says that it lies between 0 and 1: momentum, beta1, dropout_rate, label_smoothing."""
    return SHARES.search(hyperparameter.name.lower()) is not None


def natural_limits(hyperparameter: Hyperparameter) -> tuple[float, float]:
    """The values it can have at all: what is not negative now never is, a share ends at 1, a count starts
    where its range does when that is 0 or 1.
    """
    low, high = bounds(hyperparameter.domain)
    lowest = -math.inf if low < 0 else 0.0
    if _is_whole(hyperparameter.domain) and low in (0, 1):
        lowest = low
    return lowest, 1.0 if is_share(hyperparameter) and high <= 1.0 else math.inf


def can_widen(hyperparameter: Hyperparameter, is_high: bool) -> bool:
    """Whether there is anything beyond this end of the range.

    A linear range that starts at 0 ends at a natural limit; a logarithmic one never reaches 0.
    """
    low, high = bounds(hyperparameter.domain)
    lowest, highest = natural_limits(hyperparameter)
    return high < highest if is_high else low > lowest


def widened(hyperparameter: Hyperparameter, is_high: bool) -> tuple[float, float]:
    """The range with one end moved out by half its width in its own scale, a factor of ten at least where
    that is logarithmic, never past a natural limit.
    """
    low, high = bounds(hyperparameter.domain)
    lowest, highest = natural_limits(hyperparameter)
    if is_high:
        return low, min(_tidy(_moved(hyperparameter.domain, True), hyperparameter.domain, up=True), highest)
    return max(_tidy(_moved(hyperparameter.domain, False), hyperparameter.domain, up=False), lowest), high


def bounds(domain: Domain) -> tuple[float, float]:
    """Lowest and highest value; of a list of numbers its extremes."""
    if isinstance(domain, Range):
        return domain.low, domain.high
    if isinstance(domain, Choice):
        numbers = [float(value) for value in domain.values]
        return min(numbers), max(numbers)
    return float(domain.value), float(domain.value)


def _moved(domain: Domain, is_high: bool) -> float:
    low, high = bounds(domain)
    if not isinstance(domain, Range):
        ordered = sorted(float(value) for value in domain.values) if isinstance(domain, Choice) else [low, high]
        return 2 * ordered[-1] - ordered[-2] if is_high else 2 * ordered[0] - ordered[1]
    if domain.scale == "log":
        factor = max(math.sqrt(high / low), LEAST_FACTOR)
        return high * factor if is_high else low / factor
    if domain.scale == "reverse_log":
        factor = max(math.sqrt((1 - low) / (1 - high)), LEAST_FACTOR)
        return 1 - (1 - high) / factor if is_high else 1 - (1 - low) * factor
    width = WIDENING * (high - low)
    return high + width if is_high else low - width


def _tidy(value: float, domain: Domain, up: bool) -> float:
    """Two significant digits, of the distance to 1 where the scale is logarithmic in that; whole numbers whole."""
    if _is_whole(domain):
        return math.ceil(value) if up else math.floor(value)
    if isinstance(domain, Range) and domain.scale == "reverse_log":
        return 1.0 - float(f"{1.0 - value:.{DIGITS - 1}e}")
    low, high = bounds(domain)
    if isinstance(domain, Range) and domain.scale == "log":
        return float(f"{value:.{DIGITS - 1}e}")
    places = DIGITS - 1 - math.floor(math.log10(high - low))
    return round(value, places)


def _is_whole(domain: Domain) -> bool:
    if isinstance(domain, Range):
        return domain.type == "int"
    return isinstance(domain, Choice) and all(isinstance(value, int) for value in domain.values)

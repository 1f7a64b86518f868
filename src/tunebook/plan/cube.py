"""Between the unit interval and the values of a hyperparameter, one column at a time (methods 1e).

Equal lengths of the unit interval are equal measures of the domain: linear, log, log of 1 - value;
every whole number of an int range and every choice owns one cell. Sampled numbers are rounded to a
short decimal, so that the last bit of ``exp`` on another processor changes nothing (R7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tunebook.core.config import Value
from tunebook.core.hyperparameter import SIGNIFICANT_DIGITS, Choice, Constant, Domain, Range, is_number
from tunebook.evidence import FloatArray

#: Rounding moves a value by at most this share of its range.
RESOLUTION = 1e-6
#: Decimal digits that every float keeps.
FLOAT_DIGITS = 15
#: 10**22 is the largest power of ten that is a float, so dividing by it rounds correctly.
EXACT_POWERS = 22
#: Below this ratio of bounds, log(high) - log(low) would lose digits to cancellation.
NARROW_RATIO = 1e3


def from_unit(domain: Domain, u: FloatArray) -> list[Value]:
    """The values at ``u`` in [0, 1], shape (n,); 1.0 belongs to the last cell."""
    if isinstance(domain, Constant):
        return [domain.value] * len(u)
    if isinstance(domain, Choice):
        values = domain.values
        return [values[cell] for cell in cells(u, len(values)).tolist()]
    numbers: list[Value] = _numbers(domain, np.asarray(u, dtype=np.float64)).tolist()
    return numbers


def to_unit(domain: Domain, values: Sequence[Value | None]) -> FloatArray:
    """Where ``values`` lie in [0, 1], shape (n,); the middle of the cell where values have cells.

    NaN for a value that the domain does not hold, and for None.
    """
    if isinstance(domain, Range):
        return _range_to_unit(domain, values)
    options = domain.values if isinstance(domain, Choice) else (domain.value,)
    choice = Choice(*options)
    return np.array(
        [
            (choice.index(value) + 0.5) / len(options) if value is not None and value in choice else np.nan
            for value in values
        ],
        dtype=np.float64,
    )


def in_three_digits(value: float, domain: Range) -> float:
    """Three digits, of the distance to 1 where the scale is logarithmic in that; whole where values are whole."""
    if domain.type == "int":
        return round(value)
    if domain.scale == "reverse_log":
        return 1.0 - float(f"{1.0 - value:.2e}")
    return float(f"{value:.2e}")


def position(domain: Range, value: Value) -> float:
    """Where ``value`` lies on the scale of a range: 0 at its low end, 1 at its high end, beyond them outside.

    NaN for what has no place on the scale, such as 0 on a logarithmic one.
    """
    if not is_number(value):
        return math.nan
    number = float(value)
    least = 0.5 if domain.type == "int" else 0.0
    if (domain.scale == "log" and number <= least) or (domain.scale == "reverse_log" and number >= 1.0):
        return math.nan
    return float(_positions(domain, np.array([number]))[0])


def value_at(domain: Range, place: float) -> float:
    """The number at a place on the scale of a range, not rounded; 0 is the low end, 1 the high end."""
    low, high = float(domain.low), float(domain.high)
    if domain.scale == "log":
        return low * math.exp(place * math.log(high / low))
    if domain.scale == "reverse_log":
        return 1.0 - (1.0 - low) * math.exp(place * math.log((1.0 - high) / (1.0 - low)))
    return low + place * (high - low)


def cells(u: FloatArray, n_cells: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Which of ``n_cells`` equal cells of the unit interval holds each ``u``."""
    return np.minimum(np.floor(np.asarray(u) * n_cells), n_cells - 1).astype(np.int64)


def _numbers(domain: Range, u: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float64 | np.int64]]:
    if domain.type == "int":
        return _whole_numbers(domain, u)
    if domain.scale == "log":
        numbers = _significant(domain.low * np.exp(u * _log_width(domain)), _digits(domain))
    elif domain.scale == "reverse_log":
        numbers = _one_minus((1.0 - domain.low) * np.exp(-u * _log_width(domain)), _digits(domain))
    else:
        numbers = _decimals(domain.low + u * (domain.high - domain.low), _places(domain))
    return np.clip(numbers, domain.low, domain.high)


def _whole_numbers(domain: Range, u: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    if domain.scale == "log":
        numbers = np.rint((domain.low - 0.5) * np.exp(u * _log_width(domain))).astype(np.int64)
    else:
        numbers = int(domain.low) + cells(u, int(domain.n_values))
    return np.clip(numbers, int(domain.low), int(domain.high))


def _range_to_unit(domain: Range, values: Sequence[Value | None]) -> FloatArray:
    known = [value in domain for value in values]
    numbers = np.array(
        [value if inside else domain.low for value, inside in zip(values, known, strict=True)], dtype=np.float64
    )
    return np.where(known, np.clip(_positions(domain, numbers), 0.0, 1.0), np.nan)


def _positions(domain: Range, x: FloatArray) -> FloatArray:
    low, width = float(domain.low), float(domain.high) - float(domain.low)
    if domain.scale == "reverse_log":
        return -_log_ratio(1.0 - x, 1.0 - low) / _log_width(domain)
    if domain.type == "float":
        return _log_ratio(x, low) / _log_width(domain) if domain.scale == "log" else (x - low) / width
    if domain.scale == "linear":
        return (x - low + 0.5) / (width + 1.0)
    below, above = _log_ratio(x - 0.5, low - 0.5), _log_ratio(x + 0.5, low - 0.5)
    return (below + above) / 2.0 / _log_width(domain)


def _log_width(domain: Range) -> float:
    """The length of the range on its logarithmic scale; above 0."""
    low, high = float(domain.low), float(domain.high)
    if domain.scale == "reverse_log":
        low, high = 1.0 - high, 1.0 - low
    elif domain.type == "int":
        low, high = low - 0.5, high + 0.5
    return float(_log_ratio(np.array([high]), low)[0])


def _log_ratio(x: FloatArray, base: float) -> FloatArray:
    """log(x / base) to full precision, for near and far ratios alike."""
    ratio = x / base
    near = np.log1p(np.maximum((x - base) / base, -0.5))
    return np.where((ratio > 0.5) & (ratio < NARROW_RATIO), near, np.log(x) - math.log(base))


def _digits(domain: Range) -> int:
    """Significant digits that keep rounding within ``RESOLUTION`` of a range on a log scale."""
    needed = 1 + math.ceil(-math.log10(2.0 * RESOLUTION * _log_width(domain)))
    return min(max(SIGNIFICANT_DIGITS, needed), FLOAT_DIGITS)


def _places(domain: Range) -> int:
    """Decimal places (negative: zeros before the point) that do the same on a linear scale."""
    # The smallest number there is in place of what is too small to be one.
    wanted = math.ceil(-math.log10(max(2.0 * RESOLUTION * (domain.high - domain.low), math.ulp(0.0))))
    largest = max(abs(domain.low), abs(domain.high))
    return min(wanted, FLOAT_DIGITS - 1 - math.floor(math.log10(largest)))


def _decimals(x: FloatArray, places: int) -> FloatArray:
    if abs(places) > EXACT_POWERS:
        return np.array([round(value, places) for value in x.tolist()], dtype=np.float64)
    if places >= 0:
        return np.rint(x * 10.0**places) / 10.0**places
    return np.rint(x / 10.0**-places) * 10.0**-places


def _significant(x: FloatArray, digits: int) -> FloatArray:
    """``x`` > 0 rounded to ``digits`` significant digits: the floats nearest to those decimals."""
    places = digits - 1 - np.floor(np.log10(x)).astype(np.int64)
    if len(x) and np.abs(places).max() > EXACT_POWERS:
        return np.array([float(f"{value:.{digits - 1}e}") for value in x.tolist()], dtype=np.float64)
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    return np.asarray(np.rint(x * up / down) / up * down)


def _one_minus(y: FloatArray, digits: int) -> FloatArray:
    """1 - ``y`` with ``y`` > 0 rounded to ``digits`` significant digits, as a clean decimal."""
    places = digits - 1 - np.floor(np.log10(y)).astype(np.int64)
    power = 10.0 ** np.clip(places, 0, FLOAT_DIGITS)
    return np.asarray((power - np.rint(y * power)) / power)

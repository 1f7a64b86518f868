"""Numbers on their way to a screen: rounded, JSON-ready, and the ranges they are shown in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tunebook.evidence import FloatArray

#: A plot of 2,000 pixels cannot show more; a value of 0.5 is written in 3 bytes instead of 18.
SIGNIFICANT_DIGITS = 4

#: Values worse than the third quartile by this many interquartile ranges are drawn at the edge
#: (Tukey's "far out" fence), so that one exploded trial does not squeeze the rest into a line.
FAR_OUT = 3.0

#: Share of the shown range that is left free beyond the outermost value.
MARGIN = 0.06

#: From this ratio of largest to smallest value on, positive numbers are easier to read on a log axis.
LOG_RATIO = 20.0


def rounded(values: npt.ArrayLike, digits: int = SIGNIFICANT_DIGITS) -> list[float | None]:
    """``values`` with ``digits`` significant digits; what is not finite becomes None."""
    array = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(array)
    listed: list[float | None] = significant(np.where(finite, array, 0.0), digits).tolist()
    for place in np.flatnonzero(~finite).tolist():
        listed[place] = None
    return listed


def significant(array: FloatArray, digits: int = SIGNIFICANT_DIGITS) -> FloatArray:
    """Finite ``array`` rounded to ``digits`` significant digits, each the double nearest to its decimal."""
    magnitude = np.floor(np.log10(np.abs(array), where=array != 0.0, out=np.zeros_like(array)))
    places = digits - 1 - magnitude
    up, down = np.power(10.0, np.clip(places, 0, 300)), np.power(10.0, np.clip(-places, 0, 300))
    # One of the two factors is 1: only products and quotients with exact powers of ten print shortly.
    return np.asarray(np.round(array / down * up) / up * down, dtype=np.float64)


def short(value: float, digits: int = SIGNIFICANT_DIGITS) -> str:
    """A number for people: ``0.0213``, ``1.2e-05``, ``12000``; a dash when it is not finite."""
    if not np.isfinite(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}g}"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"


@dataclass(frozen=True, slots=True)
class ShownRange:
    """From where to where an axis of values runs, and where what does not fit is drawn.

    ``low`` < ``high``. ``far`` is the edge for values that are worse than shown and ``wall`` the
    place beyond it for infeasible trials; both lie inside of ``low`` to ``high``.
    """

    low: float
    high: float
    far: float
    wall: float

    def to_mapping(self) -> dict[str, float | None]:
        """JSON-ready."""
        low, high, far, wall = rounded([self.low, self.high, self.far, self.wall])
        return {"low": low, "high": high, "far": far, "wall": wall}


def shown_range(values: FloatArray, sign: int) -> ShownRange:
    """The range that shows ``values`` with room for a wall of infeasible trials on the worse side.

    ``sign`` is that of the objective: 1 when lower is better. Nothing finite: the range 0 to 1.
    """
    keys = sign * values[np.isfinite(values)]
    best, worst = (float(keys.min()), _worst_shown(keys)) if len(keys) else (0.0, 1.0)
    span = (worst - best) or abs(best) or 1.0
    ends = np.array([best - MARGIN * span, worst + 3 * MARGIN * span])
    low, high = np.sort(sign * ends).tolist()
    return ShownRange(low, high, sign * (worst + MARGIN * span / 2), sign * (worst + 2 * MARGIN * span))


def _worst_shown(keys: FloatArray) -> float:
    # Not interpolated: the third quartile of four values must not lean on the exploded fourth.
    lower, upper = np.quantile(keys, [0.25, 0.75], method="lower")
    fence = upper + FAR_OUT * (upper - lower)
    return float(keys[keys <= fence].max())


def wants_log(values: FloatArray) -> bool:
    """Whether the finite ``values`` are positive and span decades."""
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() <= 0:
        return False
    low, high = np.quantile(finite, [0.005, 0.995])
    return bool(high / low >= LOG_RATIO)

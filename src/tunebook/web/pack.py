"""Documents with arrays as few bytes: JSON in front, the numbers behind it as they lie in memory.

A browser reads the arrays as typed arrays without parsing a digit. What occurs twice is sent once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Arrays of at least this many numbers with few distinct ones are sent as places in a list of those.
LONG, FEW = 64, 255
#: Bits of a 32-bit number's fraction that are kept: a relative error of 1.2e-4 is below a pixel, and zoomed plots
#: are fetched again from full precision.
KEPT_BITS = 12
#: Long arrays whose largest number is at most this many times the smallest (in size) are sent in two bytes each:
#: evenly spaced over their range, which is a relative error of at most SPAN / 2 / STEPS = 0.15 % on a log axis too.
SPAN, STEPS, GAP = 200.0, 65_534, 65_535
#: From here on a number needs 64 bits.
LARGEST_SHORT = 1e30
#: Shorter lists stay JSON.
ALIGN = 8


def pack(document: Any) -> bytes:
    """``document``, in which every NumPy array becomes a reference into the bytes at the end.

    Layout: length of the head in 4 bytes (little end first), the head as JSON padded with blanks to a
    multiple of 8, then the arrays, each starting at a multiple of 8. The head holds ``document`` with
    ``{"$": number}`` for arrays and ``arrays``: for each its type, first byte and length, and for one that
    is sent as places in another its number. Type ``q2`` is two bytes a number: ``low + step * code``, with
    ``low`` and ``step`` in the list and the code 65535 for NaN.
    """
    pool = _Pool()
    body = pool.replaced(document)
    head = json.dumps({"document": body, "arrays": pool.index}, separators=(",", ":"), allow_nan=False).encode()
    head += b" " * (-(len(head) + 4) % ALIGN)
    return b"".join([len(head).to_bytes(4, "little"), head, *pool.parts])


def as_json(document: Any) -> bytes:
    """``document`` without arrays as JSON; what is not finite becomes null."""
    return json.dumps(_Pool().replaced(document), ensure_ascii=False, allow_nan=False).encode()


class _Pool:
    """The arrays of one document, each once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.index: list[list[Any]] = []
        self._known: dict[tuple[str, bytes], int] = {}
        self._length = 0

    def replaced(self, value: Any) -> Any:
        """``value`` with references for arrays, and nothing in it that JSON has no word for."""
        if isinstance(value, np.ndarray):
            return {"$": self._add(value)}
        if isinstance(value, Mapping):
            return {str(key): self.replaced(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.replaced(item) for item in value]
        if isinstance(value, np.generic):
            return self.replaced(value.item())
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    def _add(self, array: Array) -> int:
        if array.dtype.kind == "f" and len(array) >= LONG:
            distinct, places = np.unique(array, return_inverse=True)
            if len(distinct) <= FEW:
                short = shortened(distinct)
                values = self._store(short, short.dtype.str[1:])
                return self._store(places.astype("<u1"), "u1", values)
            if is_even(array):
                return self._store(*spaced(array))
        made = shortened(array)
        return self._store(made, made.dtype.str[1:])

    def _store(self, array: Array, kind: str, *more: float) -> int:
        data = array.tobytes()
        key = (f"{kind}{more}", data)
        if key not in self._known:
            self._known[key] = len(self.index)
            self.index.append([kind, self._length, len(array), *more])
            self.parts.append(data + b"\0" * (-len(data) % ALIGN))
            self._length += len(self.parts[-1])
        return self._known[key]


def is_even(array: Array) -> bool:
    """Whether steps of equal size show these numbers well, on a linear and on a logarithmic axis."""
    sizes = np.abs(array[~np.isnan(array)])
    return bool(len(sizes) and sizes.min() > 0.0 and sizes.max() <= SPAN * sizes.min())


def spaced(array: Array) -> tuple[Array, str, float, float]:
    """Codes of two bytes, their type, the number of code 0 and the step from one code to the next."""
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    step = (high - low) / STEPS or 1.0
    codes = np.where(np.isnan(array), GAP, np.round((array - low) / step))
    return codes.astype("<u2"), "q2", low, step


def shortened(array: Array) -> Array:
    """The same numbers in as few bytes as a screen needs."""
    if array.dtype.kind in "biu":
        return _short_integers(array.astype(np.int64))
    finite = np.abs(array[np.isfinite(array)], dtype=np.float64)
    if finite.max(initial=0.0) >= LARGEST_SHORT:
        return array.astype("<f8")
    bits = np.ascontiguousarray(array, dtype="<f4").view("<u4")
    drop = 23 - KEPT_BITS
    half = np.uint32(1 << (drop - 1))
    rounded = (bits + half) & np.uint32((0xFFFFFFFF << drop) & 0xFFFFFFFF)
    return np.where(np.isfinite(array), rounded, bits).astype("<u4").view("<f4")


def _short_integers(array: Array) -> Array:
    low, high = array.min(initial=0), array.max(initial=0)
    for kind in ("<u1", "<u2", "<i4"):
        if low >= np.iinfo(kind).min and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array.astype("<f8")

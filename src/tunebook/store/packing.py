"""Blocks of logged values as bytes: what is regular in the steps costs nothing, values keep every bit."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tunebook.evidence import FloatArray, IntArray

#: Values are deflated only where a sample shrinks by more than this share: noise does not pay for its inflating.
MIN_SAVING = 0.1
SAMPLE_BYTES = 4096
MIN_BYTES = 512
#: 1 is six times as fast as 6 on logged values and leaves 2 % more.
LEVEL = 1


class Encoding(IntEnum):
    """How values lie in a chunk, row by row, little-endian. Numbers are on disk: never renumber."""

    FLOAT64 = 0
    FLOAT32 = 1
    FLOAT64_DEFLATED = 2
    FLOAT32_DEFLATED = 3

    @property
    def is_narrow(self) -> bool:
        """Whether 32 bits hold every value exactly, as for what a float32 model computed."""
        return bool(self & 1)

    @property
    def is_deflated(self) -> bool:
        """Whether zlib went over the bytes."""
        return bool(self & 2)


@dataclass(frozen=True, slots=True, eq=False)
class CurveBlock:
    """Consecutive rows of what an attempt logged: ``values[i, j]`` is ``metrics[j]`` at ``steps[i]``.

    ``steps`` (n,) int64, ``values`` (n, k) float64; NaN and infinities are values like others.
    ``ValueError`` when shapes do not fit or a metric stands twice.
    """

    metrics: tuple[str, ...]
    steps: IntArray
    values: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))
        object.__setattr__(self, "steps", np.asarray(self.steps, dtype=np.int64))
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64))
        if not self.metrics or len(set(self.metrics)) != len(self.metrics):
            raise ValueError(f"metrics have to be there once each, not {self.metrics}")
        if self.values.shape != (len(self.steps), len(self.metrics)):
            raise ValueError(f"{self.values.shape} values for {len(self.steps)} steps of {len(self.metrics)} metrics")

    def __len__(self) -> int:
        return len(self.steps)

    def since(self, row: int) -> CurveBlock:
        """The rows from ``row`` on."""
        return CurveBlock(self.metrics, self.steps[row:], self.values[row:])


@dataclass(frozen=True, slots=True)
class Packed:
    """A block as columns of the table of chunks; ``steps`` is empty where ``stride`` says it all."""

    n_rows: int
    first_step: int
    stride: int | None
    steps: bytes | None
    encoding: int
    data: bytes


def pack(steps: IntArray, values: FloatArray) -> Packed:
    """Pack ``steps`` (n,) and ``values`` (n, k) with n ≥ 1; ``unpack_*`` return them bit for bit."""
    first_step, stride, packed_steps = _pack_steps(steps)
    encoding, data = _pack_values(values)
    return Packed(len(steps), first_step, stride, packed_steps, int(encoding), data)


def unpack_steps(first_step: int, stride: int | None, steps: bytes | None, n_rows: int) -> IntArray:
    """The steps (n,) of one chunk."""
    deltas = np.full(n_rows, 0 if stride is None else stride, dtype=np.int64)
    if steps is not None:
        deltas[1:] = np.frombuffer(zlib.decompress(steps), dtype="<i8")
    deltas[0] = first_step
    return np.cumsum(deltas)


def unpack_values(encodings: Sequence[int], datas: Sequence[bytes], n_metrics: int) -> FloatArray:
    """The values (n, k) of several chunks of one set of metrics, one after the other."""
    parts = [
        data if encoding == Encoding.FLOAT64 else _widened(encoding, data)
        for encoding, data in _pairs(encodings, datas)
    ]
    return np.frombuffer(b"".join(parts), dtype="<f8").reshape(-1, n_metrics).astype(np.float64, copy=False)


def _pairs(encodings: Sequence[int], datas: Sequence[bytes]) -> zip[tuple[int, bytes]]:
    return zip(encodings, datas, strict=True)


def _widened(encoding: int, data: bytes) -> bytes:
    plain = zlib.decompress(data) if Encoding(encoding).is_deflated else data
    return np.frombuffer(plain, dtype="<f4").astype("<f8").tobytes() if Encoding(encoding).is_narrow else plain


def _pack_steps(steps: IntArray) -> tuple[int, int | None, bytes | None]:
    deltas = np.diff(steps)
    if not len(deltas) or (deltas == deltas[0]).all():
        return int(steps[0]), int(deltas[0]) if len(deltas) else 0, None
    return int(steps[0]), None, zlib.compress(deltas.astype("<i8").tobytes())


def _pack_values(values: FloatArray) -> tuple[Encoding, bytes]:
    narrow = _narrowed(values)
    data = values.astype("<f8", copy=False).tobytes() if narrow is None else narrow.tobytes()
    encoding = Encoding.FLOAT64 if narrow is None else Encoding.FLOAT32
    if not _shrinks(data):
        return encoding, data
    return Encoding(encoding | Encoding.FLOAT64_DEFLATED), zlib.compress(data, LEVEL)


def _narrowed(values: FloatArray) -> npt.NDArray[np.float32] | None:
    """The values in 32 bits when that loses no bit of any, else None."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = values.astype("<f4")
        same = np.ascontiguousarray(values).view(np.int64) == narrow.astype(np.float64).view(np.int64)
    return narrow if same.all() else None


def _shrinks(data: bytes) -> bool:
    sample = data[:SAMPLE_BYTES]
    return len(data) >= MIN_BYTES and len(zlib.compress(sample, LEVEL)) < (1 - MIN_SAVING) * len(sample)

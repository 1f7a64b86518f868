"""Reading what training processes write: spool files and JSON lines, in slices of bounded size."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from tunebook.evidence import FloatArray, IntArray
from tunebook.handle.spool import HEAD, MAGIC, SUFFIX, VERSION, is_metric_name, record_bytes

#: At most this much of a file is in memory at a time.
SLICE_BYTES = 4 * 1024 * 1024
#: A line longer than this is no row of metrics.
LONGEST_LINE = 1024 * 1024
LARGEST_STEP = 2**63 - 1
#: A file of JSON lines may name this many metrics, counted anew in every combination that stands in a line.
MOST_NAMES = 10_000
#: How many bad lines are described; the others are only counted.
N_DESCRIBED = 3

Names: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one tuple of metrics: ``steps`` of shape (n,), ``values`` of shape (n, k)."""

    names: Names
    steps: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """What one stretch of a file holds; ``start`` and ``stop`` are positions in it (rows or bytes)."""

    start: int
    stop: int
    rows: tuple[Rows, ...]
    bad_lines: tuple[str, ...] = ()
    n_bad: int = 0


class Source(Protocol):
    """A file of metrics that grows."""

    def read(self, start: int, stop: int | None = None) -> Slice | None:
        """The next stretch from ``start``, or exactly up to ``stop``; None when there is nothing new."""

    def read_end(self, start: int) -> Slice | None:
        """What is left when nobody writes any more and ``read`` has nothing new."""

    def close(self) -> None:
        """Release the file."""


def open_source(path: Path) -> Source | None:
    """A reader for ``path``, or None for a file whose header is not there yet."""
    return SpoolSource.open(path) if path.suffix == SUFFIX else LineSource(path)


class SpoolSource:
    """The reading end of a spool file; positions are row numbers."""

    def __init__(self, file: io.FileIO, names: Names, header: int) -> None:
        self._file = file
        self._names = names
        self._header = header
        self._dtype = np.dtype([("step", "<i8"), ("values", "<f8", (len(names),))])
        self._slice_rows = max(SLICE_BYTES // record_bytes(len(names)), 1)

    @classmethod
    def open(cls, path: Path) -> Source | None:
        """Open a spool; None while its header is being written, a ``BadSource`` when it never was one."""
        file = io.FileIO(path)
        head = _read_at(file, HEAD.size, 0)
        committed = 0
        if len(head) == HEAD.size:
            magic, version, length, committed, n_names = HEAD.unpack(head)
            words = _read_at(file, min(n_names, LONGEST_LINE), HEAD.size)
            names = _names_in(words) if len(words) == n_names else ()
            if magic == MAGIC and version == VERSION and names and length >= HEAD.size + n_names:
                return cls(file, names, length)
        file.close()
        return BadSource() if committed else None

    def read(self, start: int, stop: int | None = None) -> Slice | None:
        size = self._dtype.itemsize
        there = max(os.fstat(self._file.fileno()).st_size - self._header, 0) // size
        committed = min(HEAD.unpack(_read_at(self._file, HEAD.size, 0))[3], there)
        stop = min(start + self._slice_rows if stop is None else stop, committed)
        if stop <= start:
            return None
        records = np.frombuffer(
            _read_at(self._file, (stop - start) * size, self._header + start * size), dtype=self._dtype
        )
        steps = np.ascontiguousarray(records["step"])
        values = np.ascontiguousarray(records["values"]).reshape(len(steps), len(self._names))
        return Slice(start, stop, (Rows(self._names, steps, values),))

    def read_end(self, start: int) -> Slice | None:  # noqa: ARG002
        """Nothing: a record that is not committed was cut short."""
        return None

    def close(self) -> None:
        self._file.close()


class BadSource:
    """A file that says it is a spool and is none, which is told once."""

    def read(self, start: int, stop: int | None = None) -> Slice | None:  # noqa: ARG002
        return None if start else Slice(0, 1, (), ("it is no spool of metrics and is left out",), 1)

    def read_end(self, start: int) -> Slice | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        """There is nothing to release."""


class LineSource:
    """A file of JSON lines from any language; positions are bytes. A last line without its end waits."""

    def __init__(self, path: Path) -> None:
        self._file = io.FileIO(path)
        self._n_lines: dict[int, int] = {0: 0}
        self._known: dict[Names, int] = {}

    def read(self, start: int, stop: int | None = None) -> Slice | None:
        if stop is not None:
            return self._parse(start, _read_at(self._file, stop - start, start))
        data = _read_at(self._file, SLICE_BYTES, start)
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) < LONGEST_LINE:
            return None
        return self._parse(start, data[: end or len(data)])

    def read_end(self, start: int) -> Slice | None:
        """A last line that is whole but for its line break."""
        part = self._parse(start, _read_at(self._file, LONGEST_LINE, start))
        return part if part.rows and not part.n_bad else None

    def _parse(self, start: int, data: bytes) -> Slice:
        first = self._line_number(start)
        self._n_lines = {start + len(data): first + data.count(b"\n")}
        return _parse_slice(start, start + len(data), data.split(b"\n"), first + 1, self._known)

    def _line_number(self, start: int) -> int:
        """How many lines end before ``start``; counted once after a restart, remembered after that."""
        if start not in self._n_lines:
            n_lines = sum(
                _read_at(self._file, min(SLICE_BYTES, start - at), at).count(b"\n")
                for at in range(0, start, SLICE_BYTES)
            )
            self._n_lines = {start: n_lines}
        return self._n_lines[start]

    def close(self) -> None:
        self._file.close()


def parse_line(line: bytes) -> tuple[int, dict[str, float]]:
    """Step and metrics of one JSON line; ``ValueError`` says what is wrong with it.

    NaN and infinity may be written as JSON's common extension, as strings, or NaN as null.
    """
    try:
        table = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(table, dict) or "step" not in table:
        raise ValueError('it is no object with a "step", such as {"step": 10, "train/loss": 0.7}')
    step = table.pop("step")
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step <= LARGEST_STEP:
        raise ValueError(f"its step {_short(step)} is not a whole number from 0")
    return step, {name: _value(name, value) for name, value in table.items()}


def _value(name: str, value: Any) -> float:
    if not name.strip():
        raise ValueError("it has a metric without a name")
    if not is_metric_name(name):
        raise ValueError(f"{_short(ascii(name))} is not the name of a metric")
    if value is None:
        return float("nan")
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"its {_short(name)} is {_short(value)}, not a number")


def _names_in(words: bytes) -> Names:
    """The names in the header of a spool; none where they are not what they should be."""
    try:
        names = json.loads(words)
    except (ValueError, RecursionError):
        return ()
    is_list = isinstance(names, list) and all(is_metric_name(name) for name in names)
    return tuple(names) if is_list and len(set(names)) == len(names) else ()


def _checked(names: Names, known: dict[Names, int]) -> Names:
    """``names``, which are among the ``known`` then; ``ValueError`` when a file names too many.

    ``known`` counts for every tuple the names up to it.
    """
    if names not in known:
        n_names = next(reversed(known.values()), 0) + len(names)
        if n_names > MOST_NAMES:
            raise ValueError(f"its metrics are new, and a file names at most {MOST_NAMES:,}")
        known[names] = n_names
    return names


def _parse_slice(start: int, stop: int, lines: list[bytes], first_number: int, known: dict[Names, int]) -> Slice:
    """The rows of some lines; ``known`` are the tuples of metrics of the lines before, and then of these as well."""
    groups: dict[Names, tuple[list[int], list[tuple[float, ...]]]] = {}
    bad: list[str] = []
    n_bad = 0
    for number, line in _numbered(lines, first_number):
        try:
            step, metrics = parse_line(line)
            names = _checked(tuple(metrics), known)
        except ValueError as error:
            n_bad += 1
            if len(bad) < N_DESCRIBED:
                bad.append(f"line {number} is left out: {error}")
            continue
        if metrics:
            steps, values = groups.setdefault(names, ([], []))
            steps.append(step)
            values.append(tuple(metrics.values()))
    rows = tuple(
        Rows(names, np.array(steps, dtype=np.int64), np.array(values, dtype=np.float64).reshape(-1, len(names)))
        for names, (steps, values) in groups.items()
    )
    return Slice(start, stop, rows, tuple(bad), n_bad)


def _numbered(lines: list[bytes], first_number: int) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, first_number) if line.strip())


def _read_at(file: io.FileIO, length: int, at: int) -> bytes:
    """Up to ``length`` bytes from ``at``; fewer only at the end of the file."""
    file.seek(at)
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

"""Ingest: from the files of a running attempt into the store, every row exactly once.

The store numbers the rows of an attempt for each tuple of metrics, and takes a row it already has as
delivered. A journal beside the spools says which stretch of which file became which rows. It is
written before the rows are handed over, so that after a kill at any moment the next reader hands
over the same rows under the same numbers, and goes on from there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tunebook.errors import LeaseLost, TunebookError
from tunebook.evidence import FloatArray, IntArray
from tunebook.handle.spool import SUFFIX
from tunebook.run.spools import Names, Rows, Slice, Source, open_source
from tunebook.store.packing import CurveBlock

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

#: Rows wait for others up to this size.
BUFFER_BYTES = 4 * 1024 * 1024

JOURNAL = "ingested.journal"
SOURCES = (SUFFIX, ".jsonl")


class Busy(TunebookError):
    """Another process reads these files; it will store what is in them."""


class CurveStore(Protocol):
    """The part of the store that takes curves."""

    def append_many(self, parts: Sequence[tuple[int, CurveBlock, int]]) -> object:
        """Append rows, all or none; those that are there already are taken as delivered."""


class Buffer:
    """Rows on their way to the store, of many attempts, so that they share a transaction."""

    def __init__(self, store: CurveStore) -> None:
        self._store = store
        self._parts: list[tuple[int, CurveBlock, int]] = []
        self._n_bytes = 0
        self._refused: set[int] = set()

    def add(self, attempt_key: int, block: CurveBlock, first_row: int) -> None:
        """Take rows in; they go on at the latest when there are many."""
        self._parts.append((attempt_key, block, first_row))
        self._n_bytes += block.values.nbytes + block.steps.nbytes
        if self._n_bytes > BUFFER_BYTES:
            self._send()

    def flush(self) -> frozenset[int]:
        """Send everything; the attempts whose rows were refused since, because somebody else ended their trial."""
        self._send()
        refused, self._refused = frozenset(self._refused), set()
        return refused

    def _send(self) -> None:
        parts, self._parts, self._n_bytes = self._parts, [], 0
        if not parts:
            return
        try:
            self._store.append_many(parts)
        except LeaseLost:
            for part in parts:
                self._send_alone(part)

    def _send_alone(self, part: tuple[int, CurveBlock, int]) -> None:
        try:
            self._store.append_many([part])
        except LeaseLost:
            self._refused.add(part[0])


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: a stretch of a source, and the number of its first row per tuple of metrics."""

    source: str
    start: int
    stop: int
    first_rows: tuple[tuple[Names, int], ...]

    def to_line(self) -> str:
        return json.dumps([self.source, self.start, self.stop, self.first_rows]) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Entry:
        source, start, stop, first_rows = json.loads(line)
        return cls(source, start, stop, tuple((tuple(names), int(row)) for names, row in first_rows))


class Ingest:
    """Reads the files in ``folder`` as they grow and hands their rows to ``buffer``.

    ``on_rows(names, steps, values)`` sees every row once; ``on_bad(message)`` the first bad lines of a file.
    Only one reader at a time may hold a folder: ``Busy`` when another one does.
    """

    def __init__(self, buffer: Buffer, attempt_key: int, folder: Path) -> None:
        self._buffer = buffer
        self._attempt_key = attempt_key
        self.folder = folder
        self.on_rows: Callable[[Names, IntArray, FloatArray], None] = lambda *_: None
        self.on_bad: Callable[[str], None] = lambda _: None
        self._journal: io.TextIOWrapper | None = None
        self._sources: dict[str, Source] = {}
        self._positions: dict[str, int] = {}
        self._next_rows: dict[Names, int] = {}
        self._n_bad: dict[str, int] = {}

    def pump(self) -> int:
        """Hand over everything that is complete by now; returns the number of rows."""
        if self._journal is None and self._paths():
            self._take_up()
        return self._deliver_new()

    def drain(self) -> int:
        """After the process ended: hand over the rest; the number of rows.

        What nobody read before needs no journal: files that do not change give the same rows in the
        same order to everybody.
        """
        if self._journal is None and (self.folder / JOURNAL).exists():
            self._take_up()
        n_rows = self._deliver_new()
        for name, source in self._sources.items():
            rest = source.read_end(self._positions.get(name, 0))
            if rest is not None:
                n_rows += self._deliver(name, rest)
        for name, n_bad in self._n_bad.items():
            if n_bad > 1:
                self.on_bad(f"{name}: {n_bad} lines in all were left out")
        return n_rows

    def discard(self) -> None:
        """Remove the files; to be called when all that was drained is in the store."""
        held = self._journal is not None
        for path in self._paths():
            path.unlink(missing_ok=True)
        if held:
            (self.folder / JOURNAL).unlink(missing_ok=True)
        self.close()
        _remove_if_empty(self.folder)

    def close(self) -> None:
        """Release the files and leave them where they are."""
        for source in self._sources.values():
            source.close()
        self._sources.clear()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix in SOURCES)
        except FileNotFoundError:
            return []

    def _new_slices(self) -> Iterator[tuple[str, Slice]]:
        for path in self._paths():
            source = self._source(path)
            while source is not None:
                part = source.read(self._positions.get(path.name, 0))
                if part is None:
                    break
                yield path.name, part

    def _source(self, path: Path) -> Source | None:
        if path.name not in self._sources:
            try:
                source = open_source(path)
            except FileNotFoundError:
                return None
            if source is None:
                return None
            self._sources[path.name] = source
        return self._sources[path.name]

    def _deliver_new(self) -> int:
        return sum(self._deliver(source, part) for source, part in self._new_slices())

    def _deliver(self, source: str, part: Slice) -> int:
        first_rows = tuple((rows.names, self._next_rows.get(rows.names, 0)) for rows in part.rows)
        if self._journal is not None:
            self._journal.write(Entry(source, part.start, part.stop, first_rows).to_line())
            self._journal.flush()
        self._hand_over(source, part, dict(first_rows))
        self._report_bad(source, part)
        return sum(len(rows.steps) for rows in part.rows)

    def _hand_over(self, source: str, part: Slice, first_rows: Mapping[Names, int]) -> None:
        for rows in part.rows:
            first = first_rows[rows.names]
            self._buffer.add(self._attempt_key, _block(rows), first)
            self._next_rows[rows.names] = first + len(rows.steps)
            self.on_rows(rows.names, rows.steps, rows.values)
        self._positions[source] = part.stop

    def _report_bad(self, source: str, part: Slice) -> None:
        if part.n_bad and source not in self._n_bad:
            self.on_bad(f"{source}: {part.bad_lines[0]}")
        if part.n_bad:
            self._n_bad[source] = self._n_bad.get(source, 0) + part.n_bad

    def _take_up(self) -> None:
        """Open the journal, and hand over again what a reader that died noted in it, under the old numbers."""
        self._journal = _hold(self.folder / JOURNAL)
        for entry in _read_journal(self.folder / JOURNAL):
            source = self._source(self.folder / entry.source)
            part = source.read(entry.start, entry.stop) if source is not None else None
            if part is not None:
                self._hand_over(entry.source, part, dict(entry.first_rows))


def _block(rows: Rows) -> CurveBlock:
    return CurveBlock(rows.names, rows.steps, rows.values)


def _hold(path: Path) -> io.TextIOWrapper:
    """Open a journal for this reader alone, and cut off a line that a kill left unfinished."""
    journal = path.open("a+", encoding="utf-8", newline="\n")
    try:
        if fcntl is not None:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        journal.close()
        raise Busy(f"{path} is held by another process") from error
    journal.seek(0)
    text = journal.read()
    journal.truncate(len(text[: text.rfind("\n") + 1].encode()))
    return journal


def _read_journal(path: Path) -> list[Entry]:
    return [Entry.from_line(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return

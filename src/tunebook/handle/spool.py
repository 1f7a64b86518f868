"""Spool files: where a training process leaves its metrics so that a kill loses none of them.

A spool holds the rows of one tuple of metric names, as fixed-size records behind a header::

    0   8 s   magic
    8   u32   version        12  u32  length of the header (a multiple of the page size)
    16  u64   committed      how many records are complete; written after the record itself
    24  u32   length of the names, then the names as a JSON list
    ...
    header + i * 8 * (1 + k)   record i: int64 step, k float64 values

The file is mapped into memory: what was written belongs to the kernel at once, so it outlives
``kill -9`` and another process sees it without being told. Space is reserved before it is mapped,
so a full disk is an ``OSError`` here and never a bus error later.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from collections.abc import Iterable
from pathlib import Path

MAGIC = b"TBSPOOL\n"
VERSION = 1
SUFFIX = ".spool"
#: magic, version, header length, committed records, length of the names
HEAD = struct.Struct("<8sIIQI")
COMMITTED_AT = 16

#: The first piece of a file, and the largest one: short trials stay small, long ones rarely grow.
FIRST_SEGMENT_BYTES = 16 * 1024
LARGEST_SEGMENT_BYTES = 4 * 1024 * 1024
#: Pieces up to this size are reserved by writing zeros. File systems that put off where blocks go then never
#: place those of a short trial, which makes its first rows and its removal several times cheaper.
LARGEST_WRITTEN_BYTES = 256 * 1024

PAGE = mmap.ALLOCATIONGRANULARITY


def is_metric_name(name: object) -> bool:
    """Whether a store can hold it: a text that is not blank, without NUL and halves of characters."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def record_bytes(n_metrics: int) -> int:
    """Length of one record in bytes."""
    return 8 * (1 + n_metrics)


def pack_header(names: tuple[str, ...]) -> bytes:
    """The header of an empty spool, padded to whole pages."""
    words = json.dumps(names).encode()
    length = -(-(HEAD.size + len(words)) // PAGE) * PAGE
    return (HEAD.pack(MAGIC, VERSION, length, 0, len(words)) + words).ljust(length, b"\0")


class Spool:
    """The writing end of one spool file; one process and one thread at a time."""

    __slots__ = ("_at", "_capacity", "_committed", "_fd", "_head", "_map", "_n", "_next", "_pack", "_piece", "_size")

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        """Create ``path``, which must not exist; ``OSError`` when there is no room for it."""
        self._size = record_bytes(len(names))
        self._pack = struct.Struct(f"<q{len(names)}d").pack_into
        header = pack_header(names)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        self._fd = os.open(path, flags, 0o666)
        # A segment starts at a page and holds whole records, so it is a multiple of both.
        self._piece = math.lcm(self._size, PAGE)
        self._n = 0
        self._at = len(header)
        # The first segment lies in one piece with the header, whose mapping stays for the count in it.
        self._next = self._capacity = len(header) + self._length_of(FIRST_SEGMENT_BYTES - len(header))
        reserve(self._fd, 0, self._next)
        self._head = self._map = mmap.mmap(self._fd, self._next)
        self._head[: len(header)] = header
        self._committed = memoryview(self._head)[COMMITTED_AT : COMMITTED_AT + 8].cast("Q")

    def append(self, step: int, values: Iterable[object]) -> None:
        """Write one record; ``struct.error`` for a value that is no number, ``OSError`` on a full disk."""
        at = self._at
        if at == self._capacity:
            self._grow()
            at = 0
        self._pack(self._map, at, step, *values)
        self._at = at + self._size
        self._n = self._committed[0] = self._n + 1

    def close(self) -> None:
        """Release the mappings; what was written stays."""
        self._committed.release()
        self._head.close()
        self._map.close()
        os.close(self._fd)

    def _grow(self) -> None:
        length = self._length_of(min(max(FIRST_SEGMENT_BYTES, self._next), LARGEST_SEGMENT_BYTES))
        reserve(self._fd, self._next, length)
        fresh = mmap.mmap(self._fd, length, offset=self._next)
        if self._map is not self._head:
            self._map.close()
        self._map = fresh
        self._next += length
        self._at, self._capacity = 0, length

    def _length_of(self, wanted: int) -> int:
        """``wanted`` bytes rounded up to whole records and pages."""
        return max(-(-wanted // self._piece), 1) * self._piece


def reserve(fd: int, start: int, length: int) -> None:
    """Make sure that ``length`` bytes from ``start`` exist on the disk; ``OSError`` when they do not fit."""
    if length > LARGEST_WRITTEN_BYTES and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, start, length)
        return
    os.lseek(fd, start, os.SEEK_SET)
    while length > 0:
        length -= os.write(fd, bytes(min(length, LARGEST_WRITTEN_BYTES)))

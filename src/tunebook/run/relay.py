"""Relay: what a trial leaves in its folder on one machine, carried over to the same folder on another.

The side that trains reads ``Change`` by ``Change`` what is new in its folder, and the other side applies
them to its own. A change says where its bytes go, so that applying one twice is applying it once. Of a
spool the records come first and the count that makes them valid after them; a checkpoint is put in
place when all of it is there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from tunebook.errors import InputError, RunError
from tunebook.handle.assignment import SPOOL_FOLDER, TRIAL_FILE
from tunebook.handle.checkpoints import INDEX, NAME
from tunebook.handle.spool import COMMITTED_AT, HEAD, MAGIC, SUFFIX, record_bytes
from tunebook.run.folders import CHECKPOINTS, OUTPUT

#: A message carries at most about this much, so that it fits into memory many times over.
PIECE_BYTES = 4 * 1024 * 1024
INCOMING = ".incoming-"
LARGEST_PROJECT_BYTES = 256 * 2**20
#: What lies in a project's folder and is no part of its code.
NOT_PACKED = ("__pycache__", "node_modules", "venv")
NOT_PACKED_SUFFIXES = (".db", ".db-wal", ".db-shm", ".pyc")


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a trial's folder; ``path`` is relative to it.

    ``write`` puts ``data`` at byte ``at`` and makes the file where it is missing, ``replace`` makes
    ``data`` all of the file, ``place`` moves what came in to ``to``, ``drop`` removes.
    """

    kind: Literal["write", "replace", "place", "drop"]
    path: str
    at: int = 0
    data: bytes = b""
    to: str = ""
    mode: int = 0o666


def apply(folder: Path, change: Change) -> None:
    """Make ``change`` in ``folder``; ``RunError`` for a path that leads out of it."""
    path = _inside(folder, change.path)
    if change.kind == "drop":
        _remove(path)
    elif change.kind == "place":
        final = _inside(folder, change.to)
        if path.exists():
            _remove(final)
            path.rename(final)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if change.kind == "replace" else 0), change.mode)
        try:
            _write_at(fd, change.data, change.at)
        finally:
            os.close(fd)


@dataclass(slots=True)
class Relay:
    """The reading side: what is new in the folder of a trial, of which ``attempt`` is running.

    Without ``has_spools`` the metrics are left out, since somebody stores them here. A checkpoint goes after all
    that was logged before it, so that no trial goes on from one whose curve did not arrive.
    """

    folder: Path
    attempt: str
    has_spools: bool = True
    _sent: dict[str, int] = field(default_factory=dict)
    _checkpoints: set[str] = field(default_factory=set)
    _found: set[str] | None = None

    def know_checkpoints(self) -> None:
        """What lies there already is on the other side as well."""
        self._checkpoints = set(self._complete())

    def look(self) -> None:
        """Note which checkpoints there are; metrics are to be read after that."""
        self._found = self._complete()

    def changes(self, *, is_last: bool = False) -> Iterator[Change]:
        """What is new; with ``is_last``, when nothing writes any more, also what training left besides."""
        found = self._complete() if self._found is None or is_last else self._found
        self._found = None
        if self.has_spools:
            for path in sorted((self.folder / self.attempt / SPOOL_FOLDER).glob("*")):
                yield from self._spool(path) if path.suffix == SUFFIX else self._growing(path, is_last=is_last)
        yield from self._new_checkpoints(found)
        yield from self._growing(self.folder / self.attempt / OUTPUT, is_last=True)
        if is_last:
            yield from self._rest()

    def _spool(self, path: Path) -> Iterator[Change]:
        name = self._name(path)
        with path.open("rb") as file:
            head = file.read(HEAD.size)
            if len(head) < HEAD.size:
                return
            magic, _, length, committed, n_names = HEAD.unpack(head)
            words = file.read(n_names)
            if magic != MAGIC or not words.endswith(b"]"):
                return
            n_metrics = _n_names(words)
            if name not in self._sent:
                file.seek(0)
                header = bytearray(file.read(length))
                header[COMMITTED_AT : COMMITTED_AT + 8] = bytes(8)
                yield Change("write", name, 0, bytes(header))
                self._sent[name] = length
            stop = length + committed * record_bytes(n_metrics)
            if stop == self._sent[name]:
                return
            yield from self._pieces(name, file, stop)
        yield Change("write", name, COMMITTED_AT, committed.to_bytes(8, "little"))

    def _growing(self, path: Path, *, is_last: bool) -> Iterator[Change]:
        name = self._name(path)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return
        if size > self._sent.get(name, 0) or (is_last and name not in self._sent):
            with path.open("rb") as file:
                yield from self._pieces(name, file, size)

    def _pieces(self, name: str, file: BinaryIO, stop: int) -> Iterator[Change]:
        at = self._sent.get(name, 0)
        while at < stop or name not in self._sent:
            file.seek(at)
            data = file.read(min(PIECE_BYTES, stop - at))
            self._sent[name] = at + len(data)
            yield Change("write", name, at, data)
            at += len(data)
            if not data:
                return

    def _new_checkpoints(self, found: set[str]) -> Iterator[Change]:
        for name in sorted(found - self._checkpoints):
            try:
                yield from _whole(self.folder, self.folder / CHECKPOINTS / name)
            except FileNotFoundError:  # a better one replaced it meanwhile
                continue
            self._checkpoints.add(name)
        index = self.folder / CHECKPOINTS / INDEX
        if index.exists() and (stamp := index.stat().st_mtime_ns) != self._sent.get(INDEX):
            self._sent[INDEX] = stamp
            yield Change("replace", self._name(index), data=index.read_bytes())
        for name in sorted(self._checkpoints - found):
            self._checkpoints.discard(name)
            yield Change("drop", f"{CHECKPOINTS}/{name}")

    def _complete(self) -> set[str]:
        try:
            return {path.name for path in (self.folder / CHECKPOINTS).iterdir() if NAME.fullmatch(path.name)}
        except FileNotFoundError:
            return set()

    def _rest(self) -> Iterator[Change]:
        attempt = self.folder / self.attempt
        for path in sorted(attempt.rglob("*")):
            own = path.relative_to(attempt).parts[0]
            if own not in (SPOOL_FOLDER, TRIAL_FILE) and path.is_file() and not path.is_symlink():
                yield from self._growing(path, is_last=True)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def packed_project(project: Path) -> list[Change]:
    """The files of a project that training may need, for a machine that does not see them.

    ``InputError`` when they are more than ``LARGEST_PROJECT_BYTES``: data belongs where every machine sees it.
    """
    changes: list[Change] = []
    size = 0
    for folder, folders, names in os.walk(project):
        folders[:] = sorted(name for name in folders if name not in NOT_PACKED and not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith(".") or path.suffix in NOT_PACKED_SUFFIXES or not path.is_file():
                continue
            size += path.stat().st_size
            if size > LARGEST_PROJECT_BYTES:
                raise InputError(
                    f"the files of {project} are more than {LARGEST_PROJECT_BYTES >> 20} MiB, and some nodes do not "
                    "see that folder; keep data elsewhere, or the project on a file system that all nodes mount there"
                )
            data = path.read_bytes()
            changes.append(Change("write", path.relative_to(project).as_posix(), data=data, mode=path.stat().st_mode))
    return changes


def packed_checkpoint(folder: Path, checkpoint: Path) -> Iterator[Change]:
    """One checkpoint of a trial's folder, for a machine that does not see it.

    Of the others only the names go, so that there it is decided as here which of all are to stay.
    """
    yield from _whole(folder, checkpoint)
    for path in sorted(checkpoint.parent.iterdir()):
        if NAME.fullmatch(path.name) and path.name != checkpoint.name:
            yield Change("write", f"{CHECKPOINTS}/{path.name}")
    index = checkpoint.parent / INDEX
    if index.exists():
        yield Change("replace", f"{CHECKPOINTS}/{INDEX}", data=index.read_bytes())


def _whole(folder: Path, path: Path) -> Iterator[Change]:
    """A file or a folder, first beside where it belongs."""
    final = path.relative_to(folder).as_posix()
    incoming = f"{CHECKPOINTS}/{INCOMING}{path.name}"
    yield Change("drop", incoming)
    if path.is_file():
        yield from _file(path, incoming)
    else:
        for below in sorted(path.rglob("*")):
            if below.is_file():
                yield from _file(below, f"{incoming}/{below.relative_to(path).as_posix()}")
    yield Change("place", incoming, to=final)


def _file(path: Path, name: str) -> Iterator[Change]:
    with path.open("rb") as file:
        at = 0
        while (data := file.read(PIECE_BYTES)) or at == 0:
            yield Change("write", name, at, data)
            at += len(data)
            if not data:
                return


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise RunError(f"a machine that trains sent a change to {name!r}, which is not inside the trial's folder")
    return folder.joinpath(*parts)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write_at(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written


def _n_names(words: bytes) -> int:
    return len(json.loads(words))

"""Checkpoints of one trial: written whole or not at all, the best few and the newest kept (E3)."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tunebook.core.objective import Direction
from tunebook.handle.assignment import write_atomically

INDEX = "index.json"
UNFINISHED = ".unfinished-"
NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, slots=True, order=True)
class Checkpoint:
    """A saved state after ``step``; ``value`` is the objective's metric then, NaN when unknown."""

    step: int
    value: float = math.nan

    @property
    def name(self) -> str:
        """Its file or folder in the folder of checkpoints."""
        return f"step-{self.step:08d}"


def retained(found: Iterable[Checkpoint], direction: Direction, keep_best: int) -> list[Checkpoint]:
    """The newest and the ``keep_best`` best of ``found``, by step; of equal values the earlier is better."""
    by_step = sorted(found, key=lambda checkpoint: checkpoint.step)
    sign = 1 if direction == "minimize" else -1
    finite = [checkpoint for checkpoint in by_step if math.isfinite(checkpoint.value)]
    best = sorted(finite, key=lambda checkpoint: sign * checkpoint.value)[:keep_best]
    return [checkpoint for checkpoint in by_step if checkpoint in best or checkpoint is by_step[-1]]


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """All complete checkpoints of ``folder`` by step, also when a kill left the index behind the files."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    values = _read_index(folder)
    steps = sorted(int(match[1]) for match in map(NAME.fullmatch, names) if match)
    return [Checkpoint(step, values.get(step, math.nan)) for step in steps]


def newest(folder: Path) -> tuple[int, Path] | None:
    """Step and path of the newest complete checkpoint, or None."""
    found = read_checkpoints(folder)
    return (found[-1].step, folder / found[-1].name) if found else None


class Checkpoints:
    """The folder of checkpoints, held by the one process that trains the trial.

    It goes on from ``start_step``: later checkpoints were left by a process that was taken for dead, and
    belong to no curve. ``may_keep`` raises when that has happened to this one.
    """

    def __init__(
        self,
        folder: Path,
        direction: Direction,
        keep_best: int,
        *,
        start_step: int | None = None,
        may_keep: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._direction: Direction = direction
        self._keep_best = keep_best
        self._start_step = start_step
        self._may_keep = may_keep
        self._found: list[Checkpoint] | None = None

    def save(self, step: int, value: float, save: Callable[[Path], object]) -> Path:
        """Let ``save`` write, make it the checkpoint of ``step``, and drop what need not stay.

        Raises what ``save`` raises, ``FileNotFoundError`` when it wrote nothing at the path it got.
        """
        self._may_keep()
        self._open()
        made = Checkpoint(step, value)
        final = self._folder / made.name
        temporary = self._folder / f"{UNFINISHED}{os.getpid()}" / made.name
        temporary.parent.mkdir(exist_ok=True)
        try:
            save(temporary)
            _check_written(temporary)
            _flush(temporary)
            self._may_keep()
            _put_in_place(temporary, final)
        finally:
            shutil.rmtree(temporary.parent, ignore_errors=True)
        self._keep([*(old for old in self._open() if old.step != step), made])
        return final

    def score(self, step: int, value: float) -> None:
        """Give the checkpoint of ``step`` its value, when it was saved before the value was known."""
        found = self._open()
        scored = [replace(old, value=value) if old.step == step else old for old in found]
        if scored != found:
            self._keep(scored)

    def _open(self) -> list[Checkpoint]:
        if self._found is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in self._folder.glob(f"{UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            self._found = read_checkpoints(self._folder)
            if self._start_step is not None:
                stray = [one for one in self._found if one.step >= self._start_step]
                self._found = [one for one in self._found if one.step < self._start_step]
                for one in stray:
                    _remove(self._folder / one.name)
        return self._found

    def _keep(self, found: list[Checkpoint]) -> None:
        kept = retained(found, self._direction, self._keep_best)
        # The index comes before the deletions: a kill between them leaves a file too many, never one too few.
        _write_index(self._folder, kept)
        for dropped in found:
            if dropped not in kept:
                _remove(self._folder / dropped.name)
        self._found = kept


def _read_index(folder: Path) -> dict[int, float]:
    try:
        table = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {int(row["step"]): float(row["value"]) for row in table["checkpoints"]}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _write_index(folder: Path, kept: Iterable[Checkpoint]) -> None:
    # NaN has no place in JSON, but float() reads it back from a string.
    rows = [{"step": one.step, "value": str(one.value), "name": one.name} for one in kept]
    write_atomically(folder / INDEX, json.dumps({"checkpoints": rows}, indent=1), durable=True)


def _check_written(path: Path) -> None:
    if path.exists():
        return
    others = sorted(other.name for other in path.parent.iterdir())
    instead = f"; it wrote {', '.join(others)} instead, so give it the path unchanged" if others else ""
    raise FileNotFoundError(f"the checkpoint's save(path) wrote nothing at {path.name}{instead}")


def _put_in_place(temporary: Path, final: Path) -> None:
    if final.is_dir() or (final.exists() and temporary.is_dir()):
        final.rename(temporary.with_name("replaced"))
    temporary.replace(final)
    _flush_one(final.parent)


def _flush(path: Path) -> None:
    """Wait until a file, or a folder with all in it, is on the disk."""
    if path.is_dir():
        for child in path.iterdir():
            _flush(child)
    _flush_one(path)


def _flush_one(path: Path) -> None:
    if os.name == "nt":  # pragma: no cover - Windows cannot open folders and needs a writable file
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

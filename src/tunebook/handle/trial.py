"""Trial: what training code holds. Standard library only, so any training script can import it."""

from __future__ import annotations

import json
import math
import operator
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import SupportsFloat

from tunebook.core.config import Config, Value
from tunebook.errors import LeaseLost
from tunebook.handle.assignment import Assignment
from tunebook.handle.checkpoints import Checkpoints
from tunebook.handle.spool import SUFFIX, Spool, is_metric_name

#: More combinations of metrics than this are no longer worth a file each.
MAX_SPOOLS = 64
#: Rows of further combinations go to one file of JSON lines with this ending.
LINES_SUFFIX = ".jsonl"
MAX_STEP = 2**63 - 1

_TRIALS: weakref.WeakSet[Trial] = weakref.WeakSet()


class Trial(Mapping[str, Value]):
    """A configuration to train, and where its metrics and checkpoints go.

    ``trial["learning_rate"]`` is a hyperparameter; ``config`` has all of them. Train from
    ``start_step`` up to ``max_train_steps``, with ``seed`` for everything random.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._metric = assignment.metric
        self._latest = (-1, math.nan)
        self._unscored = -1
        self._checkpoints = Checkpoints(
            assignment.checkpoints,
            assignment.direction,
            assignment.keep_best,
            start_step=assignment.start_step,
            may_keep=self._may_keep,
        )
        self._renew_writers()
        _TRIALS.add(self)

    def __getitem__(self, name: str) -> Value:
        try:
            return self._assignment.config[name]
        except KeyError:
            known = ", ".join(sorted(self._assignment.config)) or "none at all"
            raise KeyError(f"{name!r} is no hyperparameter of this trial; it has: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._assignment.config)

    def __len__(self) -> int:
        return len(self._assignment.config)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<Trial {self.id} of {self._assignment.round}, attempt {self._assignment.attempt}>"

    @property
    def id(self) -> str:
        """The trial's id, the same in every table and file."""
        return self._assignment.trial

    @property
    def config(self) -> Config:
        """All hyperparameters that exist in this trial, fixed ones included."""
        return self._assignment.config

    @property
    def seed(self) -> int:
        """Seed for initialisation, data order and everything else that is random."""
        return self._assignment.seed

    @property
    def max_train_steps(self) -> int:
        """Train for this many steps; the same for all trials of the round (T1)."""
        return self._assignment.max_train_steps

    @property
    def start_step(self) -> int:
        """The first step to train: 0, or the one after the checkpoint in ``resume_from``."""
        return self._assignment.start_step

    @property
    def resume_from(self) -> Path | None:
        """The checkpoint to load before training, when an earlier attempt left one."""
        return self._assignment.resume_from

    @property
    def is_final(self) -> bool:
        """Whether to evaluate on the test set and log ``test/…``; true in ``tunebook final`` only (X2)."""
        return self._assignment.is_final

    @property
    def uses_validation_data(self) -> bool:
        """Whether to train on the training and the validation data together (X3)."""
        return self._assignment.uses_validation_data

    @property
    def directory(self) -> Path:
        """A folder of this attempt's own, for whatever else training wants to keep."""
        return self._assignment.directory

    def log(self, step: int, metrics: Mapping[str, SupportsFloat]) -> None:
        """Record ``metrics`` after ``step``; what was logged survives a kill of this process.

        Values are anything that ``float()`` takes. ``TypeError`` names a metric that is no number,
        ``ValueError`` a step below 0, ``OSError`` says that the disk is full.
        """
        if type(step) is not int:
            step = _whole(step)
        if not 0 <= step <= MAX_STEP:
            raise _misplaced(step)
        names = tuple(metrics)
        if not names:
            return
        with self._lock:
            write = self._writers.get(names)
            if write is None:
                write = self._open(names)
            try:
                write(step, metrics.values())
            except OSError as error:
                raise _unwritable(error, self._assignment.spool) from error
            except Exception:
                write(step, [_number(name, value) for name, value in metrics.items()])
        if self._metric in metrics:
            self._latest = (step, float(metrics[self._metric]))
            if step == self._unscored:
                self._score(*self._latest)

    def checkpoint(self, step: int, save: Callable[[Path], object]) -> Path:
        """Keep the state after ``step``: ``save(path)`` writes a file or a folder at ``path``.

        It replaces an older one only when it is complete. The best few by the objective's metric
        and the newest stay. Returns where it lies now. ``LeaseLost`` when another attempt at the trial
        has begun, because this one was taken for dead.
        """
        step = _whole(step)
        if not 0 <= step <= MAX_STEP:
            raise _misplaced(step)
        logged_at, value = self._latest
        self._unscored = -1 if logged_at == step else step
        return self._checkpoints.save(step, value if logged_at <= step else math.nan, save)

    def _may_keep(self) -> None:
        if self._assignment.is_superseded:
            raise LeaseLost(
                f"attempt {self._assignment.attempt} at trial {self.id} was taken for dead and another one has begun"
            )

    def close(self) -> None:
        """Release the files. Logging goes on in new ones."""
        with self._lock:
            for spool in self._open_spools:
                spool.close()
            self._renew_writers(keep_lock=True)

    def _score(self, step: int, value: float) -> None:
        self._unscored = -1
        self._checkpoints.score(step, value)

    def _renew_writers(self, *, keep_lock: bool = False) -> None:
        if not keep_lock:
            self._lock = threading.Lock()
        self._writers: dict[tuple[str, ...], Callable[[int, object], None]] = {}
        self._open_spools: list[Spool] = []
        self._lines: Path | None = None

    def _open(self, names: tuple[str, ...]) -> Callable[[int, object], None]:
        for name in names:
            if not is_metric_name(name):
                raise TypeError(f"{name!r} is not the name of a metric; names are strings such as 'train/loss'")
        try:
            write = self._new_writer(names)
        except OSError as error:
            raise _unwritable(error, self._assignment.spool) from error
        self._writers[names] = write
        return write

    def _new_writer(self, names: tuple[str, ...]) -> Callable[[int, object], None]:
        folder = self._assignment.spool
        folder.mkdir(parents=True, exist_ok=True)
        if len(self._open_spools) >= MAX_SPOOLS:
            path = self._lines = self._lines or _fresh(folder, LINES_SUFFIX)
            return _LineWriter(path, names)
        spool = Spool(_fresh(folder, SUFFIX), names)
        self._open_spools.append(spool)
        return spool.append  # type: ignore[return-value]


class _LineWriter:
    """Appends one JSON object a row; a line is written in one piece, so a kill leaves no half of one behind."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._path = path
        self._names = names

    def __call__(self, step: int, values: object) -> None:
        numbers = [_number(name, value) for name, value in zip(self._names, values, strict=True)]  # type: ignore[call-overload]
        line = json.dumps({"step": step, **dict(zip(self._names, numbers, strict=True))})
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)


def _fresh(folder: Path, suffix: str) -> Path:
    """A path that no other process or handle of the attempt writes to."""
    number = 0
    while True:
        path = folder / f"{os.getpid()}-{number}{suffix}"
        if not path.exists():
            return path
        number += 1


def _whole(step: object) -> int:
    try:
        return operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"step {step!r} is a {type(step).__name__}, not a whole number") from None


def _misplaced(step: int) -> ValueError:
    if step < 0:
        return ValueError(f"step {step} is negative; steps count from 0")
    return ValueError(f"step {step} is too large; the largest is {MAX_STEP}")


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise TypeError(f"metric {name!r} is a {kind}, not a number: {str(error) or repr(value)}") from None


def _unwritable(error: OSError, folder: Path) -> OSError:
    return OSError(
        error.errno, f"metrics cannot be written ({error.strerror}); free some space or move the project", str(folder)
    )


def _forget_inherited_writers() -> None:
    """A forked child must not write into the files of its parent; it opens its own when it logs."""
    for trial in list(_TRIALS):
        trial._renew_writers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited_writers)

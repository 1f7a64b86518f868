"""current_trial(): the trial of the running process, however it was started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunebook.errors import InputError
from tunebook.handle.assignment import TRIAL_VARIABLE, Assignment
from tunebook.handle.ending import report_uncaught
from tunebook.handle.trial import Trial

_running: list[Trial] = []
_opened: dict[str, Trial] = {}


def current_trial() -> Trial:
    """The trial this code is to train; ``InputError`` when no round started it."""
    if _running:
        return _running[-1]
    file = os.environ.get(TRIAL_VARIABLE)
    if not file:
        raise InputError(
            "no trial is running here: start this script through a round, with command = ['python', 'train.py'] "
            f"in the design and 'tunebook run DESIGN', or let {TRIAL_VARIABLE} name a trial's JSON file"
        )
    if file not in _opened:
        assignment = _read(file)
        report_uncaught(assignment.directory)
        _opened[file] = Trial(assignment)
    return _opened[file]


@contextmanager
def running(trial: Trial) -> Iterator[Trial]:
    """Make ``trial`` the current one for the length of the block."""
    _running.append(trial)
    try:
        yield trial
    finally:
        _running.remove(trial)


def _read(file: str) -> Assignment:
    try:
        return Assignment.from_json(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{TRIAL_VARIABLE} names {file}, which does not describe a trial: {error}") from error

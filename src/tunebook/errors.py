"""Every error tunebook raises on purpose, as one tree.

::

    TunebookError              exit 1   something failed that the user may not have caused
    ├── InputError             exit 2   what the user wrote is wrong; holds every problem found
    │   └── MissingExtra       exit 2   an optional package is needed; names the command that installs it
    ├── StoreError             exit 1   the store cannot do what was asked
    │   ├── StoreUnavailable   exit 1   it cannot be opened, read or reached
    │   ├── StoreReadOnly      exit 1   it can be read but not written
    │   ├── StoreFull          exit 1   no space is left where it lives
    │   └── LeaseLost          exit 1   another worker took the trial over
    └── RunError               exit 1   a round could not be carried out
        └── Interrupted        exit 1   a person stopped it; running the same command again goes on

    Infeasible                          raised by training code: this configuration cannot be trained

``Infeasible`` stands outside the tree because it is a result of a trial, not a failure of tunebook.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class TunebookError(Exception):
    """Root of the tree; ``exit_status`` is what the command line returns for it."""

    exit_status: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in what the user wrote.

    ``key`` is the path of keys from the top of the document, ``line`` and ``column`` (both from 1)
    say where that key stands when the document is a file.
    """

    key: tuple[str, ...]
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, ".".join(self.key), self.message) if part)


class InputError(TunebookError):
    """What the user wrote is wrong; ``problems`` lists all of it, not only the first."""

    exit_status = 2

    def __init__(self, problems: str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = [Problem(key=(), message=problems)]
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class MissingExtra(InputError):
    """An optional package is needed that is not installed."""


class StoreError(TunebookError):
    """The store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be opened, read or reached."""


class StoreReadOnly(StoreError):
    """The store can be read but not written."""


class StoreFull(StoreError):
    """No space is left where the store lives."""


class LeaseLost(StoreError):
    """Another worker has taken this trial over; nothing more may be written for it."""


class RunError(TunebookError):
    """A round could not be carried out."""


class Interrupted(RunError):
    """A person stopped the round; the same command goes on where it was."""


class Infeasible(Exception):
    """Raise this in training code when a configuration cannot be trained.

    The trial ends as infeasible, which is a result: it marks where in the space training diverges,
    does not fit or breaks a constraint. Any other exception makes the trial failed.
    """

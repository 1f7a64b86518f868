"""Search and run options: the ``[search]`` and ``[run]`` tables of a design."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from tunebook.core.config import Config
from tunebook.core.hyperparameter import is_number, is_value
from tunebook.core.problems import Problems, did_you_mean

Algorithm: TypeAlias = Literal["halton", "grid", "random", "list", "bayes"]
ALGORITHMS = ("halton", "grid", "random", "list", "bayes")
Studies: TypeAlias = Literal["separate", "joint"]
STUDIES = ("separate", "joint")

MAX_TRIALS = 1_000_000
MAX_SEED = 2**63 - 1
#: Of a search that learns from its trials, this share and at least this many come first and know nothing.
FIRST_SHARE = 1 / 3
MIN_FIRST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How configurations are chosen: ``trials`` per study, or the ``configurations`` themselves (R5, R7).

    ``start_from`` names rounds whose trials ``bayes`` knows from the start; without any, the first trials of
    every study are quasi-random (X1).
    """

    algorithm: Algorithm = "halton"
    trials: int = 16
    seed: int = 0
    studies: Studies = "separate"
    configurations: tuple[Config, ...] = ()
    start_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = Problems()
        _check_word(problems, "algorithm", self.algorithm, ALGORITHMS)
        _check_word(problems, "studies", self.studies, STUDIES)
        _check_whole(problems, "trials", self.trials, 1, MAX_TRIALS)
        _check_whole(problems, "seed", self.seed, 0, MAX_SEED)
        object.__setattr__(self, "configurations", _read_configurations(problems, self.configurations))
        if self.algorithm == "list" and not self.configurations:
            problems.add("algorithm = 'list' needs the configurations to run: add [[search.configurations]] tables")
        if self.algorithm != "list" and self.configurations:
            problems.add(f"configurations are for algorithm = 'list', not {self.algorithm!r}", "configurations")
        object.__setattr__(self, "start_from", _read_names(problems, self.start_from))
        if self.start_from and self.algorithm != "bayes":
            problems.add(f"start_from is for algorithm = 'bayes', not {self.algorithm!r}", "start_from")
        problems.raise_if_any()

    @property
    def n_first(self) -> int:
        """How many trials of a study are drawn from a sequence before evidence chooses the next."""
        if self.algorithm != "bayes":
            return self.trials
        return 0 if self.start_from else min(self.trials, max(MIN_FIRST, math.ceil(self.trials * FIRST_SHARE)))

    def to_mapping(self) -> dict[str, Any]:
        """The ``[search]`` table."""
        table: dict[str, Any] = {
            "algorithm": self.algorithm,
            "trials": self.trials,
            "seed": self.seed,
            "studies": self.studies,
        }
        if self.configurations:
            table["configurations"] = [dict(configuration) for configuration in self.configurations]
        if self.start_from:
            table["start_from"] = list(self.start_from)
        return table


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How trials are run and what they cost; nothing here changes which trials are run.

    ``retries``: how often a trial whose process was killed or lost is started again.
    ``max_seconds``: longest run of one attempt; ``silent_seconds``: longest time without a logged value.
    ``memory_gib``: memory of one trial, above which it is infeasible. ``gpus``: devices per trial.
    ``keep_best``: how many of the best checkpoints stay, besides the newest (E3).
    ``seconds_per_step`` and ``cost_per_hour`` (any unit) predict a plan before anything ran (S6).
    """

    retries: int = 3
    max_seconds: float | None = None
    silent_seconds: float | None = None
    memory_gib: float | None = None
    gpus: int = 1
    keep_best: int = 2
    seconds_per_step: float | None = None
    cost_per_hour: float | None = None

    def __post_init__(self) -> None:
        problems = Problems()
        for key in ("retries", "gpus", "keep_best"):
            _check_whole(problems, key, getattr(self, key), 0, 1000)
        for key in ("max_seconds", "silent_seconds", "memory_gib", "seconds_per_step", "cost_per_hour"):
            value = getattr(self, key)
            if value is not None and not (is_number(value) and value > 0):
                problems.add(f"{value!r} is not a positive number", key)
        problems.raise_if_any()

    def to_mapping(self) -> dict[str, Any]:
        """The ``[run]`` table, without what is as by default."""
        return {
            item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) != item.default
        }


def table_of(kind: type[Any], table: object, problems: Problems) -> Any:
    """Build the dataclass ``kind`` from a table of the design; problems are noted, None returned."""
    if isinstance(table, kind):
        return table
    if not isinstance(table, Mapping):
        problems.add(f"{table!r} is not a table")
        return None
    accepted = [item.name for item in fields(kind)]
    problems.unknown_keys(table, accepted)
    known = {key: value for key, value in table.items() if key in accepted}
    with problems.catching():
        return kind(**known)
    return None


def _check_word(problems: Problems, key: str, word: object, accepted: tuple[str, ...]) -> None:
    if word not in accepted:
        hint = did_you_mean(str(word), accepted)
        problems.add(f"{word!r} is not accepted{hint}; accepted: {', '.join(accepted)}", key)


def _check_whole(problems: Problems, key: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        problems.add(f"{value!r} is not a whole number from {low} to {high}", key)


def _read_names(problems: Problems, names: object) -> tuple[str, ...]:
    listed = (names,) if isinstance(names, str) else names
    if isinstance(listed, list | tuple) and all(isinstance(name, str) and name.strip() for name in listed):
        return tuple(listed)
    problems.add(f"{names!r} is not a list of names of rounds, such as ['01-dropout']", "start_from")
    return ()


def _read_configurations(problems: Problems, tables: object) -> tuple[Config, ...]:
    if not isinstance(tables, list | tuple):
        problems.add(f"{tables!r} is not a list of tables", "configurations")
        return ()
    configurations = []
    for number, table in enumerate(tables, start=1):
        if isinstance(table, Mapping) and all(is_value(value) for value in table.values()):
            configurations.append(Config(table))
        else:
            problems.add("is not a table of hyperparameter values", "configurations", str(number))
    return tuple(configurations)

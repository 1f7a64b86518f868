"""Running a round of the store with what the project's tunebook.toml says of the executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tunebook.core.round import Round
from tunebook.errors import InputError, Problem
from tunebook.plan.folder import EXECUTOR, read_settings
from tunebook.run.command import check_program, search_path
from tunebook.run.events import Warned
from tunebook.run.pipeline import missing_pipeline
from tunebook.run.run import RunReport, run_round
from tunebook.run.supervisor import Refill
from tunebook.store.store import Store


def check_runs(design: Round, root: Path, store: Store | None) -> None:
    """``InputError`` when a round that ``store`` does not have yet cannot run: before anything is stored, so that what
    is refused leaves nothing behind.
    """
    if store is None or design.name not in {row.name for row in store.rounds()}:
        check_pipeline(design, root)


def check_start(design: Round, store: Store | None) -> None:
    """``InputError`` when a round that the search starts from is not there."""
    if design.search.start_from:
        from tunebook import exploitation  # models that most rounds do without

        exploitation.check_start(design, store)


def check_pipeline(design: Round, root: Path) -> None:
    """``InputError`` when the pipeline or the program of a design is not there."""
    if design.command is not None:
        check_program(design.command, root, search_path(os.environ))
    missing = missing_pipeline(design.pipeline, root)
    if missing:
        raise InputError([Problem(key=("pipeline",), message=missing)])


def put_aside(design: Round, n_trials: int) -> Warned:
    """What is told of trials that the plan does not hold any more."""
    return Warned(
        trial=design.name,
        message=f"{n_trials} trials of before are not in the design as it is now; they are put aside, and come back "
        "when it is as it was",
    )


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs rounds of a ``store`` for the project in the folder ``root``."""

    store: Store
    root: Path
    clock: Callable[[], datetime]

    def run(
        self,
        name: str,
        design: Round,
        *,
        workers: int,
        executor: str,
        on_event: Callable[[Any], None] | None = None,
        function: Callable[[Any], None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RunReport:
        """Run what has not ended of round ``name``; ``options`` go over those of tunebook.toml for the executor."""
        own = read_settings(self.root).get(EXECUTOR, {}).get(executor, {})
        return run_round(
            self.store,
            name,
            design,
            project=self.root,
            workers=workers,
            executor=executor,
            on_event=on_event,
            function=function,
            refill=self._refill(replace(design, name=name), on_event),
            options={**own, **(options or {})},
        )

    def _refill(self, design: Round, on_event: Callable[[Any], None] | None) -> Refill | None:
        """How a round gets further trials while it runs; None for a search that is planned beforehand (X1)."""
        if design.search.algorithm != "bayes":
            return None
        from tunebook import exploitation  # models that most rounds do without

        return exploitation.Refill(self.store, design, self.clock, on_event)

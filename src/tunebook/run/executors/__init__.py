"""Where trials are run: a table of names, each with a class behind the seam of ``run.jobs.Executor``."""

from __future__ import annotations

import importlib
from typing import cast

from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError
from tunebook.run.jobs import Executor, Setup

EXECUTORS = {
    "inline": "tunebook.run.executors.inline:Inline",
    "local": "tunebook.run.executors.local:Local",
    "spawn": "tunebook.run.executors.spawn:Spawn",
}


def check_executor(name: str) -> None:
    """``InputError`` when there is no executor of this name."""
    if name not in EXECUTORS:
        raise InputError(
            f"executor {name!r} is not accepted{did_you_mean(name, EXECUTORS)}; accepted: {', '.join(EXECUTORS)}"
        )


def open_executor(name: str, setup: Setup) -> Executor:
    """The executor of this name, ready to start jobs; ``InputError`` when it cannot run the pipeline."""
    check_executor(name)
    module, _, kind = EXECUTORS[name].partition(":")
    return cast(Executor, getattr(importlib.import_module(module), kind)(setup))

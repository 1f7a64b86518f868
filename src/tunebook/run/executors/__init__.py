"""Where trials are run: a table of names, each with a class behind the seam of ``run.jobs.Executor``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError
from tunebook.run.jobs import Executor, Setup
from tunebook.run.options import check_options


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an executor is, the options it has, and whether its trials run on other machines."""

    place: str
    options: tuple[str, ...] = ()
    is_elsewhere: bool = False


EXECUTORS = {
    "inline": Entry("tunebook.run.executors.inline:Inline"),
    "local": Entry("tunebook.run.executors.local:Local"),
    "ray": Entry("tunebook.run.executors.ray:Ray", ("address", "resources"), is_elsewhere=True),
    "slurm": Entry(
        "tunebook.run.executors.slurm:Slurm",
        ("partition", "time", "gres", "array_size", "resources", "cluster"),
        is_elsewhere=True,
    ),
    "spawn": Entry("tunebook.run.executors.spawn:Spawn"),
}


def check_executor(name: str, options: Mapping[str, Any] | None = None) -> Entry:
    """The entry of this name; ``InputError`` when there is none, or it has no such options."""
    if name not in EXECUTORS:
        raise InputError(
            f"executor {name!r} is not accepted{did_you_mean(name, EXECUTORS)}; accepted: {', '.join(EXECUTORS)}"
        )
    check_options(name, options or {}, EXECUTORS[name].options)
    return EXECUTORS[name]


def open_executor(name: str, setup: Setup) -> Executor:
    """The executor of this name, ready to start jobs; ``InputError`` when it cannot run the pipeline."""
    module, _, kind = check_executor(name, setup.options).place.partition(":")
    return cast(Executor, getattr(importlib.import_module(module), kind)(setup))

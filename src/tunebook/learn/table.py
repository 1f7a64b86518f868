"""The table of checks: a name, and where the function lives that turns a view into findings.

A new check is one file and one row here. Functions are named and not imported, so that a check with
a heavy package costs nothing until it runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from tunebook.core.finding import Finding
from tunebook.learn.view import View

Check: TypeAlias = Callable[[View], Iterable[Finding]]

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "chance": "tunebook.learn.chance:check",
        "infeasible": "tunebook.learn.infeasible:check",
        "boundary": "tunebook.learn.boundary:check",
        "instability": "tunebook.learn.instability:check",
        "sampling": "tunebook.learn.sampling:check",
        "curves": "tunebook.learn.curves:check",
        "steps": "tunebook.learn.steps:check",
        "reproduced": "tunebook.learn.reproduced:check",
        "comparison": "tunebook.learn.comparison:check",
        "inclusion": "tunebook.learn.inclusion:check",
        "sensitivity": "tunebook.learn.sensitivity:check",
        "caveats": "tunebook.learn.caveats:check",
    }
)


def load(name: str) -> Check:
    """The check with this name; ``KeyError`` when the table has none."""
    module, _, function = CHECKS[name].partition(":")
    loaded: Check = getattr(importlib.import_module(module), function)
    return loaded

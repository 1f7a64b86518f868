"""Where the kit's parts send what they measure: a trial, or anything else with its ``log``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class MetricLog(Protocol):
    """Takes metrics at a training step; ``tunebook.Trial`` is one."""

    def log(self, step: int, values: Mapping[str, float], /) -> object:
        """Take the finite or non-finite ``values`` of ``step``, counted from 0."""
        ...

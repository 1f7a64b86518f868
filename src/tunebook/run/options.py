"""Options of executors: which each accepts, and the resources of one trial. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError

#: What a trial may ask for by a name of ours; other names are a cluster's own.
OWN = ("cpus", "gpus", "memory_gib")


def check_options(executor: str, options: Mapping[str, Any], accepted: Sequence[str]) -> None:
    """``InputError`` for an option that this executor does not have."""
    for name in options:
        if name not in accepted:
            has = f"it has: {', '.join(accepted)}" if accepted else "it has none"
            raise InputError(f"the executor {executor!r} has no option {name!r}{did_you_mean(name, accepted)}; {has}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one trial needs. ``gpus`` None: what the design asks for, where the cluster has any."""

    cpus: float = 1.0
    gpus: float | None = None
    memory_gib: float | None = None
    custom: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, given: object) -> Resources:
        """From ``"cpus=2,gpus=1,memory_gib=4,tpu=1"`` or a mapping; ``InputError`` says what is wrong."""
        if given is None:
            return cls()
        table = dict(_pairs(given)) if isinstance(given, str) else given
        if not isinstance(table, Mapping):
            raise InputError(f"resources = {given!r} is not accepted; write them as 'cpus=2,gpus=1,memory_gib=4'")
        amounts = {str(name): _amount(str(name), value) for name, value in table.items()}
        own = {name: amounts.pop(name) for name in OWN if name in amounts}
        return cls(**own, custom=amounts)

    def __str__(self) -> str:
        own = {name: getattr(self, name) for name in OWN}
        return ", ".join(f"{name}={value:g}" for name, value in {**own, **self.custom}.items() if value is not None)


def whole(name: str, value: object, low: int = 1) -> int:
    """An option that counts something."""
    try:
        number = int(str(value))
    except ValueError:
        number = low - 1
    if number < low:
        raise InputError(f"{name} = {value!r} is not accepted; accepted: a whole number from {low}")
    return number


def _pairs(text: str) -> list[tuple[str, str]]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if "=" not in part:
            raise InputError(f"resources: {part!r} has no amount; write them as 'cpus=2,gpus=1,memory_gib=4'")
    return [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in parts)]


def _amount(name: str, value: object) -> float:
    try:
        amount = float(str(value))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e9:
        raise InputError(f"resources: {name} = {value!r} is not accepted; accepted: a number from 0")
    return amount

"""What Ray is told about every task, from the options of the executor and the nodes there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.errors import InputError
from tunebook.run.jobs import Setup
from tunebook.run.options import Resources

GIB = 2**30


def task_options(resources: Resources, setup: Setup, nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The options of a task; ``InputError`` when no node has room for it."""
    has_gpus = any(node["Resources"].get("GPU") for node in nodes)
    gpus = resources.gpus
    if gpus is None:
        gpus = setup.gpus if has_gpus else 0
    memory = resources.memory_gib or setup.memory_gib
    wanted = {"CPU": resources.cpus, "GPU": gpus, "memory": (memory or 0) * GIB, **resources.custom}
    _check_room(wanted, nodes)
    return {
        "num_cpus": resources.cpus,
        "num_gpus": gpus,
        "memory": int(memory * GIB) if memory else None,
        "resources": dict(resources.custom) or None,
        "max_retries": 0,
    }


def _check_room(wanted: Mapping[str, float], nodes: Sequence[Mapping[str, Any]]) -> None:
    """``InputError`` when a trial would not fit on any node, however empty."""
    if any(all(node["Resources"].get(name, 0.0) >= much for name, much in wanted.items()) for node in nodes):
        return
    asked = ", ".join(f"{name}={much:g}" for name, much in wanted.items() if much)
    largest = {name: max((node["Resources"].get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
    there = ", ".join(f"{name}={much:g}" for name, much in largest.items() if wanted[name])
    raise InputError(
        f"no node of the Ray cluster has room for a trial with {asked}; the most a node has of each is {there}: lower "
        "--resources, or [run] gpus and memory_gib in the design"
    )

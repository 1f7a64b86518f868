"""What submitit is told about every SLURM job, from the options of the executor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tunebook.errors import InputError
from tunebook.run.agent import LAST_CHECKPOINT_SECONDS
from tunebook.run.jobs import Setup
from tunebook.run.options import Resources

DEFAULT_MINUTES = 24 * 60
#: SLURM warns a job this long before its time is up: time to reach a checkpoint and to leave.
WARN_SECONDS = int(LAST_CHECKPOINT_SECONDS) + 20
DURATION = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def parameters(name: str, options: Mapping[str, Any], resources: Resources, setup: Setup) -> dict[str, Any]:
    """The parameters of submitit's executor; ``InputError`` for what SLURM cannot give."""
    memory = resources.memory_gib or setup.memory_gib
    gpus = resources.gpus if resources.gpus is not None else 0
    given: dict[str, Any] = {
        "name": name,
        "timeout_min": minutes(options.get("time", DEFAULT_MINUTES)),
        "cpus_per_task": max(int(resources.cpus), 1),
        "slurm_signal_delay_s": WARN_SECONDS,
        "slurm_array_parallelism": setup.workers,
        "slurm_additional_parameters": {"requeue": True, "kill-on-invalid-dep": "yes"},
    }
    if resources.custom:
        names = ", ".join(resources.custom)
        raise InputError(f"resources: SLURM has no {names} of its own; ask for generic resources with --gres")
    optional = {
        "slurm_partition": options.get("partition"),
        "slurm_gres": options.get("gres"),
        "mem_gb": memory,
        "gpus_per_node": int(gpus) or None,
    }
    return given | {key: value for key, value in optional.items() if value is not None}


def minutes(given: object) -> int:
    """A limit of time as SLURM writes it: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS; rounded up."""
    match = DURATION.fullmatch(str(given).strip())
    if match is None:
        raise InputError(f"time = {given!r} is not accepted; accepted: minutes, or [D-]HH:MM:SS")
    days, *parts = match.groups()
    first, second, third = (int(part) if part else 0 for part in parts)
    if days is not None:
        seconds = ((int(days) * 24 + first) * 60 + second) * 60 + third
    elif parts[2] is not None:
        seconds = (first * 60 + second) * 60 + third
    else:
        seconds = first * 60 + second
    if seconds < 60:
        raise InputError(f"time = {given!r} is not accepted; accepted: at least a minute")
    return -(-seconds // 60)

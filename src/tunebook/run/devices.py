"""Slots: what each worker has for itself, its accelerators and its share of the processor."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from tunebook.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Each of these libraries starts as many threads as there are cores, in every process.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
QUERY_SECONDS = 20


def visible_devices(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The accelerators this process may use, as CUDA names them; empty where there are none."""
    named = environment.get(VISIBLE)
    if named is not None:
        devices = tuple(part.strip() for part in named.split(",") if part.strip())
        return devices[: devices.index("-1")] if "-1" in devices else devices
    if shutil.which("nvidia-smi") is None:
        return ()
    return _listed(_ask())


def share_devices(devices: Sequence[str], workers: int, per_trial: int) -> tuple[tuple[str, ...], ...]:
    """The devices of each worker; ``InputError`` when there are some, but not enough."""
    if not devices or per_trial == 0:
        return ((),) * workers
    if workers * per_trial > len(devices):
        fits = len(devices) // per_trial
        raise InputError(
            f"{workers} workers with {per_trial} device(s) each need {workers * per_trial}, and there are "
            f"{len(devices)} ({', '.join(devices)}): use --workers {max(fits, 1)}, or set gpus = 0 under [run] "
            "to let trials share them"
        )
    return tuple(tuple(devices[n * per_trial : (n + 1) * per_trial]) for n in range(workers))


def slot_environment(devices: Sequence[str]) -> dict[str, str]:
    """The variable that shows a worker's trials its own devices; nothing where it has none of its own."""
    return {VISIBLE: ",".join(devices)} if devices else {}


def thread_environment(environment: Mapping[str, str], workers: int, cores: int) -> dict[str, str]:
    """Thread counts so that all workers together use every core once; what the user set stays."""
    share = str(max(cores // workers, 1))
    return {name: share for name in THREAD_VARIABLES if not environment.get(name)}


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ask() -> str:
    try:
        asked = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=QUERY_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout if asked.returncode == 0 else ""


def _listed(text: str) -> tuple[str, ...]:
    """The numbers in lines such as ``GPU 0: NVIDIA H100 (UUID: GPU-...)``."""
    heads = (line.partition(":")[0] for line in text.splitlines())
    return tuple(head.removeprefix("GPU ").strip() for head in heads if head.startswith("GPU "))

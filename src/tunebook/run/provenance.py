"""Provenance: all it takes to run a trial again, and no secret (E6)."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.core.round import Round

#: The environment variables that are kept: they change numbers or speed and hold no secret.
ENVIRONMENT = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "KMP_AFFINITY",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
)
#: The password in a URL such as ``postgresql://user:password@host``, and the value of ``--api-key=...``.
PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]*@")
SECRET_OPTION = re.compile(r"(?i)^(-*[\w-]*(?:password|passwd|secret|token|api[_-]?key|credential)[\w-]*=).+$")
HIDDEN = "***"

LARGEST_DIFF = 1_000_000
LARGEST_SOURCE = 10_000_000
GIT_SECONDS = 30


def record(
    design: Round,
    project: Path,
    *,
    environment: Mapping[str, str],
    executor: str,
    workers: int,
    cores: int,
    argv: list[str] | None = None,
) -> dict[str, Any]:
    """What is kept with every attempt of a run; a mapping that goes into JSON."""
    return {
        "argv": [without_secrets(word) for word in (sys.argv if argv is None else argv)],
        "pipeline": design.pipeline,
        "command": None if design.command is None else list(design.command),
        "sources": sources(design, project),
        "search_seed": design.search.seed,
        "project": str(project),
        "git": git_state(project),
        "python": platform.python_version(),
        "packages": packages(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": cores,
        "executor": executor,
        "workers": workers,
        "environment": {name: environment[name] for name in ENVIRONMENT if name in environment},
    }


def sources(design: Round, project: Path) -> dict[str, str]:
    """A digest of every file of the project that the pipeline or the command names; not of what those import."""
    words = [design.pipeline.rpartition(":")[0]] if design.pipeline else list(design.command or ())
    found = {word: project / word for word in words if word and not Path(word).is_absolute()}
    return {word: digest for word, path in found.items() if (digest := _digest(path)) is not None}


def _digest(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_SOURCE:
            return None
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return None


def changed_sources(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    """The files that differ between two records, sorted; none where an older record did not keep them."""
    old, new = (before or {}).get("sources") or {}, now.get("sources") or {}
    return sorted(name for name in old if old[name] != new.get(name))


def without_secrets(word: str) -> str:
    """A word of a command line with passwords of URLs and values of secret options hidden."""
    return SECRET_OPTION.sub(rf"\g<1>{HIDDEN}", PASSWORD.sub(rf"\g<1>{HIDDEN}@", word))


def packages() -> dict[str, str]:
    """Name and version of every installed package."""
    found = (_name_and_version(one) for one in importlib.metadata.distributions())
    return dict(sorted((name, version) for name, version in found if name))


def _name_and_version(one: importlib.metadata.Distribution) -> tuple[str, str]:
    """Read from the head of its metadata: parsing all of it, descriptions too, takes ten times as long."""
    text = one.read_text("METADATA") or one.read_text("PKG-INFO") or ""
    head = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    fields = {key.lower(): value.strip() for key, _, value in head}
    return fields.get("name", ""), fields.get("version", "")


def git_state(project: Path) -> dict[str, Any] | None:
    """Revision, and what differs from it in the files git knows; None where there is no repository.

    A difference of more than a megabyte is cut, and says so. Files git does not know are named, not kept.
    """
    revision = _git(project, "rev-parse", "HEAD")
    if revision is None:
        return None
    diff = _git(project, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv") or b""
    unknown = _git(project, "ls-files", "--others", "--exclude-standard") or b""
    return {
        "revision": revision.decode().strip(),
        "diff": diff[:LARGEST_DIFF].decode("utf-8", "replace"),
        "is_diff_cut": len(diff) > LARGEST_DIFF,
        "untracked": unknown[:LARGEST_DIFF].decode("utf-8", "replace").splitlines(),
    }


def _git(project: Path, *words: str) -> bytes | None:
    try:
        asked = subprocess.run(
            ["git", "-C", str(project), *words],
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout if asked.returncode == 0 else None

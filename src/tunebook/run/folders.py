"""Where the files of a round lie: ``<project>/.tunebook/trials/<round>/<trial>/attempt-N``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from tunebook.handle.assignment import ATTEMPT

HOME = ".tunebook"
TRIALS = "trials"
CHECKPOINTS = "checkpoints"
OUTPUT = "output.log"
#: Marks an attempt in this process, which captures no output, while it runs.
BEGUN = "begun"
#: File systems take 255 bytes for a name; longer ones keep their beginning and get a hash.
LONGEST_NAME = 120


def folder_name(name: str) -> str:
    """``name`` as the name of one folder, different for different names, that leads nowhere else."""
    safe = quote(name, safe=" =,+@")
    if safe.startswith("."):
        safe = f"%2E{safe[1:]}"
    if not safe or len(safe) > LONGEST_NAME:
        digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
        safe = f"{safe[:LONGEST_NAME]}%{digest}"
    return safe


def round_folder(project: Path, round_name: str) -> Path:
    """The folder of all trials of a round."""
    return project / HOME / TRIALS / folder_name(round_name)


def trial_folder(project: Path, round_name: str, trial: str) -> Path:
    """The folder of a trial: its attempts and its checkpoints."""
    return round_folder(project, round_name) / folder_name(trial)


def attempt_folder(trial: Path, attempt: int) -> Path:
    """The folder of one attempt; attempts count from 1."""
    return trial / f"{ATTEMPT}{attempt}"


def output_file(attempt: Path) -> Path:
    """Where an attempt's standard output and error go."""
    return attempt / OUTPUT


def has_begun(attempt: Path) -> bool:
    """Whether training began in an attempt, rather than waiting for a place all the time."""
    return output_file(attempt).exists() or (attempt / BEGUN).exists()


def make_home(project: Path) -> None:
    """Create the folder that holds what tunebook writes, hidden from git."""
    home = project / HOME
    home.mkdir(parents=True, exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")

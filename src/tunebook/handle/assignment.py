"""Assignment: what a training process is told about the trial it is to run, as a JSON file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.config import Config
from tunebook.core.objective import Direction
from tunebook.errors import InputError

FORMAT = 1
#: Names the file that holds a process's assignment.
TRIAL_VARIABLE = "TUNEBOOK_TRIAL"
#: Names the file that a script in any language appends JSON lines to.
METRICS_VARIABLE = "TUNEBOOK_METRICS"

TRIAL_FILE = "trial.json"
METRICS_FILE = "metrics.jsonl"
SPOOL_FOLDER = "spool"
#: Folders of attempts lie beside the trial's checkpoints and are numbered from 1.
ATTEMPT = "attempt-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt at one trial; ``key`` names the attempt in the store.

    ``directory`` is the folder of this attempt and ``checkpoints`` the one that all attempts at the
    trial share. ``start_step`` is the first step to train: 0, or one after ``resume_from``. ``is_final`` asks for
    an evaluation on the test set, ``uses_validation_data`` for training on the validation data as well.
    """

    trial: str
    round: str
    attempt: int
    key: int
    config: Config
    seed: int
    max_train_steps: int
    metric: str
    direction: Direction
    keep_best: int
    directory: Path
    checkpoints: Path
    start_step: int = 0
    resume_from: Path | None = None
    is_final: bool = False
    uses_validation_data: bool = False

    @property
    def file(self) -> Path:
        """Where the assignment itself is kept."""
        return self.directory / TRIAL_FILE

    @property
    def spool(self) -> Path:
        """Where the attempt leaves its metrics until they are stored."""
        return self.directory / SPOOL_FOLDER

    @property
    def metrics(self) -> Path:
        """The JSON-lines file for scripts in any language."""
        return self.spool / METRICS_FILE

    @property
    def is_superseded(self) -> bool:
        """Whether another attempt at the trial has begun since, so that this one may leave nothing more."""
        return (self.checkpoints.parent / f"{ATTEMPT}{self.attempt + 1}").exists()

    def environment(self) -> dict[str, str]:
        """The two variables by which a script finds its assignment and reports."""
        return {TRIAL_VARIABLE: str(self.file), METRICS_VARIABLE: str(self.metrics)}

    def to_json(self) -> str:
        """The file's text; ``metrics`` and ``spool`` are there for readers in other languages."""
        table = {name: getattr(self, name) for name in self.__slots__}
        table |= {"config": dict(self.config), "format": FORMAT, "metrics": self.metrics, "spool": self.spool}
        return json.dumps(table, default=str, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        """The inverse of ``to_json``; ``InputError`` for another format."""
        table = json.loads(text)
        if table.pop("format", None) != FORMAT:
            raise InputError(f"this file describes a trial in another format; this tunebook reads format {FORMAT}")
        for derived in ("metrics", "spool"):
            table.pop(derived)
        resume_from = table.pop("resume_from")
        return cls(
            config=Config(table.pop("config")),
            directory=Path(table.pop("directory")),
            checkpoints=Path(table.pop("checkpoints")),
            resume_from=Path(resume_from) if resume_from else None,
            **table,
        )


def write_atomically(path: Path, text: str, *, durable: bool = False) -> None:
    """Put ``text`` into ``path`` so that a reader finds the old file or the new one, never a part.

    ``durable`` also waits until it is on the disk, so that a crash of the machine keeps it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)

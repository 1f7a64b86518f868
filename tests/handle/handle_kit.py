"""A trial in a temporary folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunebook.core.config import Config
from tunebook.handle.assignment import Assignment


def assignment(folder: Path, **changes: Any) -> Assignment:
    values: dict[str, Any] = {
        "trial": "abc",
        "round": "round",
        "attempt": 1,
        "key": 7,
        "config": Config({"learning_rate": 0.1, "use_dropout": True}),
        "seed": 3,
        "max_train_steps": 100,
        "metric": "valid/error",
        "direction": "minimize",
        "keep_best": 2,
        "directory": folder,
        "checkpoints": folder / "checkpoints",
    }
    return Assignment(**{**values, **changes})

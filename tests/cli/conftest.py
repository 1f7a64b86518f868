"""The command line run in this process, and a project whose pipeline takes milliseconds."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunebook.cli.main import app

TRAIN = """
import math

import tunebook


def train(trial):
    lr = trial["learning_rate"]
    if lr > 3.0:
        raise tunebook.Infeasible("the weights exploded")
    for step in range(trial.max_train_steps):
        loss = (math.log10(lr) + 1.0) ** 2 + 1.0 / (1 + step) + 0.1 * trial.config.get("rate", 0.0)
        trial.log(step, {"train/loss": loss, "valid/error": loss})
"""

DESIGN = """
goal = "Does it help?"
question = "compare"
pipeline = "train.py:train"
max_train_steps = 20

[objective]
metric = "valid/error"

[scientific]
use_it = [false, true]

[nuisance]
learning_rate = { low = 1e-3, high = 10.0, scale = "log" }

[nuisance.when.use_it.true]
rate = { low = 0.1, high = 0.9 }

[search]
trials = 6
"""


@dataclass(frozen=True)
class Answer:
    """What one command printed and returned."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TUNEBOOK_STORE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunebook.toml").write_text("")
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "rounds").mkdir()
    (tmp_path / "rounds" / "01-it.toml").write_text(DESIGN)
    return tmp_path


@pytest.fixture
def tunebook() -> Callable[..., Answer]:
    def call(*words: object) -> Answer:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call

"""Single files for other programs: trials and curves as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tunebook._optional import require
from tunebook.bridges import files
from tunebook.core.config import Value
from tunebook.errors import InputError
from tunebook.evidence import Evidence

#: Columns of the table of trials before the hyperparameters (contract.md, store in files).
TRIAL_COLUMNS = ("trial", "study", "seed", "purpose", "status", "cause", "objective", "best_step")
CURVE_COLUMNS = ("trial", "step", "metric", "value")


def write_folder(path: Path, evidence: Evidence) -> list[Path]:
    """``design.toml``, ``trials.csv`` and ``curves.csv``, which ``import csv`` reads back."""
    files.write(path, evidence)
    return [path / files.DESIGN, path / files.TRIALS, path / files.CURVES]


def write_csv(path: Path, evidence: Evidence) -> list[Path]:
    """``FILE.csv`` with a row a trial, and ``FILE-curves.csv`` with a row a point."""
    curves_path = beside(path)
    _write_rows(path, [*TRIAL_COLUMNS, *names(evidence)], trial_rows(evidence))
    _write_rows(curves_path, list(CURVE_COLUMNS), curve_rows(evidence))
    return [path, curves_path]


def write_json(path: Path, evidence: Evidence) -> list[Path]:
    """One document with the design, the trials and their curves; what is not finite is null."""
    document = {
        "round": evidence.name,
        "design": evidence.round.to_mapping(),
        "trials": [trial_document(evidence, number) for number in range(len(evidence.trials))],
    }
    _write_text(path, json.dumps(document, allow_nan=False))
    return [path]


def write_parquet(path: Path, evidence: Evidence) -> list[Path]:
    """``FILE.parquet`` with a row a trial, and ``FILE-curves.parquet`` with a row a point."""
    pandas = require("pandas")
    require("pyarrow")
    trials = pandas.DataFrame(list(trial_rows(evidence)), columns=[*TRIAL_COLUMNS, *names(evidence)])
    curves_path = beside(path)
    try:
        _with_one_type(trials).to_parquet(path, index=False)
        pandas.DataFrame(curve_columns(evidence)).to_parquet(curves_path, index=False)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    return [path, curves_path]


def beside(path: Path) -> Path:
    """Where the curves go when the trials go to ``path``."""
    return path.with_name(f"{path.stem}-curves{path.suffix}")


def names(evidence: Evidence) -> list[str]:
    """All hyperparameters of the round's trials, in the order of the design."""
    designed = [item.name for item in evidence.round.hyperparameters]
    return list(dict.fromkeys(designed + [name for trial in evidence for name in trial.config]))


def trial_rows(evidence: Evidence) -> Iterator[list[Any]]:
    """A row a trial; a hyperparameter that does not exist there is None."""
    scores = evidence.scores()
    hyperparameters = names(evidence)
    for number, trial in enumerate(evidence.trials):
        value = scores.values[number]
        has_value = bool(np.isfinite(value))
        yield [
            trial.name,
            trial.study,
            trial.seed,
            str(trial.purpose),
            str(trial.status),
            None if trial.cause is None else str(trial.cause),
            float(value) if has_value else None,
            int(scores.steps[number]) if has_value else None,
            *(trial.config.get(name) for name in hyperparameters),
        ]


def curve_rows(evidence: Evidence) -> Iterator[tuple[str, int, str, float]]:
    """A row a point."""
    for number, trial in enumerate(evidence.trials):
        for metric, curves in evidence.curves.items():
            for step, value in zip(*(array.tolist() for array in curves[number]), strict=True):
                yield trial.name, step, metric, value


def curve_columns(evidence: Evidence) -> dict[str, Any]:
    """All points as columns, without a Python object a point."""
    trial_names = np.array([trial.name for trial in evidence.trials], dtype=object)
    parts = {
        metric: np.repeat(np.arange(len(curves)), np.diff(curves.offsets)) for metric, curves in evidence.curves.items()
    }
    every = list(evidence.curves)
    return {
        "trial": np.concatenate([trial_names[parts[metric]] for metric in every]) if every else [],
        "step": np.concatenate([evidence.curves[metric].steps for metric in every]) if every else [],
        "metric": np.concatenate([np.full(len(parts[metric]), metric, dtype=object) for metric in every])
        if every
        else [],
        "value": np.concatenate([evidence.curves[metric].values for metric in every]) if every else [],
    }


def trial_document(evidence: Evidence, number: int) -> dict[str, Any]:
    """One trial with its curves as JSON shows it."""
    trial = evidence.trials[number]
    curves = {metric: curves[number] for metric, curves in evidence.curves.items()}
    return {
        "trial": trial.name,
        "study": trial.study,
        "seed": trial.seed,
        "purpose": str(trial.purpose),
        "status": str(trial.status),
        "cause": None if trial.cause is None else str(trial.cause),
        "config": dict(trial.config),
        "curves": {
            metric: {"step": steps.tolist(), "value": [_json_number(value) for value in values.tolist()]}
            for metric, (steps, values) in curves.items()
            if len(steps)
        },
    }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _with_one_type(frame: Any) -> Any:
    """Parquet columns hold one type; a hyperparameter with several kinds of values becomes text."""
    for column in frame.columns:
        kinds = {type(value) for value in frame[column] if value is not None and value == value}  # noqa: PLR0124
        if len(kinds) > 1 and not kinds <= {int, float}:
            frame[column] = [None if value is None else _spelled(value) for value in frame[column]]
    return frame


def _spelled(value: Value) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


def _write_rows(path: Path, head: list[str], rows: Iterator[Any]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            sheet = csv.writer(file)
            sheet.writerow(head)
            sheet.writerows(rows)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error

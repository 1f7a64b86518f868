"""One trial of the AlgoPerf logs: hyperparameters, metadata and curves from its folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.bridges.imported import Points, ascending
from tunebook.core.config import Config
from tunebook.core.hyperparameter import is_value

TRIAL_FILES = ("hparams.json", "measurements.csv", "eval_measurements.csv", "meta_data_0.json")
MEASUREMENTS = "measurements.csv"
EVALUATIONS = "eval_measurements.csv"
STEP = "global_step"
#: Columns of training rows, and what the checks call them. The loss is that of the batch; ``train/loss``
#: is evaluated on a part of the training set.
BATCH_COLUMNS = {"loss": "train/batch_loss", "grad_norm": "grad_norm", "lr": "learning_rate"}
#: The splits of evaluation rows, and what the checks call them.
SPLITS = {"train": "train", "validation": "valid", "test": "test"}
COUNT = "num_examples"
SECONDS = "accumulated_submission_time"
#: Whole numbers are exact in floating point up to here.
MAX_STEP = 2**53
#: Columns that only an evaluation row fills.
EVALUATED = ("total_duration", SECONDS)


class Unreadable(Exception):
    """This trial cannot be read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLog:
    """What one trial folder holds. ``last_step`` is the largest step of any row, -1 without rows."""

    config: Config
    metadata: Mapping[str, Any]
    curves: Mapping[str, Points]
    last_step: int = -1
    seconds: float | None = None


def read_log(folder: Path) -> TrialLog:
    """Read a trial folder; ``Unreadable`` when it has no measurements or they are not what they should be."""
    rows = _read_rows(folder)
    header, body = rows[0], rows[1:]
    if STEP not in header:
        raise Unreadable(f"its measurements have no column {STEP}")
    table = _Table(header)
    for line, row in enumerate(body, start=2):
        table.add(line, row)
    if not table.points:
        raise Unreadable("its measurements hold no values")
    return TrialLog(
        config=Config(_hyperparameters(folder / "hparams.json")),
        metadata=_read_json(folder / "meta_data_0.json"),
        curves={metric: ascending(*zip(*points, strict=True)) for metric, points in table.points.items()},
        last_step=table.last_step,
        seconds=table.seconds,
    )


class _Table:
    """Sorts the rows of one file into curves: training rows, evaluation rows, and the closing row of a run."""

    def __init__(self, header: Sequence[str]) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.last_step = -1
        self.seconds: float | None = None
        self._header = header
        self._column = {name: place for place, name in enumerate(header)}
        self._batch = [name for name in BATCH_COLUMNS if name in self._column]
        self._splits = {
            split: [name for name in header if name.startswith(f"{split}/") and not name.endswith(COUNT)]
            for split in SPLITS
        }
        self._evaluated = [name for name in header if name in EVALUATED or name.partition("/")[0] in SPLITS]

    def add(self, line: int, row: Sequence[str]) -> None:
        cells = {name: cell for name, cell in zip(self._header, row, strict=False) if cell != ""}
        if not cells:
            return
        step = self._number(line, STEP, cells.get(STEP, ""))
        if not 0 <= step < MAX_STEP:
            raise Unreadable(f"line {line} of its measurements has no {STEP} from 0 to 2**53")
        self.last_step = max(self.last_step, int(step))
        if any(name in cells for name in self._evaluated):
            self._add_evaluation(line, int(step), cells)
        elif any(name in cells for name in self._batch) or len(cells) == 1:
            self._add_batch(line, int(step), cells)

    def _add_batch(self, line: int, step: int, cells: Mapping[str, str]) -> None:
        """A row of nothing but a step is one whose loss and gradient norm were NaN."""
        for name in self._batch:
            if name in cells or (len(cells) == 1 and name != "lr"):
                self._put(BATCH_COLUMNS[name], step, self._number(line, name, cells.get(name, "")))

    def _add_evaluation(self, line: int, step: int, cells: Mapping[str, str]) -> None:
        """A split that was evaluated (examples counted, or one of its values there) holds NaN where a cell is empty."""
        for split, names in self._splits.items():
            counted = f"{split}/{COUNT}"
            happened = counted in cells or any(name in cells for name in names)
            if split == "train" and not happened:
                happened = f"validation/{COUNT}" in cells
            for name in names if happened else ():
                metric = f"{SPLITS[split]}/{name.partition('/')[2]}"
                self._put(metric, step, self._number(line, name, cells.get(name, "")))
        for name in self._batch:
            if name in cells:
                self._put(BATCH_COLUMNS[name], step, self._number(line, name, cells[name]))
        if SECONDS in cells:
            self.seconds = self._number(line, SECONDS, cells[SECONDS])

    def _put(self, metric: str, step: int, value: float) -> None:
        self.points.setdefault(metric, []).append((step, value))

    def _number(self, line: int, name: str, cell: str) -> float:
        try:
            return float(cell) if cell else math.nan
        except ValueError:
            raise Unreadable(f"line {line} of its measurements: {name} is {cell!r}, not a number") from None


def _read_rows(folder: Path) -> list[list[str]]:
    for name in (MEASUREMENTS, EVALUATIONS):
        try:
            with (folder / name).open(newline="", encoding="utf-8", errors="replace") as stream:
                rows = list(csv.reader(line.replace("\0", "") for line in stream))
        except FileNotFoundError:
            continue
        except (OSError, csv.Error) as error:
            raise Unreadable(f"{name} cannot be read: {error}") from None
        if len(rows) > 1:
            return rows
    raise Unreadable("no measurements: neither measurements.csv nor eval_measurements.csv has a row")


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path.name} cannot be read: {error}") from None
    return found if isinstance(found, Mapping) else {}


def _hyperparameters(path: Path) -> dict[str, Any]:
    return usable(_read_json(path))


def usable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters as a configuration takes them: what is neither a finite number, boolean nor text becomes text."""
    return {name: value if is_value(value) else json.dumps(value) for name, value in values.items()}


def read_points(path: Path) -> tuple[Config, ...]:
    """The configurations of a ``tuning_search_space.json``; none where it is absent or holds ranges."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    is_list = isinstance(found, list) and all(isinstance(item, Mapping) for item in found)
    return tuple(Config(usable(item)) for item in found) if is_list else ()


def fingerprint(folder: Path) -> bytes:
    """The measurements as they lie on disk, to recognise an exact copy; empty when there are none."""
    try:
        return (folder / MEASUREMENTS).read_bytes()
    except OSError:
        return b""


def distinct(configs: Iterable[Config]) -> tuple[Config, ...]:
    """The configurations, each once, in order of appearance."""
    return tuple(dict.fromkeys(configs))

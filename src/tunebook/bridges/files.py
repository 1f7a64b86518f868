"""A round as plain files: ``design.toml``, ``trials.csv``, ``curves.csv`` (B1, E7).

``read`` of what ``write`` wrote gives the same design, trials and curves.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from tunebook.bridges.file_values import EXTRA_COLUMNS, REQUIRED_COLUMNS, RowReader, cell_of, number_in
from tunebook.bridges.imported import Imported, ImportedRound, Points, ascending, has_finite
from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Round
from tunebook.core.trial import TrialPurpose
from tunebook.errors import InputError, Problem
from tunebook.evidence import Evidence
from tunebook.store.imports import ImportedTrial

DESIGN, TRIALS, CURVES = "design.toml", "trials.csv", "curves.csv"
CURVE_COLUMNS = ("trial", "step", "metric", "value")
#: A file with more mistakes than this is the wrong file; the rest is not listed.
MAX_PROBLEMS = 20
#: Whole numbers are exact in floating point up to here.
MAX_STEP = 2**53

Row: TypeAlias = tuple[ImportedTrial, float | None]
Skipped: TypeAlias = tuple[tuple[str, str], ...]


def read(path: str | Path) -> Imported:
    """Read one round from a folder; ``InputError`` lists file, line and column of what is wrong."""
    folder = Path(path)
    if not folder.is_dir():
        raise InputError([Problem(key=(), file=str(folder), message="is not a folder")])
    design = Round.load(folder / DESIGN)
    if design.name in ("", Path(DESIGN).stem):
        design = replace(design, name=folder.resolve().name)
    faults = Faults()
    rows, skipped = _read_trials(folder / TRIALS, design, faults)
    known = {trial.name for trial, _ in rows} | {name for name, _ in skipped}
    curves = _read_curves(folder / CURVES, known, faults)
    faults.raise_if_any()
    trials = tuple(_with_curves(trial, number, curves.get(trial.name, {}), design) for trial, number in rows)
    return Imported(rounds=(ImportedRound(name=design.name, design=design, trials=trials),), skipped=skipped)


def write(folder: str | Path, evidence: Evidence) -> None:
    """Write a round's finished trials with their curves; the folder is made when it is not there."""
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        evidence.round.save(target / DESIGN)
        _write_csv(target / TRIALS, _trial_rows(evidence))
        _write_csv(target / CURVES, _curve_rows(evidence))
    except OSError as error:
        raise InputError([Problem(key=(), file=str(target), message=f"cannot be written: {error}")]) from error


class Faults:
    """Problems found so far; raises by itself when there are too many to be read."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, file: Path, line: int, column: str, message: str) -> None:
        """Note what is wrong with one cell."""
        key = (column,) if column else ()
        self._found.append(Problem(key=key, message=message, file=str(file), line=line))
        if len(self._found) >= MAX_PROBLEMS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise one ``InputError`` with all that was noted."""
        if self._found:
            raise InputError(self._found)


def _read_trials(file: Path, design: Round, faults: Faults) -> tuple[list[Row], Skipped]:
    """Trials without curves, each with its ``objective`` cell where there is one; and those left out, with why."""
    lines = _rows(file)
    header = next(lines, (1, []))[1]
    named = [item.name for item in design.searched]
    missing = [name for name in dict.fromkeys((*REQUIRED_COLUMNS, *named)) if name not in header]
    for name in missing:
        hint = did_you_mean(name, [column for column in header if column not in named])
        faults.add(file, 1, name, f"missing column{hint}; the columns here are: {', '.join(header) or 'none'}")
    faults.raise_if_any()
    reader = RowReader(design, header)
    found: list[Row] = []
    skipped: list[tuple[str, str]] = []
    names: dict[str, int] = {}
    specs: dict[str, str] = {}
    for line, cells in lines:
        if not any(cells):
            continue
        row = dict(zip(header, cells, strict=False))
        for column, message in reader.problems(row, len(cells)):
            faults.add(file, line, column, message)
        trial = reader.trial()
        if trial is None:
            continue
        if trial.name in names:
            faults.add(
                file, line, "trial", f"{trial.name!r} is the trial in line {names[trial.name]} already; rename one"
            )
        names[trial.name] = line
        if trial.spec.id in specs:
            twin = specs[trial.spec.id]
            skipped.append((trial.name, f"has the configuration and seed of {twin}; give repeats different seeds"))
            continue
        specs[trial.spec.id] = trial.name
        found.append((trial, reader.objective))
    return (found if "purpose" in header else _with_repeats(found)), tuple(skipped)


def _with_repeats(rows: Sequence[Row]) -> list[Row]:
    """Where no column says what a run was for: one run a configuration is the search's, others repeat it.

    That one is the run with the seed that most rows have, else the first in the file.
    """
    seeds = Counter(trial.spec.seed for trial, _ in rows)
    usual = max(seeds, key=lambda seed: seeds[seed], default=0)
    searched: dict[Config, ImportedTrial] = {}
    for trial, _ in rows:
        if trial.spec.config not in searched or trial.spec.seed == usual:
            searched[trial.spec.config] = trial
    return [(trial if searched[trial.spec.config] is trial else _repeated(trial), value) for trial, value in rows]


def _repeated(trial: ImportedTrial) -> ImportedTrial:
    return replace(trial, spec=replace(trial.spec, purpose=TrialPurpose.REPEAT))


def _read_curves(file: Path, known: set[str], faults: Faults) -> dict[str, dict[str, Points]]:
    """Curves by trial and metric, an empty value being NaN; none when the file does not exist."""
    if not file.exists():
        return {}
    lines = _rows(file)
    header = next(lines, (1, []))[1]
    for name in CURVE_COLUMNS:
        if name not in header:
            faults.add(file, 1, name, f"missing column; the columns here are: {', '.join(header) or 'none'}")
    faults.raise_if_any()
    trial_at, step_at, metric_at, value_at = (header.index(name) for name in CURVE_COLUMNS)
    found: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    unknown: set[str] = set()
    for line, cells in lines:
        try:
            key = (cells[trial_at], cells[metric_at])
            step, value = number_in(cells[step_at]), number_in(cells[value_at] or "nan")
        except (ValueError, IndexError):
            _explain_curve_row(file, line, header, cells, faults)
            continue
        if key[0] not in known:
            if key[0] not in unknown:
                faults.add(file, line, "trial", f"{key[0]!r} is no trial of {TRIALS}{did_you_mean(key[0], known)}")
            unknown.add(key[0])
        elif not (0 <= step < MAX_STEP and step == int(step)):
            faults.add(file, line, "step", f"{cells[step_at]!r} is not a whole number from 0 to 2**53")
        else:
            steps, values = found.setdefault(key, ([], []))
            steps.append(int(step))
            values.append(value)
    curves: dict[str, dict[str, Points]] = {}
    for (trial, metric), (steps, values) in found.items():
        curves.setdefault(trial, {})[metric] = ascending(steps, values)
    return curves


def _explain_curve_row(file: Path, line: int, header: Sequence[str], cells: Sequence[str], faults: Faults) -> None:
    row = dict(zip(header, cells, strict=False))
    for name in CURVE_COLUMNS:
        if name not in row:
            faults.add(file, line, name, f"missing: the row has {len(cells)} cells, the header {len(header)}")
    for name in ("step", "value"):
        if name in row and not _is_number(row[name]) and (row[name] or name == "step"):
            faults.add(file, line, name, f"{row[name]!r} is not a number")


def _is_number(cell: str) -> bool:
    try:
        number_in(cell)
    except ValueError:
        return False
    return True


def _with_curves(
    trial: ImportedTrial, objective: float | None, curves: Mapping[str, Points], design: Round
) -> ImportedTrial:
    """The trial with its curves, and an outcome that agrees with them.

    An ``objective`` cell without a curve is a curve of one point at ``max_train_steps``.
    """
    metric = design.objective.metric
    if metric not in curves and objective is not None:
        curves = {**curves, metric: ascending([design.max_train_steps], [objective])}
    return replace(trial, curves=curves, outcome=_agreed(trial.outcome, curves, metric))


def _agreed(outcome: Outcome, curves: Mapping[str, Points], metric: str) -> Outcome:
    if outcome.status is not Status.COMPLETE or has_finite(curves, metric):
        return outcome
    if metric in curves:
        return Outcome.infeasible(Cause.DIVERGED, f"{metric} is never finite")
    return Outcome.failed(Cause.NO_OBJECTIVE, f"{metric} has no value")


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells, the header first."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for cells in reader:
                yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError([Problem(key=(), file=str(file), message=f"cannot be read: {reason}")]) from error


def _write_csv(file: Path, rows: Iterator[Sequence[str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _trial_rows(evidence: Evidence) -> Iterator[Sequence[str]]:
    names = list(dict.fromkeys(item.name for item in evidence.round.hyperparameters))
    yield (*REQUIRED_COLUMNS, "objective", *names, *EXTRA_COLUMNS)
    objectives = evidence.scores().values
    for record, objective in zip(evidence.trials, objectives, strict=True):
        if not record.status.is_final:
            continue
        values = [cell_of(record.config[name]) if name in record.config else "" for name in names]
        shown = repr(float(objective)) if math.isfinite(objective) else ""
        extra = (
            str(record.purpose),
            str(record.cause or ""),
            record.detail,
            "" if record.seconds is None else repr(float(record.seconds)),
        )
        yield (record.name, record.study, str(record.seed), str(record.status), shown, *values, *extra)


def _curve_rows(evidence: Evidence) -> Iterator[Sequence[str]]:
    yield CURVE_COLUMNS
    for position, record in enumerate(evidence.trials):
        if not record.status.is_final:
            continue
        for metric in evidence.metrics:
            steps, values = evidence.curves[metric][position]
            for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                yield (record.name, str(step), metric, repr(value))

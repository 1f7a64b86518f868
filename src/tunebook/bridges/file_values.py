"""One row of ``trials.csv``: cells to values of the design's domains, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from tunebook.core.config import Config, Value, spelled
from tunebook.core.hyperparameter import Choice, Domain, Hyperparameter, Range
from tunebook.core.outcome import INFEASIBLE_CAUSES, Cause, Outcome, Status
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Round
from tunebook.core.search import MAX_SEED
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.store.imports import ImportedTrial

REQUIRED_COLUMNS = ("trial", "study", "seed", "status")
#: Columns that ``export`` adds and ``import`` understands where they are.
EXTRA_COLUMNS = ("purpose", "cause", "detail", "seconds")
STATUSES = (Status.COMPLETE, Status.INFEASIBLE, Status.FAILED)
SEED = re.compile(r"-?[0-9]{1,19}")
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")


def number_in(cell: str) -> float:
    """A number as people and programs write it; ``nan`` and ``inf`` are numbers, words and blanks are not."""
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def cell_of(value: Value) -> str:
    """A value as ``trials.csv`` spells it, exact for floats."""
    return repr(value) if isinstance(value, float) else spelled(value)


def value_in(cell: str, domain: Domain) -> Value:
    """The value of ``domain`` that a cell means; ``ValueError`` says what is accepted."""
    if isinstance(domain, Range):
        return _number_of(cell, domain)
    values = domain.values if isinstance(domain, Choice) else (domain.value,)
    for value in values:
        if cell in (spelled(value), str(value)) or BOOLEANS.get(cell) is value or _same_number(cell, value):
            return value
    raise ValueError(f"{cell!r} is not accepted; accepted: {domain.describe()}")


class RowReader:
    """Reads one row at a time: ``problems`` parses it, ``trial`` and ``objective`` give what came out."""

    def __init__(self, design: Round, header: Sequence[str]) -> None:
        self._design = design
        self._header = header
        self._trial: ImportedTrial | None = None
        self.objective: float | None = None

    def trial(self) -> ImportedTrial | None:
        """The trial of the row read last, without curves; None when it has problems."""
        return self._trial

    def problems(self, row: Mapping[str, str], n_cells: int) -> list[tuple[str, str]]:
        """Parse a row; the columns in which it is wrong, each with a message."""
        self._trial, self.objective = None, None
        if n_cells != len(self._header):
            return [("", f"has {n_cells} cells where the header has {len(self._header)} columns")]
        values: dict[str, Value] = {}
        found = [*self._read_plain(row), *self._read_values(row, values)]
        if not found:
            self._trial = self._made(row, Config(values))
        return found

    def _read_plain(self, row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        if not row["trial"]:
            yield "trial", "is empty; every trial needs a name"
        if not SEED.fullmatch(row["seed"]) or abs(int(row["seed"])) > MAX_SEED:
            yield "seed", f"{_short(row['seed'])} is not a whole number within 2**63"
        if row["status"] not in STATUSES:
            hint = did_you_mean(row["status"], [str(status) for status in STATUSES])
            yield "status", f"{row['status']!r} is not accepted{hint}; accepted: {', '.join(STATUSES)}"
        if row.get("purpose") and row["purpose"] not in tuple(TrialPurpose):
            yield "purpose", f"{row['purpose']!r} is not accepted; accepted: {', '.join(TrialPurpose)}"
        if row.get("cause") and row["cause"] not in tuple(Cause):
            yield "cause", f"{row['cause']!r} is not accepted; accepted: {', '.join(Cause)}"
        for column in ("objective", "seconds"):
            try:
                number = number_in(row[column]) if row.get(column) else None
            except ValueError:
                yield column, f"{row[column]!r} is not a number"
            else:
                self.objective = number if column == "objective" else self.objective

    def _read_values(self, row: Mapping[str, str], values: dict[str, Value]) -> Iterator[tuple[str, str]]:
        """Fill ``values``, parents before children; a fixed value that has no column is the design's."""
        pending = list(self._design.hyperparameters)
        while ready := [item for item in pending if item.is_active(values)]:
            pending = [item for item in pending if item not in ready]
            for item in ready:
                fault = self._read_value(item, row, values)
                if fault:
                    yield item.name, fault
        for item in pending:
            if item.name not in values and row.get(item.name):
                yield item.name, f"{row[item.name]!r} stands where {item.label} does not exist; leave it empty"

    def _read_value(self, item: Hyperparameter, row: Mapping[str, str], values: dict[str, Value]) -> str:
        cell = row.get(item.name, "")
        if not cell and item in self._design.fixed:
            values[item.name] = item.domain.value  # type: ignore[union-attr]
            return ""
        if not cell:
            return f"is empty; {item.label} is {item.domain.describe()}"
        try:
            values[item.name] = value_in(cell, item.domain)
        except ValueError as error:
            return str(error)
        return ""

    def _made(self, row: Mapping[str, str], config: Config) -> ImportedTrial:
        spec = TrialSpec(
            study=row["study"],
            config=config,
            seed=int(row["seed"]),
            max_train_steps=self._design.max_train_steps,
            way_to_train=self._design.way_to_train,
            purpose=TrialPurpose(row.get("purpose") or TrialPurpose.SEARCH),
        )
        seconds = number_in(row["seconds"]) if row.get("seconds") else None
        return ImportedTrial(name=row["trial"], spec=spec, outcome=_outcome(row), seconds=seconds)


def _outcome(row: Mapping[str, str]) -> Outcome:
    """The outcome a row states; a cause that does not fit the status is taken as unknown."""
    status = Status(row["status"])
    if status is Status.COMPLETE:
        return Outcome.complete()
    cause = Cause(row.get("cause") or Cause.IMPORTED)
    if status is Status.INFEASIBLE:
        return Outcome.infeasible(cause if cause in INFEASIBLE_CAUSES else Cause.IMPORTED, row.get("detail", ""))
    fits = cause not in INFEASIBLE_CAUSES
    return Outcome.failed(cause if fits else Cause.IMPORTED, row.get("detail", ""))


def _number_of(cell: str, domain: Range) -> Value:
    try:
        number = number_in(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is not a number; accepted: {domain.describe()}") from None
    if not math.isfinite(number):
        raise ValueError(f"{cell!r} is not a finite number; accepted: {domain.describe()}")
    if domain.type == "float":
        return number
    if number != int(number):
        raise ValueError(f"{cell!r} is not a whole number; accepted: {domain.describe()}")
    return int(number)


def _same_number(cell: str, value: Value) -> bool:
    if isinstance(value, bool | str):
        return False
    try:
        return number_in(cell) == value
    except ValueError:
        return False

"""The tracking sheet of a whole project (E7)."""

from __future__ import annotations

from pathlib import Path

from tunebook.plan.folder import ROUNDS
from tunebook.show import sheet
from tunebook.store.store import Store


def sheet_rows(store: Store, root: Path) -> list[sheet.SheetRow]:
    """One row a study of every round."""
    return [row for listed in store.rounds() for row in _rows_of_round(store, root, listed.name)]


def _rows_of_round(store: Store, root: Path, name: str) -> tuple[sheet.SheetRow, ...]:
    file = _design_file(root, name)
    evidence = store.snapshot(name, metrics=(store.design(name).objective.metric,))
    return sheet.rows(evidence, design=file, reproduce=f"tunebook run {file}" if file else "")


def _design_file(root: Path, round_name: str) -> str:
    """Where a round's design lies, from the project's folder; empty where the project has no file of it."""
    path = Path(ROUNDS) / f"{round_name}.toml"
    return str(path) if (root / path).is_file() else ""

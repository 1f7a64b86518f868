"""The failed trials of a round, and where what they printed lies."""

from __future__ import annotations

from pathlib import Path

from tunebook.core.outcome import Status
from tunebook.run.folders import attempt_folder, output_file, round_folder
from tunebook.show.screens import Failure
from tunebook.store.store import Store


def failed_trials(store: Store, root: Path, round_name: str) -> list[Failure]:
    """Trials that failed: why, and the file with what they printed."""
    folder = round_folder(root, round_name)
    return [
        Failure(
            trial=row.name,
            cause=str(row.cause),
            detail=row.detail,
            output=str(output_file(attempt_folder(folder / row.spec.id, row.attempts))),
        )
        for row in store.trials(round_name)
        if row.status is Status.FAILED
    ]

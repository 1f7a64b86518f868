"""The documents of the project page and of the sheet."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tunebook.core.launch import Launch, current_launch
from tunebook.show.words import config_text
from tunebook.web.reader import Reader

#: What is added to a round's name for the rounds of a procedure, and for repetitions of its search.
_HELPER = re.compile(r"-((stability|warmup|clipping)-.+|steps(-\d+)?|batch-size(-.+)?|again-\d+)")


def project_document(reader: Reader) -> dict[str, Any]:
    """The rounds in order with their launches, the ledger, and how far the baseline has come."""
    project = reader.project
    launches = project.launches()
    current = current_launch(launches)
    rows = project.store.rounds() if project.has_store else ()
    names = [row.name for row in rows]
    launched = {launch.round for launch in launches}
    return {
        "name": project.root.name,
        "rounds": [
            {
                "round": row.name,
                "number": row.number,
                "goal": row.goal,
                "origin": row.origin,
                "created_at": row.created_at.isoformat(),
                "trials": {str(status): count for status, count in project.store.counts(row.name).items()},
                "launches": [launch.number for launch in launches if launch.round == row.name],
                "is_final": row.purpose.is_final,
                "part_of": None if row.name in launched else part_of(row.name, names),
                "notes": [
                    {"text": note.text, "at": note.at.isoformat()}
                    for note in project.store.notes(row.name)
                    if note.trial is None
                ],
            }
            for row in rows
        ],
        "launches": [_launch(launch) for launch in launches],
        "current": current.number if current else None,
        "improvement": improvement(launches),
        "version": reader.version(),
    }


def part_of(name: str, names: Sequence[str]) -> str | None:
    """The round that a round of a procedure, or a repetition of its search, goes back to; None for other rounds."""
    parents = [other for other in names if name.startswith(other) and _HELPER.fullmatch(name[len(other) :])]
    nearest = max(parents, key=len, default=None)
    return nearest and (part_of(nearest, names) or nearest)


def _launch(launch: Launch) -> dict[str, Any]:
    shown = launch.to_mapping()
    return {**shown, "config_text": config_text(launch.config), "improvement": _gain(launch)}


def improvement(launches: Sequence[Launch]) -> dict[str, Any] | None:
    """By how much the launches in force have improved the baseline together, with an interval.

    The sum over the launches that recorded an improvement; every one was measured on runs of its own, so
    half-widths add as independent errors do (the root of the sum of squares). None before the first, or
    when launches were judged by improvements at different levels.
    """
    out = {launch.rolls_back for launch in launches if launch.rolls_back is not None}
    standing = [launch for launch in launches if launch.is_launch and launch.number not in out]
    gains = [gain for launch in standing if (gain := _gain(launch))]
    if not gains or len({gain["level"] for gain in gains}) > 1:
        return None
    total = sum(gain["estimate"] for gain in gains)
    below = math.sqrt(sum((gain["estimate"] - gain["low"]) ** 2 for gain in gains))
    above = math.sqrt(sum((gain["high"] - gain["estimate"]) ** 2 for gain in gains))
    return {
        "estimate": total,
        "low": total - below,
        "high": total + above,
        "level": gains[0]["level"],
        "launches": len(gains),
    }


def _gain(launch: Launch) -> dict[str, Any] | None:
    answer = launch.evidence.get("configuration") or {}
    found: dict[str, Any] | None = answer.get("improvement")
    return found


def sheet_document(reader: Reader) -> dict[str, Any]:
    """The tracking sheet with the newest note of every round."""
    project = reader.project
    notes = {note.round: note.text for note in project.store.notes() if note.trial is None} if project.has_store else {}
    rows = [{**asdict(row), "note": notes.get(row.round, row.note)} for row in project.sheet()]
    return {"rows": rows, "version": reader.version()}

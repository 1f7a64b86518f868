"""What each address of the page answers, as plain values; ``app`` puts them on the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tunebook.core.outcome import Status
from tunebook.errors import InputError
from tunebook.plan.folder import ROUNDS, write_file
from tunebook.project import utc_now
from tunebook.show import sheet as sheets
from tunebook.web import compare_page, project_page, round_page, trial_page
from tunebook.web.cache import Kept
from tunebook.web.pack import pack
from tunebook.web.reader import Picture, Reader

Query: TypeAlias = Mapping[str, str]
"""The words behind the question mark of an address, or the fields of a change."""

COMPLEXITIES = ("none", "some", "much")
LONGEST_NOTE = 10_000
#: A name under which the next design may be written: one file in the folder of rounds.
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Conflict(InputError):
    """What was to be changed is no longer what the page showed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Bytes to be saved or shown under a name."""

    name: str
    kind: str
    data: bytes


def project(reader: Reader, _: Query) -> dict[str, Any]:
    """The story of the project."""
    return project_page.project_document(reader)


def round_data(reader: Reader, query: Query) -> bytes:
    """Table and plots of a round."""
    kept = reader.picture(_name(reader, query), _objective(query))
    return kept.value.once("round", lambda: _packed_round(kept))


def _packed_round(kept: Kept[Picture]) -> bytes:
    document = round_page.round_document(kept.value)
    return pack({**document, "version": kept.version, "counts": _counts(kept.value.data.table.statuses)})


def findings(reader: Reader, query: Query) -> bytes:
    """What the checks say; ``is_current`` is false while a running round is ahead of them."""
    name, objective = _name(reader, query), _objective(query)
    found = reader.findings(name, objective)
    document = round_page.findings_document(reader.picture(name, objective).value, found.value)
    return pack({**document, "version": found.version, "is_current": found.version == reader.version(name)})


def plot(reader: Reader, query: Query) -> bytes:
    """One drawing: with ``low`` and ``high`` its curves between two steps, from full resolution.

    Empty where its curves have nothing to show after all.
    """
    picture = reader.picture(_name(reader, query), _objective(query)).value
    wanted = _word(query, "id")
    if "low" in query or "high" in query:
        low, high = _number(query, "low"), _number(query, "high")
        with reader.curves_drawn:
            return pack(round_page.shown_document(picture, picture.window(wanted, low, high)))
    if wanted not in picture.drawings:
        raise InputError(f"this round has no plot {wanted!r}")
    with reader.curves_drawn:
        return picture.once(f"plot {wanted}", lambda: _packed_plot(picture, wanted))


def _packed_plot(picture: Picture, wanted: str) -> bytes:
    found = picture.late(wanted) if wanted in picture.later else picture.shown(wanted)
    return pack({} if found is None else round_page.shown_document(picture, found))


def diagnoses(reader: Reader, query: Query) -> dict[str, Any]:
    """Which trials show what: label -> names of trials, with at least one."""
    found = reader.diagnoses(_name(reader, query), _objective(query)).value
    labels: dict[str, list[str]] = {}
    for trial, one in found.trials.items():
        for label in one["labels"]:
            labels.setdefault(label, []).append(trial)
    words = {label: trial_page.LABEL_WORDS[label] for label in labels}
    return {
        "labels": labels,
        "words": words,
        "n_diagnosed": len(found.trials),
        "material": found.material,
        "source": found.source,
    }


def trial(reader: Reader, query: Query) -> bytes:
    """One trial; its diagnosis comes with ``diagnosed=1``, because a large round takes a while to diagnose."""
    name, objective = _name(reader, query), _objective(query)
    wanted = _word(query, "trial")
    diagnosis = None
    if query.get("diagnosed"):
        diagnosis = reader.diagnoses(name, objective).value.trials.get(wanted)
    picture = reader.picture(name, objective).value
    number = trial_page.number_of(picture, wanted)
    curves = reader.trial(name, wanted)
    return pack(trial_page.trial_document(picture, reader.project, number, curves, reader.baseline_config(), diagnosis))


def compare(reader: Reader, query: Query) -> bytes:
    """Settings, repeats and the verdict."""
    name, objective = _name(reader, query), _objective(query)
    found = reader.comparison(name, objective, _complexity(query))
    document = compare_page.compare_document(reader.picture(name, objective).value, found)
    return pack({**document, "version": reader.version(name), "next_name": next_name(reader)})


def verdict(reader: Reader, query: Query) -> dict[str, Any]:
    """The verdict alone, or why there is none."""
    found = reader.comparison(_name(reader, query), _objective(query), _complexity(query))
    return {"verdict": None, "why_not": found.why_not} if found.document is None else dict(found.document)


def sheet(reader: Reader, _: Query) -> dict[str, Any]:
    """The tracking sheet."""
    return project_page.sheet_document(reader)


def sheet_file(reader: Reader, query: Query) -> File:
    """The sheet as a file, notes included."""
    form = query.get("form", "csv")
    rows = [sheets.SheetRow(**row) for row in project_page.sheet_document(reader)["rows"]]
    kinds = {"csv": "text/csv; charset=utf-8", "md": "text/markdown; charset=utf-8"}
    return File(name=f"sheet.{form}", kind=kinds.get(form, "application/octet-stream"), data=sheets.encode(rows, form))


def report(reader: Reader, query: Query) -> File:
    """The printable report of a round."""
    name, objective = _name(reader, query), _objective(query)
    text = reader.report(name, objective)
    return File(name=f"{file_name(name)}.html", kind="text/html; charset=utf-8", data=text.encode())


def adopt(reader: Reader, fields: Query) -> dict[str, Any]:
    """Write the launch that the page showed; ``Conflict`` when the candidate is another one by now."""
    name = _name(reader, fields)
    reader.changed()
    found = reader.verdict(name, _objective(fields), _complexity(fields))
    shown = _word(fields, "candidate")
    if found.candidate is None or found.candidate.trial != shown or str(found.ruling) != _word(fields, "verdict"):
        raise Conflict("the round has changed since this was shown; look at it again")
    launch = reader.project.adopt(found, note=_note(fields))
    reader.changed()
    return {"launch": launch.number, "trial": launch.trial}


def keep(reader: Reader, fields: Query) -> dict[str, Any]:
    """Record that the baseline stays."""
    found = reader.verdict(_name(reader, fields), _objective(fields), _complexity(fields))
    entry = reader.project.keep(found, note=_note(fields))
    reader.changed()
    return {"entry": entry.number, "trial": entry.trial}


def propose(reader: Reader, query: Query) -> dict[str, Any]:
    """The design of the next round as text, and what is different in it."""
    return {**asdict(reader.proposal(_name(reader, query), _objective(query))), "name": next_name(reader)}


def save_next(reader: Reader, fields: Query) -> dict[str, Any]:
    """Write the next design into the folder of rounds; nothing is overwritten."""
    target = _word(fields, "name").removesuffix(".toml")
    if not SAFE_NAME.fullmatch(target):
        raise InputError(f"{target!r} is not a name for a file: letters, digits, dots, dashes and underscores")
    folder = reader.project.root / ROUNDS
    path = folder / f"{target}.toml"
    if path.exists() or path.is_symlink():
        raise InputError(f"{path.relative_to(reader.project.root)} is there already; choose another name")
    proposed = reader.proposal(_name(reader, fields), _objective(fields), target)
    folder.mkdir(exist_ok=True)
    _check_inside(folder, reader.project.root)
    write_file(path, proposed.design.encode())
    return {"file": str(path.relative_to(reader.project.root))}


def note(reader: Reader, fields: Query) -> dict[str, Any]:
    """Keep a sentence about a round or one of its trials; the newest one is the one the sheet shows."""
    name = _name(reader, fields)
    about = _word(fields, "trial") if fields.get("trial") else None
    reader.project.store.add_note(name, about, _note(fields), utc_now())
    reader.changed()
    return {"text": _note(fields)}


def next_name(reader: Reader) -> str:
    """A free name for the next design: one more than the last round and the last file."""
    folder = reader.project.root / ROUNDS
    files = [path.stem for path in folder.glob("*.toml")] if folder.is_dir() else []
    rounds = [row.name for row in reader.project.store.rounds()]
    taken = [int(found[0]) for name in (*files, *rounds) if (found := re.match(r"\d{1,4}", name))]
    return f"{max(taken, default=0) + 1:02d}-next"


def file_name(name: str) -> str:
    """``name`` as the name of a file to save, without anything that leads elsewhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "round"


def _counts(statuses: tuple[Status, ...]) -> dict[str, int]:
    return {str(status): statuses.count(status) for status in Status}


def _check_inside(folder: Path, root: Path) -> None:
    if not folder.resolve().is_relative_to(root):
        raise InputError(f"{folder.name} leads out of the project")


def _name(reader: Reader, query: Query) -> str:
    return reader.project.store.resolve(_word(query, "round"))


def _word(query: Query, key: str) -> str:
    word = query.get(key)
    if not isinstance(word, str) or not word:
        raise InputError(f"{key} is missing")
    return _text(word, key)


def _text(word: str, key: str) -> str:
    """A word that a store can be asked for: without NUL and halves of characters."""
    if "\0" in word or any("\ud800" <= letter <= "\udfff" for letter in word):
        raise InputError(f"{key} is no text")
    return word


def _objective(query: Query) -> str | None:
    word = query.get("objective") or None
    if word is not None and not isinstance(word, str):
        raise InputError("objective is not a text")
    return word if word is None else _text(word, "objective")


def _complexity(query: Query) -> str:
    word = query.get("complexity") or "some"
    if word not in COMPLEXITIES:
        raise InputError(f"complexity {word!r} is not accepted; accepted: {', '.join(COMPLEXITIES)}")
    return word


def _number(query: Query, key: str) -> float:
    try:
        return float(_word(query, key))
    except ValueError:
        raise InputError(f"{key} {query[key]!r} is not a number") from None


def _note(fields: Query) -> str:
    text = fields.get("note", "")
    if not isinstance(text, str) or len(text) > LONGEST_NOTE:
        raise InputError(f"a note is a text of at most {LONGEST_NOTE} letters")
    return _text(text, "note")

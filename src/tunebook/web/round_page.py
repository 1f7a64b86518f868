"""The documents of the page of one round: its table, its plots, what the checks say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from tunebook.core.config import spelled
from tunebook.core.hyperparameter import Hyperparameter
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.evidence import IntArray
from tunebook.show.data.studies import study_summaries
from tunebook.show.data.table import TrialTable
from tunebook.show.draw.drawing import Drawing, objective_label
from tunebook.show.report_links import drawing_for
from tunebook.web.analyst import Findings
from tunebook.web.reader import Picture, Shown

#: Fewer different configurations do not tell where a range should end (``learn.boundary`` asks for as many).
TOO_FEW = 6
MANY = 200
#: Types of a column of numbers; of a truth value (which Python takes for a number) it is not.
NUMBERS = {int, float, type(None)}
#: Names of the traces that hold several trials as one line with gaps.
BEHIND, BROKEN = "other trials", "infeasible trials"


def round_document(picture: Picture) -> dict[str, Any]:
    """Everything of the first screen: words, table, columns and the plots."""
    evidence, data = picture.evidence, picture.data
    table, design = data.table, evidence.round
    return {
        "round": evidence.name,
        "goal": design.goal,
        "question": str(design.question),
        "roles": list(roles(design)),
        "objective": {**table.objective.to_mapping(), "label": objective_label(table)},
        "own_objective": design.objective.to_mapping(),
        "metrics": list(picture.metrics),
        "max_train_steps": design.max_train_steps,
        "n_searched": {"feasible": int(table.feasible.sum()), "configurations": n_configurations(table)},
        "too_few": TOO_FEW,
        "table": table_document(picture),
        "columns": columns(table, design),
        "studies": [item.to_mapping() for item in study_summaries(table)],
        "chapters": [
            {
                "title": chapter.title,
                "drawings": [_first_document(picture, drawing) for drawing in chapter.drawings],
            }
            for chapter in picture.chapters
        ],
    }


def n_configurations(table: TrialTable) -> int:
    """How many different configurations a search drew and could train."""
    places = np.flatnonzero(table.feasible).tolist()
    # Many trials are many configurations: which are the same matters where there are few.
    return len(places) if len(places) > MANY else len({table.configs[place] for place in places})


def table_document(picture: Picture) -> dict[str, Any]:
    """One entry a trial in every array; ``order`` has the feasible trials, best first."""
    table = picture.data.table
    order = list(Status)
    return {
        "studies": list(table.studies),
        "names": list(table.names),
        "study": table.study,
        "status_names": [str(status) for status in order],
        "status": np.array([order.index(status) for status in table.statuses], dtype=np.int64),
        "searched": np.array([trial.purpose == "search" for trial in picture.evidence.trials], dtype=np.int64),
        "values": table.values,
        "steps": table.steps,
        "infeasible": np.flatnonzero(table.infeasible),
        "order": table.order,
        "best": table.leaders,
    }


def columns(table: TrialTable, design: Round) -> list[dict[str, Any]]:
    """The configurations by column: numbers with NaN, or places in a list of words with -1, where a trial has none."""
    known = {item.name: item for item in reversed(design.hyperparameters)}
    names = dict.fromkeys([*(item.name for item in design.hyperparameters), *chain.from_iterable(table.configs)])
    return [_column(table, name, design, known.get(name)) for name in names]


def _column(table: TrialTable, name: str, design: Round, item: Hyperparameter | None) -> dict[str, Any]:
    values = [config.get(name) for config in table.configs]
    role = str(design.role_of(item)) if item is not None else "recorded"
    if {type(value) for value in values} <= NUMBERS:
        numbers = [np.nan if value is None else value for value in values]
        return {"name": name, "role": role, "x": np.array(numbers, dtype=np.float64)}
    known_values = dict.fromkeys((type(value), value) for value in values if value is not None)
    categories = list(dict.fromkeys(spelled(value) for _, value in known_values))
    place = {key: categories.index(spelled(key[1])) for key in known_values}
    places = [-1 if value is None else place[type(value), value] for value in values]
    return {"name": name, "role": role, "categories": categories, "x": np.array(places, dtype=np.int64)}


def roles(design: Round) -> Iterator[str]:
    """The roles as sentences."""
    tunes = "Tunes anew for each setting" if design.scientific else "Tunes"
    for role, verb in (("scientific", "Compares"), ("nuisance", tunes), ("fixed", "Holds fixed")):
        said = "; ".join(f"{item.label}: {item.domain.describe()}" for item in getattr(design, role))
        if said:
            yield f"{verb} {said}." if role == "scientific" else f"{verb}: {said}."
    if not design.scientific:
        yield "There is nothing to compare: the round looks for the best configuration."


def _first_document(picture: Picture, drawing: Drawing) -> dict[str, Any]:
    if drawing.id in picture.later:
        return {**drawing_document(picture.data.table, drawing), "data": None}
    return shown_document(picture, picture.shown(drawing.id))


def shown_document(picture: Picture, shown: Shown) -> dict[str, Any]:
    """One plot with its arrays as arrays, and whose its lines are."""
    return drawing_document(picture.data.table, shown.drawing, shown.owners)


def drawing_document(table: TrialTable, drawing: Drawing, owners: IntArray | None = None) -> dict[str, Any]:
    """One plot with its arrays as arrays.

    Traces that hold several trials as lines with gaps, those of ``owners``, say which in ``trials``; buttons
    of the layout become ``switches``, which a page can offer as buttons of its own.
    """
    layout = {key: value for key, value in drawing.layout.items() if key != "updatemenus"}
    menus = drawing.layout.get("updatemenus") or [{}]
    return {
        "id": drawing.id,
        "title": drawing.title,
        "caption": drawing.caption,
        "subject": drawing.subject,
        "height": drawing.height,
        "is_wide": drawing.is_wide,
        "switches": [{"label": item["label"], "changes": item["args"][0]} for item in menus[0].get("buttons", [])],
        "layout": layout,
        "data": [_trace(table, trace, owners) for trace in drawing.traces],
    }


def _trace(table: TrialTable, trace: Mapping[str, Any], owners: IntArray | None) -> dict[str, Any]:
    kept = {key: value for key, value in trace.items() if key not in ("hovertemplate", "hoverinfo")}
    if "customdata" not in trace and trace.get("mode") == "lines":
        several = _several(table, str(trace.get("name", "")), owners)
        return kept if several is None else {**kept, "trials": several}
    custom = trace.get("customdata")
    if isinstance(custom, np.ndarray) and trace["mode"].startswith("lines") and len(set(custom.tolist())) == 1:
        return {key: value for key, value in kept.items() if key != "customdata"} | {"trial": int(custom[0])}
    return kept


def _several(table: TrialTable, trace: str, owners: IntArray | None) -> IntArray | None:
    """The trials of the lines of one trace, in their order; None for a trace that is not about trials."""
    if owners is None:
        return None
    broken = table.infeasible[owners]
    if trace.startswith(BEHIND):
        return owners[~broken]
    return owners[broken] if trace.startswith(BROKEN) else None


def findings_document(picture: Picture, findings: Findings) -> dict[str, Any]:
    """The cards with the plot each one opens, and what the axis plots look like with its places marked."""
    marked = picture.marked(findings)
    known = picture.drawings
    everything = {**known, **{drawing.id: drawing for drawing in marked}}
    names = {name: number for number, name in enumerate(picture.data.table.names)}
    return {
        "cards": [
            {**_shown(card), "plot": _plot_of(card, everything), "trials": _trials_in(card, names)}
            for card in findings.cards
        ],
        "layouts": {drawing.id: drawing.layout for drawing in marked if drawing.id in known},
        "derived": [drawing_document(picture.data.table, drawing) for drawing in marked if drawing.id not in known],
    }


def _shown(card: Mapping[str, Any]) -> dict[str, Any]:
    parts = (
        "code",
        "requirement",
        "severity",
        "says",
        "why",
        "confidence_text",
        "subject_text",
        "next_text",
        "subject",
    )
    return {part: card[part] for part in parts}


class _CardFinding:
    """What ``drawing_for`` reads of a finding, from its card."""

    def __init__(self, card: Mapping[str, Any]) -> None:
        self.code = card["code"]
        self.subject = _Subject(card["subject"])


class _Subject:
    def __init__(self, subject: Mapping[str, Any]) -> None:
        self.hyperparameter = subject["hyperparameter"]


def _plot_of(card: Mapping[str, Any], drawings: Mapping[str, Drawing]) -> str | None:
    shown = drawing_for(_CardFinding(card), drawings)  # type: ignore[arg-type]
    return shown.id if shown else None


def _trials_in(card: Mapping[str, Any], names: Mapping[str, int]) -> list[int]:
    """The trials a finding names, as places in the table."""
    said = [card["subject"].get("trial"), *card["evidence"].values()]
    return sorted({names[word] for word in said if isinstance(word, str) and word in names})

"""The document of one trial: configuration, curves, what they show, output, checkpoints, how to do it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.core.config import Config, spelled
from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.handle.checkpoints import read_checkpoints
from tunebook.project import Project
from tunebook.run.folders import CHECKPOINTS, HOME, OUTPUT, attempt_folder, trial_folder
from tunebook.show.data.thin import thin
from tunebook.web.reader import Picture

#: What is shown of the end of an output, in bytes, and of a curve, in points.
TAIL, POINTS = 20_000, 600
#: From this score on a label holds; below the second one it is not even hinted at (as in ``tunebook curves``).
GIVEN, HINTED = 0.5, 0.2

LABEL_WORDS = {
    "diverged": "It diverged: training broke down or never left chance level.",
    "overfitting": "It overfits: after its best step, validation worsens while training goes on improving.",
    "still_improving": "It is still improving at its end: a longer run would probably be better.",
    "saturated_early": "It saturates early: the second half of the run brings next to nothing.",
    "late_variance": "It scatters late: its best value is partly luck of when it was measured.",
    "loss_spike": "Its training loss spikes: it is near the edge where training becomes unstable.",
    "train_loss_rising": "Its training loss rises for a while: too high a learning rate, or a bug in the pipeline.",
    "periodic_validation": "Its validation goes up and down with a period: look at the order of the data.",
}
NOTHING = "Nothing stands out: it improves, settles and stays."


def number_of(picture: Picture, name: str) -> int:
    """The place of a trial in the table; ``InputError`` when the round has none of this name."""
    names = picture.data.table.names
    if name not in names:
        raise InputError(f"{picture.evidence.name} has no trial {name!r}{did_you_mean(name, names)}")
    return names.index(name)


def trial_document(
    picture: Picture,
    project: Project,
    number: int,
    logged: Evidence,
    baseline: Config | None,
    diagnosis: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All of trial ``number``; ``logged`` has its curves."""
    evidence, table = picture.evidence, picture.data.table
    trial, name = evidence.trials[number], table.names[number]
    ranked = table.order[table.feasible[table.order]].tolist()
    return {
        "round": evidence.name,
        "trial": name,
        "study": trial.study,
        "seed": trial.seed,
        "purpose": str(trial.purpose),
        "status": str(trial.status),
        "cause": str(trial.cause) if trial.cause else None,
        "detail": trial.detail,
        "seconds": trial.seconds,
        "metric": table.objective.metric,
        "value": float(table.values[number]),
        "step": int(table.steps[number]),
        "rank": ranked.index(number) + 1 if number in ranked else None,
        "n_ranked": len(ranked),
        "config": list(config_rows(evidence, trial.config, baseline)),
        "has_baseline": baseline is not None,
        "repeats": repeats_of(picture, number),
        "curves": list(panels(logged)),
        "diagnosis": sentences(diagnosis) if diagnosis is not None else None,
        "output": output(project.root, evidence.name, name),
        "checkpoints": checkpoints(project.root, evidence.name, name),
        "notes": [
            {"text": note.text, "at": note.at.isoformat()}
            for note in project.store.notes(evidence.name)
            if note.trial == name
        ],
        "reproduce": reproduce(evidence, trial.config, trial.seed, project, name),
    }


def config_rows(evidence: Evidence, config: Config, baseline: Config | None) -> list[dict[str, Any]]:
    """One row a hyperparameter of this trial or of the baseline, with the value of each and whether they differ."""
    design = evidence.round
    role = {item.name: str(design.role_of(item)) for item in reversed(design.hyperparameters)}
    own = {name: spelled(value) for name, value in config.items()}
    other = {name: spelled(value) for name, value in (baseline or {}).items()}
    return [
        {
            "name": name,
            "role": role.get(name, "recorded"),
            "value": own.get(name),
            "baseline": other.get(name),
            "differs": baseline is not None and own.get(name) != other.get(name),
        }
        for name in dict.fromkeys([*own, *other])
    ]


def repeats_of(picture: Picture, number: int) -> list[dict[str, Any]]:
    """The other runs of the same configuration."""
    table, trials = picture.data.table, picture.evidence.trials
    same = [other for other, config in enumerate(table.configs) if config == table.configs[number] and other != number]
    return [
        {"trial": table.names[other], "value": float(table.values[other]), "seed": trials[other].seed} for other in same
    ]


def panels(logged: Evidence) -> list[dict[str, Any]]:
    """One plot a quantity, with training and validation on the same axes: ``valid/error`` beside ``train/error``."""
    objective = logged.round.objective.metric
    groups: dict[str, list[dict[str, Any]]] = {}
    for metric in sorted(logged.metrics, key=lambda one: one.rpartition("/")[2] != objective.rpartition("/")[2]):
        line = thin(logged.curves[metric], POINTS)
        if len(line.steps):
            shown = {"metric": metric, "steps": line.steps, "values": line.values}
            groups.setdefault(metric.rpartition("/")[2], []).append(shown)
    return [{"quantity": quantity, "lines": lines} for quantity, lines in groups.items()]


def sentences(diagnosis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the curves show, the strongest first, with its score; one sentence when they show nothing."""
    scores = sorted(diagnosis["scores"].items(), key=lambda item: -item[1])
    told = [
        {"label": label, "score": score, "is_given": score >= GIVEN, "words": LABEL_WORDS[label]}
        for label, score in scores
        if score >= HINTED
    ]
    return told or [{"label": "none", "score": None, "is_given": False, "words": NOTHING}]


def _inside(root: Path, round_name: str, trial: str) -> Path | None:
    """The folder of a trial; None when it is not there or leads out of the project."""
    home = (root / HOME).resolve()
    folder = trial_folder(root, round_name, trial).resolve()
    return folder if folder.is_dir() and folder.is_relative_to(home) else None


def output(root: Path, round_name: str, trial: str) -> dict[str, Any] | None:
    """The end of what the newest attempt printed; None where it left nothing here."""
    folder = _inside(root, round_name, trial)
    attempts = [int(path.name[8:]) for path in folder.glob("attempt-*") if path.name[8:].isdecimal()] if folder else []
    if folder is None or not attempts:
        return None
    path = (attempt_folder(folder, max(attempts)) / OUTPUT).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        return None
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - TAIL))
        text = file.read(TAIL).decode("utf-8", "replace")
    return {"attempt": max(attempts), "text": text, "is_cut": size > TAIL, "bytes": size}


def checkpoints(root: Path, round_name: str, trial: str) -> list[dict[str, Any]]:
    """The checkpoints that were kept."""
    folder = _inside(root, round_name, trial)
    found = read_checkpoints(folder / CHECKPOINTS) if folder else []
    return [
        {"step": one.step, "value": one.value, "path": str(folder_path(root, round_name, trial) / one.name)}
        for one in found
    ]


def folder_path(root: Path, round_name: str, trial: str) -> Path:
    """Where the checkpoints of a trial lie, from the project's folder."""
    return trial_folder(root, round_name, trial).relative_to(root) / CHECKPOINTS


def reproduce(evidence: Evidence, config: Config, seed: int, project: Project, trial: str) -> dict[str, Any]:
    """How to run the trial again: the code it ran, the command for more seeds, the configuration as JSON."""
    record = project.store.provenance(trial, round=evidence.name) or {}
    git = record.get("git") or {}
    repeat = shlex.join(["tunebook", "repeat", evidence.name, "--trial", trial, "--seeds", "1"])
    return {
        "steps": [*([f"git checkout {git['revision']}"] if git.get("revision") else []), repeat],
        "is_dirty": bool(git.get("diff")),
        "seed": seed,
        "pipeline": evidence.round.way_to_train,
        "config": json.dumps(dict(config), indent=2),
        "python": record.get("python"),
        "host": record.get("host"),
        "was_started_by": shlex.join(record["argv"]) if record.get("argv") else None,
    }

"""Public logs of the AlgoPerf benchmark as rounds: one per submission and workload (B1).

The layout is ``…/<submission>/study_<i>/<workload>_<framework>/trial_<j>/``, with any folders above.
Studies repeat the same configurations with other seeds, so a study's number is the seed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunebook.bridges.algoperf_logs import (
    TRIAL_FILES,
    TrialLog,
    Unreadable,
    distinct,
    fingerprint,
    read_log,
    read_points,
)
from tunebook.bridges.algoperf_workloads import goal_of, objective_of
from tunebook.bridges.imported import Imported, ImportedRound, has_finite
from tunebook.core.config import Config, Value
from tunebook.core.hyperparameter import Choice, Constant, Domain, Range, is_number
from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Outcome
from tunebook.core.round import Round
from tunebook.core.search import Search
from tunebook.core.trial import WHOLE_ROUND, TrialPurpose, TrialSpec
from tunebook.errors import InputError, Problem
from tunebook.store.imports import ImportedTrial

FRAMEWORKS = ("jax", "pytorch")
STEP_HINT = "workload.step_hint"
#: Folders above a submission that say nothing about it.
SILENT_FOLDERS = ("logs", ".", "..")
#: From this ratio of largest to smallest on, positive values were meant on a log scale.
LOG_RATIO = 3.0
_STUDY = re.compile(r"study_(\d+)$")
_TRIAL = re.compile(r"trial_(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a trial folder stands: its name below the imported folder, and what the folders above it say."""

    folder: Path
    name: str
    submission: Path
    study: int
    workload: str
    trial: int


@dataclass(frozen=True, slots=True)
class _Entry:
    place: Place
    log: TrialLog


def read(path: str | Path) -> Imported:
    """Read all trials below ``path``; ``InputError`` when it is no folder or has no trial folders.

    A trial without measurements, an exact copy outside of any workload folder and a trial whose
    workload is not known are left out, each with the reason.
    """
    root = Path(path)
    folders = sorted(trial_folders(root), key=_natural)
    if not folders:
        message = "no trial folders below it; expected …/study_0/<workload>_<framework>/trial_1/measurements.csv"
        raise InputError([Problem(key=(), file=str(root), message=message)])
    skipped: list[tuple[str, str]] = []
    groups: dict[tuple[Path, str], list[_Entry]] = {}
    for folder in folders:
        name = _name_below(root, folder)
        try:
            place = locate(folder, name)
            entry = _Entry(place, read_log(folder))
        except Unreadable as reason:
            skipped.append((name, _explained(reason, folder)))
        else:
            groups.setdefault((place.submission, place.workload), []).append(entry)
    rounds = []
    for (submission, workload), entries in groups.items():
        try:
            rounds.append(_round(_round_name(root, submission, workload), submission, workload, entries))
        except Unreadable as reason:
            skipped += [(entry.place.name, str(reason)) for entry in entries]
    return Imported(rounds=tuple(rounds), skipped=tuple(skipped))


def trial_folders(root: Path) -> Iterator[Path]:
    """Folders below ``root``, or ``root`` itself, that hold at least one file of a trial."""
    if not root.is_dir():
        raise InputError([Problem(key=(), file=str(root), message="is not a folder")])
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        if any(file in TRIAL_FILES for file in files) and _TRIAL.search(Path(folder).resolve().name):
            yield Path(folder)


def locate(folder: Path, name: str) -> Place:
    """Read the folders above a trial; ``Unreadable`` when they do not say study and workload."""
    workload_folder, study_folder = folder.resolve().parents[0], folder.resolve().parents[1]
    study, trial = _STUDY.match(study_folder.name), _TRIAL.match(folder.resolve().name)
    if study is None or trial is None or _STUDY.match(workload_folder.name):
        raise Unreadable("no workload folder: expected …/study_<i>/<workload>_<framework>/trial_<j>")
    return Place(
        folder=folder,
        name=name,
        submission=study_folder.parent,
        study=int(study[1]),
        workload=workload_folder.name,
        trial=int(trial[1]),
    )


def _explained(reason: Unreadable, folder: Path) -> str:
    """The reason, and for a folder in the wrong place which other one it is a copy of."""
    own = fingerprint(folder)
    siblings = folder.resolve().parent.glob(f"*/{folder.resolve().name}")
    twins = [other for other in siblings if own and fingerprint(other) == own]
    return f"{reason}; an exact copy of {twins[0].parent.name}/{twins[0].name}" if twins else str(reason)


def _round(name: str, submission: Path, workload: str, entries: Sequence[_Entry]) -> ImportedRound:
    family, framework = split_framework(workload)
    metadata = entries[0].log.metadata
    metrics = {metric for entry in entries for metric in entry.log.curves}
    objective = objective_of(family, metadata, metrics)
    if objective is None:
        raise Unreadable(f"neither its metadata nor tunebook knows which metric decides on {family}")
    configs = distinct([*read_points(_space_file(submission)), *(entry.log.config for entry in entries)])
    spaces = space_of(configs)
    design = Round(
        goal=goal_of(submission.name, workload, objective, metadata),
        question="minimize",
        command=_command(submission.name, family, framework),
        max_train_steps=_length(entries),
        objective=objective,
        nuisance={key: domain for key, domain in spaces.items() if not isinstance(domain, Constant)},
        fixed={key: domain for key, domain in spaces.items() if isinstance(domain, Constant)},
        search=_search(configs, spaces),
        name=name,
    )
    return ImportedRound(name=name, design=design, trials=tuple(_trials(design, configs, entries)))


def _trials(design: Round, configs: Sequence[Config], entries: Sequence[_Entry]) -> Iterator[ImportedTrial]:
    """Trials with the study as seed; the first of each configuration is the search, later ones repeat it."""
    seeds: dict[Config, list[int]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.place.study, entry.place.trial)):
        config, log = entry.log.config, entry.log
        taken = seeds.setdefault(config, [])
        seed = entry.place.study if entry.place.study not in taken else max(taken) + 1
        purpose = TrialPurpose.REPEAT if taken else TrialPurpose.SEARCH
        taken.append(seed)
        spec = TrialSpec(
            study=WHOLE_ROUND,
            config=config,
            seed=seed,
            max_train_steps=design.max_train_steps,
            way_to_train=design.way_to_train,
            purpose=purpose,
            index=configs.index(config),
        )
        outcome = outcome_of(log, design.objective)
        yield ImportedTrial(name=entry.place.name, spec=spec, outcome=outcome, curves=log.curves, seconds=log.seconds)


def outcome_of(log: TrialLog, objective: Objective) -> Outcome:
    """Infeasible when the objective or the batch loss ended non-finite, failed when there is no objective at all."""
    for metric in (objective.metric, "train/batch_loss"):
        if metric in log.curves and not np.isfinite(log.curves[metric][1][-1]):
            return Outcome.infeasible(Cause.DIVERGED, f"{metric} ended non-finite at step {log.curves[metric][0][-1]}")
    if not has_finite(log.curves, objective.metric):
        return Outcome.failed(Cause.NO_OBJECTIVE, f"{objective.metric} was never evaluated")
    return Outcome.complete()


def space_of(configs: Sequence[Config]) -> dict[str, Domain]:
    """The domain of every hyperparameter, from the values it took."""
    names = dict.fromkeys(name for config in configs for name in config)
    return {name: domain_of([config[name] for config in configs if name in config]) for name in names}


def domain_of(values: Iterable[Value]) -> Domain:
    """A constant for one value, a range for three or more numbers (log when they span a factor of 3), else a choice."""
    found = list(dict.fromkeys((type(value) is bool, value) for value in values))
    distinct_values = [value for _, value in found]
    numbers = [value for value in distinct_values if is_number(value)]
    if len(distinct_values) == 1:
        return Constant(distinct_values[0])
    if len(numbers) < max(len(distinct_values), 3):
        return Choice(*distinct_values)
    low, high = float(min(numbers)), float(max(numbers))
    is_int = all(isinstance(value, int) for value in numbers)
    scale = "log" if low > 0 and high / low >= LOG_RATIO else "linear"
    return Range(low=low, high=high, scale=scale, type="int" if is_int else "float")  # type: ignore[arg-type]


def _search(configs: Sequence[Config], spaces: dict[str, Domain]) -> Search:
    """The points as a list; where they do not all have the same hyperparameters no list can hold them."""
    searched = {name for name, domain in spaces.items() if not isinstance(domain, Constant)}
    if any(not spaces.keys() <= config.keys() for config in configs):
        return Search(algorithm="random", trials=len(configs))
    points = tuple(Config({name: config[name] for name in config if name in searched}) for config in configs)
    return Search(algorithm="list", trials=len(points), configurations=points)


def _length(entries: Sequence[_Entry]) -> int:
    """The step hint of the workload, or the longest run where that is longer (self tuning, time limits)."""
    hint = entries[0].log.metadata.get(STEP_HINT)
    stated = int(hint) if isinstance(hint, int | float) and is_number(hint) else 1
    return max(stated, *(entry.log.last_step for entry in entries), 1)


def _command(submission: str, workload: str, framework: str) -> list[str]:
    words = ["python3", "submission_runner.py", f"--workload={workload}", f"--submission_path={submission}"]
    return words + ([f"--framework={framework}"] if framework else [])


def split_framework(workload: str) -> tuple[str, str]:
    """``fastmri_jax`` is ``fastmri`` in ``jax``; the framework is empty where the folder does not say."""
    family, _, framework = workload.rpartition("_")
    return (family, framework) if framework in FRAMEWORKS else (workload, "")


def _space_file(submission: Path) -> Path:
    """Where the benchmark keeps the search space of a submission: beside ``logs``, under ``submissions``."""
    parts = ["submissions" if part == "logs" else part for part in submission.parts]
    return Path(*parts) / "tuning_search_space.json"


def _round_name(root: Path, submission: Path, workload: str) -> str:
    above = root.resolve()
    parts = submission.relative_to(above).parts if submission.is_relative_to(above) else ()
    said = [part for part in parts if part not in SILENT_FOLDERS] or [submission.name]
    return "-".join([*said, workload])


def _name_below(root: Path, folder: Path) -> str:
    below = folder.relative_to(root).as_posix()
    return folder.resolve().name if below == "." else below


def _natural(folder: Path) -> list[tuple[int, str]]:
    """Sort ``trial_2`` before ``trial_10``."""
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.split(r"(\d+)", folder.as_posix())]

"""Final: train a launch once more and look at the test set, once, on the record (X2, X3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.round import Purpose, Round
from tunebook.decide.baseline import baseline_design
from tunebook.errors import InputError
from tunebook.evidence import Evidence, score_curves

ALL_DATA_WORDS = (
    "The validation data is trained on, so nothing is left to choose a checkpoint or a configuration by: this is "
    "legitimate only when every choice has been made, the number of steps included, and the value on the test set "
    "is the only one there will be."
)
REUSED_WORDS = (
    "The test set was looked at before with this configuration. A value that is chosen among several looks is no "
    "longer an unbiased one; report how many there were."
)


def final_launch(launches: Sequence[Launch], round_name: str) -> Launch:
    """The newest launch of a round that is not rolled back; ``InputError`` when it has none."""
    out = {launch.rolls_back for launch in launches}
    own = [entry for entry in launches if entry.is_launch and entry.round == round_name and entry.number not in out]
    if not own:
        standing = sorted({entry.round for entry in launches if entry.is_launch and entry.number not in out})
        raise InputError(
            f"{round_name} has no launch, and only a launch is trained for the last time; adopt its candidate with "
            f"`tunebook decide {round_name} --adopt`, or name a round that has one "
            f"({', '.join(standing) or 'none yet'})"
        )
    return own[-1]


def looks(launches: Sequence[Launch], config: Config) -> int:
    """How often the test set was looked at with a configuration."""
    return sum(entry.test_set_looked_at and entry.config == config for entry in launches)


def check_first_look(launches: Sequence[Launch], launch: Launch, again: bool) -> None:
    """``InputError`` when the test set was looked at already and nobody insists."""
    n_looks = looks(launches, launch.config)
    if n_looks and not again:
        raise InputError(
            f"the test set was looked at {n_looks} time{'s' * (n_looks > 1)} with the configuration of launch "
            f"{launch.number}; one look is what keeps it a test set (X2). See `tunebook ledger`; to look again "
            "nevertheless, on the record, give --again"
        )


def metric_of_test_set(objective: Objective, wanted: str | None) -> str:
    """The metric of the test set: the one asked for, else the objective's with ``test/`` before the slash."""
    name = wanted or f"test/{objective.metric.partition('/')[2] or objective.metric}"
    if not name.startswith("test/"):
        raise InputError(f"--metric {name!r} is not a metric of the test set; its name begins with test/")
    return name


def final_design(
    design: Round, launch: Launch, *, seed: int, metric: str, with_validation: bool, n_looks: int
) -> Round:
    """The round that trains a launch for the last time: every hyperparameter fixed, the seed of the launch."""
    held = baseline_design(design, dict(launch.config))
    look = f"-look-{n_looks + 1}" if n_looks else ""
    objective = replace_metric(design.objective, metric) if with_validation else design.objective
    return replace(
        held,
        goal=f"Train launch {launch.number} for the last time and evaluate it on the test set",
        name=f"final-{launch.number}{'-all-data' if with_validation else ''}{look}",
        search=replace(held.search, seed=seed),
        objective=objective,
        purpose=Purpose.FINAL_ALL_DATA if with_validation else Purpose.FINAL,
    )


def replace_metric(objective: Objective, metric: str) -> Objective:
    """The last value of another metric: without validation data no checkpoint can be chosen."""
    return replace(objective, metric=metric, reduce="final", chance=None, material=None)


def value_on_test_set(evidence: Evidence, metric: str) -> tuple[str, float, int]:
    """Trial, value and step of the test metric: at the step that the objective chose, else the last before it.

    ``InputError`` when training did not complete or logged no such metric; then nothing was looked at.
    """
    trial = evidence.trials[0]
    if trial.status is not Status.COMPLETE:
        said = trial.detail.strip()[-300:] or trial.cause
        raise InputError(f"the final training is {trial.status}, not complete: {said}")
    curves = evidence.curves.get(metric)
    if curves is None or not len(curves[0][0]):
        logged = ", ".join(evidence.metrics)
        raise InputError(
            f"the training code logged no {metric}, so the test set was not looked at (logged: {logged}); log it when "
            "trial.is_final is true, or name another metric with --metric"
        )
    steps, values = curves[0]
    chosen = int(score_curves(evidence.curves[evidence.round.objective.metric], evidence.round.objective).steps[0])
    at = int(np.searchsorted(steps, chosen, side="right")) - 1
    place = at if at >= 0 else 0
    return trial.name, float(values[place]), int(steps[place])


def record(
    launches: Sequence[Launch],
    launch: Launch,
    evidence: Evidence,
    metric: str,
    *,
    now: datetime,
    who: str | None = None,
    note: str = "",
    revision: str | None = None,
) -> Launch:
    """The entry that keeps what the test set said of a launch, and that it was looked at."""
    trial, value, step = value_on_test_set(evidence, metric)
    all_data = evidence.round.purpose is Purpose.FINAL_ALL_DATA
    n_looks = looks(launches, launch.config) + 1
    caveats = [words for words, holds in ((REUSED_WORDS, n_looks > 1), (ALL_DATA_WORDS, all_data)) if holds]
    return Launch(
        number=max(entry.number for entry in launches) + 1,
        round=evidence.name,
        trial=trial,
        config=launch.config,
        at=now,
        evidence={
            "metric": metric,
            "values": [value],
            "step": step,
            "trained_on": "training and validation data" if all_data else "training data",
            "looks": n_looks,
            "caveats": caveats,
        },
        revision=revision,
        command=f"tunebook run {evidence.name}",
        who=who,
        note=note,
        test_set_looked_at=True,
        examines=launch.number,
    )

"""Final: train a launch once more and look at the test set, once, on the record (X2, X3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.round import Purpose, Round
from tunebook.decide.baseline import baseline_design
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray, IntArray, score_curves

#: What the name of a metric of the test set begins with.
TEST = "test/"
VALID = "valid/"
ALL_DATA_WORDS = (
    "The validation data is trained on, so nothing is left to choose a checkpoint or a configuration by: this is "
    "legitimate only when every choice has been made, the number of steps included, and the value on the test set "
    "is the only one there will be."
)
OTHER_METRIC_WORDS = "The training code logged no {metric}; recorded is what it did log of the test set: {logged}."
ENDED_BADLY_WORDS = "Training ended {status} ({cause}); the values are of the run as far as it came."
STILL_VALIDATES_WORDS = (
    "The training code logged {metrics} as if validation data were held out. Does it read trial.uses_validation_data? "
    "If it does not, it was not trained on the validation data."
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
    name = wanted or f"{TEST}{objective.metric.partition('/')[2] or objective.metric}"
    if not name.startswith(TEST):
        raise InputError(f"--metric {name!r} is not a metric of the test set; its name begins with test/")
    return name


def final_design(
    design: Round, launch: Launch, *, seed: int, metric: str, with_validation: bool, n_looks: int, attempt: int = 1
) -> Round:
    """The round that trains a launch for the last time: every hyperparameter fixed, the seed of the launch.

    ``attempt`` counts from 1 over trainings that were to look at the test set and did not.
    """
    held = baseline_design(design, dict(launch.config), because=f"that of launch {launch.number}")
    look = f"-look-{n_looks + 1}" if n_looks else ""
    attempted = f"-attempt-{attempt}" if attempt > 1 else ""
    objective = replace_metric(design.objective, metric) if with_validation else design.objective
    return replace(
        held,
        goal=f"Train launch {launch.number} for the last time and evaluate it on the test set",
        name=f"final-{launch.number}{'-all-data' if with_validation else ''}{look}{attempted}",
        search=replace(held.search, seed=seed),
        objective=objective,
        purpose=Purpose.FINAL_ALL_DATA if with_validation else Purpose.FINAL,
    )


def replace_metric(objective: Objective, metric: str) -> Objective:
    """The last value of another metric: without validation data no checkpoint can be chosen."""
    return replace(objective, metric=metric, reduce="final", chance=None, material=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a final training said of the test set: every ``test/`` metric at one step, the one asked for first."""

    trial: str
    metric: str
    step: int
    values: Mapping[str, float]
    caveats: tuple[str, ...] = ()


def is_spent(evidence: Evidence) -> bool:
    """Whether a final training ended for good without a word about the test set: to have one, train again."""
    has_ended = evidence.trials[0].status in (Status.COMPLETE, Status.INFEASIBLE)
    return has_ended and not test_metrics(evidence)


def test_metrics(evidence: Evidence) -> list[str]:
    """The metrics of the test set that training logged."""
    return sorted(name for name, curves in evidence.curves.items() if name.startswith(TEST) and len(curves[0][0]))


def look_at(evidence: Evidence, metric: str) -> Look:
    """What the test metrics said, at the step that the objective chose, else at the last before it.

    Where training logged other test metrics than ``metric``, or ended badly, those were looked at all the same, and
    the look says so. ``InputError`` when it has not ended, or logged none: then nothing was looked at.
    """
    trial, logged = evidence.trials[0], test_metrics(evidence)
    if not trial.status.is_final:
        raise InputError(f"the final training is {trial.status}; `tunebook final` goes on with it")
    if trial.status is Status.FAILED and not logged:
        said = trial.detail.strip()[-300:] or trial.cause
        raise InputError(f"the final training failed; mend this, and `tunebook final` trains it again: {said}")
    if not logged:
        raise InputError(
            f"the training code logged no {metric}, so the test set was not looked at (logged: "
            f"{', '.join(evidence.metrics) or 'nothing'}); log it when trial.is_final is true, and call this once "
            "more: it trains again"
        )
    twin = f"{TEST}{evidence.round.objective.metric.removeprefix(VALID)}"
    main = next((name for name in (metric, twin) if name in logged), logged[0])
    chosen = _chosen_step(evidence)
    read = {name: _value_at(evidence.curves[name][0], chosen) for name in [main, *logged]}
    caveats = []
    if main != metric:
        caveats.append(OTHER_METRIC_WORDS.format(metric=metric, logged=", ".join(logged)))
    if trial.status is not Status.COMPLETE:
        caveats.append(ENDED_BADLY_WORDS.format(status=trial.status, cause=trial.cause))
    validated = [name for name in evidence.metrics if name.startswith(VALID)]
    if evidence.round.purpose is Purpose.FINAL_ALL_DATA and validated:
        caveats.append(STILL_VALIDATES_WORDS.format(metrics=", ".join(validated)))
    return Look(
        trial=trial.name,
        metric=main,
        step=read[main][0],
        values={name: value for name, (_, value) in read.items()},
        caveats=tuple(caveats),
    )


def _chosen_step(evidence: Evidence) -> int | None:
    """The step that the objective chose; None where it is no number anywhere."""
    curves = evidence.curves.get(evidence.round.objective.metric)
    step = int(score_curves(curves, evidence.round.objective).steps[0]) if curves is not None else -1
    return step if step >= 0 else None


def _value_at(curve: tuple[IntArray, FloatArray], chosen: int | None) -> tuple[int, float]:
    """Step and value at the last evaluation not after ``chosen``; of the first where all are, of the last without."""
    steps, values = curve
    at = len(steps) - 1 if chosen is None else max(int(np.searchsorted(steps, chosen, side="right")) - 1, 0)
    return int(steps[at]), float(values[at])


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
    look = look_at(evidence, metric)
    all_data = evidence.round.purpose is Purpose.FINAL_ALL_DATA
    n_looks = looks(launches, launch.config) + 1
    caveats = [words for words, holds in ((REUSED_WORDS, n_looks > 1), (ALL_DATA_WORDS, all_data)) if holds]
    checkout = f"git checkout {revision} && " if revision else ""
    return Launch(
        number=max(entry.number for entry in launches) + 1,
        round=evidence.name,
        trial=look.trial,
        config=launch.config,
        at=now,
        evidence={
            "metric": look.metric,
            "values": [look.values[look.metric]],
            "step": look.step,
            "test": dict(look.values),
            "trained_on": "training and validation data" if all_data else "training data",
            "looks": n_looks,
            "caveats": [*caveats, *look.caveats],
        },
        revision=revision,
        # Once more is another look, and goes on the record.
        command=f"{checkout}tunebook final {launch.round}{' --with-validation' * all_data} --again",
        who=who,
        note=note,
        test_set_looked_at=True,
        examines=launch.number,
    )

"""One attempt at a trial: its folder, where it goes on from, and what has been heard of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tunebook.core.config import Config
from tunebook.core.round import Purpose, Round, active_fixed
from tunebook.errors import StoreError, TunebookError
from tunebook.evidence import Evidence, FloatArray, IntArray
from tunebook.handle.assignment import SPOOL_FOLDER, TRIAL_FILE, Assignment
from tunebook.handle.checkpoints import newest
from tunebook.run.command import render
from tunebook.run.folders import CHECKPOINTS, OUTPUT, attempt_folder, has_begun, trial_folder
from tunebook.run.ingest import Buffer, Busy, Ingest
from tunebook.run.jobs import Job, News
from tunebook.run.objective_curve import ObjectiveCurve
from tunebook.run.outcome import HungWhy, Losses
from tunebook.run.spools import Names
from tunebook.store.store import Store
from tunebook.store.values import Claim

GIB = 2**30


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A running attempt. ``began`` and ``heard`` are on the monotonic clock."""

    claim: Claim
    job: Job
    ingest: Ingest
    curve: ObjectiveCurve
    began: float
    heard: float
    hung: tuple[HungWhy, float] | None = None
    stopped_at: float | None = None
    is_forced: bool = False
    is_abandoned: bool = False
    n_rows: int = 0
    losses: Losses = field(default_factory=Losses)
    warnings: list[str] = field(default_factory=list)

    @property
    def start_step(self) -> int:
        """The first step of this attempt."""
        return self.job.assignment.start_step

    @property
    def has_begun(self) -> bool:
        """Whether training began, as far as is known here."""
        return has_begun(self.job.assignment.directory)

    def learn(self, news: News, now: float) -> None:
        """Note what its executor says of it: that it waits for a place, or what was stored of it elsewhere."""
        if news.where == "queued":
            self.began = self.heard = now
        if news.n_rows > self.n_rows:
            self.n_rows, self.heard = news.n_rows, now
        if news.curve is not None:
            self.curve = news.curve


def full_config(design: Round, config: Config) -> Config:
    """The configuration a trial trains with: its own values and the fixed ones that exist in it."""
    return active_fixed(design.fixed, config).merged(config)


def prepare(
    store: Store,
    buffer: Buffer,
    claim: Claim,
    design: Round,
    project: Path,
    slot: int,
    environment: dict[str, str],
    now: float,
) -> Attempt:
    """Make the folder of an attempt and everything it needs; earlier attempts' metrics are stored first."""
    folder = trial_folder(project, claim.round, claim.spec.id)
    if claim.attempt == 1:
        _make_afresh(folder)
    # The folder tells a process of an earlier attempt that is not dead yet to make no further checkpoint. Then the
    # checkpoint to go on from is chosen, and last what was logged is stored: all up to that checkpoint is there.
    attempt_folder(folder, claim.attempt).mkdir(parents=True, exist_ok=claim.attempt > 1)
    assignment = assign(claim, design, folder)
    losses = earlier_losses(claim, folder, assignment.start_step)
    if claim.attempt > 1:
        store_leftovers(store, folder, claim.attempt)
    if design.command is not None:
        assignment.spool.mkdir(exist_ok=True)
    assignment.file.write_text(assignment.to_json(), encoding="utf-8")
    if claim.attempt > 1:
        store.set_resume(claim.attempt_key, assignment.start_step)
    curve = ObjectiveCurve(design.objective)
    job = make_job(claim, design, assignment, slot, environment)
    attempt = Attempt(
        claim=claim,
        job=job,
        ingest=Ingest(buffer, claim.attempt_key, assignment.spool),
        curve=curve,
        began=now,
        heard=now,
        losses=losses,
    )
    attempt.ingest.on_rows = _listener(attempt)
    attempt.ingest.on_bad = attempt.warnings.append
    return attempt


def earlier_losses(claim: Claim, folder: Path, start_step: int) -> Losses:
    """The attempts before this one that were lost in a row without a checkpoint that takes it further."""
    if start_step > claim.lost_from:
        return Losses()
    numbers = range(claim.attempt - claim.losses, claim.attempt)
    return Losses(n_begun=sum(has_begun(attempt_folder(folder, number)) for number in numbers), n_all=claim.losses)


def assign(claim: Claim, design: Round, folder: Path) -> Assignment:
    """What the training process is told; it goes on from the newest checkpoint of an earlier attempt."""
    checkpoints = folder / CHECKPOINTS
    found = newest(checkpoints) if claim.attempt > 1 else None
    return Assignment(
        trial=claim.spec.id,
        round=claim.round,
        attempt=claim.attempt,
        key=claim.attempt_key,
        config=full_config(design, claim.spec.config),
        seed=claim.spec.seed,
        max_train_steps=claim.spec.max_train_steps,
        metric=design.objective.metric,
        direction=design.objective.direction,
        keep_best=design.run.keep_best,
        directory=attempt_folder(folder, claim.attempt),
        checkpoints=checkpoints,
        start_step=found[0] + 1 if found else 0,
        resume_from=found[1] if found else None,
        is_final=design.purpose.is_final,
        uses_validation_data=design.purpose is Purpose.FINAL_ALL_DATA,
    )


def make_job(claim: Claim, design: Round, assignment: Assignment, slot: int, environment: dict[str, str]) -> Job:
    """The job of an attempt in ``slot``, whose own ``environment`` it gets."""
    argv = None
    if design.command is not None:
        argv = render(design.command, claim.spec, assignment.config)
    memory = design.run.memory_gib
    return Job(
        key=claim.attempt_key,
        slot=slot,
        assignment=assignment,
        output=assignment.directory / OUTPUT,
        environment={**environment, **assignment.environment()},
        argv=argv,
        memory_bytes=int(memory * GIB) if memory else None,
    )


def store_leftovers(store: Store, folder: Path, before: int) -> None:
    """Store what earlier attempts logged and nobody stored, as when their runner was killed.

    An attempt whose runner still works on it is left to that runner.
    """
    for number in range(1, before):
        directory = attempt_folder(folder, number)
        if not (directory / SPOOL_FOLDER).is_dir():
            continue
        try:
            key = Assignment.from_json((directory / TRIAL_FILE).read_text(encoding="utf-8")).key
            store_rest(store, key, directory / SPOOL_FOLDER)
        except (Busy, OSError, ValueError, KeyError, TypeError):
            continue
        except StoreError:
            raise
        except TunebookError:
            continue


def store_rest(store: Store, key: int, folder: Path) -> None:
    """Store all rows that lie in ``folder`` and remove it; ``Busy`` when its runner still lives."""
    buffer = Buffer(store)
    ingest = Ingest(buffer, key, folder)
    try:
        ingest.drain()
        buffer.flush()
        ingest.discard()
    finally:
        ingest.close()


def stored_curve(evidence: Evidence, trial: str, curve: ObjectiveCurve) -> ObjectiveCurve:
    """The objective's curve over all attempts at a trial; ``curve`` is what the last one logged."""
    metric = curve.objective.metric
    place = next((n for n, one in enumerate(evidence.trials) if one.name == trial), None)
    if place is None or metric not in evidence.curves:
        return curve
    steps, values = evidence.curves[metric][place]
    whole = ObjectiveCurve(curve.objective)
    whole.add((metric,), steps, values.reshape(-1, 1))
    whole.metrics.update(curve.metrics)
    return whole


def _listener(attempt: Attempt) -> Callable[[Names, IntArray, FloatArray], None]:
    def on_rows(names: Names, steps: IntArray, values: FloatArray) -> None:
        attempt.curve.add(names, steps, values)

    return on_rows


def _make_afresh(folder: Path) -> None:
    """A first attempt finds no checkpoints: what lies there belongs to another store or one that is gone."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        _move_aside(folder)
        folder.mkdir()


def _move_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}~{number}")).exists():
        number += 1
    folder.rename(aside)

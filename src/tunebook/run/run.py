"""run_round: carry a planned round out, or go on with it (E1, E2, E5)."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.errors import InputError
from tunebook.evidence import ranking
from tunebook.run import devices, provenance
from tunebook.run.clock import Clock, StoreClock, SystemClock
from tunebook.run.command import check_program, search_path
from tunebook.run.events import Best, Event, OnEvent
from tunebook.run.executors import check_executor, open_executor
from tunebook.run.folders import make_home, round_folder
from tunebook.run.jobs import Setup
from tunebook.run.paperwork import Paperwork
from tunebook.run.processes import RUN_VARIABLE, started_at
from tunebook.run.schedule import is_over
from tunebook.run.supervisor import Supervisor
from tunebook.store.store import Store
from tunebook.store.values import Owner

MAX_WORKERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How the round stands after a run; ``n_ended`` trials were ended by it, in ``seconds``."""

    round: str
    counts: Mapping[Status, int]
    n_ended: int
    seconds: float
    best: Best | None


def run_round(
    store: Store,
    name: str,
    design: Round,
    *,
    project: Path,
    workers: int,
    executor: str = "local",
    on_event: OnEvent | None = None,
    function: Callable[..., Any] | None = None,
    refill: Callable[[int], int] | None = None,
    clock: Clock | None = None,
    options: Mapping[str, Any] | None = None,
) -> RunReport:
    """Run all trials of round ``name`` that have not ended yet; its design and trials are in ``store``.

    ``refill(n)`` adds up to ``n`` trials to the plan and returns how many; it is asked whenever trials could
    start and none waits, and stands for a search that goes on from what trials showed (X1).

    ``function`` is the pipeline itself, where the caller has it at hand. ``on_event`` is told what happens.
    ``options`` are those of the executor, such as a cluster's address.
    ``InputError`` before any trial starts when the pipeline, the command or the number of workers is
    wrong, and after the first trial when the objective is never logged. ``Interrupted`` when SIGINT or
    SIGTERM stopped it: the next call goes on.
    """
    clock = StoreClock(store, clock or SystemClock())
    began = clock.monotonic()
    _check_workers(workers)
    entry = check_executor(executor, options)
    project = project.resolve()
    environment = run_environment(workers, None if entry.is_elsewhere else devices.usable_cores())
    if design.command is not None:
        check_program(design.command, project, environment["PATH"])
    own_devices = () if entry.is_elsewhere else devices.visible_devices(os.environ)
    shares = devices.share_devices(own_devices, workers, design.run.gpus)
    counts = store.counts(name)
    if is_over(counts) and refill is not None:
        refill(workers)
        counts = store.counts(name)
    if is_over(counts):
        return RunReport(round=name, counts=counts, n_ended=0, seconds=0.0, best=best_so_far(store, name, counts))
    owner = this_process(clock)
    setup = _setup(name, design, project, workers, owner, environment, function)
    if entry.is_elsewhere:
        reachable = store.url if store.url.startswith("postgresql") else None
        setup = replace(setup, options=dict(options or {}), store=reachable)
    record = provenance.record(
        design,
        project,
        environment={**os.environ, **environment},
        executor=executor,
        workers=workers,
        cores=devices.usable_cores(),
    )
    runner = open_executor(executor, setup)
    try:
        paperwork = Paperwork(
            store=store,
            name=name,
            design=design,
            on_event=on_event or _ignore,
            clock=clock,
            best=best_so_far(store, name, counts),
        )
        supervisor = Supervisor(
            store=store,
            name=name,
            design=design,
            project=project,
            executor=runner,
            owner=owner,
            devices=shares,
            provenance=store.save_provenance(record),
            paperwork=paperwork,
            on_event=on_event or _ignore,
            clock=clock,
            refill=refill,
        )
        supervisor.run()
    finally:
        runner.close()
    return RunReport(
        round=name,
        counts=store.counts(name),
        n_ended=paperwork.n_ended,
        seconds=clock.monotonic() - began,
        best=paperwork.best,
    )


def run_environment(workers: int, cores: int | None) -> dict[str, str]:
    """What all processes of a run get on top of this process's environment.

    ``cores`` of this machine are shared by the workers; None where a cluster says how many a trial has.
    """
    threads = devices.thread_environment(os.environ, workers, cores) if cores is not None else {}
    return {**threads, "PATH": search_path(os.environ)}


def this_process(clock: Clock) -> Owner:
    """This process as an owner of trials."""
    pid = os.getpid()
    return Owner(id=secrets.token_hex(8), host=socket.gethostname(), pid=pid, started=started_at(pid) or clock.now())


def best_so_far(store: Store, name: str, counts: Mapping[Status, int]) -> Best | None:
    """The best complete trial in the store; None without one."""
    if not counts[Status.COMPLETE]:
        return None
    evidence = store.snapshot(name)
    scores = evidence.scores()
    order = ranking(scores, evidence.round.objective)
    if not len(order):
        return None
    first = int(np.asarray(order)[0])
    trial = evidence.trials[first]
    return Best(trial=trial.name, study=trial.study, value=float(scores.values[first]), step=int(scores.steps[first]))


def _setup(
    name: str,
    design: Round,
    project: Path,
    workers: int,
    owner: Owner,
    environment: Mapping[str, str],
    function: Callable[..., Any] | None,
) -> Setup:
    make_home(project)
    folder = round_folder(project, name)
    folder.mkdir(parents=True, exist_ok=True)
    return Setup(
        project=project,
        workers=workers,
        token=owner.id,
        folder=folder,
        pipeline=design.pipeline,
        function=function,
        environment={**environment, RUN_VARIABLE: owner.id},
        objective=design.objective,
        gpus=design.run.gpus,
        memory_gib=design.run.memory_gib,
    )


def _check_workers(workers: int) -> None:
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"{workers} workers are not accepted; accepted: 1 to {MAX_WORKERS}")


def _ignore(event: Event) -> None:
    """Nobody listens."""

"""run_round: carry a planned round out, or go on with it (E1, E2, E5)."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from tunebook.run.events import Best, Event, OnEvent, Progress, Warned
from tunebook.run.executors import check_executor, open_executor
from tunebook.run.folders import make_home, round_folder
from tunebook.run.jobs import Executor, Setup
from tunebook.run.paperwork import Paperwork
from tunebook.run.processes import RUN_VARIABLE, started_at
from tunebook.run.schedule import is_over, n_done
from tunebook.run.supervisor import Refill, Supervisor
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
    refill: Refill | None = None,
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
    run = _Run(
        store=store,
        name=name,
        design=design,
        project=project.resolve(),
        workers=workers,
        executor=executor,
        is_elsewhere=check_executor(executor, options).is_elsewhere,
        options=options or {},
        clock=clock,
        on_event=on_event or _ignore,
        refill=refill,
    )
    environment, shares = run.share_machine()
    counts = run.counts_to_run()
    if is_over(counts):
        return RunReport(round=name, counts=counts, n_ended=0, seconds=0.0, best=best_so_far(store, name, counts))
    owner = this_process(clock)
    setup = run.setup(owner, environment, function)
    record = run.record(environment)
    run.tell_changes(record, counts)
    opened = open_executor(executor, setup)
    try:
        paperwork = run.paperwork(counts)
        run.supervisor(opened, owner, shares, store.save_provenance(record), paperwork).run()
    finally:
        opened.close()
    now = store.counts(name)
    best = paperwork.best
    if n_done(now) > n_done(counts) + paperwork.n_ended:  # others ran trials of this round as well
        best = best_so_far(store, name, now)
        run.on_event(Progress(counts=now, running_here=0, best=best, eta_seconds=None))
    return RunReport(round=name, counts=now, n_ended=paperwork.n_ended, seconds=clock.monotonic() - began, best=best)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One call of ``run_round``: what it was given, and the parts that are made from that."""

    store: Store
    name: str
    design: Round
    project: Path
    workers: int
    executor: str
    is_elsewhere: bool
    options: Mapping[str, Any]
    clock: Clock
    on_event: OnEvent
    refill: Refill | None

    def share_machine(self) -> tuple[dict[str, str], tuple[tuple[str, ...], ...]]:
        """What all processes have in their environment, and the devices of each worker."""
        environment = run_environment(self.workers, None if self.is_elsewhere else devices.usable_cores())
        if self.design.command is not None:
            check_program(self.design.command, self.project, environment["PATH"])
        own_devices = () if self.is_elsewhere else devices.visible_devices(os.environ)
        return environment, devices.share_devices(own_devices, self.workers, self.design.run.gpus)

    def counts_to_run(self) -> Mapping[Status, int]:
        """How many trials there are; where none is left, further ones are asked for first."""
        counts = self.store.counts(self.name)
        if self.refill is None or not is_over(counts):
            return counts
        self.refill(self.workers)
        return self.store.counts(self.name)

    def setup(self, owner: Owner, environment: Mapping[str, str], function: Callable[..., Any] | None) -> Setup:
        """What the executor is made from; makes the round's folder. Options and store are for other machines."""
        make_home(self.project)
        folder = round_folder(self.project, self.name)
        folder.mkdir(parents=True, exist_ok=True)
        return Setup(
            project=self.project,
            workers=self.workers,
            token=owner.id,
            folder=folder,
            pipeline=self.design.pipeline,
            function=function,
            environment={**environment, RUN_VARIABLE: owner.id},
            options=dict(self.options) if self.is_elsewhere else {},
            store=self.store.url if self.is_elsewhere and self.store.url.startswith("postgresql") else None,
            objective=self.design.objective,
            gpus=self.design.run.gpus,
            memory_gib=self.design.run.memory_gib,
        )

    def record(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Under which code, machine and environment the trials run."""
        return provenance.record(
            self.design,
            self.project,
            environment={**os.environ, **environment},
            executor=self.executor,
            workers=self.workers,
            cores=devices.usable_cores(),
        )

    def tell_changes(self, record: Mapping[str, Any], counts: Mapping[Status, int]) -> None:
        """Warn when results are there that other code gave (E6); they are kept, and nobody else would notice."""
        if not counts.get(Status.COMPLETE, 0) + counts.get(Status.INFEASIBLE, 0):
            return
        found = [(provenance.changed_sources(one, record), count) for one, count in self.store.provenances(self.name)]
        changed = sorted({file for files, _ in found for file in files})
        if changed:
            n_changed = sum(count for files, count in found if files)
            words = (
                f"{' and '.join(changed)} changed since {n_changed} of these trials ran, and their results are kept; "
                "to compare like with like, save the design under another name and run that"
            )
            self.on_event(Warned(trial=self.name, message=words))

    def paperwork(self, counts: Mapping[Status, int]) -> Paperwork:
        """Who writes down what is heard of the trials."""
        return Paperwork(
            store=self.store,
            name=self.name,
            design=self.design,
            on_event=self.on_event,
            clock=self.clock,
            best=best_so_far(self.store, self.name, counts),
        )

    def supervisor(
        self,
        executor: Executor,
        owner: Owner,
        shares: tuple[tuple[str, ...], ...],
        provenance: str,
        paperwork: Paperwork,
    ) -> Supervisor:
        """Who starts the trials and ends them."""
        return Supervisor(
            store=self.store,
            name=self.name,
            design=self.design,
            project=self.project,
            executor=executor,
            owner=owner,
            devices=shares,
            provenance=provenance,
            paperwork=paperwork,
            on_event=self.on_event,
            clock=self.clock,
            refill=self.refill,
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


def _check_workers(workers: int) -> None:
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"{workers} workers are not accepted; accepted: 1 to {MAX_WORKERS}")


def _ignore(event: Event) -> None:
    """Nobody listens."""

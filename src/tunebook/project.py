"""Project: a folder, its designs and its store; one method per use case.

The only object with state. Its methods connect the rooms that do not know each other: the plan, the
store, the running of trials, the checks, the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tunebook.core.config import Value
from tunebook.core.finding import Finding
from tunebook.core.launch import Launch, current_launch
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.core.verdict import Verdict
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.plan.folder import (
    EXECUTOR,
    PROJECT_FILE,
    ROUNDS,
    example_files,
    nearest_project,
    read_settings,
    start_project,
    user,
    write_file,
)

if TYPE_CHECKING:
    from tunebook.bridges.imported import Imported
    from tunebook.core.next_round import NextRound
    from tunebook.decide.baseline import Baseline
    from tunebook.learn.analyse import Analysis
    from tunebook.learn.curve_report import CurveReport
    from tunebook.plan.summary import PlanSummary
    from tunebook.run.run import RunReport
    from tunebook.show.screens import Failure
    from tunebook.show.sheet import SheetRow
    from tunebook.show.tables import RoundStatus
    from tunebook.store.store import Store

STORE_FILE = "tunebook.db"
STORE_VARIABLE = "TUNEBOOK_STORE"

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present as an aware time; the one clock of the package."""
    return datetime.now(UTC)


class Project:
    """A project folder and its store. Open with ``Project.open``; close it, or use it in a ``with``."""

    def __init__(self, root: Path, store_url: str, *, clock: Clock = utc_now) -> None:
        self.root = root.resolve()
        self.store_url = store_url
        self._clock = clock

    # -- opening -----------------------------------------------------------------------------

    @classmethod
    def init(cls, folder: str | Path = ".", *, store: str | None = None) -> Project:
        """Start a project in ``folder`` with a small working example; nothing is overwritten."""
        root = Path(folder)
        start_project(root)
        return cls.open(root, store=store)

    @classmethod
    def open(cls, folder: str | Path | None = None, *, store: str | None = None) -> Project:
        """The project in ``folder``, or the nearest one at or above the current folder.

        The store is ``store``, else ``TUNEBOOK_STORE``, else what tunebook.toml says, else a file
        beside it.
        """
        root = Path(folder) if folder is not None else nearest_project(Path.cwd())
        if root is None and (store or os.environ.get(STORE_VARIABLE)):
            root = Path.cwd()
        if root is None:
            raise InputError(
                f"no {PROJECT_FILE} in {Path.cwd()} or above: run `tunebook init`, or name a folder with --project"
            )
        if not root.is_dir():
            raise InputError(f"the project folder {root} does not exist")
        settings = read_settings(root)
        url = store or os.environ.get(STORE_VARIABLE) or settings.get("store")
        return cls(root, url or default_store(root))

    @classmethod
    def for_design(cls, design: str | Path, *, folder: str | Path | None = None, store: str | None = None) -> Project:
        """The project a design belongs to.

        The given folder, else the nearest project above the current folder, else the nearest above
        the design file, else the folder that the file lies in.
        """
        beside = Path(design).resolve().parent
        if folder is None and nearest_project(Path.cwd()) is None and Path(design).is_file():
            folder = nearest_project(beside) or beside
        return cls.open(folder, store=store)

    @property
    def _is_own_store(self) -> bool:
        return self.store_url == default_store(self.root)

    @property
    def has_store(self) -> bool:
        """Whether there is anything to read; asking creates nothing."""
        scheme, _, path = self.store_url.partition(":///")
        return scheme != "sqlite" or Path(path).exists()

    @cached_property
    def store(self) -> Store:
        """The store, opened (and made or migrated) on first use."""
        from tunebook.store.store import Store

        return Store.open(self.store_url)

    def close(self) -> None:
        """Close the store if it was opened."""
        opened = self.__dict__.pop("store", None)
        if opened is not None:
            opened.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def template_files(self) -> list[Path]:
        """The files of the example that ``init`` writes."""
        return [target for target, _ in example_files(self.root)]

    # -- designing ---------------------------------------------------------------------------

    def design(self, design: str | Path | Round) -> Round:
        """A design: itself, the file at a path, or the file of that name in the project's rounds folder."""
        if isinstance(design, Round):
            return design
        candidates = [Path(design), self.root / design, self.root / ROUNDS / f"{design}.toml"]
        for path in candidates:
            if path.is_file():
                return Round.load(path)
        known = sorted(path.stem for path in (self.root / ROUNDS).glob("*.toml"))
        raise InputError(f"there is no design {str(design)!r}{did_you_mean(str(design), known)}; {_listed(known)}")

    def check(self, design: str | Path | Round, *, workers: int = 1) -> PlanSummary:
        """The plan of a design and what the linter thinks of it; runs nothing (R3, R6, S6).

        Where a launch is in force it also says which of its tuned values are no longer trusted (S7).
        """
        from tunebook.decide.ledger import stale_findings
        from tunebook.plan.summary import summarise

        checked = self.design(design)
        summary = summarise(checked, seconds_per_step=self.seconds_per_step(checked), workers=workers)
        summary = replace(summary, findings=summary.findings + self._unseen(checked))
        launch = current_launch(self.launches())
        if launch is None:
            return summary
        return replace(summary, findings=summary.findings + stale_findings(self.store.design(launch.round), checked))

    def suggest(self, design: str | Path | Round, *, trials: int | None = None) -> tuple[str, tuple[TrialSpec, ...]]:
        """The round's name and every trial it would have, those already run included; runs nothing."""
        from tunebook.plan.trials import plan_trials

        wanted = self.design(design)
        if trials is not None:
            wanted = replace(wanted, search=replace(wanted.search, trials=trials))
        return wanted.name, plan_trials(wanted, self._existing(wanted.name))

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        design: str | Path | Round,
        *,
        workers: int = 1,
        executor: str = "local",
        on_event: Callable[[Any], None] | None = None,
        function: Callable[[Any], None] | None = None,
        retry_failed: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> RunReport:
        """Run a round, or go on with it.

        ``options`` are the executor's, over those that tunebook.toml holds for it, such as the address of
        a cluster. ``function`` replaces the pipeline where it cannot be imported. ``retry_failed`` gives trials that
        failed another try, after their code was mended; results are never run twice.
        """
        wanted = self.plan(design)
        if retry_failed:
            self.store.reopen_failed(wanted.name, now=self._clock())
        return self._run_stored(wanted.name, wanted, workers, executor, on_event, function, options)

    def plan(self, design: str | Path | Round) -> Round:
        """Store a design as the one in force and its trials as the plan; runs nothing, changes no result."""
        from tunebook.plan.trials import plan_trials

        wanted = self.design(design)
        if not wanted.name:
            raise InputError("this round has no name; give it one, as in Round(name='01-baseline', ...)")
        specs = plan_trials(wanted, self._existing(wanted.name))
        self.store.save_round(wanted.name, wanted, now=self._clock())
        self.store.sync_trials(wanted.name, specs, now=self._clock())
        return wanted

    def status(self, round_name: str | None = None) -> tuple[RoundStatus, ...]:
        """How far every round is, or one of them."""
        if round_name is None and not self.has_store and self._is_own_store:
            return ()  # a new project; a store that was named has to be there
        wanted = self.store.resolve(round_name) if round_name else None
        return tuple(self._status(row.name, row.origin) for row in self.store.rounds() if wanted in (None, row.name))

    def failures(self, round_name: str) -> list[Failure]:
        """Trials that failed: why, and the file with what they printed."""
        from tunebook.run.folders import attempt_folder, output_file, round_folder
        from tunebook.show.screens import Failure

        folder = round_folder(self.root, round_name)
        return [
            Failure(
                trial=row.name,
                cause=str(row.cause),
                detail=row.detail,
                output=str(output_file(attempt_folder(folder / row.spec.id, row.attempts))),
            )
            for row in self.store.trials(round_name)
            if row.status is Status.FAILED
        ]

    def evidence(self, round_name: str) -> Evidence:
        """A snapshot of a round: its design, its trials and their curves as arrays."""
        return self.store.snapshot(self.store.resolve(str(round_name)))

    def seconds_per_step(self, design: Round) -> float | None:
        """What a training step took so far, else what the design says; None when neither tells (S6)."""
        from tunebook.history import seconds_per_step

        seen = seconds_per_step(self.store, design) if self.has_store else None
        return seen or design.run.seconds_per_step

    # -- learning ----------------------------------------------------------------------------

    def learn(self, round_name: str, *, objective: str | Objective | None = None) -> Analysis:
        """Every check over one round; ``objective`` changes what counts, without running anything (L1)."""
        from tunebook.learn.analyse import analyse

        evidence = self.evidence(round_name)
        return analyse(evidence, revised(evidence.round.objective, objective))

    def curves(self, round_name: str, *, objective: str | Objective | None = None) -> CurveReport:
        """The diagnosis of every trial's curves (L6)."""
        from tunebook.learn.curve_report import diagnose_round

        evidence = self.evidence(round_name)
        return diagnose_round(evidence, revised(evidence.round.objective, objective))

    def report(self, analysis: Analysis, path: str | Path) -> Path:
        """Write the self-contained HTML report of an analysis."""
        from tunebook.show.report import render

        target = Path(path)
        evidence = analysis.view.evidence
        commands = [f"tunebook learn {evidence.name} --html {target.name}"]
        text = render(evidence, analysis.findings, objective=analysis.view.objective, reproduce=commands)
        write_file(target, text.encode())
        return target

    # -- exchanging --------------------------------------------------------------------------

    def import_runs(self, kind: str, path: str | Path) -> Imported:
        """Bring in runs made elsewhere; importing the same again changes nothing (B1)."""
        from tunebook.bridges.table import reader

        imported = reader(kind)(Path(path))
        for found in imported.rounds:
            try:
                self.store.import_round(found.name, found.design, found.trials, now=self._clock(), origin=kind)
            except InputError as error:
                raise InputError(
                    f"round {found.name} of {path} does not go with the round of that name in the store: {error}; "
                    "import it into a project of its own with --project"
                ) from error
        return imported

    def export(self, round_name: str, target: str | Path) -> list[Path]:
        """Write a round's trials and curves to a file (.csv, .json, .parquet) or into a folder."""
        from tunebook.bridges.table import writer

        return writer(Path(target))(Path(target), self.evidence(round_name))

    def sheet(self) -> list[SheetRow]:
        """The tracking sheet: one row a study of every round (E7)."""
        from tunebook.show import sheet

        return [
            row
            for listed in (self.store.rounds() if self.has_store else ())
            for row in sheet.rows(
                self.evidence(listed.name),
                design=self._design_file(listed.name),
                reproduce=f"tunebook run {self._design_file(listed.name)}" if self._design_file(listed.name) else "",
            )
        ]

    # -- deciding ----------------------------------------------------------------------------

    def repeat(
        self,
        round_name: str,
        *,
        trials: Sequence[str] | None = None,
        seeds: int = 5,
        workers: int = 1,
        executor: str = "local",
        on_event: Callable[[Any], None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RunReport:
        """Run the best trial of every setting and the baseline again with other seeds (D1)."""
        from tunebook.decide.repeats import repeat_specs
        from tunebook.history import has_open_repeats

        evidence = self.evidence(round_name)
        if not has_open_repeats(evidence):  # what an interrupted call left comes first
            specs = repeat_specs(evidence, self.baseline(), trials, seeds)
            self.store.add_trials(evidence.name, specs, now=self._clock())
        return self._run_stored(evidence.name, evidence.round, workers, executor, on_event, None, options)

    def repeat_study(
        self,
        round_name: str,
        *,
        workers: int = 1,
        executor: str = "local",
        on_event: Callable[[Any], None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RunReport:
        """Search the round again with another search seed, as a round of its own that ``decide`` counts in (D2)."""
        from tunebook.history import next_repetition

        again = next_repetition(self.store, self.store.resolve(str(round_name)))
        return self.run(again, workers=workers, executor=executor, on_event=on_event, options=options)

    def decide(
        self,
        round_name: str,
        *,
        complexity: str = "some",
        objective: str | Objective | None = None,
        threshold: float | None = None,
    ) -> Verdict:
        """The answers to both questions of a round, and the verdict (D2, D3); changes nothing."""
        from tunebook import history
        from tunebook.decide.verdict import decide

        evidence = self.evidence(round_name)
        return decide(
            evidence,
            self.baseline(),
            complexity=complexity,
            earlier=history.earlier_spread(self.store, evidence),
            objective=revised(evidence.round.objective, objective),
            threshold=threshold,
            replicas=history.replicas(self.store, evidence.name),
        )

    def adopt(self, verdict: Verdict, *, note: str = "", who: str | None = None) -> Launch:
        """Write a verdict's candidate to the ledger as the new baseline (D4)."""
        from tunebook.decide import ledger
        from tunebook.history import revision

        design = self.store.design(verdict.round)
        trial = verdict.candidate.trial if verdict.candidate else ""
        launch = ledger.next_launch(
            self.launches(),
            verdict,
            now=self._clock(),
            who=who or user(),
            note=note,
            revision=revision(self.store, verdict.round, trial),
        )
        self._write_launch(launch, design)
        return launch

    def keep(self, verdict: Verdict, *, note: str = "", who: str | None = None) -> str:
        """Record that the baseline stays, and why; returns what was written."""
        said = f"kept the baseline ({verdict.ruling}; {who or user()}): {note or '; '.join(verdict.because)}"
        self.store.add_note(verdict.round, None, said, self._clock())
        return said

    def next_round(self, round_name: str, *, name: str = "", longer: str | None = None) -> NextRound:
        """A ready-to-run design for the round after this one, each change with its finding (D5, T4)."""
        from tunebook.decide.longer import longer_round, read_factor
        from tunebook.decide.next_round import next_round

        evidence = self.evidence(round_name)
        launch = current_launch(self.launches())
        if longer is not None:
            best = launch.config if launch else None
            return longer_round(evidence.round, read_factor(longer), name=name, best=best)
        findings = self.learn(round_name).findings
        return next_round(evidence.round, findings, self._verdict_if_any(evidence.name), name=name)

    def start(
        self,
        design: str | Path | Round,
        *,
        config: Mapping[str, Value] | None = None,
        on_event: Callable[[Any], None] | None = None,
        executor: str = "local",
        note: str = "",
    ) -> Launch:
        """Train the initial configuration, check it against chance and make it launch 0 (S1)."""
        from tunebook.decide import baseline, ledger
        from tunebook.decide.start import measured
        from tunebook.history import revision

        launches = self.launches()
        if current_launch(launches) is not None:
            raise InputError("the ledger has a baseline already; look at it with `tunebook ledger`")
        first = baseline.baseline_design(self.design(design), dict(config or {}))
        baseline.check_has_chance(first.objective)
        self.run(first, on_event=on_event, executor=executor)
        evidence = self.evidence(first.name)
        launch = ledger.first_launch(
            launches,
            first.name,
            *measured(evidence),
            now=self._clock(),
            who=user(),
            note=note,
            revision=revision(self.store, first.name, evidence.trials[0].name),
        )
        self._write_launch(launch, first)
        return launch

    # -- remembering -------------------------------------------------------------------------

    def launches(self) -> list[Launch]:
        """The ledger, oldest first."""
        return self.store.launches() if self.has_store else []

    def rollback(self, number: int, *, note: str = "", who: str | None = None) -> Launch:
        """Take a launch out of force by another entry of the ledger; nothing is deleted."""
        from tunebook.decide import ledger

        launch = ledger.rollback(self.launches(), number, now=self._clock(), who=who or user(), note=note)
        self.store.append_launch(launch)
        return launch

    def baseline(self) -> Baseline | None:
        """The launch in force with its runs; None before the first."""
        from tunebook import history

        return history.baseline(self.store, self.launches())

    # -- inside ------------------------------------------------------------------------------

    def _existing(self, round_name: str) -> tuple[TrialSpec, ...]:
        from tunebook.history import specs_of

        return specs_of(self.store, round_name) if self.has_store else ()

    def _run_stored(
        self,
        name: str,
        design: Round,
        workers: int,
        executor: str,
        on_event: Callable[[Any], None] | None = None,
        function: Callable[[Any], None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RunReport:
        from tunebook.run.run import run_round

        own = read_settings(self.root).get(EXECUTOR, {}).get(executor, {})

        return run_round(
            self.store,
            name,
            design,
            project=self.root,
            workers=workers,
            executor=executor,
            on_event=on_event,
            function=function,
            options={**own, **(options or {})},
        )

    def _unseen(self, design: Round) -> tuple[Finding, ...]:
        """What a design searches beyond all of its trials, when no further one is planned (R7)."""
        from tunebook.plan.unseen import unseen_findings

        existing = self._existing(design.name)
        return unseen_findings(design, existing) if existing else ()

    def _write_launch(self, launch: Launch, design: Round) -> None:
        """Write the design that trains a launch again, and the launch itself into the ledger."""
        from tunebook.decide import ledger
        from tunebook.decide.baseline import baseline_design

        held = baseline_design(design, dict(launch.config), name=ledger.design_name(launch))
        again = replace(held, goal=f"Train launch {launch.number} again: trial {launch.trial} of {launch.round}")
        folder = self.root / ROUNDS
        folder.mkdir(exist_ok=True)
        again.save(folder / f"{again.name}.toml")
        self.store.append_launch(replace(launch, command=ledger.reproduce_command(design, launch)))

    def _verdict_if_any(self, round_name: str) -> Verdict | None:
        """The verdict where one can be given; a round without two configurations to compare has none."""
        try:
            return self.decide(round_name)
        except InputError:
            return None

    def _design_file(self, round_name: str) -> str:
        """Where a round's design lies, from the project's folder; empty where the project has no file of it."""
        path = Path(ROUNDS) / f"{round_name}.toml"
        return str(path) if (self.root / path).is_file() else ""

    def _status(self, name: str, origin: str) -> RoundStatus:
        from tunebook.show.tables import RoundStatus

        return RoundStatus(round=name, counts=self.store.counts(name), origin=origin)


def default_store(root: Path) -> str:
    """The store of a project that names no other."""
    return f"sqlite:///{(root / STORE_FILE).resolve()}"


def revised(own: Objective, other: str | Objective | None) -> Objective:
    """The objective to judge by: another one, the round's own with some words changed, or its own."""
    if isinstance(other, Objective):
        return other
    return own.revised(other) if other else own


def _listed(names: list[str]) -> str:
    return f"there are {', '.join(names)}" if names else f"the folder {ROUNDS} holds none"

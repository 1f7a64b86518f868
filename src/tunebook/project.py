"""Project: a folder, its designs and its store; one method per use case.

The only object with state. Its methods connect the rooms that do not know each other: the plan, the
store, the running of trials, the checks, the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
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
    from tunebook.exploit.outlook import Outlook
    from tunebook.exploit.refine import Refined
    from tunebook.learn.analyse import Analysis
    from tunebook.learn.curve_report import CurveReport
    from tunebook.plan.summary import PlanSummary
    from tunebook.procedures.procedure import Conclusion
    from tunebook.run.run import RunReport
    from tunebook.show.screens import Failure
    from tunebook.show.sheet import SheetRow
    from tunebook.show.tables import RoundStatus
    from tunebook.store.doctor import Examination
    from tunebook.store.merge import MergeReport
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
        specs = plan_trials(wanted, self._existing(wanted.name))
        return wanted.name, (*specs, *self._chosen_next(wanted, specs))

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

    def evidence(self, round_name: str, *, metrics: Collection[str] | None = None) -> Evidence:
        """A snapshot of a round: its design, its trials and their curves as arrays; with ``metrics`` only those."""
        return self.store.snapshot(self.store.resolve(str(round_name)), metrics=metrics)

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

    def procedure_report(self, conclusion: Conclusion, path: str | Path) -> Path:
        """Write how a guided procedure ended as a self-contained HTML page with its plots."""
        from tunebook.show.guided_report import render_conclusion

        target = Path(path)
        write_file(target, render_conclusion(conclusion).encode())
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
                self.evidence(listed.name, metrics=(self.store.design(listed.name).objective.metric,)),
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

    # -- exploiting --------------------------------------------------------------------------

    def exploitation(self, round_name: str, *, trials: int | None = None) -> tuple[Refined, Path, bool]:
        """The design that exploits a round, its file, and whether that is new; runs nothing (X1).

        The design searches the good region from the round's trials on. A file of it that is there already is
        taken as it stands, so that a person can edit it; ``trials`` wins over its number of trials.
        """
        from tunebook import exploitation

        analysis = self.learn(round_name)
        found = exploitation.refined(analysis.view, analysis.findings, trials=trials)
        path = self.root / ROUNDS / f"{found.design.name}.toml"
        is_new = not path.is_file()
        if is_new:
            path.parent.mkdir(exist_ok=True)
            found.design.save(path)
            return found, path, is_new
        return exploitation.as_edited(found, Round.load(path), trials), path, is_new

    def trial_of(self, round_name: str, config: Mapping[str, Value]) -> str | None:
        """The name of the first trial with a configuration, in a round or in those it starts from."""
        design = self.store.design(self.store.resolve(str(round_name)))
        for name in (round_name, *design.search.start_from):
            for trial in self.evidence(name).trials:
                if trial.config == config:
                    return trial.name
        return None

    def outlook(self, round_name: str) -> Outlook | None:
        """How far an exploitation has come and what going on is expected to gain; None while nothing tells (X1)."""
        from tunebook.exploitation import History

        design = self.store.design(self.store.resolve(str(round_name)))
        return History(self.store, replace(design, name=self.store.resolve(str(round_name)))).outlook()

    def exploitation_report(self, round_name: str, path: str | Path) -> Path:
        """The report of an exploitation: its feasibility map, then everything that a round's report has."""
        from tunebook import exploitation
        from tunebook.show.report import render

        analysis = self.learn(round_name)
        evidence = analysis.view.evidence
        history = exploitation.History(self.store, replace(evidence.round, name=evidence.name))
        text = render(
            evidence,
            analysis.findings,
            reproduce=[f"tunebook run {evidence.name}"],
            extra=exploitation.chapter(history),
        )
        write_file(Path(path), text.encode())
        return Path(path)

    def final(
        self,
        round_name: str,
        *,
        with_validation: bool = False,
        metric: str | None = None,
        again: bool = False,
        note: str = "",
        executor: str = "local",
        on_event: Callable[[Any], None] | None = None,
        function: Callable[[Any], None] | None = None,
    ) -> Launch:
        """Train the launch of a round for the last time, look at the test set and record that (X2, X3).

        ``InputError`` without a launch, when the test set was looked at with it before (unless ``again``), and
        when training logged no test metric; then nothing is recorded.
        """
        from tunebook.decide import final
        from tunebook.history import revision

        name, launches = self.store.resolve(str(round_name)), self.launches()
        launch = final.final_launch(launches, name)
        final.check_first_look(launches, launch, again)
        design = self.store.design(launch.round)
        seeds = {trial.name: trial.seed for trial in self.evidence(launch.round).trials}
        named = final.metric_of_test_set(design.objective, metric)
        wanted = final.final_design(
            design,
            launch,
            seed=seeds.get(launch.trial, design.search.seed),
            metric=named,
            with_validation=with_validation,
            n_looks=final.looks(launches, launch.config),
        )
        self.run(wanted, executor=executor, on_event=on_event, function=function)
        evidence = self.evidence(wanted.name)
        entry = final.record(
            self.launches(),
            launch,
            evidence,
            named,
            now=self._clock(),
            who=user(),
            note=note,
            revision=revision(self.store, wanted.name, evidence.trials[0].name),
        )
        self.store.append_launch(entry)
        return entry

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

    # -- keeping -----------------------------------------------------------------------------

    def merge(
        self, other: str | Path, *, rename: Mapping[str, str] | None = None, keep_ours: bool = False
    ) -> MergeReport:
        """Bring in everything that another store has and this one has not; again changes nothing (B1).

        ``other`` is a store's file, a project folder or a store's address. ``rename`` gives rounds of theirs
        another name here. ``InputError`` lists every conflict before anything is written; with ``keep_ours``
        results, runs and a ledger that contradict ours are left out instead.
        """
        from tunebook.store.keeping import merge_stores
        from tunebook.store.store import Store

        url = store_address(other)
        examined = self._examined(url)
        if not examined.is_sound:
            said = "; ".join(complaint.says for complaint in examined.complaints)
            raise InputError(
                f"{examined.place} is damaged and is not merged: {said}; see `tunebook doctor --store {url}`"
            )
        with Store.open(url, read_only=True) as theirs:
            return merge_stores(self.store, theirs, now=self._clock(), rename=rename, keep_ours=keep_ours)

    def doctor(self) -> Examination:
        """Look at the store for damage; changes nothing. What is found comes with what to do (E5)."""
        return self._examined(self.store_url)

    def backup(self, target: str | Path, *, overwrite: bool = False) -> int:
        """Copy the store into an SQLite file while others write; its size in bytes (E5)."""
        from tunebook.store.keeping import back_up
        from tunebook.store.store import Store

        with Store.open(self.store_url, read_only=True) as opened:
            return back_up(opened, target, overwrite=overwrite)

    # -- inside ------------------------------------------------------------------------------

    def _examined(self, url: str) -> Examination:
        from tunebook.run.processes import is_gone
        from tunebook.store.keeping import examine

        return examine(url, is_dead=is_gone, now=self._clock())

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
            refill=self._refill(replace(design, name=name), on_event),
            options={**own, **(options or {})},
        )

    def _refill(self, design: Round, on_event: Callable[[Any], None] | None) -> Callable[[int], int] | None:
        """How a round gets further trials while it runs; None for a search that is planned beforehand (X1)."""
        if design.search.algorithm != "bayes":
            return None
        from tunebook.exploitation import Refill

        return Refill(self.store, design, self._clock, on_event)

    def _unseen(self, design: Round) -> tuple[Finding, ...]:
        """What a design searches beyond all of its trials, when no further one is planned (R7)."""
        from tunebook.plan.unseen import unseen_findings

        existing = self._existing(design.name)
        return unseen_findings(design, existing) if existing else ()

    def _chosen_next(self, design: Round, planned: Sequence[TrialSpec]) -> tuple[TrialSpec, ...]:
        """The trial that a search which learns would run after those of the plan, as far as is known (X1)."""
        if design.search.algorithm != "bayes" or not self.has_store:
            return ()
        from tunebook.exploit.propose import next_trials
        from tunebook.exploitation import History

        known = {spec.id for spec in self._existing(design.name)}
        if not known.issuperset(spec.id for spec in planned):
            return ()
        return next_trials(design, planned, History(self.store, design).observed(), 1)

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


def store_address(other: str | Path) -> str:
    """The address of a store: as it is, or that of a file or of a project's folder."""
    if "://" in str(other):
        return str(other)
    path = Path(other)
    if path.is_dir():
        return read_settings(path).get("store") or default_store(path)
    return f"sqlite:///{path.resolve()}"


def revised(own: Objective, other: str | Objective | None) -> Objective:
    """The objective to judge by: another one, the round's own with some words changed, or its own."""
    if isinstance(other, Objective):
        return other
    return own.revised(other) if other else own


def _listed(names: list[str]) -> str:
    return f"there are {', '.join(names)}" if names else f"the folder {ROUNDS} holds none"

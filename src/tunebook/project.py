"""Project: a folder, its designs and its store; one method per use case.

The only object with state. Its methods hand the store, the folder and the time to the ``use_cases``, which
connect the rooms that do not know each other, and load what is heavy when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tunebook import use_cases
from tunebook.core.config import Value
from tunebook.core.launch import Launch
from tunebook.core.objective import Objective
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.core.verdict import Verdict
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.plan.folder import example_files, start_project, user

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
    from tunebook.use_cases.running import Runner

Clock = Callable[[], datetime]
#: Executors that run trials on this machine, where the pipeline has to be.
LOCAL = ("local", "inline")


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
        root, url = use_cases.opening.locate(folder, store)
        return cls(root, url)

    @classmethod
    def for_design(cls, design: str | Path, *, folder: str | Path | None = None, store: str | None = None) -> Project:
        """The project a design belongs to.

        The given folder, else the nearest project above the current folder, else the nearest above
        the design file, else the folder that the file lies in.
        """
        return cls.open(folder if folder is not None else use_cases.opening.folder_for(design), store=store)

    @property
    def has_store(self) -> bool:
        """Whether there is anything to read; asking creates nothing."""
        return use_cases.opening.may_be_there(self.store_url)

    @property
    def _is_new(self) -> bool:
        """Whether nothing was run yet; a store that was named has to be there."""
        return not self.has_store and self.store_url == use_cases.opening.default_store(self.root)

    @property
    def _store_if_any(self) -> Store | None:
        """The store, unless there is nothing to read: reading makes none."""
        return self.store if self.has_store else None

    @cached_property
    def store(self) -> Store:
        """The store, opened (and made or migrated) on first use."""
        from tunebook.store.store import Store

        return Store.open(self.store_url)

    @property
    def known_store(self) -> Store:
        """The store to read from; ``InputError`` when it is not there, as reading must make none."""
        use_cases.opening.check_is_there(self.store_url, self.root)
        return self.store

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
        return use_cases.designing.find_design(self.root, design)

    def check(self, design: str | Path | Round, *, workers: int = 1) -> PlanSummary:
        """The plan of a design and what the linter thinks of it; runs nothing (R3, R6, S6).

        Where a launch is in force it also says which of its tuned values are no longer trusted (S7).
        """
        launches = self._launches_if_any
        return use_cases.checking.check(self.design(design), self._store_if_any, launches, workers=workers)

    def suggest(self, design: str | Path | Round, *, trials: int | None = None) -> tuple[str, tuple[TrialSpec, ...]]:
        """The round's name and every trial it would have, those already run included; runs nothing."""
        wanted = self.design(design)
        return wanted.name, use_cases.designing.suggest(wanted, self._store_if_any, trials=trials)

    # -- running -----------------------------------------------------------------------------

    @property
    def _runner(self) -> Runner:
        return use_cases.running.Runner(self.store, self.root, self._clock)

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
        given = self.design(design)
        use_cases.running.check_start(given, self._store_if_any)
        if function is None and executor in LOCAL:
            use_cases.running.check_runs(given, self.root, self._store_if_any)
        wanted, retired = self._planned(given)
        if retired and on_event is not None:
            on_event(use_cases.running.put_aside(wanted, retired))
        if retry_failed:
            self.store.reopen_failed(wanted.name, now=self._clock())
        return self._runner.run(
            wanted.name,
            wanted,
            workers=workers,
            executor=executor,
            on_event=on_event,
            function=function,
            options=options,
        )

    def why_not_run(self, design: Round) -> str:
        """Why a design cannot be run on this machine: pipeline, program or earlier round are missing; else nothing."""
        try:
            use_cases.running.check_pipeline(design, self.root)
            use_cases.running.check_start(design, self._store_if_any)
        except InputError as error:
            return "; ".join(problem.message for problem in error.problems)
        return ""

    def plan(self, design: str | Path | Round) -> Round:
        """Store a design as the one in force and its trials as the plan; runs nothing, changes no result."""
        return self._planned(self.design(design))[0]

    def _planned(self, wanted: Round) -> tuple[Round, int]:
        """The design, now in force, and how many trials the plan does not hold any more."""
        if not wanted.name:
            raise InputError("this round has no name; give it one, as in Round(name='01-baseline', ...)")
        specs = use_cases.designing.plan(wanted, self._store_if_any)
        self.store.save_round(wanted.name, wanted, now=self._clock())
        return wanted, self.store.sync_trials(wanted.name, specs, now=self._clock()).retired

    def status(self, round_name: str | None = None) -> tuple[RoundStatus, ...]:
        """How far every round is, or one of them."""
        if round_name is None and self._is_new:
            return ()
        return use_cases.status.statuses(self.known_store, round_name)

    def failures(self, round_name: str) -> list[Failure]:
        """Trials that failed: why, and the file with what they printed."""
        return use_cases.failures.failed_trials(self.known_store, self.root, round_name)

    def evidence(self, round_name: str, *, metrics: Collection[str] | None = None) -> Evidence:
        """A snapshot of a round: its design, its trials and their curves as arrays; with ``metrics`` only those."""
        return self.known_store.snapshot(self.known_store.resolve(str(round_name)), metrics=metrics)

    def seconds_per_step(self, design: Round) -> float | None:
        """What a training step took so far, else what the design says; None when neither tells (S6)."""
        return use_cases.checking.seconds_per_step(design, self._store_if_any)

    # -- learning ----------------------------------------------------------------------------

    def learn(self, round_name: str, *, objective: str | Objective | None = None) -> Analysis:
        """Every check over one round; ``objective`` changes what counts, without running anything (L1)."""
        return use_cases.learning.learn(self.evidence(round_name), objective)

    def curves(self, round_name: str, *, objective: str | Objective | None = None) -> CurveReport:
        """The diagnosis of every trial's curves (L6)."""
        return use_cases.learning.curves(self.evidence(round_name), objective)

    def report(self, analysis: Analysis, path: str | Path) -> Path:
        """Write the self-contained HTML report of an analysis."""
        return use_cases.reporting.report(analysis, Path(path))

    def procedure_report(self, conclusion: Conclusion, path: str | Path) -> Path:
        """Write how a guided procedure ended as a self-contained HTML page with its plots."""
        return use_cases.reporting.procedure_report(conclusion, Path(path))

    # -- exchanging --------------------------------------------------------------------------

    def import_runs(self, kind: str, path: str | Path) -> Imported:
        """Bring in runs made elsewhere; importing the same again changes nothing (B1)."""
        from tunebook.bridges.table import reader

        imported = reader(kind)(Path(path))
        for found in imported.rounds:
            use_cases.importing.store_round(self.store, found, now=self._clock(), kind=kind, path=path)
        return imported

    def export(self, round_name: str, target: str | Path) -> list[Path]:
        """Write a round's trials and curves to a file (.csv, .json, .parquet) or into a folder."""
        from tunebook.bridges.table import writer

        return writer(Path(target))(Path(target), self.evidence(round_name))

    def sheet(self) -> list[SheetRow]:
        """The tracking sheet: one row a study of every round (E7)."""
        return [] if self._is_new else use_cases.tracking.sheet_rows(self.known_store, self.root)

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
        evidence = self.evidence(round_name)
        if executor in LOCAL:
            use_cases.running.check_pipeline(evidence.round, self.root)
        use_cases.deciding.plan_repeats(self.store, evidence, self.launches(), trials, seeds, now=self._clock())
        return self._runner.run(
            evidence.name, evidence.round, workers=workers, executor=executor, on_event=on_event, options=options
        )

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

        again = next_repetition(self.known_store, self.known_store.resolve(str(round_name)))
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
        evidence, launches = self.evidence(round_name), self.launches()
        return use_cases.deciding.decide(
            self.store, evidence, launches, complexity=complexity, objective=objective, threshold=threshold
        )

    def adopt(self, verdict: Verdict, *, note: str = "", who: str | None = None) -> Launch:
        """Write a verdict's candidate to the ledger as the new baseline (D4)."""
        return use_cases.launching.adopt(
            self.store, self.root, self.launches(), verdict, now=self._clock(), who=who or user(), note=note
        )

    def keep(self, verdict: Verdict, *, note: str = "", who: str | None = None) -> Launch:
        """Record in the ledger that the baseline stays, and why; the entry. ``InputError`` where there is none."""
        return use_cases.launching.keep(
            self.store, self.launches(), verdict, now=self._clock(), who=who or user(), note=note
        )

    def next_round(
        self, round_name: str, *, name: str = "", longer: str | None = None, objective: str | Objective | None = None
    ) -> NextRound:
        """A ready-to-run design for the round after this one, each change with its finding (D5, T4, L1)."""
        return use_cases.deciding.next_design(
            self.known_store,
            self.evidence(round_name),
            self.launches(),
            name=name,
            longer=longer,
            objective=objective,
        )

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
        launches = self._launches_if_any
        first = use_cases.launching.initial_design(launches, self.design(design), config)
        self.run(first, on_event=on_event, executor=executor)
        return use_cases.launching.launch_first(
            self.store, self.root, launches, first, now=self._clock(), who=user(), note=note
        )

    # -- exploiting --------------------------------------------------------------------------

    def exploitation(
        self, round_name: str, *, trials: int | None = None, is_to_run: bool = False
    ) -> tuple[Refined, Path, bool]:
        """The design that exploits a round, its file, and whether that is new; runs nothing (X1).

        The design searches the good region from the round's trials on. A file of it that is there already is
        taken as it stands, so that a person can edit it; ``trials`` wins over its number of trials. What
        ``is_to_run`` here and cannot is refused before anything is written.
        """
        if is_to_run:
            store = self.known_store
            use_cases.running.check_pipeline(store.design(store.resolve(str(round_name))), self.root)
        return use_cases.exploiting.design_file(self.known_store, self.root, self.learn(round_name), trials)

    def trial_of(self, round_name: str, config: Mapping[str, Value]) -> tuple[str, str] | None:
        """Round and name of the first trial with a configuration, in a round or in those it starts from."""
        return use_cases.exploiting.trial_of(self.known_store, str(round_name), config)

    def outlook(self, round_name: str) -> Outlook | None:
        """How far an exploitation has come and what going on is expected to gain; None while nothing tells (X1)."""
        return use_cases.exploiting.outlook(self.known_store, str(round_name))

    def exploitation_report(self, round_name: str, path: str | Path) -> Path:
        """The report of an exploitation: its feasibility map, then everything that a round's report has."""
        return use_cases.exploiting.report(self.known_store, self.learn(round_name), Path(path))

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
        when training logged no test metric; then nothing is recorded, and the next call trains again.
        """
        name, launches = self.known_store.resolve(str(round_name)), self.launches()
        training = use_cases.final_training.prepare(
            self.store, launches, name, with_validation=with_validation, metric=metric, again=again
        )
        self.run(training.design, executor=executor, on_event=on_event, function=function, retry_failed=True)
        return use_cases.final_training.record(
            self.store, self.launches(), training, now=self._clock(), who=user(), note=note
        )

    # -- remembering -------------------------------------------------------------------------

    def launches(self) -> list[Launch]:
        """The ledger, oldest first; ``InputError`` when a store that was named is not there."""
        return [] if self._is_new else self.known_store.launches()

    @property
    def _launches_if_any(self) -> list[Launch]:
        return self.store.launches() if self.has_store else []

    def rollback(self, number: int, *, note: str = "", who: str | None = None) -> Launch:
        """Take a launch out of force by another entry of the ledger; nothing is deleted."""
        return use_cases.launching.rollback(
            self.known_store, self.launches(), number, now=self._clock(), who=who or user(), note=note
        )

    def baseline(self) -> Baseline | None:
        """The launch in force with its runs; None before the first."""
        from tunebook import history

        return None if self._is_new else history.baseline(self.known_store, self.launches())

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

        with use_cases.keeping.open_sound(other, now=self._clock()) as theirs:
            return merge_stores(self.store, theirs, now=self._clock(), rename=rename, keep_ours=keep_ours)

    def doctor(self) -> Examination:
        """Look at the store for damage; changes nothing. What is found comes with what to do (E5)."""
        return use_cases.keeping.examine(self.store_url, now=self._clock())

    def backup(self, target: str | Path, *, overwrite: bool = False) -> int:
        """Copy the store into an SQLite file while others write; its size in bytes (E5)."""
        return use_cases.keeping.back_up(self.store_url, target, overwrite=overwrite)

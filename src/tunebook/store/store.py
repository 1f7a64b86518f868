"""Store: what is remembered, behind one class with the same meaning on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from tunebook.core.launch import Launch
from tunebook.core.outcome import Outcome, Status
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.evidence import Curves, Evidence
from tunebook.store import clock, curves, imports, leases, records, rounds, snapshot, trials, versions
from tunebook.store.engine import Database
from tunebook.store.imports import ImportedTrial
from tunebook.store.packing import CurveBlock
from tunebook.store.values import (
    Claim,
    EndReason,
    Lease,
    Note,
    Owner,
    RoundRow,
    SyncReport,
    TrialRow,
    optional_time,
    seconds_of,
)


class Store:
    """A store of rounds, trials, curves and launches; every method is one transaction.

    Threads may share one; a forked child gets connections of its own. Times are arguments and have to be
    aware. Raises ``StoreReadOnly``, ``StoreFull``, ``StoreUnavailable`` and ``LeaseLost``, the same on
    every back end, and ``InputError`` for rounds and trials that are not there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, read_only: bool = False) -> Store:
        """Open the store at ``sqlite:///FILE`` or ``postgresql://…``; create or upgrade it where needed.

        A file that may not be written is opened for reading; writing then raises ``StoreReadOnly``.
        """
        return cls(Database(url, read_only=read_only))

    @property
    def url(self) -> str:
        """The address that opens this store from any folder; it may hold a password, so show ``place``."""
        return self._database.address

    @property
    def place(self) -> str:
        """Where the store is, in words that may be shown."""
        return self._database.place.words

    @property
    def database(self) -> Database:
        """What ``keeping`` copies, joins and examines."""
        return self._database

    @property
    def is_read_only(self) -> bool:
        """Whether writing is refused."""
        return self._database.is_read_only

    def patient(self, seconds: float, on_wait: Callable[[str], bool]) -> AbstractContextManager[None]:
        """In this block a server that restarts or is out of reach is waited for, up to ``seconds`` each time.

        Elsewhere it is a ``StoreUnavailable`` at once. ``on_wait`` is told in words before every pause and
        says whether to go on waiting.
        """
        return self._database.patient(seconds, on_wait)

    def close(self) -> None:
        """Close all connections; the store may still be used and then opens new ones."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def time(self) -> datetime | None:
        """The time by the clock of the server that holds the store; None where this machine holds it."""
        return optional_time(self._database.read(clock.now))

    # Rounds

    def save_round(self, name: str, design: Round, *, now: datetime, origin: str = "native") -> int:
        """Store the round, or another version of its design where that differs; the number of the round."""
        return self._database.write(rounds.save, name, design, seconds_of(now), origin)

    def rounds(self) -> tuple[RoundRow, ...]:
        """All rounds in the order of their making."""
        return self._database.read(rounds.rows)

    def resolve(self, name_or_number: str) -> str:
        """The name of the round with this name, or else this number; ``InputError`` lists those there are."""
        return self._database.read(rounds.resolve, name_or_number)

    def design(self, name: str) -> Round:
        """The design in force."""
        return self._database.read(rounds.design, name)

    def designs(self, name: str) -> tuple[tuple[int, datetime, Round], ...]:
        """Version (from 1), time and content of every design the round had."""
        return self._database.read(rounds.versions, name)

    def import_round(
        self, name: str, design: Round, found: Sequence[ImportedTrial], *, now: datetime, origin: str
    ) -> int:
        """Store a round that was run elsewhere; how many of its trials were not there yet."""
        return self._database.write(imports.store_round, name, design, found, seconds_of(now), origin)

    def version(self, name: str | None = None) -> str:
        """A text that changes whenever the round (or, without a name, anything) does; one cheap query."""
        return self._database.read(versions.of, name)

    # Trials

    def sync_trials(self, name: str, specs: Sequence[TrialSpec], *, now: datetime) -> SyncReport:
        """Make ``specs`` the plan of the round: add what is missing, retire search trials that are not in it."""
        return self._database.write(trials.sync, name, specs, seconds_of(now))

    def add_trials(self, name: str, specs: Iterable[TrialSpec], *, now: datetime) -> int:
        """Add trials behind the others, those already there excepted; how many were new."""
        return self._database.write(trials.add, name, tuple(specs), seconds_of(now))

    def extend_trials(self, name: str, specs: Iterable[TrialSpec], *, expected: int, now: datetime) -> int:
        """``add_trials`` if the plan still has ``expected`` search trials, else nothing; how many were added.

        Two processes that choose the next trial from the same evidence add it once.
        """
        return self._database.write(trials.extend, name, tuple(specs), expected, seconds_of(now))

    def specs(self, name: str, *, retired: bool = False) -> tuple[TrialSpec, ...]:
        """The trials of the plan in its order; with ``retired`` also those no longer in it."""
        return self._database.read(trials.specs, name, retired)

    def trials(self, name: str, *, retired: bool = False) -> tuple[TrialRow, ...]:
        """The same trials with how they stand."""
        return self._database.read(trials.rows, name, retired)

    def counts(self, name: str) -> dict[Status, int]:
        """How many trials of the plan stand where; every status is there."""
        return self._database.read(trials.counts, name)

    def snapshot(
        self, name: str, *, retired: bool = False, metrics: Collection[str] | None = None, trial: str | None = None
    ) -> Evidence:
        """Design, trials and curves of the round as one unchanging value.

        With ``metrics`` only the curves of those, with ``trial`` only that one.
        """
        return self._database.read(snapshot.take, name, retired, metrics, trial)

    def curves(self, name: str, metrics: Collection[str] | None = None) -> tuple[tuple[str, ...], Mapping[str, Curves]]:
        """The names of the round's trials in the order of a snapshot, and their curves of some ``metrics`` or all."""
        return self._database.read(snapshot.curves_of, name, metrics)

    def metrics(self, name: str) -> tuple[str, ...]:
        """All metrics that a trial of the round logged, sorted."""
        return self._database.read(snapshot.logged, name)

    # Running

    def claim(
        self,
        name: str,
        *,
        owner: Owner,
        limit: int,
        now: datetime,
        lease_seconds: float,
        provenance: str | None = None,
    ) -> tuple[Claim, ...]:
        """Lend ``owner`` the next trials of the plan that nobody runs; none is ever lent twice at a time."""
        return self._database.write(
            leases.claim, name, owner, limit, seconds_of(now), lease_seconds, provenance, leases.new_series()
        )

    def renew(self, owner_id: str, *, now: datetime, lease_seconds: float) -> frozenset[int]:
        """Extend all that ``owner_id`` holds; the attempt keys it still holds."""
        return self._database.write(leases.renew, owner_id, seconds_of(now) + lease_seconds)

    def leases(self, name: str) -> tuple[Lease, ...]:
        """Who runs what in this round, including leases that ran out and that nobody took over."""
        return self._database.read(leases.held, name)

    def expire(self, owner_ids: Iterable[str], *, now: datetime) -> int:
        """Take back what owners known to be dead hold; how many trials are pending again."""
        return self._database.write(leases.expire, tuple(owner_ids), seconds_of(now))

    def release(self, claim: Claim, *, reason: EndReason, detail: str = "", now: datetime) -> None:
        """End an attempt without an outcome: the trial is pending again. ``LeaseLost`` when it is not held."""
        self._database.write(leases.release, claim, reason, detail, seconds_of(now))

    def reopen_failed(self, name: str, *, now: datetime) -> int:
        """Make failed trials pending again, because a person mended what failed; how many.

        A failure says nothing about a configuration, so it is the one ending that can be taken back.
        """
        return self._database.write(leases.reopen_failed, name, seconds_of(now))

    def finish(self, claim: Claim, outcome: Outcome, *, now: datetime, seconds: float) -> None:
        """Give a trial its final outcome. Twice for one attempt is once; ``LeaseLost`` for any other."""
        self.finish_many([(claim, outcome, seconds)], now=now)

    def finish_many(self, ended: Sequence[tuple[Claim, Outcome, float]], *, now: datetime) -> None:
        """``finish`` for several ``(claim, outcome, seconds)``, all or none."""
        self._database.write(leases.finish, ended, seconds_of(now))

    # Curves

    def append_curves(self, claim: Claim | int, block: CurveBlock, first_row: int) -> int:
        """Store rows ``first_row`` and on of what an attempt logged of ``block.metrics``, each row once.

        Returns how many such rows the attempt now has. What was stored is skipped, a gap is a
        ``StoreError``, and new rows of a finished trial are ``LeaseLost``.
        """
        return self._database.write(curves.append, _attempt_key(claim), block, first_row)

    def append_many(self, parts: Sequence[tuple[Claim | int, CurveBlock, int]]) -> tuple[int, ...]:
        """``append_curves`` for several ``(claim, block, first_row)``, all or none."""
        return self._database.write(
            curves.append_many, [(_attempt_key(claim), block, row) for claim, block, row in parts]
        )

    def rows_stored(self, attempt_key: int) -> dict[tuple[str, ...], int]:
        """How many rows the attempt has of every tuple of metrics it logged."""
        return self._database.read(curves.rows_stored, attempt_key)

    def set_resume(self, attempt_key: int, start_step: int) -> None:
        """Note the step an attempt goes on from: later points of earlier attempts no longer count."""
        self._database.write(curves.set_resume, attempt_key, start_step)

    # Records

    def save_provenance(self, record: Mapping[str, Any]) -> str:
        """Store how attempts were run; the hash of the record, to be given to ``claim``."""
        return self._database.write(records.save_provenance, record)

    def provenance(self, trial: str, *, round: str | None = None) -> Mapping[str, Any] | None:  # noqa: A002
        """How the newest attempt of a trial (by name or id) was run; of all rounds unless one is named."""
        return self._database.read(records.provenance, trial, round)

    def provenances(self, round: str) -> Sequence[tuple[Mapping[str, Any], int]]:  # noqa: A002
        """How the results of a round came about: every different record with the number of its trials."""
        return self._database.read(records.provenances_of, round)

    def append_launch(self, launch: Launch) -> None:
        """Add to the ledger; ``StoreError`` when it has this number already."""
        self._database.write(records.append_launch, launch)

    def launches(self) -> list[Launch]:
        """The ledger from launch 0 on."""
        return self._database.read(records.all_launches)

    def add_note(self, round: str, trial: str | None, text: str, now: datetime) -> None:  # noqa: A002
        """Keep a sentence about a round, or about one of its trials."""
        self._database.write(records.add_note, round, trial, text, seconds_of(now))

    def notes(self, round: str | None = None) -> tuple[Note, ...]:  # noqa: A002
        """Notes in the order of their writing, of one round or of all."""
        return self._database.read(records.all_notes, round)


def _attempt_key(claim: Claim | int) -> int:
    return claim if isinstance(claim, int) else claim.attempt_key

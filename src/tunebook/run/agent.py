"""Agent: runs trials on a machine of a cluster for a driver elsewhere, with the local executor's processes.

The agent decides for itself what the machine shares with the driver. Where both run under one kernel and
see the project, the trial writes into the project's folder and the driver reads it there. Elsewhere it
writes into a folder of its own, since what one machine maps into memory another one does not see at
once, and a relay carries it over. Where a store is named that can be reached from here, the agent stores
the metrics itself.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.errors import StoreError
from tunebook.handle.assignment import Assignment
from tunebook.run.command import search_path
from tunebook.run.devices import VISIBLE
from tunebook.run.executors.local import Local
from tunebook.run.folders import CHECKPOINTS, OUTPUT
from tunebook.run.ingest import Buffer, Ingest
from tunebook.run.jobs import HERE, Executor, Exit, Job, News, Setup
from tunebook.run.objective_curve import ObjectiveCurve
from tunebook.run.processes import RUN_VARIABLE
from tunebook.run.relay import PIECE_BYTES, Change, Relay, apply, packed_checkpoint

if TYPE_CHECKING:
    from tunebook.store.store import Store

BOOT = Path("/proc/sys/kernel/random/boot_id")
MARK = ".mark-"
PROJECT = "project"
#: The first word of a trial comes after this, the next ones every ``TELL_SECONDS``.
FIRST_SECONDS = 0.2
TELL_SECONDS = 0.5
#: How long a trial that has to leave its machine may go on until its next checkpoint.
LAST_CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Mark:
    """By what a machine knows whether it sees the driver's files, and under the same kernel."""

    file: Path
    text: str
    boot: str

    @classmethod
    def leave(cls, folder: Path, token: str) -> Mark:
        """Leave the mark of a run in its folder."""
        made = cls(folder / f"{MARK}{token}", token, boot_id())
        made.file.write_text(token, encoding="utf-8")
        return made

    @property
    def is_seen(self) -> bool:
        """Whether the driver's files are here."""
        try:
            return self.file.read_text(encoding="utf-8") == self.text
        except OSError:
            return False

    @property
    def is_same_kernel(self) -> bool:
        """Whether memory that is mapped there is seen here at once."""
        return self.boot == boot_id() != ""


@dataclass(frozen=True, slots=True)
class Told:
    """What an agent tells its driver about a running or ended job.

    ``serial`` counts the words with changes that were told before this one, so that the last word can be
    held back until they are all there.
    """

    key: int
    news: News = HERE
    changes: tuple[Change, ...] = ()
    ended: Exit | None = None
    serial: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the driver wants of a job: ``stop`` it softly, ``kill`` it; nothing as a rule."""

    stop: bool = False
    kill: bool = False


#: Gives word to the driver, which may want something.
Tell = Callable[[Told], Asked]


def boot_id() -> str:
    """Names the running kernel; empty where that cannot be told."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


class Agent:
    """Runs the jobs of one run on this machine, one at a time."""

    def __init__(self, setup: Setup, mark: Mark, project: Iterable[Change] = ()) -> None:
        """Import the pipeline; ``InputError`` when it cannot be. ``project`` is for a machine that does not see it."""
        self._is_seen = mark.is_seen
        self._is_near = self._is_seen and mark.is_same_kernel
        self._scratch = Path(tempfile.mkdtemp(prefix="tunebook-"))
        if not self._is_seen:
            for change in project:
                apply(self._scratch / PROJECT, change)
        self._setup = self._localized(setup)
        self._store: Store | None = None
        self._inner: Executor = Local(self._setup)

    def run(self, job: Job, tell: Tell, *, checkpoint: Iterable[Change] = ()) -> Told:
        """Run one job to its end; the last word about it, with its exit.

        ``checkpoint`` is what it goes on from, for a machine that does not see it.
        """
        with self._place(job, checkpoint) as (placed, relay):
            return _Watch(self, placed, relay, tell).run()

    def close(self) -> None:
        """End what is left."""
        self._inner.close()
        if self._store is not None:
            self._store.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def inner(self) -> Executor:
        """The executor of this machine."""
        return self._inner

    @property
    def is_near(self) -> bool:
        """Whether the driver reads this machine's files."""
        return self._is_near

    @property
    def setup(self) -> Setup:
        """The setup as it is on this machine."""
        return self._setup

    def store(self) -> Store | None:
        """The store, where one is named and can be reached from here; else the driver has to store."""
        if self._store is None and self._setup.store is not None:
            # Most agents need none, and a database library would double the time a worker takes to start.
            from tunebook.store.store import Store

            try:
                self._store = Store.open(self._setup.store)
            except StoreError:
                self._setup = replace(self._setup, store=None)
        return self._store

    def _localized(self, setup: Setup) -> Setup:
        token = f"{setup.token}-{os.getpid()}"
        folder = self._scratch / "run"
        folder.mkdir()
        environment = {**setup.environment, RUN_VARIABLE: token}
        if not self._is_near:
            environment["PATH"] = search_path(os.environ)
        project = setup.project if self._is_seen else self._scratch / PROJECT
        return replace(setup, project=project, workers=1, token=token, folder=folder, environment=environment)

    @contextmanager
    def _place(self, job: Job, checkpoint: Iterable[Change]) -> Iterator[tuple[Job, Relay | None]]:
        """The job with folders of this machine, and the relay that empties them."""
        visible = {VISIBLE: os.environ[VISIBLE]} if os.environ.get(VISIBLE) else {}
        if self._is_near:
            yield replace(job, environment={**job.environment, **visible}), None
            return
        assignment = job.assignment
        folder = self._scratch / assignment.directory.parent.name
        if self._is_seen and assignment.resume_from is not None:
            checkpoint = packed_checkpoint(assignment.directory.parent, assignment.resume_from)
        moved = self._moved(assignment, folder, checkpoint)
        moved.spool.mkdir(parents=True, exist_ok=True)
        moved.file.write_text(moved.to_json(), encoding="utf-8")
        relay = Relay(folder, moved.directory.name)
        relay.know_checkpoints()
        environment = {**job.environment, **visible, **moved.environment()}
        try:
            yield replace(job, assignment=moved, output=moved.directory / OUTPUT, environment=environment), relay
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _moved(self, assignment: Assignment, folder: Path, checkpoint: Iterable[Change]) -> Assignment:
        """The assignment with all of its files in ``folder``, the checkpoint it goes on from among them."""
        for change in checkpoint:
            apply(folder, change)
        here = folder / CHECKPOINTS
        resume_from = here / assignment.resume_from.name if assignment.resume_from else None
        directory = folder / assignment.directory.name
        return replace(assignment, directory=directory, checkpoints=here, resume_from=resume_from)


@dataclass(slots=True)
class _Watch:
    """One job from its start to its exit."""

    agent: Agent
    job: Job
    relay: Relay | None
    tell: Tell
    _curve: ObjectiveCurve | None = None
    _n_rows: int = 0
    _ingest: Ingest | None = None
    _buffer: Buffer | None = None
    _is_refused: bool = False
    _serial: int = 0
    _asked: Asked = field(default_factory=Asked)

    def run(self) -> Told:
        self._open_store()
        inner = self.agent.inner
        inner.start(self.job)
        told = time.monotonic()
        wait = FIRST_SECONDS
        while True:
            for ended in inner.poll(max(told + wait - time.monotonic(), 0.0)):
                if ended.key == self.job.key:
                    return self._end(ended)
            now = time.monotonic()
            if now - told >= wait:
                told, wait = now, TELL_SECONDS
                self._report()

    def _open_store(self) -> None:
        objective = self.agent.setup.objective
        store = self.agent.store() if objective is not None else None
        if store is None or objective is None:
            return
        self._buffer = Buffer(store)
        self._ingest = Ingest(self._buffer, self.job.key, self.job.assignment.spool)
        curve = self._curve = ObjectiveCurve(objective)
        self._ingest.on_rows = curve.add
        if self.relay is not None:
            self.relay.has_spools = False

    def _report(self) -> None:
        if self.relay is not None:
            self.relay.look()
        if self._ingest is not None:
            self._n_rows += self._ingest.pump()
            self._flush()
        *full, last = self._bundles(is_last=False)
        for changes in (*full, last):
            self._obey(self._say(changes))

    def _flush(self) -> None:
        assert self._buffer is not None
        if self._buffer.flush():
            self._is_refused = True
            self.agent.inner.stop(self.job.key, force=True)

    def _bundles(self, *, is_last: bool) -> Iterator[tuple[Change, ...]]:
        """What is new, in messages of bounded size; at least one, which may be empty."""
        changes: list[Change] = []
        size = 0
        for change in self.relay.changes(is_last=is_last) if self.relay is not None else ():
            if size + len(change.data) > PIECE_BYTES:
                yield tuple(changes)
                changes, size = [], 0
            changes.append(change)
            size += len(change.data)
        yield tuple(changes)

    def _news(self) -> News:
        if self._ingest is None:
            return HERE
        return News(where="stored", n_rows=self._n_rows, curve=self._curve)

    def _obey(self, asked: Asked) -> None:
        if asked.kill and not self._asked.kill:
            self.agent.inner.stop(self.job.key, force=True)
        elif asked.stop and not self._asked.stop:
            self.agent.inner.stop(self.job.key, force=False)
        self._asked = asked

    def _end(self, ended: Exit) -> Told:
        """Store or carry over the rest."""
        if self._ingest is not None:
            self._n_rows += self._ingest.drain()
            self._flush()
            if not self._is_refused:
                self._ingest.discard()
            self._ingest.close()
            ended = replace(ended, curve=self._curve)
        *full, last = self._bundles(is_last=True)
        for changes in full:
            self._say(changes)
        return Told(self.job.key, self._news(), last, ended, self._serial)

    def _say(self, changes: tuple[Change, ...]) -> Asked:
        word = Told(self.job.key, self._news(), changes, serial=self._serial)
        self._serial += bool(changes)
        return self.tell(word)

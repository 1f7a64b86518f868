"""Writers that keep books while their store is tormented, and the audit afterwards.

Every writer is a process. It takes trials, logs rows that follow from trial and step alone, ends the trials, and
notes in a file of its own what the store acknowledged. The audit holds the store against those notes: what was
acknowledged is there, nothing is there twice, and nothing else is there.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from store_cases import a_design
from tunebook.core.config import Config
from tunebook.core.outcome import Outcome, Status
from tunebook.core.trial import TrialSpec
from tunebook.errors import LeaseLost, StoreError
from tunebook.store.keeping import examine
from tunebook.store.packing import CurveBlock
from tunebook.store.store import Store
from tunebook.store.values import Owner

METRICS = ("train/loss", "train/error", "valid/loss", "valid/error", "grad_norm")
LEASE = 24 * 3600.0
#: The durable settings of a server that is going to be killed: what was acknowledged has left its memory.
DURABLE = {"synchronous_commit": "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much is written: trials of ``blocks`` × ``rows`` rows of five metrics each."""

    trials: int
    blocks: int = 5
    rows: int = 200
    seconds: float = float("inf")
    patience: float = 300.0

    @property
    def n_rows(self) -> int:
        return self.blocks * self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it. ``n_points`` were acknowledged in ``seconds``; ``n_waits`` is how often a writer waited."""

    n_trials: int
    n_points: int
    n_waits: int
    seconds: float
    stopped_by: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Points a second."""
        return self.n_points / self.seconds


def values_of(seed: int, steps: np.ndarray) -> np.ndarray:
    """What a trial logs: noise that does not shrink, the same whenever it is asked for; (steps, metrics)."""
    mixed = (steps[:, None] * 7919 + seed * 104729 + np.arange(len(METRICS)) * 1299709) % 1_000_003
    return np.sin(mixed.astype(np.float64))


def plan(url: str, load: Load, name: str = "fire") -> None:
    """A round with the trials of the load."""
    specs = [
        TrialSpec(
            study="optimizer=adam",
            config=Config({"optimizer": "adam", "learning_rate": 0.001 * (number + 1)}),
            seed=number,
            max_train_steps=load.n_rows,
            way_to_train="train.py:train",
        )
        for number in range(load.trials)
    ]
    with Store.open(url) as store:
        store.save_round(name, a_design(), now=datetime.now(UTC))
        store.sync_trials(name, specs, now=datetime.now(UTC))


def write(url: str, load: Load, notes: Path, until: float, name: str = "fire") -> None:
    """One writer: until there is no trial left, or the time is over, or the store gives up."""
    owner = Owner(id=f"w{os.getpid()}", host="here", pid=os.getpid(), started=datetime.now(UTC))
    with notes.open("a", encoding="utf-8") as book:

        def note(**entry: object) -> None:
            book.write(json.dumps(entry) + "\n")
            book.flush()

        def on_wait(_: str) -> bool:
            note(waits=1)
            return True

        try:
            with Store.open(url) as store, store.patient(load.patience, on_wait):
                while time.time() < until:
                    claims = store.claim(name, owner=owner, limit=1, now=datetime.now(UTC), lease_seconds=LEASE)
                    if not claims:
                        break
                    claim = claims[0]
                    for number in range(load.blocks):
                        steps = np.arange(number * load.rows, (number + 1) * load.rows)
                        block = CurveBlock(METRICS, steps, values_of(claim.spec.seed, steps))
                        store.append_curves(claim, block, number * load.rows)
                        note(trial=claim.spec.id, rows=load.rows)
                    store.finish(claim, Outcome.complete(), now=datetime.now(UTC), seconds=1.0)
                    note(trial=claim.spec.id, ended=1)
        except StoreError as error:
            note(stopped=str(error))
            if isinstance(error, LeaseLost):
                raise


def under_fire(url: str, load: Load, n_writers: int, folder: Path, disturb: Callable[[], None]) -> Report:
    """Let writers write while ``disturb`` happens; what they noted, all rounds of this folder together."""
    context = multiprocessing.get_context("fork")
    began = time.time()
    until = began + load.seconds
    books = [folder / f"{os.getpid()}-{time.monotonic_ns()}-{number}.jsonl" for number in range(n_writers)]
    writers = [context.Process(target=write, args=(url, load, book, until)) for book in books]
    for writer in writers:
        writer.start()
    try:
        disturb()
    finally:
        for writer in writers:
            writer.join()
    seconds = time.time() - began
    assert [writer.exitcode for writer in writers] == [0] * n_writers
    entries = [entry for book in books for entry in entries_of(book)]
    return Report(
        n_trials=sum(1 for entry in entries if "ended" in entry),
        n_points=sum(entry.get("rows", 0) for entry in entries) * len(METRICS),
        n_waits=sum(1 for entry in entries if "waits" in entry),
        seconds=seconds,
        stopped_by=tuple(entry["stopped"] for entry in entries if "stopped" in entry),
    )


def entries_of(book: Path) -> Iterator[dict]:
    """The notes of a writer; one that was killed may have left half a line."""
    with suppress(FileNotFoundError):
        for line in book.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                yield json.loads(line)


def audit(url: str, load: Load, folder: Path, *, is_over: bool = True) -> None:
    """Nothing lost, nothing twice, nothing made up, by the notes of all writers in ``folder``."""
    ended: list[str] = []
    rows: dict[str, int] = {}
    for book in folder.glob("*.jsonl"):
        for entry in entries_of(book):
            if "ended" in entry:
                ended.append(entry["trial"])
            elif "rows" in entry:
                rows[entry["trial"]] = rows.get(entry["trial"], 0) + entry["rows"]
    assert len(set(ended)) == len(ended), "a trial ended twice"
    with Store.open(url) as store:
        evidence = store.snapshot("fire")
        complete = {trial.name for trial in evidence.trials if trial.status is Status.COMPLETE}
        assert set(ended) <= complete, f"{len(set(ended) - complete)} endings are lost"
        # An ending whose acknowledgement got lost with its writer may be there unnoted.
        assert len(complete - set(ended)) <= 32
        if is_over:
            assert len(complete) == load.trials
        for place, trial in enumerate(evidence.trials):
            found = {metric: evidence.curves[metric][place] for metric in METRICS} if evidence.curves else {}
            n_rows = len(found[METRICS[0]][0]) if found else 0
            assert n_rows >= min(rows.get(trial.name, 0), load.n_rows), f"rows of {trial.name} are lost"
            if trial.name in complete:
                assert n_rows == load.n_rows, f"{trial.name} has {n_rows} rows"
            if n_rows:
                steps = np.arange(n_rows)
                wanted = values_of(trial.seed, steps)
                for column, metric in enumerate(METRICS):
                    assert np.array_equal(found[metric][0], steps), f"steps of {trial.name} are not each there once"
                    assert np.array_equal(found[metric][1], wanted[:, column]), f"values of {trial.name} changed"
    seen = examine(url, is_dead=lambda _: False, now=datetime.now(UTC))
    assert seen.is_sound, seen.complaints


class Proxy:
    """A cable between writers and a server on loopback: ``cut`` swallows all that is sent, ``mend`` ends that.

    Connections of before the cut are reset when the cable is mended, as a router that lost its table does it.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_cut = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing arrives anywhere, and nobody is told."""
        self._is_cut.set()

    def mend(self) -> None:
        """New connections work again, old ones are gone."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for one in (end for pair in pairs for end in pair):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._is_cut.clear()

    def close(self) -> None:
        """Take the cable away."""
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._is_cut.is_set():
                    target.sendall(data)
        if not self._is_cut.is_set():
            for one in (source, target):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A cable that is taken away at the end."""
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()

"""Rounds under fire: something is killed while they run, and what was stored before is counted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from clusters import Namespace, RayCluster
from run.round_kit import HONEST, Project, honest_curve, honest_loss, kill, wait_until
from tunebook.core.outcome import Status

#: A trial that lasts half a second and keeps a checkpoint every second step.
STEPS = 20
STEADY = (
    HONEST
    + """
    import time

    def before_step(trial, step):
        time.sleep(0.025)
    """
)


def stored_rows(project: Project) -> dict[tuple[int, int], int]:
    """How many rows of every attempt and set of metrics are in the store."""
    words = "SELECT attempt_id, set_id, max(first_row + n_rows) FROM chunks GROUP BY attempt_id, set_id"
    engine = sa.create_engine(project.store.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = {(row[0], row[1]): row[2] for row in connection.execute(sa.text(words))}
    engine.dispose()
    return found


def outcome_rows(project: Project) -> tuple[int, int]:
    """How many outcomes there are, and of how many trials."""
    engine = sa.create_engine(project.store.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT count(*), count(DISTINCT trial_id) FROM outcomes")).one()
    engine.dispose()
    return row[0], row[1]


@dataclass(slots=True)
class Report:
    """What happened: kills by kind, drivers that were needed, points lost (has to be none)."""

    kills: dict[str, int] = field(default_factory=dict)
    n_drivers: int = 0
    n_lost_rows: int = 0
    driver_ends: list[int] = field(default_factory=list)
    seconds_to_notice: list[float] = field(default_factory=list)
    n_attempts: int = 0
    seconds: float = 0.0


class RayFire:
    """A round of ``n`` trials on a Ray cluster of three raylets, of which this may kill any part."""

    def __init__(self, folder: Path, n: int, *, store: str | None = None, namespace: Namespace | None = None) -> None:
        self.project = Project(folder, STEADY, n=n, steps=STEPS, store=store, run={"retries": 100})
        self.n = n
        self._namespace = namespace or Namespace()
        self.cluster = RayCluster(n_nodes=2, namespace=self._namespace)
        self.report = Report()
        self._driver: subprocess.Popen[bytes] | None = None
        self._random = random.Random(0)
        self._before: dict[tuple[int, int], int] = {}

    def run(self, kinds: list[str], *, seconds: float = 600.0) -> Report:
        """Kill one after the other of ``kinds``, evenly over the round, and see the round through."""
        began = time.monotonic()
        strikes = {
            "worker": self.kill_worker,
            "node": self.kill_node,
            "driver": self.kill_driver,
            "head": self.kill_head,
        }
        due = [round(self.n * (number + 1) / (len(kinds) + 1)) for number in range(len(kinds))]
        self._start_driver()
        for kind, at in zip(kinds, due, strict=True):
            self._until(lambda at=at: self.n_done >= at, began + seconds)
            self._before = {**self._before, **stored_rows(self.project)}
            strikes[kind]()
            self.report.kills[kind] = self.report.kills.get(kind, 0) + 1
        self._until(lambda: self.n_done == self.n, began + seconds)
        assert self._driver is not None
        assert self._driver.wait(120) == 0
        self._count(time.monotonic() - began)
        return self.report

    @property
    def n_done(self) -> int:
        return self.n - self.project.count(Status.PENDING) - self.project.count(Status.RUNNING)

    def kill_worker(self) -> None:
        """A process of a Ray task, with the trial in it."""
        wait_until(lambda: self._pids("ray::_work"), 30)
        pids = self._pids("ray::_work")
        os.kill(self._random.choice(pids), signal.SIGKILL)

    def kill_node(self) -> None:
        """A raylet with all its workers; another one takes its place."""
        cluster = self.cluster
        with cluster.namespace.inside():
            node = cluster.nodes.pop(self._random.randrange(len(cluster.nodes)))
            cluster.ray.remove_node(node, allow_graceful=False)
            cluster.nodes.append(cluster.ray.add_node(**cluster.node_options(2)))

    def kill_driver(self) -> None:
        assert self._driver is not None
        kill(self._driver)
        self._start_driver()

    def kill_head(self) -> None:
        """The cluster's memory; a fresh cluster is there a little later, and the user runs the command again."""
        with self.cluster.namespace.inside():
            self.cluster.ray.head_node.kill_gcs_server(check_alive=False)
            self.cluster.ray.head_node.kill_raylet(check_alive=False)
        assert self._driver is not None
        began = time.monotonic()
        self.report.driver_ends.append(self._driver.wait(180))
        self.report.seconds_to_notice.append(time.monotonic() - began)
        self.cluster.close()
        self.cluster = RayCluster(n_nodes=2, namespace=self._namespace)
        self._start_driver()

    def close(self) -> None:
        if self._driver is not None and self._driver.poll() is None:
            kill(self._driver)
        self.cluster.close()
        self.project.store.close()

    def _start_driver(self) -> None:
        self.report.n_drivers += 1
        with self.cluster.namespace.inside():
            self._driver = self.project.in_background(
                workers=4,
                name=f"driver{self.report.n_drivers}",
                executor="ray",
                options={"address": self.cluster.address},
            )

    def _until(self, condition: Callable[[], bool], deadline: float) -> None:
        """Wait, and run the command again when the driver gave up on its cluster."""
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain with {self.n_done} of {self.n} done"
            assert self._driver is not None
            if self._driver.poll() not in (None, 0):
                self._start_driver()
            time.sleep(0.1)

    def _pids(self, title: str) -> list[int]:
        inside = self.cluster.namespace.inode
        found = []
        for folder in Path("/proc").iterdir():
            try:
                is_titled = (folder / "cmdline").read_bytes().startswith(title.encode())
                if is_titled and (folder / "ns" / "net").stat().st_ino == inside:
                    found.append(int(folder.name))
            except (OSError, ValueError):
                continue
        return found

    def _count(self, seconds: float) -> None:
        after = stored_rows(self.project)
        # Packing moves rows between chunks of an attempt and never changes how many there are.
        lost = (max(rows - after.get(key, 0), 0) for key, rows in self._before.items())
        self.report.n_lost_rows = sum(lost)
        self.report.n_attempts = sum(row.attempts for row in self.project.trials)
        self.report.seconds = seconds


def assert_ended_once(project: Project, n: int, steps: int = STEPS) -> None:
    """Every trial complete, once, with the curves it would have had in peace."""
    assert outcome_rows(project) == (n, n)
    assert project.count(Status.COMPLETE) == n, [row.detail for row in project.trials if row.detail]
    evidence = project.evidence
    for number in range(n):
        for metric, expected in (
            ("valid/error", honest_curve(float(number), steps)),
            ("train/loss", honest_loss(steps)),
        ):
            at, values = evidence.curves[metric][number]
            assert list(zip(at.tolist(), values.tolist(), strict=True)) == expected

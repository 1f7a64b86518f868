"""A soak: short rounds, one after the other, while training processes and whole runs are killed with -9 at random.

Ends with every trial ended once and its curve whole, with ``doctor`` clean, and with the memory of this process,
which runs four rounds of five itself, as it was after the first fifth of the time.

Run: ``make soak`` (one hour), or ``python benchmarks/soak.py --seconds 600``
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.project import Project

TRIALS, STEPS = 6, 40
#: Memory may grow by this much after the first fifth: the store's page cache, allocator arenas.
ALLOWED_GROWTH = 1.10
TRAIN = f"""
import json, time

def train(trial):
    total = 0
    if trial.resume_from is not None:
        total = json.loads(trial.resume_from.read_text())
    for step in range(trial.start_step, {STEPS}):
        total += step
        time.sleep(0.01)
        trial.log(step, {{"valid/error": 1.0 / (1 + total), "train/loss": float(total)}})
        if step % 10 == 9:
            trial.checkpoint(step, lambda path: path.write_text(json.dumps(total)))
"""


def main() -> None:
    """Soak, then audit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="tunebook-soak-") as folder:
        soak(Path(folder), chosen.seconds, chance)


def soak(folder: Path, seconds: float, chance: random.Random) -> None:
    """Run rounds for ``seconds`` and hold the store against what had to come of it."""
    (folder / "tunebook.toml").write_text("")
    (folder / "rounds").mkdir()
    (folder / "train.py").write_text(TRAIN)
    killer = Killer(chance)
    memory: list[tuple[float, int]] = []
    names: list[str] = []
    began = time.monotonic()
    n_runs_killed = n_backups = 0
    told = 0.0
    with Project.open(folder) as project, killer:
        while time.monotonic() - began < seconds:
            name = f"{len(names):05d}-soak"
            a_round(name).save(folder / "rounds" / f"{name}.toml")
            if len(names) % 5 == 4:
                n_runs_killed += by_runs_that_die(folder, name, chance)
            else:
                with killer.hunting():
                    project.run(name, workers=2)
            names.append(name)
            if len(names) % 20 == 0:
                project.backup(folder / "backup.db", overwrite=True)
                n_backups += 1
            memory.append((time.monotonic() - began, resident_bytes()))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{told - began:6.0f} s: {len(names)} rounds, {memory[-1][1] / 2**20:.1f} MiB", flush=True)
        audit(project, names)
    early = [held for at, held in memory if at < seconds / 5] or [memory[0][1]]
    late = [held for at, held in memory if at > seconds * 4 / 5] or [memory[-1][1]]
    growth = max(late) / max(early)
    print(f"{len(names)} rounds of {TRIALS} trials in {time.monotonic() - began:.0f} s")
    print(f"killed: {killer.n_killed} training processes, {n_runs_killed} whole runs; {n_backups} backups")
    print(
        f"memory: {max(early) / 2**20:.1f} MiB after a fifth, {max(late) / 2**20:.1f} MiB at the end ({growth:.3f} x)"
    )
    assert growth < ALLOWED_GROWTH, "memory grew"
    print("doctor is clean, every trial ended once with its whole curve, memory is flat")


def a_round(name: str) -> Round:
    """A short round that survives being killed often."""
    return Round(
        name=name,
        goal="Does it hold?",
        question="minimize",
        pipeline="train.py:train",
        max_train_steps=STEPS,
        objective={"metric": "valid/error"},
        nuisance={"x": {"low": 0.0, "high": 1.0}},
        search={"trials": TRIALS},
        run={"retries": 1000},
    )


def by_runs_that_die(folder: Path, name: str, chance: random.Random) -> int:
    """The round by the command, which is killed at random and started again until it is done; how often."""
    words = [sys.executable, "-m", "tunebook", "run", f"rounds/{name}.toml", "--workers", "2"]
    n_killed = 0
    while True:
        run = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            status = run.wait(timeout=chance.uniform(0.5, 4.0) if n_killed < 5 else None)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            n_killed += 1
            continue
        assert status == 0, f"the run of {name} ended with {status}"
        return n_killed


def audit(project: Project, names: list[str]) -> None:
    """Every trial ended once, its curve is whole, and doctor finds nothing."""
    for name in names:
        assert project.store.counts(name)[Status.COMPLETE] == TRIALS, project.store.counts(name)
        for metric, curves in project.evidence(name).curves.items():
            for steps, _ in curves:
                assert steps.tolist() == list(range(STEPS)), f"{name} {metric}: {steps.tolist()}"
    seen = project.doctor()
    assert seen.complaints == (), seen.complaints


def resident_bytes() -> int:
    """Memory of this process alone."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Killer:
    """Kills a random training process of this one now and then, while it is hunting."""

    def __init__(self, chance: random.Random) -> None:
        self.n_killed = 0
        self._chance = random.Random(chance.random())
        self._is_hunting = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._hunt, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def hunting(self) -> Killer._Hunt:
        """Kill in this block."""
        return Killer._Hunt(self)

    class _Hunt:
        def __init__(self, killer: Killer) -> None:
            self._killer = killer

        def __enter__(self) -> None:
            self._killer._is_hunting.set()

        def __exit__(self, *_: object) -> None:
            self._killer._is_hunting.clear()

    def _hunt(self) -> None:
        while not self._is_over.wait(self._chance.uniform(0.1, 1.0)):
            victims = [pid for child in children(os.getpid()) for pid in children(child)]
            if victims and self._is_hunting.is_set():
                with suppress(ProcessLookupError):
                    os.kill(self._chance.choice(victims), signal.SIGKILL)
                    self.n_killed += 1


def children(pid: int) -> list[int]:
    """The children of a process."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


if __name__ == "__main__":
    main()

"""What a trial costs besides its training: many empty ones, beside the bare process they need at least.

A trial here has a process of its own with captured output, a lease, provenance and an outcome in an
SQLite store. Its only work is to log one value, since a trial without an objective is a failure.

A fork costs what its parent holds: page tables are copied, and every page that either side writes to
afterwards. So the peer of a function trial is ``os.fork``, ``os._exit`` and ``os.waitpid`` from a parent
that holds the same: what trials are forked from (17 MB without a pipeline's imports), and for a pipeline
that imports NumPy the same with NumPy. Beside them the cheapest one there is: from an interpreter that
imported nothing. The peer of a script trial is ``python -c pass`` with its output captured. All of them
run in the same minutes, in turn.

Two figures each: milliseconds by the clock, with ``WORKERS`` trials at a time (forks one after the other),
and milliseconds of processor time of all processes involved, user and system, which a busy machine
disturbs less. The start of the run (importing, provenance) is in the trials' figures. File systems differ
in what a new file costs, up to tenfold; TMPDIR says where the project lies.

Run: ``python benchmarks/bench_empty_trials.py``
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from timing import Stopwatch, Taken

from tunebook.core.config import Config
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.run.run import run_round
from tunebook.store.store import Store

WORKERS = 2
N_FUNCTIONS = 500
N_SCRIPTS = 300
REPEATS = 3

PIPELINE = "{imports}\ndef train(trial):\n    trial.log(0, {{'m': 0.0}})\n"
#: The same in a script, in the cheapest way: without importing anything.
SCRIPT = "import os; open(os.environ['TUNEBOOK_METRICS'], 'w').write('{{\"step\": 0, \"m\": 0}}\\n')"

FORKS = """
import gc, os, resource, time
{imports}
gc.collect()
gc.freeze()
def processor():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
wall, used = time.perf_counter(), processor()
for _ in range({n}):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
print(time.perf_counter() - wall, processor() - used)
"""

PRELOADED = "import tunebook.run.preload"
NUMPY = "import numpy"


def main() -> dict[str, float]:
    """Print medians over repeats, in milliseconds a trial, and the ratios pair by pair; return them."""
    contest: dict[str, Callable[[], Taken]] = {
        "fork and wait, bare": lambda: forks("pass"),
        "fork and wait, same parent": lambda: forks(PRELOADED),
        "function trial": lambda: trials(N_FUNCTIONS, PIPELINE.format(imports="")),
        "fork and wait, same with NumPy": lambda: forks(f"{PRELOADED}\n{NUMPY}"),
        "function trial with NumPy": lambda: trials(N_FUNCTIONS, PIPELINE.format(imports=NUMPY)),
        "python -c pass": bare_programs,
        "script trial": lambda: trials(N_SCRIPTS, None),
    }
    found: dict[str, list[Taken]] = {name: [] for name in contest}
    for _ in range(REPEATS):
        for name, call in contest.items():
            found[name].append(call())
    figures: dict[str, float] = {}
    for clock in ("wall", "processor"):
        for name, values in found.items():
            figures[f"{name}, {clock}, ms"] = 1000 * statistics.median(getattr(one, clock) for one in values)
        for name, peer in PAIRS:
            pairs = zip(found[name], found[peer], strict=True)
            figures[f"{name} / {peer}, {clock}"] = statistics.median(
                getattr(one, clock) / getattr(other, clock) for one, other in pairs
            )
    for name, value in figures.items():
        print(f"{name:72} {value:8.2f}")
    return figures


PAIRS = (
    ("function trial", "fork and wait, bare"),
    ("function trial", "fork and wait, same parent"),
    ("function trial with NumPy", "fork and wait, same with NumPy"),
    ("script trial", "python -c pass"),
)


def trials(n: int, pipeline: str | None) -> Taken:
    """Seconds a trial for a round of ``n`` empty trials, its start included; scripts without a ``pipeline``."""
    command = [sys.executable, "-c", SCRIPT]
    way: dict[str, Any] = {"command": command} if pipeline is None else {"pipeline": "train.py:train"}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "train.py").write_text(pipeline or "")
        now = datetime.now(UTC)
        design = Round(
            goal="Cost of a trial",
            question="minimize",
            max_train_steps=1,
            objective={"metric": "m"},
            nuisance={"x": {"low": 0.0, "high": 1.0}},
            **way,
        )
        specs = [
            TrialSpec(
                study="all", config=Config({"x": i / n}), seed=i, max_train_steps=1, way_to_train=design.way_to_train
            )
            for i in range(n)
        ]
        with Store.open(f"sqlite:///{project}/tunebook.db") as store:
            store.save_round("r", design, now=now)
            store.sync_trials("r", specs, now=now)
            with Stopwatch() as watch:
                report = run_round(store, "r", design, project=project, workers=WORKERS)
        assert report.n_ended == n, report
        return each(watch.taken, n)


def forks(imports: str) -> Taken:
    """Seconds for a fork and a wait, one after the other, in an interpreter that did ``imports``."""
    code = FORKS.format(imports=imports, n=N_FUNCTIONS)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.split()
    return each(Taken(*map(float, printed)), N_FUNCTIONS)


def bare_programs() -> Taken:
    """Seconds a ``python -c pass`` with captured output, ``WORKERS`` at a time."""
    with tempfile.TemporaryFile() as output, ThreadPoolExecutor(WORKERS) as pool:

        def one(_: int) -> int:
            return subprocess.run([sys.executable, "-c", "pass"], stdout=output, stderr=output, check=True).returncode

        with Stopwatch() as watch:
            list(pool.map(one, range(N_SCRIPTS)))
        return each(watch.taken, N_SCRIPTS)


def each(taken: Taken, n: int) -> Taken:
    """The share of one of ``n``."""
    return Taken(taken.wall / n, taken.processor / n)


if __name__ == "__main__":
    main()

"""What a trial costs besides its training: many empty ones, beside the bare process they need at least.

A trial here has a process of its own with captured output, a lease, provenance and an outcome in an
SQLite store. Its only work is to log one value, since a trial without an objective is a failure.
Peers, in the same minutes: ``os.fork`` and wait in a bare interpreter and in one that holds NumPy, and
``python -c pass`` with its output captured, each on as many workers at a time.

Run: ``python benchmarks/bench_empty_trials.py``
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tunebook.core.config import Config
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.run.run import run_round
from tunebook.store.store import Store

WORKERS = 2
N_FUNCTIONS = 500
N_SCRIPTS = 100
REPEATS = 3

PIPELINE = "def train(trial):\n    trial.log(0, {'m': 0.0})\n"
#: The same in a script, in the cheapest way: without importing anything.
SCRIPT = "import os; open(os.environ['TUNEBOOK_METRICS'], 'w').write('{{\"step\": 0, \"m\": 0}}\\n')"

FORKS = """
import os, sys, time
{imports}
n = {n}
began = time.perf_counter()
for _ in range(n):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
print((time.perf_counter() - began) / n)
"""


def main() -> dict[str, float]:
    """Print medians over repeats, in milliseconds a trial, and the ratios; return them."""
    functions, scripts, bare, loaded, programs = [], [], [], [], []
    for _ in range(REPEATS):
        bare.append(forks(""))
        loaded.append(forks("import numpy"))
        functions.append(trials(N_FUNCTIONS, pipeline="train.py:train"))
        programs.append(bare_programs())
        scripts.append(trials(N_SCRIPTS, command=[sys.executable, "-c", SCRIPT]))
    figures = {
        "fork and wait, bare": statistics.median(bare),
        "fork and wait, with NumPy": statistics.median(loaded),
        "function trial": statistics.median(functions),
        "python -c pass": statistics.median(programs),
        "script trial": statistics.median(scripts),
    }
    for name, milliseconds in figures.items():
        print(f"{name:28} {milliseconds:8.2f} ms")
    ratios = {
        "function / bare fork": figures["function trial"] / figures["fork and wait, bare"],
        "function / fork with NumPy": figures["function trial"] / figures["fork and wait, with NumPy"],
        "script / python -c pass": figures["script trial"] / figures["python -c pass"],
    }
    for name, ratio in ratios.items():
        print(f"{name:28} {ratio:8.2f}")
    return figures | ratios


def trials(n: int, **way: object) -> float:
    """Milliseconds a trial for a round of ``n`` empty trials, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "train.py").write_text(PIPELINE)
        now = datetime.now(UTC)
        design = Round(
            goal="Cost of a trial",
            question="minimize",
            max_train_steps=1,
            objective={"metric": "m"},
            nuisance={"x": {"low": 0.0, "high": 1.0}},
            **way,  # type: ignore[arg-type]
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
            report = run_round(store, "r", design, project=project, workers=WORKERS)
        assert report.n_ended == n, report
        return 1000 * report.seconds / n


def forks(imports: str) -> float:
    """Milliseconds for a fork and a wait, one after the other, in an interpreter that imported ``imports``."""
    code = FORKS.format(imports=imports, n=N_FUNCTIONS)
    return 1000 * float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def bare_programs() -> float:
    """Milliseconds a ``python -c pass`` with captured output, ``WORKERS`` at a time."""
    with tempfile.TemporaryFile() as output, ThreadPoolExecutor(WORKERS) as pool:

        def one(_: int) -> int:
            return subprocess.run([sys.executable, "-c", "pass"], stdout=output, stderr=output, check=True).returncode

        began = time.perf_counter()
        list(pool.map(one, range(N_SCRIPTS)))
        return 1000 * (time.perf_counter() - began) / N_SCRIPTS


if __name__ == "__main__":
    main()

"""What a user waits for before anything happens: imports, --help, status of a round of 1,000 trials."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench_plan import design
from timing import in_turn, report

from tunebook.plan.trials import plan_trials
from tunebook.store.store import Store

TUNEBOOK = str(Path(sys.executable).parent / "tunebook")


def call(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tunebook.toml").write_text("")
        now = datetime.now(UTC)
        with Store.open(f"sqlite:///{folder}/tunebook.db") as store:
            store.save_round("bench", design(1000), now=now)
            store.sync_trials("bench", plan_trials(design(1000)), now=now)
        contest = {
            "python -c pass": lambda: call(sys.executable, "-c", "pass"),
            "import tunebook": lambda: call(sys.executable, "-c", "import tunebook; tunebook.Round; tunebook.Trial"),
            "import optuna": lambda: call(sys.executable, "-c", "import optuna"),
            "tunebook --help": lambda: call(TUNEBOOK, "--help"),
            "tunebook status (1,000 trials)": lambda: call(TUNEBOOK, "status", "--project", folder),
        }
        report(in_turn(contest, rounds=7, clock=time.perf_counter), unit="ms", against="python -c pass")


if __name__ == "__main__":
    main()

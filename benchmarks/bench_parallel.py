"""Eight processes ask one store for 200 trials: how many are the same? Failures first: what is drawn then?"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench_plan import design

from tunebook.core.outcome import Cause, Outcome
from tunebook.plan.trials import plan_trials
from tunebook.store.store import Store
from tunebook.store.values import Owner

N_PROCESSES, N_TRIALS = 8, 200


def ask_tunebook(url: str) -> list[str]:
    asked = []
    now = datetime.now(UTC)
    owner = Owner(id=f"p{os.getpid()}", host="here", pid=os.getpid(), started=now)
    with Store.open(url) as store:
        while claims := store.claim("bench", owner=owner, limit=1, now=now, lease_seconds=600):
            for claim in claims:
                asked.append(claim.spec.config.to_json())
                # Every trial diverges: the sequence must not care.
                store.finish(claim, Outcome.infeasible(Cause.DIVERGED), now=now, seconds=0.0)
    return asked


def ask_optuna(url: str) -> list[str]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.QMCSampler(qmc_type="halton", scramble=True, seed=0)
        study = optuna.load_study(study_name="bench", storage=url, sampler=sampler)
        asked = []
        for _ in range(N_TRIALS // N_PROCESSES):
            trial = study.ask()
            values = [trial.suggest_float(f"rate_{i}", 1e-5, 1.0, log=True) for i in range(4)]
            asked.append(repr(values))
            study.tell(trial, 0.0)
    return asked


def together(ask: Any, url: str) -> tuple[int, int, float]:
    """How many were asked, how many of them were duplicates, and the seconds it took."""
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(N_PROCESSES) as pool:
        asked = [item for part in pool.map(ask, [url] * N_PROCESSES, chunksize=1) for item in part]
    return len(asked), sum(count - 1 for count in Counter(asked).values()), time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'tunebook.db'}"
        wanted = design(N_TRIALS)
        with Store.open(url) as store:
            store.save_round("bench", wanted, now=datetime.now(UTC))
            store.sync_trials("bench", plan_trials(wanted), now=datetime.now(UTC))
        n_asked, duplicates, seconds = together(ask_tunebook, url)
        print(f"tunebook: {n_asked} trials, {duplicates} duplicates, {seconds:.1f} s, every one of them diverging")

        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        url = f"sqlite:///{Path(folder) / 'optuna.db'}"
        optuna.create_study(study_name="bench", storage=url)
        n_asked, duplicates, seconds = together(ask_optuna, url)
        print(f"Optuna {optuna.__version__} QMC on SQLite: {n_asked} trials, {duplicates} duplicates, {seconds:.1f} s")


if __name__ == "__main__":
    main()

"""10,000 configurations in 10 mixed dimensions, against SciPy's bare sequence and Optuna's quasi-random sampler."""

from __future__ import annotations

import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import qmc
from timing import in_turn, report

from tunebook import Round
from tunebook.plan.trials import plan_trials
from tunebook.store.store import Store

N = 10_000
N_OPTUNA = 1_000  # its time per trial grows with the number of trials, so this flatters it


def design(trials: int) -> Round:
    return Round(
        name="bench",
        goal="How fast is planning?",
        question="minimize",
        pipeline="train.py:train",
        max_train_steps=1000,
        objective={"metric": "valid/error"},
        nuisance={
            **{f"rate_{i}": {"low": 1e-5, "high": 1.0, "scale": "log"} for i in range(4)},
            **{f"share_{i}": {"low": 0.0, "high": 0.7} for i in range(3)},
            "layers": {"low": 1, "high": 8, "type": "int"},
            "width": {"low": 16, "high": 1024, "type": "int", "scale": "log"},
            "activation": ["relu", "gelu", "tanh"],
        },
        search={"trials": trials},
    )


def with_optuna(n: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.QMCSampler(qmc_type="halton", scramble=True, seed=0)
        study = optuna.create_study(sampler=sampler)
        for _ in range(n):
            trial = study.ask()
            for i in range(4):
                trial.suggest_float(f"rate_{i}", 1e-5, 1.0, log=True)
            for i in range(3):
                trial.suggest_float(f"share_{i}", 0.0, 0.7)
            trial.suggest_int("layers", 1, 8)
            trial.suggest_int("width", 16, 1024, log=True)
            trial.suggest_categorical("activation", ["relu", "gelu", "tanh"])
            study.tell(trial, 0.0)


def main() -> None:
    wanted = design(N)
    contest = {
        "SciPy's Halton alone": lambda: qmc.Halton(10, rng=np.random.default_rng(0)).random(N),
        "tunebook: configurations with identity": lambda: plan_trials(wanted),
    }
    print(f"processor time per configuration, {N} configurations in 10 mixed dimensions")
    report(in_turn(contest), per=N, against="SciPy's Halton alone")
    report(in_turn({"Optuna, in memory": lambda: with_optuna(N_OPTUNA)}, rounds=2), per=N_OPTUNA)

    print("planned and stored in one transaction, wall clock")
    with tempfile.TemporaryDirectory() as folder:
        now = datetime.now(UTC)
        times = []
        for number in range(5):
            with Store.open(f"sqlite:///{Path(folder) / f'{number}.db'}") as store:
                store.save_round("bench", wanted, now=now)
                start = time.perf_counter()
                store.sync_trials("bench", plan_trials(wanted), now=now)
                times.append(time.perf_counter() - start)
        report({"tunebook: planned and stored": times}, unit="s")


if __name__ == "__main__":
    main()

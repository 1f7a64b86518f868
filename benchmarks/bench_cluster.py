"""What a trial costs on Ray, beside plain tasks and beside Ray Tune on the same cluster.

Takes root: the cluster lives in a network namespace of its own, where Ray finds no address but the loopback.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

N_TRIALS = int(os.environ.get("TUNEBOOK_BENCH_TRIALS", "500"))
N_SECONDS_TRIALS = 24
WORKERS = 4
INSIDE = "TUNEBOOK_BENCH_INSIDE"
SETTINGS = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}
CODE = """
import time

def train(trial):
    time.sleep(trial["seconds"])
    trial.log(0, {"valid/error": 1.0})
"""


def tunebook_round(n: int, seconds: float) -> float:
    """Seconds for ``n`` trials as a round, from nothing to everything stored."""
    from tunebook.core.config import Config
    from tunebook.core.outcome import Status
    from tunebook.core.round import Round
    from tunebook.core.trial import TrialSpec
    from tunebook.run.run import run_round
    from tunebook.store.store import Store

    with tempfile.TemporaryDirectory(prefix="tunebook-bench-") as name:
        folder = Path(name)
        (folder / "train.py").write_text(CODE)
        design = Round(
            goal="What does a trial cost?",
            question="minimize",
            pipeline="train.py:train",
            max_train_steps=1,
            objective={"metric": "valid/error"},
            nuisance={"x": {"low": 0.0, "high": 1e6}, "seconds": {"low": 0.0, "high": 10.0}},
        )
        with Store.open(f"sqlite:///{folder}/tunebook.db") as store:
            now = datetime.now(UTC)
            specs = [
                TrialSpec(
                    study="all",
                    config=Config({"x": float(number), "seconds": seconds}),
                    seed=0,
                    max_train_steps=1,
                    way_to_train=design.way_to_train,
                    index=number,
                )
                for number in range(n)
            ]
            store.save_round("r", design, now=now)
            store.sync_trials("r", specs, now=now)
            began = time.perf_counter()
            report = run_round(store, "r", design, project=folder, workers=WORKERS, executor="ray")
            took = time.perf_counter() - began
            assert report.counts[Status.COMPLETE] == n
    return took


def plain_tasks(n: int, seconds: float, *, is_own_process: bool) -> float:
    """Seconds for ``n`` tasks of Ray that do the same training and store nothing."""
    import ray

    def train(wanted: float) -> float:
        time.sleep(wanted)
        return 1.0

    task = ray.remote(max_calls=1 if is_own_process else 0)(train)
    began = time.perf_counter()
    ray.get([task.remote(seconds) for _ in range(n)])
    return time.perf_counter() - began


def ray_tune(n: int) -> float:
    """Seconds for ``n`` empty trials of Ray Tune, its actors used again."""
    from ray import tune

    def train(config: dict[str, Any]) -> None:  # noqa: ARG001
        tune.report({"error": 1.0})

    with tempfile.TemporaryDirectory(prefix="tunebook-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuner = tune.Tuner(
            train,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=n, max_concurrent_trials=WORKERS, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        began = time.perf_counter()
        results = tuner.fit()
        took = time.perf_counter() - began
        assert len(results) == n
        assert not results.errors
    return took


def measure() -> None:
    import ray

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    tunebook_round(2 * WORKERS, 1.0)  # until here workers start, which they do once a cluster and not once a trial
    ours, plain, ours_1s, plain_1s = [], [], [], []
    for _ in range(3):
        ours.append(tunebook_round(N_TRIALS, 0.0))
        plain.append(plain_tasks(N_TRIALS, 0.0, is_own_process=False))
        ours_1s.append(tunebook_round(N_SECONDS_TRIALS, 1.0))
        plain_1s.append(plain_tasks(N_SECONDS_TRIALS, 1.0, is_own_process=False))
    tune = ray_tune(N_TRIALS)
    n_own = max(N_TRIALS // 20, 1)
    own = plain_tasks(n_own, 0.0, is_own_process=True) * N_TRIALS / n_own
    ray.shutdown()
    empty = statistics.median(ours)
    print(f"{N_TRIALS} empty trials, {WORKERS} at a time, wall clock:")
    for name, seconds in (
        ("tunebook on Ray: a process each, stored", empty),
        ("plain tasks in shared workers", statistics.median(plain)),
        (f"plain tasks with a process each ({n_own} scaled up)", own),
        ("Ray Tune, reuse_actors", tune),
    ):
        print(f"  {name:48s} {seconds:8.2f} s   {seconds / N_TRIALS * 1e3:7.2f} ms each   {empty / seconds:6.2f} x")
    ratios = [ours / plain for ours, plain in zip(ours_1s, plain_1s, strict=True)]
    print(f"{N_SECONDS_TRIALS} trials of one second, {WORKERS} at a time:")
    print(f"  tunebook {statistics.median(ours_1s):.2f} s, plain tasks {statistics.median(plain_1s):.2f} s: ", end="")
    print(f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} … {max(ratios):.2f})")
    print(f"Ray Tune takes {tune / empty:.1f} times as long as tunebook")


def main() -> None:
    if os.geteuid() != 0:
        print("left out: a network namespace takes root")
        return
    if os.environ.get(INSIDE):
        measure()
        return
    words = f"ip link set lo up && exec {sys.executable} {Path(__file__).resolve()}"
    status = os.spawnvpe(
        os.P_WAIT, "unshare", ["unshare", "--net", "sh", "-c", words], {**os.environ, **SETTINGS, INSIDE: "1"}
    )
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    main()

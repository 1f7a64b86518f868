"""Speed and size of the plots: tunebook beside Optuna's, in one process on the same trials.

    python benchmarks/bench_show.py [--trials 1000 10000] [--no-optuna]

Processor time, so that other work on the machine does not count. Ends with status 1 when a target is
missed; the targets are those of the project's plan (two cores), this file only states them.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "show"))

from show_builders import make_evidence

from tunebook.evidence import Evidence
from tunebook.show.data.page import plot_data
from tunebook.show.report import render

#: trials -> (seconds for all data, megabytes of it as JSON)
TARGETS = {1000: (0.5, 3.0), 10_000: (3.0, 3.0)}
REPORT_MEGABYTES = 8.0
N_POINTS = 100


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    result = function()
    return result, time.process_time() - begin


def as_json(evidence: Evidence) -> str:
    return json.dumps(plot_data(evidence).to_mapping(), separators=(",", ":"), allow_nan=False)


def measure(n_trials: int) -> bool:
    evidence = make_evidence(n_trials, N_POINTS)
    text, seconds = timed(lambda: as_json(evidence))
    report, report_seconds = timed(lambda: render(evidence))
    megabytes, report_megabytes = len(text) / 1e6, len(report.encode()) / 1e6
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"tunebook {n_trials:>6,} trials: all data {seconds:.2f} s, {megabytes:.2f} MB;", end=" ")
    print(f"report {report_seconds:.2f} s, {report_megabytes:.1f} MB; peak memory {memory:.0f} MiB")
    limit, size = TARGETS.get(n_trials, (float("inf"), float("inf")))
    met = seconds <= limit and megabytes <= size
    return met and (n_trials > 1000 or report_megabytes <= REPORT_MEGABYTES)


def measure_optuna(n_trials: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna_study(make_evidence(n_trials, N_POINTS))
    plots = (optuna.visualization.plot_slice, optuna.visualization.plot_intermediate_values)
    parallel = optuna.visualization.plot_parallel_coordinate
    sizes, seconds = timed(lambda: [len(plot(study).to_json()) for plot in (*plots, parallel)])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"optuna   {n_trials:>6,} trials: slice, intermediate values and parallel", end=" ")
    print(f"{seconds:.2f} s, {sum(sizes) / 1e6:.1f} MB; peak memory {memory:.0f} MiB")


def optuna_study(evidence: Evidence) -> Any:
    """The same configurations and curves as an in-memory study; infeasible trials become failed ones."""
    import optuna

    study = optuna.create_study(direction="minimize")
    scores = evidence.scores()
    curves = evidence.curves["valid/error"]
    known = {item.name: item.domain for item in evidence.round.searched}
    for number, trial in enumerate(evidence.trials):
        complete = trial.status == "complete"
        distributions = {
            name: optuna.distributions.CategoricalDistribution(domain.values)
            if hasattr(domain, "values")
            else optuna.distributions.FloatDistribution(domain.low, domain.high)
            for name, domain in known.items()
            if name in trial.config
        }
        steps, values = curves[number]
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE if complete else optuna.trial.TrialState.FAIL,
                params=dict(trial.config),
                distributions=distributions,
                value=float(scores.values[number]) if complete else None,
                intermediate_values=dict(zip(steps.tolist(), values.tolist(), strict=True)),
            )
        )
    return study


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--no-optuna", action="store_true")
    options = parser.parse_args()
    render(make_evidence(8, 4))
    met = [measure(n_trials) for n_trials in options.trials]
    if not options.no_optuna:
        for n_trials in options.trials:
            measure_optuna(n_trials)
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())

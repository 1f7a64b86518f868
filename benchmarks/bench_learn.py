"""All checks over a round: processor time at 1,000 trials x 1,000 points x 4 metrics, and 10,000 x 100."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tunebook.learn.analyse import analyse
from tunebook.learn.curve_report import diagnose_round

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "show"))
from show_builders import make_evidence

SIZES = ((1_000, 1_000), (10_000, 100))
METRICS = ("valid/error", "train/error", "train/loss", "grad_norm")


def main() -> None:
    for n_trials, n_points in SIZES:
        evidence = make_evidence(n_trials, n_points, metrics=METRICS)
        start = time.process_time()
        analysis = analyse(evidence)
        checked = time.process_time()
        diagnose_round(evidence, evidence.round.objective)
        diagnosed = time.process_time()
        print(
            f"{n_trials} trials x {n_points} points x {len(METRICS)} metrics: learn with all checks "
            f"{checked - start:.2f} s ({len(analysis.findings)} findings), curves alone {diagnosed - checked:.2f} s"
        )


if __name__ == "__main__":
    main()

"""How often are the guided procedures right? Three trained workloads with fresh seeds, and walls put anywhere.

python benchmarks/truth_procedures.py [--seeds 5] [--first 2000] [--walls 40]

The workloads are those of the tests: one that needs a warmup, one that needs clipping, one that is healthy. The walls
are simulated: training diverges above a learning rate that lies anywhere between the points of the sweep. What is true
there is known; the naive rule beside it calls everything unstable that fails within ten times the best rate.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "procedures"))

from procedure_workloads import Runner, design, early, healthy, middle

from tunebook.errors import Infeasible
from tunebook.procedures.clipping import run_clipping
from tunebook.procedures.stability import run_stability
from tunebook.procedures.warmup import run_warmup

#: What each procedure has to answer. Where a warmup has to help, clipping does as well (the playbook says so).
RIGHT = {
    "early": ("unstable", "warmup", "clipping"),
    "middle": ("unstable", "warmup does not mend it", "clipping"),
    "healthy": ("stable", "stable", "stable"),
}
TRAIN = {"early": early, "middle": middle, "healthy": healthy}
PROCEDURES = {"stability": run_stability, "warmup": run_warmup, "clipping": run_clipping}
#: Where the wall lies, in best learning rates that training would have without it. Below 2 the workload is unstable.
RATIOS = (0.5, 0.8, 1.2, 1.6, 1.9, 2.2, 2.6, 4.0, 8.0, 15.0)
WALL_STEPS = 200


def trained(seeds: range) -> None:
    print("| workload | " + " | ".join(PROCEDURES) + " | seconds |")
    print("|---" * (len(PROCEDURES) + 2) + "|")
    for name, train in TRAIN.items():
        n_right = dict.fromkeys(PROCEDURES, 0)
        began = time.monotonic()
        for seed in seeds:
            runner = Runner(train)
            for procedure, right in zip(PROCEDURES, RIGHT[name], strict=True):
                answer = PROCEDURES[procedure](runner, design(), seed=seed).answer
                n_right[procedure] += answer == right
                if answer != right:
                    print(f"  {name}, seed {seed}: {procedure} said {answer!r} instead of {right!r}")
        counts = " | ".join(f"{n} of {len(seeds)}" for n in n_right.values())
        print(f"| {name} | {counts} | {time.monotonic() - began:.0f} |", flush=True)


def wall(best: float, ratio: float) -> Runner:
    """A bowl in the log of the learning rate around ``best``; above ``ratio`` times that training diverges."""

    def train(trial: object) -> None:
        rate = float(trial["learning_rate"])
        rng = np.random.default_rng(trial.seed)
        loss = 1.0 + 0.1 * np.log(rate / best) ** 2
        for step in range(trial.max_train_steps):
            if rate > ratio * best and step > 20:
                raise Infeasible("diverged")
            value = loss + 2.0 * np.exp(-step / 20) + 0.01 * rng.standard_normal()
            trial.log(step, {"train/loss": value, "valid/loss": loss + 1e-3 * rng.standard_normal()})

    return Runner(train)


def walls(n_walls: int, seed: int) -> None:
    print("\n| wall, in best learning rates | is | said unstable | naive rule |")
    print("|---|---|---|---|")
    rng = np.random.default_rng(seed)
    for ratio in RATIOS:
        said, naive = 0, 0
        for number in range(n_walls):
            best = 10 ** rng.uniform(-1.75, -0.75)
            found = run_stability(wall(best, ratio), design(max_train_steps=WALL_STEPS), seed=number)
            said += found.answer == "unstable"
            bad = found.numbers["unstable_rate"]
            naive += bad is not None and bad <= 10.1 * found.numbers["best_rate"]
        truth = "unstable" if ratio < 2 else "stable"
        print(f"| {ratio:g} | {truth} | {said / n_walls:.0%} | {naive / n_walls:.0%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=2000)
    parser.add_argument("--walls", type=int, default=40)
    given = parser.parse_args()
    trained(range(given.first, given.first + 100 * given.seeds, 100))
    if given.walls:
        walls(given.walls, given.first)


if __name__ == "__main__":
    main()

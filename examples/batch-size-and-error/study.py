"""Batch size and error, by one command: run the study, fit the scaling curve, draw both.

``python study.py`` goes on where it was stopped; ``python study.py 4`` runs four trials at a time.
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from tunebook import Project, Round
from tunebook.evidence import Evidence
from tunebook.procedures.procedure import Conclusion
from tunebook.procedures.redraw import pooled
from tunebook.procedures.scaling import run_scaling

FOLDER = Path(__file__).parent
SIZES = (16, 64, 256, 1024)
GOAL = 0.05
N_DRAWS = 2000

Row = tuple[int, float, float, float]


def main(workers: int) -> None:
    """Run what is missing, print what was found, and draw it."""
    rounds: list[Evidence] = []
    with Project.open(FOLDER) as project:

        def run(planned: Round) -> Evidence:
            project.run(planned, workers=workers)
            rounds.append(project.evidence(planned.name))
            return rounds[-1]

        design = Round.load(FOLDER / "rounds" / "01-batch-size.toml")
        conclusion = run_scaling(run, design, SIZES, goal=GOAL)
    found = pooled(rounds[0].round, rounds)  # the search, and what was drawn again for its infeasible trials
    n_counted = conclusion.numbers["sizes"][0]["counted"]
    rows = [best_error(found, size, n_counted) for size in SIZES]
    for size, best, low, high in rows:
        print(
            f"batch size {size:4d}: best validation error {best:.4f}, {low:.4f} to {high:.4f} with trials drawn again"
        )
    for finding in conclusion.findings:
        print(f"{finding.code}: {finding.says}")
    draw(rows, conclusion, FOLDER / "figure.png")


def best_error(evidence: Evidence, size: int, n_counted: int) -> Row:
    """Best error of the first ``n_counted`` feasible trials of a batch size, as many for each, and the 95 % interval of
    it when these trials are drawn again.
    """
    values = evidence.scores().values[[trial.config["batch_size"] == size for trial in evidence.trials]]
    values = values[np.isfinite(values)][:n_counted]
    drawn = np.random.default_rng(0).choice(values, size=(N_DRAWS, len(values))).min(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return size, float(values.min()), float(low), float(high)


def fitted(conclusion: Conclusion, sizes: np.ndarray) -> np.ndarray:
    """The fitted curve at ``sizes``."""
    least, examples, power = (conclusion.numbers[key] for key in ("least_steps", "least_examples", "sharpness"))
    return (least**power + (examples / sizes) ** power) ** (1 / power)


def draw(rows: list[Row], conclusion: Conclusion, target: Path) -> None:
    """Best error and steps to the goal, both against batch size."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    sizes, bests, lows, highs = np.array(rows).T
    left.errorbar(sizes, bests, yerr=[bests - lows, highs - bests], marker="o", capsize=4, linestyle="none")
    left.set(xscale="log", xlabel="batch size", ylabel="best validation error", ylim=(0, None))
    left.set_title("With everything else tuned anew")
    reached = [row for row in conclusion.numbers["sizes"] if row["steps"] is not None]
    at = np.array([row["batch_size"] for row in reached], dtype=float)
    steps = np.array([row["steps"] for row in reached])
    right.loglog(at, steps, marker="o", linestyle="none", label="measured")
    right.loglog(at, steps[0] * at[0] / at, linestyle="--", color="grey", label="perfect scaling")
    if "fitted_steps" in conclusion.numbers:
        right.loglog(fine := np.geomspace(at[0], at[-1], 200), fitted(conclusion, fine), label="fit")
    right.set(xlabel="batch size", ylabel=f"steps to a validation error below {GOAL}")
    right.set_title("Steps of the fastest trial")
    right.legend()
    for axes in (left, right):
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
    figure.savefig(target, dpi=120)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)

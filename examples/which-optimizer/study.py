"""Which optimizer, by one command: three protocols, the best of each run again with other seeds, tables and a figure.

``python study.py`` goes on where it was stopped; ``python study.py 4`` runs four trials at a time.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from tunebook import Project
from tunebook.core.trial import TrialPurpose
from tunebook.evidence import Evidence
from tunebook.learn import comparison, inclusion
from tunebook.learn.view import View
from tunebook.stats.best_of_n import quartiles

FOLDER = Path(__file__).parent
PROTOCOLS = {
    "01-learning-rate": "learning rate",
    "02-schedule": "learning rate, schedule",
    "03-everything": "everything",
}
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
COLOURS = dict(zip(OPTIMIZERS, ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), strict=True))
SEEDS = 5


@dataclass(frozen=True)
class Tuned:
    """One optimizer under one protocol: the values of the search (NaN infeasible), and of fresh runs of its best."""

    searched: np.ndarray
    repeats: np.ndarray

    @property
    def n_trials(self) -> int:
        """Trials of the search."""
        return len(self.searched)

    @property
    def median(self) -> float:
        """Median over the fresh runs, which the luck of having been chosen does not flatter."""
        return float(np.median(self.repeats))


def main(workers: int) -> None:
    """Run what is missing, print what was found, and draw it."""
    with Project.open(FOLDER) as project:
        views = {name: run(project, name, workers) for name in PROTOCOLS}
    tuned = {name: read(view.evidence) for name, view in views.items()}
    for name, words in PROTOCOLS.items():
        show(words, tuned[name], views[name])
    draw(tuned, FOLDER / "figure.png")


def run(project: Project, name: str, workers: int) -> View:
    """One protocol, and fresh runs of the best trial of every optimizer where there are none yet."""
    project.run(FOLDER / "rounds" / f"{name}.toml", workers=workers)
    n_repeats = int(project.evidence(name).mask(purpose=TrialPurpose.REPEAT).sum())
    if n_repeats < SEEDS * len(OPTIMIZERS):
        project.repeat(name, seeds=SEEDS, workers=workers)
    return View.of(project.evidence(name))


def read(evidence: Evidence) -> dict[str, Tuned]:
    """What every optimizer reached under one protocol."""
    values = evidence.scores().values
    is_search = evidence.mask(purpose=TrialPurpose.SEARCH)
    is_repeat = evidence.mask(purpose=TrialPurpose.REPEAT)
    found = {}
    for optimizer in OPTIMIZERS:
        own = np.array([trial.config["optimizer"] == optimizer for trial in evidence.trials])
        found[optimizer] = Tuned(searched=values[own & is_search], repeats=values[own & is_repeat])
    return found


def show(words: str, tuned: dict[str, Tuned], view: View) -> None:
    """The medians of the fresh runs, the comparisons of the searches, and inclusions that do not hold."""
    print(f"\nTuned: {words}")
    for optimizer in sorted(OPTIMIZERS, key=lambda name: tuned[name].median):
        one = tuned[optimizer]
        ends = f"{one.repeats.min():.4f} to {one.repeats.max():.4f}"
        print(
            f"  {optimizer:8s} best of {one.n_trials}: {np.nanmin(one.searched):.4f}; "
            f"again with {len(one.repeats)} other seeds: median {one.median:.4f} ({ends})"
        )
    for finding in (*comparison.check(view), *inclusion.check(view)):
        print(f"  {finding.code}: {finding.says}")


def draw(tuned: dict[str, dict[str, Tuned]], target: Path) -> None:
    """What every optimizer reached under every protocol, and what the last one cost in trials."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for number, optimizer in enumerate(OPTIMIZERS):
        offset = 0.12 * (number - (len(OPTIMIZERS) - 1) / 2)
        at = np.arange(len(PROTOCOLS)) + offset
        found = [tuned[name][optimizer] for name in PROTOCOLS]
        left.plot(at, [one.median for one in found], color=COLOURS[optimizer], marker="o", label=optimizer)
        for x, one in zip(at, found, strict=True):
            left.plot(
                np.full(len(one.repeats), x), one.repeats, ".", color=COLOURS[optimizer], alpha=0.45, markersize=4
            )
    left.set_xticks(range(len(PROTOCOLS)), list(PROTOCOLS.values()))
    left.set(xlabel="what is tuned", ylabel="validation loss", yscale="log")
    left.set_title(f"The best trial, again with {SEEDS} seeds")
    left.legend()
    last = tuned["03-everything"]
    for optimizer in OPTIMIZERS:
        budgets = np.arange(1, last[optimizer].n_trials // 2 + 1)
        lucky, median, unlucky = quartiles(last[optimizer].searched, budgets).T
        right.plot(budgets, median, color=COLOURS[optimizer], label=optimizer)
        right.fill_between(budgets, lucky, unlucky, color=COLOURS[optimizer], alpha=0.15, linewidth=0)
    right.set(xscale="log", yscale="log", xlabel="trials", ylabel="validation loss of the best of them")
    right.set_title("Tuning everything: what a budget of trials reaches")
    for axis in (left.yaxis, right.yaxis, right.xaxis):
        axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(mpl.ticker.NullFormatter())
    left.yaxis.set_major_locator(mpl.ticker.FixedLocator([0.06, 0.07, 0.08, 0.09, 0.1, 0.12, 0.14]))
    figure.savefig(target, dpi=120)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)

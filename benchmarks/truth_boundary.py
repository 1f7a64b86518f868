"""How true are boundary findings? Recall, false alarms and calibration on synthetic studies, naive rule beside it.

    python benchmarks/truth_boundary.py [--studies 400] [--seed 3] [--fit]

Seeds 1 and 2 were used in development (1 to fit the coefficients, 2 to check them); quote others.
``--fit`` fits the logistic rule anew and prints its coefficients. The last table runs all checks
over flat studies, where no hyperparameter has any effect, and counts blocking findings.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from synthetic import Synthetic, draw_study

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study
from tunebook.evidence import Curves, Evidence, TrialRecord
from tunebook.learn.analyse import analyse
from tunebook.learn.boundary import BLOCKING, SPEAKS
from tunebook.learn.table import CHECKS
from tunebook.stats.boundary import Side, sides
from tunebook.stats.landscape import fit_landscape
from tunebook.stats.surface import Columns

#: What counts as outside and as inside, in noise standard deviations gained by widening.
OUTSIDE, INSIDE = 3.0, 0.5
#: "Well inside": the true optimum keeps this distance, in widths of the range, from the side.
WELL_INSIDE = 0.15
#: An optimum outside shows in the trials at hand when the three best lie this far out on average.
SHOWN = 0.7
#: The naive rule: the best trial lies in the outer tenth.
NAIVE = 0.9
KINDS = ("interior", "outside", "flat", "wall", "random_failures")
KIND_SHARES = (0.25, 0.45, 0.15, 0.10, 0.05)


@dataclass(frozen=True)
class Row:
    study: int
    side: Side
    gain: float
    distance: float


def ask(number: int, study: Synthetic) -> list[Row]:
    """All sides of one study with their truth."""
    asked = np.flatnonzero(study.categories == 0)
    landscape = fit_landscape(Columns(study.units, study.categories > 0), study.keys)
    if landscape is None:
        return []
    found = sides(landscape, np.ones(len(study.keys), dtype=bool), asked.tolist())
    return [Row(number, side, study.gains[side.dimension, int(side.is_high)], _distance(study, side)) for side in found]


def _distance(study: Synthetic, side: Side) -> float:
    at = study.optimum[side.dimension]
    return 1.0 - at if side.is_high else at


def rates(rows: list[Row], n_studies: int) -> dict[str, tuple[float, float, float, int, int]]:
    """Recall, false alarms per side and per study of each rule, with the counts they rest on."""
    outside = [row for row in rows if row.gain >= OUTSIDE]
    inside = [row for row in rows if row.gain <= INSIDE and row.distance >= WELL_INSIDE]
    rules = {
        f"tunebook >= {SPEAKS:g}": lambda row: row.side.confidence >= SPEAKS,
        f"tunebook >= {BLOCKING:g} (blocking)": lambda row: row.side.confidence >= BLOCKING,
        "naive: best trial in the outer tenth": lambda row: row.side.best >= NAIVE,
    }
    return {
        name: (
            np.mean([rule(row) for row in outside]) if outside else np.nan,
            np.mean([rule(row) for row in inside]) if inside else np.nan,
            len({row.study for row in inside if rule(row)}) / n_studies,
            len(outside),
            len(inside),
        )
        for name, rule in rules.items()
    }


def print_rates(title: str, rows: list[Row], n_studies: int) -> None:
    print(f"\n{title} ({n_studies} studies)")
    print(f"{'rule':40s} {'recall':>7s} {'false/side':>10s} {'false/study':>11s}   outside / inside sides")
    for name, (recall, per_side, per_study, n_out, n_in) in rates(rows, n_studies).items():
        print(f"{name:40s} {recall:7.3f} {per_side:10.4f} {per_study:11.3f}   {n_out} / {n_in}")
    shown = [row for row in rows if row.gain >= OUTSIDE and row.side.top >= SHOWN]
    found = np.mean([row.side.confidence >= SPEAKS for row in shown]) if shown else np.nan
    print(f"of the {len(shown)} outside that the three best trials show (mean position {SHOWN} on): recall {found:.3f}")


def print_calibration(rows: list[Row]) -> None:
    known = [row for row in rows if row.gain >= OUTSIDE or row.gain <= INSIDE]
    print("\ncalibration: stated confidence, share that is outside, number")
    edges = (0.0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1.01)
    for low, high in pairwise(edges):
        part = [row for row in known if low <= row.side.confidence < high]
        if part:
            stated = np.mean([row.side.confidence for row in part])
            print(f"  {stated:.2f}  {np.mean([row.gain >= OUTSIDE for row in part]):.2f}  {len(part)}")


def fit_rule(rows: list[Row]) -> None:
    """Maximum likelihood of the rule in ``tunebook.stats.boundary``."""
    from scipy.optimize import minimize

    from tunebook.stats import boundary as b

    known = [row for row in rows if row.gain >= OUTSIDE or row.gain <= INSIDE]
    posterior = np.array([row.side.posterior for row in known])
    design = np.column_stack(
        [
            np.ones(len(known)),
            np.log((posterior + b.SOFT) / (1 + b.SOFT - posterior)),
            [row.side.top - 0.5 for row in known],
            np.clip([row.side.lean for row in known], -b.LEAN_CAP, b.LEAN_CAP),
        ]
    )
    outside = np.array([row.gain >= OUTSIDE for row in known])
    loss = lambda w: np.logaddexp(0, np.where(outside, -1, 1) * (design @ w)).sum()  # noqa: E731
    found = minimize(loss, np.zeros(4), method="BFGS").x
    print("\nBASE, PER_POSTERIOR, PER_TOP, PER_LEAN =", ", ".join(f"{value:.3f}" for value in found))


def evidence_of(study: Synthetic) -> Evidence:
    """A synthetic study as a round with a learning rate and other hyperparameters on log scales."""
    n_dimensions = study.units.shape[1]
    names = ["learning_rate", *(f"x{j}" for j in range(1, n_dimensions))]
    design = Round(
        goal="Where is the optimum?", question="understand", pipeline="train.py:train", max_train_steps=100,
        objective={"metric": "valid/loss"},
        nuisance={name: {"low": 1e-4, "high": 1.0, "scale": "log"} for name in names},
    )  # fmt: skip
    trials = tuple(
        TrialRecord(
            name=f"t{i}", study="all", seed=i,
            config=Config({name: float(10 ** (4 * u - 4)) for name, u in zip(names, point, strict=True)}),
            status=Status.COMPLETE if np.isfinite(key) else Status.INFEASIBLE,
            cause=None if np.isfinite(key) else Cause.DIVERGED,
        )
        for i, (point, key) in enumerate(zip(study.units, study.keys, strict=True))
    )  # fmt: skip
    curves = Curves.pack([([100], [key]) if np.isfinite(key) else ([], []) for key in study.keys])
    return Evidence(name="flat", round=design, studies=(Study("all"),), trials=trials, curves={"valid/loss": curves})


def share_of_flat_studies_blocked(n_studies: int, seed: int) -> float:
    """In how many studies without any effect all checks together produce a blocking finding."""
    checks = [name for name in CHECKS if name != "curves"]
    blocked = [
        analyse(evidence_of(draw_study(np.random.default_rng([seed, 7, i]), "flat")), checks=checks).has_blocking
        for i in range(n_studies)
    ]
    return float(np.mean(blocked))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--studies", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=3)
    arguments.add_argument("--fit", action="store_true")
    given = arguments.parse_args()
    rows: list[Row] = []
    for number in range(given.studies):
        rng = np.random.default_rng([given.seed, number])
        rows += ask(number, draw_study(rng, str(rng.choice(KINDS, p=KIND_SHARES))))
    print_rates("all kinds, 12 to 64 trials, 2 to 6 dimensions", rows, given.studies)
    print_calibration(rows)
    if given.fit:
        fit_rule(rows)
    for n_trials in (12, 24, 48):
        part = [
            row
            for number in range(given.studies // 2)
            for row in ask(
                number,
                draw_study(
                    np.random.default_rng([given.seed, n_trials, number]), ("outside", "interior")[number % 2], n_trials
                ),
            )
        ]
        print_rates(f"{n_trials} trials, half of the studies with the optimum outside", part, given.studies // 2)
    share = share_of_flat_studies_blocked(given.studies // 2, given.seed)
    print(f"\nflat studies with any blocking finding, all checks: {share:.3f} of {given.studies // 2}")


if __name__ == "__main__":
    main()

"""Do 95 % intervals hold 95 %? Comparisons of settings, joint comparisons, and trial variance.

python benchmarks/truth_coverage.py [--repeats 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from tunebook.stats.best_of_n import mean_with_replacement
from tunebook.stats.isolation import compare_settings
from tunebook.stats.variance import Spread

Draw = Callable[[np.random.Generator, int], np.ndarray]

#: Infeasible trials count as the worst feasible one; the populations end here, so that it is known.
WORST = 6.0


def skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Errors that spread over factors."""
    return np.minimum(np.exp(rng.normal(0, 0.8, n)), WORST)


def bowl(rng: np.random.Generator, n: int) -> np.ndarray:
    """Random search over a quadratic bowl of four dimensions, with noise."""
    return (rng.random((n, 4)) - 0.5) ** 2 @ np.array([8.0, 2.0, 1.0, 0.3]) + 0.05 * rng.normal(size=n)


def edge(rng: np.random.Generator, n: int) -> np.ndarray:
    """A bowl of two dimensions with its bottom off the centre."""
    return (rng.random((n, 2)) - 0.7) ** 2 @ np.array([8.0, 1.0]) + 0.02 * rng.normal(size=n)


def failing(rng: np.random.Generator, n: int) -> np.ndarray:
    """Skewed errors, a quarter of them at the worst there is."""
    return np.where(rng.random(n) < 0.25, WORST, skewed(rng, n))


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(0, 1, n)


POPULATIONS: dict[str, Draw] = {
    "skewed": skewed, "bowl": bowl, "edge": edge, "failing": failing, "normal": normal,
}  # fmt: skip
PAIRS = [("skewed", "skewed"), ("bowl", "edge"), ("failing", "skewed"), ("edge", "edge"), ("normal", "normal")]


def true_best(draw: Draw, m: int) -> float:
    """Expected best of m, from a population so large that its sampling error does not matter."""
    return mean_with_replacement(draw(np.random.default_rng(99), 400_000), m)


def pair_coverage(a: Draw, b: Draw, n: int, repeats: int, rng: np.random.Generator) -> float:
    truth = true_best(a, n // 2) - true_best(b, n // 2)
    hits = 0
    for _ in range(repeats):
        (contrast,) = compare_settings([a(rng, n), b(rng, n)])
        hits += contrast.low <= truth <= contrast.high
    return hits / repeats


def joint_coverage(draws: list[Draw], n: int, repeats: int, rng: np.random.Generator) -> float:
    best = [true_best(draw, n // 2) for draw in draws]
    hits = 0
    for _ in range(repeats):
        found = compare_settings([draw(rng, n) for draw in draws])
        hits += all(item.low <= best[0] - best[item.number] <= item.high for item in found)
    return hits / repeats


def spread_coverage(n_seeds: int, repeats: int, rng: np.random.Generator) -> float:
    hits = 0
    for _ in range(repeats):
        low, high = Spread(sd=float(rng.normal(size=n_seeds).std(ddof=1)), degrees=n_seeds - 1).interval()
        hits += low <= 1.0 <= high
    return hits / repeats


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    rng = np.random.default_rng(given.seed)
    sizes = (12, 16, 24, 48, 100)
    print("coverage of 95 % intervals of the difference of settings, by trials per setting")
    print(f"{'settings':24s}" + "".join(f"{n:8d}" for n in sizes))
    found = []
    for a, b in PAIRS:
        row = [pair_coverage(POPULATIONS[a], POPULATIONS[b], n, given.repeats, rng) for n in sizes]
        found += row
        print(f"{a + ' / ' + b:24s}" + "".join(f"{value:8.3f}" for value in row))
    print(f"{'mean':24s}{np.mean(found):8.3f}")
    for n_settings in (3, 6):
        names = ("skewed", "failing", "skewed", "failing", "skewed", "failing")[:n_settings]
        shares = [joint_coverage([POPULATIONS[name] for name in names], n, given.repeats // 2, rng) for n in (16, 48)]
        print(f"all intervals of {n_settings} settings at once, 16 and 48 trials: {shares[0]:.3f} {shares[1]:.3f}")
    spreads = [spread_coverage(n, given.repeats, rng) for n in (3, 5, 10)]
    print("trial standard deviation, 3, 5 and 10 seeds: " + " ".join(f"{value:.3f}" for value in spreads))


if __name__ == "__main__":
    main()

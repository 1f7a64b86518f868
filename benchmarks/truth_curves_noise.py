"""How often curve labels are wrong on simulated curves whose truth is known: false alarms and recall under AR(1) noise.

    python benchmarks/truth_curves_noise.py [--curves N] [--seed S]

Clean curves are a plateau, a slow improvement or a power law, with 20 to 300 evaluations, and noise of autocorrelation
0, 0.3 or 0.6 whose standard deviation lies between 0.2 and 2 material units; every training curve has noise of its
own. A label given to a clean curve is a false alarm where the curve without its noise does not deserve it. Faults
are at least four standard deviations of the noise (spikes eight) and twice the size that the label asks for.
The acceptance is at most 5 % false alarms, and a recall of 90 % (methods §7).
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from tunebook.learn.curve_diagnosis import GIVEN, marks
from tunebook.learn.curve_inputs import TrialCurves

FloatArray = np.ndarray
PHIS = (0.0, 0.3, 0.6)
#: Evaluations of a curve, log-uniform; noise of the metric in material units, and of losses as a share, log-uniform.
EVALUATIONS = (20, 300)
NOISES = (0.2, 2.0)
LOSS_NOISES = (0.002, 0.03)
BATCH_LOSS_NOISES = (0.01, 0.1)
#: The material unit; the curves fall by tens of them.
UNIT = 0.01
#: A fault is this many standard deviations, and twice the size that the label asks for.
FAULT = 4.0
ALARMS = (
    "overfitting",
    "train_loss_rising",
    "loss_spike",
    "still_improving",
    "saturated_early",
    "diverged",
    "periodic_validation",
)
Rng = np.random.Generator


def ar1(rng: Rng, n_points: int, phi: float) -> FloatArray:
    """Noise of standard deviation 1 with this autocorrelation, stationary from its first point."""
    steps = rng.normal(size=n_points) * np.where(np.arange(n_points) > 0, math.sqrt(1 - phi**2), 1.0)
    noise = np.empty(n_points)
    value = 0.0
    for place, step in enumerate(steps):
        value = phi * value + step
        noise[place] = value
    return noise


def log_uniform(rng: Rng, limits: tuple[float, float]) -> float:
    """Uniform in the logarithm."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def plateau(x: FloatArray, rng: Rng) -> FloatArray:
    """Falls by 60 units at once, then is flat."""
    return np.exp(-x / rng.uniform(0.02, 0.1))


def slow(x: FloatArray, rng: Rng) -> FloatArray:
    """Falls quickly, then on by 2 to 12 units to the end."""
    return plateau(x, rng) + rng.uniform(2, 12) / 60 * (1 - x)


def power_law(x: FloatArray, rng: Rng) -> FloatArray:
    """Falls as a power of the step."""
    return (1 + x / 0.01) ** -rng.uniform(0.3, 1.2)


SHAPES: dict[str, Callable[[FloatArray, Rng], FloatArray]] = {"plateau": plateau, "slow": slow, "power": power_law}


class Curve:
    """One simulated trial: a shape, its noises and, with ``fault``, what is wrong with it."""

    def __init__(self, rng: Rng, phi: float, fault: str = "") -> None:
        self.n_points = round(log_uniform(rng, EVALUATIONS))
        self.x = np.linspace(0, 1, self.n_points + 1)[1:]
        self.kind = rng.choice(list(SHAPES))
        self.shape = SHAPES[self.kind](self.x, rng)
        self.noise = log_uniform(rng, NOISES) * UNIT
        self.loss_noise, self.batch_noise = log_uniform(rng, LOSS_NOISES), log_uniform(rng, BATCH_LOSS_NOISES)
        start, length = rng.uniform(0.3, 0.55), rng.uniform(0.25, 0.45)
        self.ramp = np.clip((self.x - start) / length, 0, 1)
        self.frozen = self.shape[np.minimum(np.arange(self.n_points), int(start * self.n_points))]
        self.fault, self.rng, self.phi = fault, rng, phi

    @property
    def truth(self) -> FloatArray:
        """The validation metric without noise, in its own units."""
        return 0.2 + 60 * UNIT * self.shape

    def trial(self) -> TrialCurves:
        """Its curves as the diagnosis reads them."""
        x, primary, valid = self.x, self.truth, 0.5 + self.shape
        train, batch_x = 0.4 + self.shape - 0.1 * x, np.linspace(0, 1, 3 * self.n_points + 1)[1:]
        batch = np.interp(batch_x, x, train)
        if self.fault == "overfitting":
            primary = 0.2 + 60 * UNIT * self.frozen + max(FAULT * self.noise, FAULT * UNIT) * self.ramp
            valid = (0.5 + self.frozen) * (1 + max(FAULT * self.loss_noise, 0.1) * self.ramp)
        if self.fault == "train_loss_rising":
            batch_ramp = np.interp(batch_x, x, self.ramp)
            rise = max(FAULT * self.batch_noise, FAULT * self.loss_noise, 0.2)
            train = (0.4 + self.frozen) * (1 + rise * self.ramp)
            batch = np.interp(batch_x, x, 0.4 + self.frozen) * (1 + rise * batch_ramp)
        if self.fault == "jump":
            brief = (x > 0.5) & (x < 0.55)
            train = train * (1 + brief)
            batch = batch * (1 + ((batch_x > 0.5) & (batch_x < 0.55)))
        if self.fault == "loss_spike":
            place = self.rng.integers(len(batch) // 3, len(batch) - 2)
            batch[place] *= 1 + max(2 * FAULT * self.batch_noise, 1.0)

        def noisy(curve: FloatArray, share: float) -> FloatArray:
            noisy_curve: FloatArray = curve * np.exp(share * ar1(self.rng, len(curve), self.phi))
            return noisy_curve

        return TrialCurves(
            primary=(x, primary + self.noise * ar1(self.rng, len(x), self.phi)),
            twin=(x, primary_twin(self.truth, x) + self.noise * ar1(self.rng, len(x), self.phi)),
            valid_loss=(x, noisy(valid, self.loss_noise)),
            train_loss=(x, noisy(train, self.loss_noise)),
            batch_loss=(batch_x, noisy(batch, self.batch_noise)),
            last_step=self.n_points,
        )

    def deserves(self, label: str) -> bool:
        """Whether the curve without noise has the label, or lies in its grey zone."""
        y = self.truth
        if label == "still_improving":
            return bool(np.interp(0.85, self.x, y) - y[-1] >= UNIT)
        if label == "saturated_early":
            return bool(y[self.x <= 0.5].min() - y.min() <= 1.5 * UNIT)
        return label == self.fault


def primary_twin(truth: FloatArray, x: FloatArray) -> FloatArray:
    """The metric on training data: a little better, and more so towards the end."""
    twin: FloatArray = truth - 0.02 - 5 * UNIT * x
    return twin


def size_class(n_points: int) -> str:
    """Few or many evaluations."""
    return "20-39" if n_points < 40 else "40-99" if n_points < 100 else "100-300"


def measure(n_curves: int, phi: float, seed: int, fault: str = "") -> dict[tuple[str, str], list[bool]]:
    """Whether each label was given, by label and number of evaluations, over curves that do not deserve it by shape."""
    rng = np.random.default_rng([seed, round(phi * 10), sum(map(ord, fault))])
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for _ in range(n_curves):
        curve = Curve(rng, phi, fault)
        given = marks(curve.trial(), UNIT, 0.85)
        for label in ALARMS:
            if label == fault or ((not fault or fault == "jump") and not curve.deserves(label)):
                for part in ("all", size_class(curve.n_points)):
                    found[label, part].append(given[label].score >= GIVEN)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = ("all", "20-39", "40-99", "100-300")
    for title, fault in (
        ("false alarms on clean curves", ""),
        ("recall on injected faults", "overfitting"),
        ("recall on injected faults", "train_loss_rising"),
        ("recall on injected faults", "loss_spike"),
        ("false alarms beside a brief jump", "jump"),
    ):
        print(f"\n{title}{fault and ': ' + fault}, %, by number of evaluations\n{'':20s} {'phi':>4s}", end="")
        print("".join(f"{part:>9s}" for part in parts))
        by_phi = {phi: measure(options.curves, phi, options.seed, fault) for phi in PHIS}
        labels = [fault] if fault and fault != "jump" else ["train_loss_rising"] if fault else list(ALARMS)
        for label in labels:
            for phi, found in by_phi.items():
                cells = (found.get((label, part), []) for part in parts)
                print(f"{label:20s} {phi:4.1f}" + "".join(f"{100 * np.mean(c):9.1f}" if c else " " * 9 for c in cells))


if __name__ == "__main__":
    main()

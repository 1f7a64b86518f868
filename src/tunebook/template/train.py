"""A working example: a small network in NumPy that learns which of two moons a point lies on.

Replace it with your own training code. What tunebook needs is in the lines with ``trial`` in them:
the configuration comes out of it, the metrics go into it.
"""

import numpy as np

import tunebook

N_TRAIN, N_VALID, N_TEST = 400, 400, 400


def moons(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) on two noisy half circles, and which one (n,) each lies on."""
    label = rng.integers(0, 2, n)
    angle = rng.uniform(0.0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(label[:, None] == 0, upper, lower) + rng.normal(0.0, 0.25, (n, 2))
    return points, label


def forward(weights: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden activations and the probability of the second moon."""
    hidden = np.tanh(x @ weights[0] + weights[1])
    return hidden, 1.0 / (1.0 + np.exp(-(hidden @ weights[2] + weights[3]).clip(-30.0, 30.0)))


def cross_entropy(probability: np.ndarray, label: np.ndarray) -> float:
    """Mean negative log-likelihood."""
    chosen = np.where(label == 1, probability, 1.0 - probability)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def evaluate(weights: list[np.ndarray], part: str, x: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Loss and error as metrics of a part of the data."""
    _, probability = forward(weights, x)
    error = float(((probability > 0.5) != label).mean())
    return {f"{part}/loss": cross_entropy(probability, label), f"{part}/error": error}


def train(trial: tunebook.Trial) -> None:
    """Train one configuration for ``trial.max_train_steps`` steps."""
    data = np.random.default_rng(0)
    train_part, valid_part, test_part = moons(N_TRAIN, data), moons(N_VALID, data), moons(N_TEST, data)
    parts = [train_part, valid_part] if trial.uses_validation_data else [train_part]
    train_x, train_y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    rng = np.random.default_rng(trial.seed)
    width = int(trial["width"])
    weights = [rng.normal(0.0, 1.0, (2, width)), np.zeros(width), rng.normal(0.0, width**-0.5, width), np.zeros(1)]
    velocity = [np.zeros_like(weight) for weight in weights]
    learning_rate, momentum = float(trial["learning_rate"]), 1.0 - float(trial["one_minus_momentum"])

    for step in range(trial.start_step, trial.max_train_steps):
        batch = rng.integers(0, len(train_x), 32)
        x, y = train_x[batch], train_y[batch]
        hidden, probability = forward(weights, x)
        slope = (probability - y) / len(x)
        back = np.outer(slope, weights[2]) * (1.0 - hidden**2)
        gradients = [x.T @ back, back.sum(axis=0), hidden.T @ slope, slope.sum(keepdims=True)]
        for weight, moved, gradient in zip(weights, velocity, gradients, strict=True):
            moved *= momentum
            moved += gradient
            weight -= learning_rate * moved
        if not all(np.isfinite(weight).all() for weight in weights):
            raise tunebook.Infeasible(f"the weights are not finite at step {step}")
        trial.log(step, {"train/loss": cross_entropy(probability, y)})
        if step % 20 == 0 or step == trial.max_train_steps - 1:
            if not trial.uses_validation_data:
                trial.log(step, evaluate(weights, "valid", *valid_part))
            if trial.is_final:  # in `tunebook final`, and at no other time
                trial.log(step, evaluate(weights, "test", *test_part))

"""A small network on scikit-learn's digits, with the batch size as a hyperparameter."""

import math

import torch

# Building the first optimizer imports this, for two seconds: here it is done once, before workers fork.
import torch._dynamo
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import tunebook

N_VALID = 597
EVAL_EVERY = 20
EXPLODED = 10 * math.log(10)


def split_digits() -> tuple[torch.Tensor, ...]:
    """Training and validation images (n, 64) in [0, 1] and their labels (n,)."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16.0, labels, test_size=N_VALID, random_state=0, stratify=labels)
    return tuple(torch.tensor(part, dtype=torch.float32 if part.ndim == 2 else torch.int64) for part in parts)


TRAIN_X, VALID_X, TRAIN_Y, VALID_Y = split_digits()


def backward_in_halves(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float, float]:
    """Leave the gradient of the whole batch in the weights; its loss, the norm of its gradient, and the root mean
    square norm of those of its two halves, from which the gradient noise scale is told.
    """
    weights = list(model.parameters())
    losses, halves = [], []
    for x, y in zip(images.chunk(2), labels.chunk(2), strict=True):
        losses.append(nn.functional.cross_entropy(model(x), y))
        halves.append(torch.autograd.grad(losses[-1], weights))
    for weight, first, second in zip(weights, *halves, strict=True):
        weight.grad = (first + second) / 2
    norms = [nn.utils.get_total_norm(half).item() for half in halves]
    norm = nn.utils.get_total_norm([weight.grad for weight in weights]).item()
    return sum(losses).item() / 2, norm, math.sqrt((norms[0] ** 2 + norms[1] ** 2) / 2)


def train(trial: tunebook.Trial) -> None:
    """Train one configuration for ``trial.max_train_steps`` steps of ``batch_size`` examples."""
    torch.manual_seed(trial.seed)
    width = int(trial["width"])
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    momentum = 1.0 - float(trial["one_minus_momentum"])
    optimizer = torch.optim.SGD(model.parameters(), lr=float(trial["learning_rate"]), momentum=momentum)
    batches = torch.Generator().manual_seed(trial.seed)
    for step in range(trial.max_train_steps):
        batch = torch.randint(len(TRAIN_X), (int(trial["batch_size"]),), generator=batches)
        loss, norm, half = backward_in_halves(model, TRAIN_X[batch], TRAIN_Y[batch])
        if not loss < EXPLODED:
            raise tunebook.Infeasible(f"the training loss is {loss:.4g} at step {step}")
        optimizer.step()
        trial.log(step, {"train/loss": loss, "grad_norm": norm, "grad_norm_half": half})
        if step % EVAL_EVERY == EVAL_EVERY - 1:
            with torch.no_grad():
                logits = model(VALID_X)
            error = (logits.argmax(dim=1) != VALID_Y).float().mean().item()
            trial.log(step, {"valid/error": error, "valid/loss": nn.functional.cross_entropy(logits, VALID_Y).item()})

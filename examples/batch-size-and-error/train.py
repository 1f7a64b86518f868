"""A small network on scikit-learn's digits, with the batch size as a hyperparameter."""

import math

import torch
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
        loss = nn.functional.cross_entropy(model(TRAIN_X[batch]), TRAIN_Y[batch])
        if not loss.item() < EXPLODED:
            raise tunebook.Infeasible(f"the training loss is {loss.item():.4g} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        trial.log(step, {"train/loss": loss.item()})
        if step % EVAL_EVERY == EVAL_EVERY - 1:
            with torch.no_grad():
                logits = model(VALID_X)
            error = (logits.argmax(dim=1) != VALID_Y).float().mean().item()
            trial.log(step, {"valid/error": error, "valid/loss": nn.functional.cross_entropy(logits, VALID_Y).item()})

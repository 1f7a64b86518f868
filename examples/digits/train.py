"""A small network on scikit-learn's bundled digits images: what the demo tunes.

1,797 images of 8x8 pixels, ten classes. An ordinary PyTorch training loop; the lines that know
tunebook are those with ``trial`` in them.
"""

import math

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import tunebook

N_VALID = 597
BATCH_SIZE = 64
EVAL_EVERY = 20
SAVE_EVERY = 100
#: Ten times the loss of guessing among ten classes; training does not come back from there.
EXPLODED = 10 * math.log(10)


def split_digits() -> tuple[torch.Tensor, ...]:
    """Training and validation images (n, 64) in [0, 1] and their labels (n,)."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16.0, labels, test_size=N_VALID, random_state=0, stratify=labels)
    train_x, valid_x, train_y, valid_y = parts
    return (
        torch.tensor(train_x, dtype=torch.float32),
        torch.tensor(train_y),
        torch.tensor(valid_x, dtype=torch.float32),
        torch.tensor(valid_y),
    )


# Loaded where the module is imported: workers fork from a process that has it already.
TRAIN_X, TRAIN_Y, VALID_X, VALID_Y = split_digits()


def build(trial: tunebook.Trial) -> nn.Sequential:
    """A perceptron with two hidden layers; dropout only where the trial has a rate for it."""
    width = int(trial["width"])
    rate = float(trial.config.get("dropout_rate", 0.0))
    return nn.Sequential(
        nn.Linear(64, width),
        nn.ReLU(),
        nn.Dropout(rate),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Dropout(rate),
        nn.Linear(width, 10),
    )


@torch.no_grad()
def evaluate(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Cross entropy and error rate in evaluation mode."""
    model.eval()
    logits = model(images)
    model.train()
    loss = nn.functional.cross_entropy(logits, labels).item()
    error = (logits.argmax(dim=1) != labels).float().mean().item()
    return loss, error


def train(trial: tunebook.Trial) -> None:
    """Train one configuration for ``trial.max_train_steps`` steps."""
    torch.manual_seed(trial.seed)
    model = build(trial)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=float(trial["learning_rate"]),
        momentum=1.0 - float(trial["one_minus_momentum"]),
    )
    batches = torch.Generator().manual_seed(trial.seed)
    if trial.resume_from:
        saved = torch.load(trial.resume_from, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        batches.set_state(saved["batches"])

    for step in range(trial.start_step, trial.max_train_steps):
        batch = torch.randint(len(TRAIN_X), (BATCH_SIZE,), generator=batches)
        loss = nn.functional.cross_entropy(model(TRAIN_X[batch]), TRAIN_Y[batch])
        if not loss.item() < EXPLODED:
            raise tunebook.Infeasible(f"the training loss is {loss.item():.4g} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        optimizer.step()
        trial.log(step, {"train/batch_loss": loss.item(), "grad_norm": norm.item()})
        if step % EVAL_EVERY == 0 or step == trial.max_train_steps - 1:
            train_loss, train_error = evaluate(model, TRAIN_X[:N_VALID], TRAIN_Y[:N_VALID])
            valid_loss, valid_error = evaluate(model, VALID_X, VALID_Y)
            trial.log(step, {"train/loss": train_loss, "train/error": train_error})
            trial.log(step, {"valid/loss": valid_loss, "valid/error": valid_error})
        if step % SAVE_EVERY == SAVE_EVERY - 1:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "batches": batches.get_state(),
            }
            trial.checkpoint(step, lambda path, state=state: torch.save(state, path))

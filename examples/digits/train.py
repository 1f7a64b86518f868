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

N_VALID, N_TEST = 597, 300
BATCH_SIZE = 64
EVAL_EVERY = 20
SAVE_EVERY = 100
#: Ten times the loss of guessing among ten classes; training does not come back from there.
EXPLODED = 10 * math.log(10)


def split_digits() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images (n, 64) in [0, 1] and their labels (n,) for training, validation and the test."""
    images, labels = load_digits(return_X_y=True)
    held = {"random_state": 0, "stratify": labels}
    rest_x, valid_x, rest_y, valid_y = train_test_split(images / 16.0, labels, test_size=N_VALID, **held)
    held["stratify"] = rest_y
    train_x, test_x, train_y, test_y = train_test_split(rest_x, rest_y, test_size=N_TEST, **held)
    parts = (train_x, train_y), (valid_x, valid_y), (test_x, test_y)
    return [(torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for x, y in parts]


# Loaded where the module is imported: workers fork from a process that has it already.
TRAIN, VALID, TEST = split_digits()


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
def evaluate(model: nn.Module, part: str, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Cross entropy and error rate in evaluation mode, as metrics of a part of the data."""
    model.eval()
    logits = model(images)
    model.train()
    loss = nn.functional.cross_entropy(logits, labels).item()
    error = (logits.argmax(dim=1) != labels).float().mean().item()
    return {f"{part}/loss": loss, f"{part}/error": error}


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
    parts = [TRAIN, VALID] if trial.uses_validation_data else [TRAIN]
    images, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    if trial.resume_from:
        saved = torch.load(trial.resume_from, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        batches.set_state(saved["batches"])

    for step in range(trial.start_step, trial.max_train_steps):
        batch = torch.randint(len(images), (BATCH_SIZE,), generator=batches)
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        if not loss.item() < EXPLODED:
            raise tunebook.Infeasible(f"the training loss is {loss.item():.4g} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        optimizer.step()
        trial.log(step, {"train/batch_loss": loss.item(), "grad_norm": norm.item()})
        if step % EVAL_EVERY == 0 or step == trial.max_train_steps - 1:
            trial.log(step, evaluate(model, "train", images[:N_VALID], labels[:N_VALID]))
            if not trial.uses_validation_data:
                trial.log(step, evaluate(model, "valid", *VALID))
            if trial.is_final:  # in `tunebook final`, and at no other time
                trial.log(step, evaluate(model, "test", *TEST))
        if step % SAVE_EVERY == SAVE_EVERY - 1:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "batches": batches.get_state(),
            }
            trial.checkpoint(step, lambda path, state=state: torch.save(state, path))

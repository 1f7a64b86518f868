"""Small networks on scikit-learn's digits, trained by the kit's optimizers with the playbook's update rules."""

import math
from itertools import pairwise

import torch

# Building the first optimizer imports this, for two seconds: here it is done once, before workers fork.
import torch._dynamo
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import tunebook
from tunebook.kit import SGD, Adam, Momentum, RMSProp, ScheduleLR, linear_schedule

N_VALID = 597
BATCH_SIZE = 64
WIDTH = 64
#: Networks that a trial trains, each from a start and on batches of its own. One alone tells more of its luck.
N_SEEDS = 8
EVAL_EVERY = 20
EXPLODED = 10 * math.log(10)


def split_digits() -> tuple[torch.Tensor, ...]:
    """Training and validation images (n, 64) in [0, 1] and their labels (n,)."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16.0, labels, test_size=N_VALID, random_state=0, stratify=labels)
    return tuple(torch.tensor(part, dtype=torch.float32 if part.ndim == 2 else torch.int64) for part in parts)


TRAIN_X, VALID_X, TRAIN_Y, VALID_Y = split_digits()


def build_optimizer(trial: tunebook.Trial, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a trial; what its design does not name keeps the default of the kit.

    Where epsilon is searched, the learning rate is relative to it: for a large epsilon that ratio is the learning
    rate of the momentum method that Adam and RMSProp then are.
    """
    config = trial.config
    weights = model.parameters()
    eps = float(config.get("epsilon", 1e-8))
    lr = float(config["learning_rate"]) if "learning_rate" in config else 0.0
    if config["optimizer"] == "sgd":
        return SGD(weights, lr=lr)
    if config["optimizer"] == "momentum":
        return Momentum(weights, lr=lr, momentum=1.0 - float(config["one_minus_momentum"]))
    if config["optimizer"] == "rmsprop":
        lr = lr or float(config["relative_learning_rate"]) * math.sqrt(eps)
        momentum = 1.0 - float(config["one_minus_momentum"])
        return RMSProp(weights, lr=lr, rho=1.0 - float(config["one_minus_rho"]), momentum=momentum, eps=eps)
    lr = lr or float(config["relative_learning_rate"]) * eps
    betas = (1.0 - float(config["one_minus_beta1"]), 1.0 - float(config["one_minus_beta2"]))
    return Adam(weights, lr=lr, betas=betas, eps=eps)


class Networks(nn.Module):
    """``N_SEEDS`` networks of one shape that differ in their start, in one: they share no number while training.

    Their losses are added up, so each has the gradient it would have alone, and the optimizers work on every weight
    by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        sizes = (64, WIDTH, WIDTH, 10)
        shapes = list(pairwise(sizes))
        self.weights = nn.ParameterList([torch.randn(N_SEEDS, *shape) * (2 / shape[0]) ** 0.5 for shape in shapes])
        self.biases = nn.ParameterList([torch.zeros(N_SEEDS, 1, n_out) for _, n_out in shapes])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N_SEEDS, n, 64), or (n, 64) for the same to all -> logits (N_SEEDS, n, 10)."""
        hidden = images
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.relu(hidden @ weight + bias)
        return hidden @ self.weights[-1] + self.biases[-1]


def losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The cross entropy of every network, shape (N_SEEDS,); labels have shape (N_SEEDS, n)."""
    return nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(dim=1)


def train(trial: tunebook.Trial) -> None:
    """Train ``N_SEEDS`` networks with one configuration for ``trial.max_train_steps`` steps; log their mean."""
    torch.manual_seed(trial.seed)
    model = Networks()
    optimizer = build_optimizer(trial, model)
    end = float(trial.config.get("end_factor", 1.0))
    schedule = ScheduleLR(optimizer, linear_schedule(trial.max_train_steps - 1, end=end))
    batches = torch.Generator().manual_seed(trial.seed)
    valid_y = VALID_Y.expand(N_SEEDS, -1)
    for step in range(trial.max_train_steps):
        batch = torch.randint(len(TRAIN_X), (N_SEEDS, BATCH_SIZE), generator=batches)
        each = losses(model(TRAIN_X[batch]), TRAIN_Y[batch])
        loss = each.mean().item()
        if not each.max().item() < EXPLODED:
            raise tunebook.Infeasible(f"the training loss of a network is {each.max().item():.4g} at step {step}")
        optimizer.zero_grad()
        each.sum().backward()
        optimizer.step()
        schedule.step()
        trial.log(step, {"train/loss": loss})
        if step % EVAL_EVERY == EVAL_EVERY - 1:
            with torch.no_grad():
                logits = model(VALID_X)
            error = (logits.argmax(dim=2) != valid_y).float().mean().item()
            trial.log(step, {"valid/loss": losses(logits, valid_y).mean().item(), "valid/error": error})

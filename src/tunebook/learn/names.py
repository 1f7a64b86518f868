"""Names: what a hyperparameter is, told from how people spell it. Only used where a wrong guess is harmless."""

from __future__ import annotations

import re

from tunebook.core.hyperparameter import Hyperparameter
from tunebook.core.round import Round
from tunebook.core.space import Space

_LEARNING_RATE = re.compile(r"(^|[^a-z])(lr|learning_?rate|eta0?|step_?size)$", re.IGNORECASE)
_MOMENTUM = re.compile(r"(^|[^a-z])(momentum|beta_?1|b1)$", re.IGNORECASE)
_ONE_MINUS = re.compile(r"^(one|1)_?minus_?", re.IGNORECASE)
_SCHEDULE = re.compile(
    r"(schedule|decay_(steps|fraction|factor|epochs)|(lr|rate)_decay|cosine|cooldown|end_(factor|lr|learning_rate)|lr_peak"
    r"|learning_rate_decay|annealing|warmdown)",
    re.IGNORECASE,
)
_GRADIENT_NOISE = re.compile(r"(batch_?size|augment|dropout|mixup|cutout|cutmix|noise)", re.IGNORECASE)


def learning_rates(design: Round) -> Space:
    """The searched learning rates, by name: ``lr``, ``learning_rate``, ``base_lr``, ``model.lr``."""
    return tuple(item for item in design.searched if _LEARNING_RATE.search(item.name))


def momenta(design: Round) -> Space:
    """The searched momenta, by name, whether written as themselves or as one minus themselves."""
    return tuple(item for item in design.searched if _MOMENTUM.search(item.name))


def is_one_minus(hyperparameter: Hyperparameter) -> bool:
    """Whether it is written as a distance to one: ``one_minus_momentum``."""
    return _ONE_MINUS.search(hyperparameter.name) is not None


def has_schedule(design: Round) -> bool:
    """Whether a hyperparameter of any role speaks of a learning rate that falls over the run."""
    return any(_SCHEDULE.search(item.name) for item in design.hyperparameters)


def raises_gradient_noise(hyperparameter: Hyperparameter) -> bool:
    """Whether it changes how noisy a step's gradient is: batch size, augmentation, dropout (T5)."""
    return _GRADIENT_NOISE.search(hyperparameter.name) is not None

"""Optimizers: their hyperparameters, where to search them first, and how many a budget can carry (S2).

Update rules are those the playbook prints (Choi et al. 2019, table 1). The ranges are wide on
purpose: a first round is to find the edges of the good region, and the boundary check narrows or
widens from there. Orders of magnitude follow the AlgoPerf baselines' tuning spaces (methods 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tunebook.core.hyperparameter import Range
from tunebook.plan.names import Kind, kind_of, plain

#: Below this many trials only the learning rate is tuned (S2).
ONLY_LEARNING_RATE_BELOW = 10
#: Above this many trials a third hyperparameter is tuned, epsilon for Adam (S2).
THIRD_ABOVE = 25
#: "Well above 25" for beta2. Twice 25: at 50 trials a fourth dimension still leaves a 92 % chance of a
#: trial in the best 5 % of the space, about what 25 trials leave for the best 10 % (methods 4).
FOURTH_ABOVE = 50

LEARNING_RATE = Range(low=1e-5, high=1e-1, scale="log")
SGD_LEARNING_RATE = Range(low=1e-4, high=10.0, scale="log")
ONE_MINUS_MOMENTUM = Range(low=1e-3, high=1.0, scale="log")
ONE_MINUS_BETA1 = Range(low=1e-3, high=1.0, scale="log")
ONE_MINUS_BETA2 = Range(low=1e-4, high=1e-1, scale="log")
ONE_MINUS_RHO = Range(low=1e-4, high=0.5, scale="log")
EPSILON = Range(low=1e-10, high=1.0, scale="log")
WEIGHT_DECAY = Range(low=1e-4, high=1.0, scale="log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """An optimizer; ``ranges`` hold its hyperparameters in the order in which a growing budget adds them."""

    name: str
    ranges: Mapping[str, Range]
    regularizer: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranges", MappingProxyType(dict(self.ranges)))


_ADAM = {
    "learning_rate": LEARNING_RATE,
    "one_minus_beta1": ONE_MINUS_BETA1,
    "epsilon": EPSILON,
    "one_minus_beta2": ONE_MINUS_BETA2,
}
_MOMENTUM = {"learning_rate": SGD_LEARNING_RATE, "one_minus_momentum": ONE_MINUS_MOMENTUM}

CATALOGUE: Mapping[str, Optimizer] = MappingProxyType(
    {
        optimizer.name: optimizer
        for optimizer in (
            Optimizer(name="sgd", ranges={"learning_rate": SGD_LEARNING_RATE}),
            Optimizer(name="momentum", ranges=_MOMENTUM),
            Optimizer(name="nesterov", ranges=_MOMENTUM),
            Optimizer(
                name="rmsprop",
                ranges={
                    "learning_rate": LEARNING_RATE,
                    "one_minus_momentum": ONE_MINUS_MOMENTUM,
                    "epsilon": EPSILON,
                    "one_minus_rho": ONE_MINUS_RHO,
                },
            ),
            Optimizer(name="adam", ranges=_ADAM),
            Optimizer(name="adamw", ranges={**_ADAM, "weight_decay": WEIGHT_DECAY}, regularizer="weight_decay"),
            Optimizer(name="nadam", ranges=_ADAM),
        )
    }
)

#: What an optimizer can imitate step by step with the right values of its hyperparameters, or in a limit of them
#: (Choi et al. 2019, definition 1): momentum 0 is SGD, and a large epsilon makes RMSProp and Adam momentum.
INCLUDES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "momentum": frozenset({"sgd"}),
        "nesterov": frozenset({"sgd"}),
        "rmsprop": frozenset({"momentum", "sgd"}),
        "adam": frozenset({"momentum", "sgd"}),
        "adamw": frozenset({"adam", "momentum", "sgd"}),
        "nadam": frozenset({"nesterov", "sgd"}),
    }
)

#: Two spellings of one hyperparameter; Adam's beta1 is a momentum by name already.
_SAME: Mapping[Kind, Kind] = MappingProxyType(
    {Kind.ONE_MINUS_MOMENTUM: Kind.MOMENTUM, Kind.ONE_MINUS_BETA2: Kind.BETA2}
)

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "sgdm": "momentum",
        "sgd_momentum": "momentum",
        "heavy_ball": "momentum",
        "heavyball": "momentum",
        "nag": "nesterov",
        "sgd_nesterov": "nesterov",
        "nesterov_momentum": "nesterov",
        "rms_prop": "rmsprop",
        "adam_w": "adamw",
        "n_adam": "nadam",
    }
)


def lookup(name: str) -> Optimizer | None:
    """The optimizer called ``name`` in any common spelling, or None."""
    word = plain(str(name))
    return CATALOGUE.get(ALIASES.get(word, word.replace("_", "") if word not in CATALOGUE else word))


def n_to_tune(n_trials: int) -> int:
    """How many of an optimizer's own hyperparameters ``n_trials`` trials of one study can carry (S2)."""
    if n_trials < ONLY_LEARNING_RATE_BELOW:
        return 1
    if n_trials <= THIRD_ABOVE:
        return 2
    return 3 if n_trials <= FOURTH_ABOVE else 4


def to_tune(optimizer: str, n_trials: int) -> tuple[str, ...]:
    """Names of the hyperparameters of ``optimizer`` to tune with ``n_trials`` trials, most important first.

    A regularizer that is part of the update, AdamW's weight decay, is a question of its own and not
    counted here. ``KeyError`` for an optimizer the catalogue does not have.
    """
    found = lookup(optimizer)
    if found is None:
        raise KeyError(f"{optimizer} is not in the catalogue; it has {', '.join(CATALOGUE)}")
    names = [name for name in found.ranges if name != found.regularizer]
    return tuple(names[: n_to_tune(n_trials)])


def not_searched(optimizer: str, searched: Iterable[str]) -> tuple[str, ...]:
    """Names of the hyperparameters of ``optimizer`` that none of ``searched`` is, however those are spelled.

    A regularizer that is part of the update is left out. ``KeyError`` as in ``to_tune``.
    """
    known = {_identity(name) for name in searched}
    return tuple(name for name in to_tune(optimizer, FOURTH_ABOVE + 1) if _identity(name) not in known)


def _identity(name: str) -> str:
    kind = kind_of(name)
    return plain(name).removeprefix("one_minus_") if kind is Kind.OTHER else str(_SAME.get(kind, kind))

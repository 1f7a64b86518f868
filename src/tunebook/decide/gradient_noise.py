"""Changes that make gradients noisier, after which the number of steps should be looked at again (T5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunebook.core.hyperparameter import Choice, Hyperparameter, Range
from tunebook.core.round import Round
from tunebook.learn.names import raises_gradient_noise
from tunebook.plan.names import Kind
from tunebook.plan.rules.common import kind


def gradient_noise_note(names: Sequence[str]) -> str:
    """What to look at when a change makes gradients noisier (T5)."""
    return (
        f"{', '.join(names)} changes how noisy gradients are: with noisier ones look at the number of steps again, "
        "as they need more of them"
    )


def noisier(before: Round, after: Round) -> tuple[str, ...]:
    """Hyperparameters that in ``after`` reach values with more gradient variance than in ``before`` (T5)."""
    old = {item.label: item for item in before.hyperparameters}
    noisy = [item for item in after.hyperparameters if raises_gradient_noise(item)]
    return tuple(item.label for item in noisy if _is_news(item, old.get(item.label)))


def _is_news(item: Hyperparameter, old: Hyperparameter | None) -> bool:
    """Whether it reaches further than before: down for a batch size, up for all else; not when it is no number."""
    own, earlier = _reach(item), _reach(old) if old is not None else -math.inf
    return own is not None and earlier is not None and own > earlier


def _reach(item: Hyperparameter) -> float | None:
    """The noisiest value, as a number that grows with the noise; None when the values are no numbers."""
    domain = item.domain
    values: tuple[object, ...]
    if isinstance(domain, Range):
        values = (domain.low, domain.high)
    else:
        values = domain.values if isinstance(domain, Choice) else (domain.value,)
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if not numbers or len(numbers) < len(values):
        return None
    return -min(numbers) if kind(item) is Kind.BATCH_SIZE else max(numbers)

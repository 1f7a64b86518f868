"""Changes that make gradients noisier, after which the number of steps should be looked at again (T5)."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.core.hyperparameter import Constant, Hyperparameter
from tunebook.core.round import Round
from tunebook.learn.names import raises_gradient_noise


def gradient_noise_note(names: Sequence[str]) -> str:
    """What to look at when a change makes gradients noisier (T5)."""
    return (
        f"{', '.join(names)} changes how noisy gradients are: with noisier ones look at the number of steps again, "
        "as they need more of them"
    )


def noisier(before: Round, after: Round) -> tuple[str, ...]:
    """Hyperparameters that are new or different in ``after`` and raise gradient variance (T5)."""
    old = {item.label: item.domain for item in before.hyperparameters}
    return tuple(
        item.label
        for item in after.hyperparameters
        if raises_gradient_noise(item) and _is_news(item, old.get(item.label))
    )


def _is_news(item: Hyperparameter, old: object) -> bool:
    if isinstance(item.domain, Constant) and isinstance(old, Constant):
        return item.domain.value != old.value
    return item.domain != old

"""Averages of the weights over training, a remedy for variance late in it (P8).

The averaging is PyTorch's own ``AveragedModel``; this picks its settings. Both return one: call
``average.update_parameters(model)`` after each optimizer step, evaluate ``average`` in place of the model, and put it
into the checkpoint beside the model. Running statistics of batch norm are averaged too; where they have to be exact,
recompute them by ``torch.optim.swa_utils.update_bn(loader, average)``.
"""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from tunebook.errors import InputError


def polyak_average(model: nn.Module) -> AveragedModel:
    """The plain mean of the weights of all updates: begin to update it when training has come close (Polyak, 1992)."""
    return AveragedModel(model, multi_avg_fn=get_swa_multi_avg_fn(), use_buffers=True)  # type: ignore[no-untyped-call]


def exponential_average(model: nn.Module, half_life: float) -> AveragedModel:
    """A mean in which the weights of ``half_life`` updates ago count half; above 0.

    The first update copies the model, and what is left of that copy halves in every half-life too: let a run hold at
    least ten of them. ``half_life`` 693 is the decay 0.999. Raises ``InputError`` for one that is not above 0.
    """
    if not half_life > 0.0:
        raise InputError(f"half_life is {half_life:g} and must be above 0 updates")
    decay = 0.5 ** (1.0 / half_life)
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]

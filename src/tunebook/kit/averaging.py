"""Averages of the weights over training, a remedy for variance late in it (P8).

The averaging is done by PyTorch's ``AveragedModel``. Both functions return one: call
``average.update_parameters(model)`` after each optimizer step, evaluate ``average`` in place of the model, and put it
into the checkpoint beside the model. Running statistics of batch norm are averaged too; where they have to be exact,
recompute them by ``torch.optim.swa_utils.update_bn(loader, average)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tunebook.errors import InputError

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]
#: Averaged tensors of one type, the model's, and how many updates there were before: changes the first in place.
Update: TypeAlias = Callable[[Tensors, Tensors, Tensor | int], None]


def polyak_average(model: nn.Module) -> AveragedModel:
    """The plain mean of the weights of all updates: begin to update it when training has come close (Polyak, 1992)."""
    return AveragedModel(model, multi_avg_fn=_moving(lambda n_before: 1.0 / (float(n_before) + 1.0)), use_buffers=True)


def exponential_average(model: nn.Module, half_life: float) -> AveragedModel:
    """A mean in which the weights of ``half_life`` updates ago count half; above 0.

    The first update copies the model, and what is left of that copy halves in every half-life too: let a run hold at
    least ten of them. ``half_life`` 693 is the decay 0.999. Raises ``InputError`` for one that is not above 0.
    """
    if not half_life > 0.0:
        raise InputError(f"half_life is {half_life:g} and must be above 0 updates")
    share = 1.0 - 0.5 ** (1.0 / half_life)
    return AveragedModel(model, multi_avg_fn=_moving(lambda _: share), use_buffers=True)


def _moving(share: Callable[[Tensor | int], float]) -> Update:
    """Move averages by ``share`` of the way to the model; whole numbers, such as counters, are copied.

    PyTorch's own functions for this divide whole numbers, which truncates them or fails.
    """

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, n_before: Tensor | int) -> None:
        if averaged[0].is_floating_point() or averaged[0].is_complex():
            torch._foreach_lerp_(averaged, current, share(n_before))
        else:
            torch._foreach_copy_(averaged, current)

    return update

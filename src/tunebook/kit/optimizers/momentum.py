"""Gradient descent: plain, with heavy-ball momentum, and with Nesterov's."""

from __future__ import annotations

from typing import final

import torch
from torch.optim.optimizer import ParamsT

from tunebook.kit.optimizers.base import Group, PlaybookOptimizer, Rate, Tensors, descend, is_tensor_rate, with_decay


@final
class SGD(PlaybookOptimizer):
    """``w' = w - lr g``: the playbook's rule without momentum.

    ``weight_decay`` is an L2 penalty (added to ``g``). The same as ``torch.optim.SGD`` with ``momentum=0``.
    """

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-3, *, weight_decay: float = 0.0, foreach: bool | None = None
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay}, foreach=foreach)

    def _update(self, group: Group, params: Tensors, grads: Tensors, *_: Tensors) -> None:
        descend(params, with_decay(group, params, grads), group["lr"])


@final
class Momentum(PlaybookOptimizer):
    """``v' = momentum v + g`` from ``v = 0``, then ``w' = w - lr v'``.

    ``weight_decay`` is an L2 penalty. The same as ``torch.optim.SGD`` with ``momentum`` and no dampening. The rate
    stands outside of the velocity: a change of it acts on all of ``v`` at once, other than in ``RMSProp``.
    """

    _buffer_names = ("momentum_buffer",)

    def __init__(
        self,
        params: ParamsT,
        lr: Rate = 1e-3,
        momentum: float = 0.9,
        *,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}, foreach=foreach)

    def _update(self, group: Group, params: Tensors, grads: Tensors, *buffers: Tensors) -> None:
        (velocities,) = buffers
        _accumulate(velocities, with_decay(group, params, grads), group["momentum"])
        descend(params, velocities, group["lr"])


@final
class Nesterov(PlaybookOptimizer):
    """``v' = momentum v + g`` from ``v = 0``, then ``w' = w - lr (momentum v' + g)``.

    ``weight_decay`` is an L2 penalty. The same as ``torch.optim.SGD(nesterov=True)``, except that ``.grad`` is never
    changed by the step (``torch.optim`` with ``foreach`` leaves the direction in it).
    """

    _buffer_names = ("momentum_buffer",)

    def __init__(
        self,
        params: ParamsT,
        lr: Rate = 1e-3,
        momentum: float = 0.9,
        *,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}, foreach=foreach)

    def _update(self, group: Group, params: Tensors, grads: Tensors, *buffers: Tensors) -> None:
        (velocities,) = buffers
        lr, momentum = group["lr"], group["momentum"]
        grads = with_decay(group, params, grads)
        _accumulate(velocities, grads, momentum)
        if is_tensor_rate(lr):
            descend(params, list(torch._foreach_add(grads, velocities, alpha=momentum)), lr)
            return
        # Two passes into the weights instead of a temporary as large as the model.
        descend(params, velocities, float(lr) * momentum)
        descend(params, grads, lr)


def _accumulate(velocities: Tensors, grads: Tensors, momentum: float) -> None:
    torch._foreach_mul_(velocities, momentum)
    torch._foreach_add_(velocities, grads)

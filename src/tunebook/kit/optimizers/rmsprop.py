"""RMSProp as the playbook and Choi et al. (2019) write it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from tunebook.kit.optimizers.base import Group, PlaybookOptimizer, Rate, Tensors, is_tensor_rate, with_decay


@final
class RMSProp(PlaybookOptimizer):
    """``v' = rho v + (1 - rho) g²`` from **1**, ``m' = momentum m + lr g / sqrt(v' + eps)`` from 0, ``w' = w - m'``.

    ``weight_decay`` is an L2 penalty. Unlike ``torch.optim.RMSprop``: ``v`` starts at 1 and not at 0, so that the
    first steps are small instead of large; ``eps`` stands inside of the root (the same number is a far smaller
    floor outside of it: 1e-10 inside acts as 1e-5 outside); ``lr`` stands inside of the velocity, so that a change
    of it acts on new gradients only. With these the rule contains heavy-ball momentum as a limit: ``lr`` times
    ``sqrt(eps)`` for large ``eps``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Rate = 1e-3,
        rho: float = 0.9,
        momentum: float = 0.0,
        eps: float = 1e-10,
        *,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "momentum": momentum, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults, foreach=foreach)

    def _needed_buffers(self, group: Group) -> tuple[str, ...]:
        return ("square_avg", "momentum_buffer") if group["momentum"] else ("square_avg",)

    def _initial(self, name: str, param: Tensor) -> Tensor:
        if name == "square_avg":
            return torch.ones_like(param, memory_format=torch.preserve_format)
        return super()._initial(name, param)

    def _update(self, group: Group, params: Tensors, grads: Tensors, *buffers: Tensors) -> None:
        squares, lr, rho = buffers[0], group["lr"], group["rho"]
        grads = with_decay(group, params, grads)
        torch._foreach_mul_(squares, rho)
        torch._foreach_addcmul_(squares, grads, grads, value=1.0 - rho)
        roots = torch._foreach_add(squares, group["eps"])
        torch._foreach_sqrt_(roots)
        if is_tensor_rate(lr):
            torch._foreach_div_(roots, lr)
            lr = 1.0
        if not group["momentum"]:
            torch._foreach_addcdiv_(params, grads, roots, value=-float(lr))
            return
        velocities = buffers[1]
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, grads, roots, value=float(lr))
        torch._foreach_sub_(params, velocities)

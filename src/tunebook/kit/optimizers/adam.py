"""Adam, AdamW and NAdam with the playbook's bias correction.

All three keep ``m' = beta1 m + (1 - beta1) g`` and ``v' = beta2 v + (1 - beta2) g²`` from 0 and correct both biases by
one factor, ``b = sqrt(1 - beta2^t) / (1 - beta1^t)`` with ``t`` from 1. ``eps`` is added to the raw ``sqrt(v')``;
``torch.optim`` adds it after the correction, where it acts as ``eps sqrt(1 - beta2^t)`` would here: the same for large
``t``, but at the first step smaller by ``sqrt(1 - beta2)``, a factor of 32 for 0.999. A large ``eps`` therefore makes
the first steps shorter here than there.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TypeAlias, final

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from tunebook.kit.optimizers.base import Group, PlaybookOptimizer, Rate, Tensors, is_tensor_rate, with_decay

#: A weighted sum: (weight, one tensor for each parameter), ...
Terms: TypeAlias = list[tuple[float, Tensors]]


class AdamFamily(PlaybookOptimizer):
    """Base of the three: the moments and the final division; a subclass says what is divided and what decays."""

    _buffer_names = ("exp_avg", "exp_avg_sq", "step")
    _weight_decay = 0.0

    def __init__(
        self,
        params: ParamsT,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        weight_decay: float | None = None,
        foreach: bool | None = None,
    ) -> None:
        decay = self._weight_decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        super().__init__(params, defaults, foreach=foreach)

    def _update(self, group: Group, params: Tensors, grads: Tensors, *buffers: Tensors) -> None:
        means, squares, steps = buffers
        beta1, beta2 = group["betas"]
        _count(steps)
        grads = self._decayed(group, params, grads)
        torch._foreach_lerp_(means, grads, 1.0 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, value=1.0 - beta2)
        roots = list(torch._foreach_sqrt(squares))
        torch._foreach_add_(roots, group["eps"])
        _descend_divided(params, self._terms(means, grads, beta1), roots, group, steps)

    @abstractmethod
    def _decayed(self, group: Group, params: Tensors, grads: Tensors) -> Tensors:
        """Apply weight decay, to the gradients that are returned or to the weights."""

    @abstractmethod
    def _terms(self, means: Tensors, grads: Tensors, beta1: float) -> Terms:
        """The sum that is divided by the root of the second moment."""


@final
class Adam(AdamFamily):
    """``w' = w - lr b m' / (sqrt(v') + eps)``; ``weight_decay`` is an L2 penalty.

    Differs from ``torch.optim.Adam`` in where ``eps`` is added (see the module). A state dict of that class can be
    loaded, and trains on under this rule.
    """

    def _decayed(self, group: Group, params: Tensors, grads: Tensors) -> Tensors:
        return with_decay(group, params, grads)

    def _terms(self, means: Tensors, grads: Tensors, beta1: float) -> Terms:  # noqa: ARG002
        return [(1.0, means)]


@final
class AdamW(AdamFamily):
    """Adam with decoupled decay: ``w`` is first multiplied by ``1 - lr weight_decay`` (0.01 by default).

    Decay and scaling as in ``torch.optim.AdamW``, from which it differs in where ``eps`` is added (see the module).
    The playbook prints no rule for AdamW; this is its Adam with the decay of Loshchilov and Hutter (2019).
    """

    _weight_decay = 0.01

    def _decayed(self, group: Group, params: Tensors, grads: Tensors) -> Tensors:
        decay = group["weight_decay"]
        if decay:
            lr = group["lr"] if is_tensor_rate(group["lr"]) else float(group["lr"])
            torch._foreach_mul_(params, 1.0 - lr * decay)
        return grads

    def _terms(self, means: Tensors, grads: Tensors, beta1: float) -> Terms:  # noqa: ARG002
        return [(1.0, means)]


@final
class NAdam(AdamFamily):
    """``w' = w - lr b (beta1 m' + (1 - beta1) g) / (sqrt(v') + eps)``; ``weight_decay`` is an L2 penalty.

    Unlike ``torch.optim.NAdam`` it has no schedule of its own for the momentum (``momentum_decay`` there), which is
    what makes Nesterov momentum a limit of it.
    """

    def _decayed(self, group: Group, params: Tensors, grads: Tensors) -> Tensors:
        return with_decay(group, params, grads)

    def _terms(self, means: Tensors, grads: Tensors, beta1: float) -> Terms:
        return [(beta1, means), (1.0 - beta1, grads)]


def _count(steps: Tensors) -> None:
    # One ready-made tensor: with a number, the loop over counters on the processor would make one for each.
    torch._foreach_add_(steps, torch.ones(()) if not torch.compiler.is_compiling() else 1.0)


def _descend_divided(params: Tensors, terms: Terms, roots: Tensors, group: Group, steps: Tensors) -> None:
    """``param -= lr b sum(weight * term) / root`` in place, with each parameter's own step count.

    A pass for each term, instead of a temporary as large as the model for their sum. ``roots`` is used up.
    """
    lr, (beta1, beta2) = group["lr"], group["betas"]
    if torch.compiler.is_compiling():
        torch._foreach_div_(roots, [lr * _traced_correction(step, beta1, beta2) for step in steps])
        for weight, tensors in terms:
            torch._foreach_addcdiv_(params, tensors, roots, value=-weight)
        return
    counts = [float(step) for step in steps]
    factors = {t: -float(lr) * bias_correction(t, beta1, beta2) for t in set(counts)}
    for weight, tensors in terms:
        torch._foreach_addcdiv_(params, tensors, roots, [weight * factors[t] for t in counts])


def bias_correction(t: float, beta1: float, beta2: float) -> float:
    """``sqrt(1 - beta2^t) / (1 - beta1^t)`` for the ``t``-th step, from 1."""
    return math.sqrt(-math.expm1(t * _log(beta2))) / -math.expm1(t * _log(beta1))


def _traced_correction(step: Tensor, beta1: float, beta2: float) -> Tensor:
    # expm1 keeps the digits that 1 - beta^t loses in single precision when beta is close to 1.
    return torch.sqrt(-torch.expm1(step * _log(beta2))) / -torch.expm1(step * _log(beta1))


def _log(beta: float) -> float:
    return math.log(beta) if beta else -math.inf

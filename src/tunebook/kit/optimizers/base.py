"""What all optimizers of the kit share: parameter groups, buffers, batching of tensors, limits.

A rule is written once, over lists of tensors. With ``foreach=True`` a list holds all parameters of a group, with
``foreach=False`` one: the same arithmetic with smaller temporaries. By default an accelerator gets all at once, and
a processor as many small parameters together as stay in its cache.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from tunebook.errors import InputError

Group: TypeAlias = dict[str, Any]
Tensors: TypeAlias = list[Tensor]
Rate: TypeAlias = float | Tensor

#: Devices whose foreach kernels launch once for many tensors; elsewhere they are loops.
FOREACH_DEVICES = frozenset({"cuda", "xpu"})
#: Elements of one batch elsewhere: with a gradient and two buffers in single precision 1 MB, as much as a core caches.
CACHED_ELEMENTS = 65_536
#: Hyperparameter -> whether 1 is excluded; all of them start at 0.
BELOW_ONE = {
    "lr": False,
    "weight_decay": False,
    "eps": False,
    "momentum": True,
    "rho": True,
    "beta1": True,
    "beta2": True,
}


class PlaybookOptimizer(Optimizer, ABC):
    """Base of the kit's optimizers; a subclass names its buffers and writes its rule.

    Not supported, each with a clear error: sparse gradients, complex parameters.
    """

    #: Names of the per-parameter state, as ``torch.optim`` names what means the same.
    _buffer_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: ParamsT, defaults: Group, *, foreach: bool | None) -> None:
        super().__init__(params, {**defaults, "foreach": foreach})

    def add_param_group(self, param_group: Group) -> None:
        """Add a group as in ``torch.optim``; raise ``InputError`` for a value out of range or complex weights."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        _check_limits(group)
        for param in group["params"]:
            if param.is_complex():
                raise InputError(
                    f"{type(self).__name__} updates real parameters, and one of shape {tuple(param.shape)} is "
                    f"{param.dtype}; pass torch.view_as_real of it, or use torch.optim for it"
                )

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step with the gradients that are there; parameters without one are left alone."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lists: list[Tensors] = [[] for _ in range(2 + len(self._needed_buffers(group)))]
            self._init_group(group, *lists)
            for params, grads, *buffers in _batches(lists, group["foreach"]):
                self._update(group, params, grads, *buffers)
        return loss

    # The name and the shape are those of torch.optim: torch.compile runs this method eagerly and traces the rest.
    def _init_group(self, group: Group, params: Tensors, grads: Tensors, *buffers: Tensors) -> None:
        """Fill the lists with all parameters that have a gradient, creating missing state."""
        names = self._needed_buffers(group)
        for param in group["params"]:
            if param.grad is None:
                continue
            if param.grad.layout != torch.strided:
                raise InputError(
                    f"{type(self).__name__} does not take sparse gradients; build the embedding with sparse=False, "
                    f"or give its weights to torch.optim.SparseAdam"
                )
            params.append(param)
            grads.append(param.grad)
            state = self.state[param]
            for name, values in zip(names, buffers, strict=True):
                if name not in state:
                    state[name] = self._initial(name, param)
                values.append(state[name])

    def _needed_buffers(self, group: Group) -> tuple[str, ...]:  # noqa: ARG002 - for rules that need it
        return self._buffer_names

    def _initial(self, name: str, param: Tensor) -> Tensor:
        """Value of a buffer before the first step: zeros like the parameter; ``step`` counts on the processor."""
        if name == "step":
            return torch.zeros((), dtype=torch.float32)
        return torch.zeros_like(param, memory_format=torch.preserve_format)

    @abstractmethod
    def _update(self, group: Group, params: Tensors, grads: Tensors, *buffers: Tensors) -> None:
        """Apply the rule in place to lists of equal length, one device and one type each."""


def is_tensor_rate(lr: Rate) -> bool:
    """Whether ``lr`` has to stay a tensor because the step is being compiled."""
    return isinstance(lr, Tensor) and torch.compiler.is_compiling()


def with_decay(group: Group, params: Tensors, grads: Tensors) -> Tensors:
    """The gradients, plus ``weight_decay`` times the parameters (an L2 penalty); never changed in place."""
    if group["weight_decay"] == 0:
        return grads
    return list(torch._foreach_add(grads, params, alpha=group["weight_decay"]))


def descend(params: Tensors, directions: Tensors, lr: Rate) -> None:
    """``param -= lr * direction`` in place."""
    if is_tensor_rate(lr):
        torch._foreach_sub_(params, torch._foreach_mul(directions, lr))
    else:
        torch._foreach_add_(params, directions, alpha=-float(lr))


def _batches(lists: list[Tensors], foreach: bool | None) -> Iterator[list[Tensors]]:
    """Cut parallel lists (parameters first) into what one call of a rule takes."""
    params = lists[0]
    limit = _batch_limit(params, foreach)
    kinds = [(param.device, param.dtype) for param in params]
    for kind in dict.fromkeys(kinds):
        alike = [number for number, own in enumerate(kinds) if own == kind]
        for part in _cut(alike, params, limit):
            yield [[values[number] for number in part] for values in lists]


def _batch_limit(params: Tensors, foreach: bool | None) -> float:
    """How many elements one batch may have: none for foreach, one tensor without it, a cache's worth by default."""
    if foreach is None:
        launches = torch.compiler.is_compiling() or all(param.device.type in FOREACH_DEVICES for param in params)
        return math.inf if launches else CACHED_ELEMENTS
    return math.inf if foreach else 0


def _cut(numbers: list[int], params: Tensors, limit: float) -> Iterator[list[int]]:
    """Consecutive runs of ``numbers`` whose parameters hold up to ``limit`` elements; a larger one stands alone."""
    if math.isinf(limit):
        yield numbers
        return
    part: list[int] = []
    held = 0
    for number in numbers:
        size = params[number].numel()
        if part and held + size > limit:
            yield part
            part, held = [], 0
        part.append(number)
        held += size
    yield part


def _check_limits(group: Group) -> None:
    values = dict(group)
    values["beta1"], values["beta2"] = group.get("betas", (0.0, 0.0))
    for name, below_one in BELOW_ONE.items():
        value = float(values.get(name, 0.0))
        if not (0.0 <= value < (1.0 if below_one else math.inf)):
            limit = "at least 0 and below 1" if below_one else "finite and at least 0"
            raise InputError(f"{name} is {value:g} and must be {limit}")

"""Ghost batch norm: batch norm over slices of the batch, so that noise does not depend on the batch size (P4).

Hoffer et al. (2017) split the batch of a device into virtual batches and normalise each by its own statistics. Here

- a batch up to half as large again as the virtual one is one slice, and this is then ordinary batch norm to the bit;
- a larger one is cut in order into the number of slices nearest to ``batch / virtual batch``, whose sizes differ by at
  most one example: no example is dropped, and no small remainder gets statistics of its own;
- the running statistics take one update a step, with the moments of the whole batch, spread between slices included:
  exactly what ordinary batch norm would keep. (Updating once a slice, as a loop over ``BatchNorm`` does, raises the
  momentum with the batch size and leaves the spread between slices out.)

Each process keeps running statistics of its own: call ``synchronize_batch_norm`` before evaluating or saving.
"""

from __future__ import annotations

from typing import final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from tunebook.errors import InputError
from tunebook.kit.distributed import is_distributed

PLAIN_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@final
class GhostBatchNorm(_BatchNorm):
    """Batch norm over virtual batches for inputs of shape (batch, features, ...), with 0 to 3 more dimensions.

    ``virtual_batch_size`` is how many examples a statistic should rest on; the others are those of
    ``torch.nn.BatchNorm2d``. In evaluation mode it uses the running statistics, as that does.
    """

    def __init__(
        self,
        num_features: int,
        virtual_batch_size: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if virtual_batch_size < 1:
            raise InputError(f"virtual_batch_size is {virtual_batch_size} and must be at least 1 example")
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device=device, dtype=dtype)
        self.virtual_batch_size = virtual_batch_size

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """Normalise ``input``; in training by the statistics of its slices."""
        self._check_input_dim(input)
        uses_batch = self.training or self.running_mean is None
        sizes = slice_sizes(len(input), self.virtual_batch_size)
        if not uses_batch or len(sizes) == 1:
            return super().forward(input)
        slices = torch.split(input, sizes)
        means, variances = self._new_statistics(len(slices), input)
        normalised = [
            # With a momentum of 1 the buffers receive the statistics of the slice, which saves a second pass over it.
            functional.batch_norm(part, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
            for part, mean, variance in zip(slices, means, variances, strict=True)
        ]
        if self.training and self.track_running_stats:
            self._update_running(means, variances, sizes, n_values=input[0, 0].numel())
        return torch.cat(normalised)

    def extra_repr(self) -> str:
        """Shown by ``print(model)``."""
        return f"{super().extra_repr()}, virtual_batch_size={self.virtual_batch_size}"  # type: ignore[no-untyped-call]

    def _new_statistics(self, n_slices: int, like: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        dtype = like.dtype if self.running_mean is None else self.running_mean.dtype
        shape = (n_slices, self.num_features)
        both = torch.zeros((2, *shape), dtype=dtype, device=like.device)
        return list(both[0].unbind()), list(both[1].unbind())

    @torch.no_grad()
    def _update_running(self, means: list[Tensor], variances: list[Tensor], sizes: list[int], n_values: int) -> None:
        """Move the running statistics towards the moments of the whole batch, made of those of its slices."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        mean, variance = pooled_moments(torch.stack(means), torch.stack(variances), [size * n_values for size in sizes])
        if self.momentum is None:
            share: Tensor | float = (1.0 / self.num_batches_tracked).to(mean.dtype)
        else:
            share = self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        if not 2 <= input.dim() <= 5:
            raise InputError(f"ghost batch norm takes (batch, features, ...) with 2 to 5 dimensions, not {input.dim()}")


def slice_sizes(batch_size: int, virtual_batch_size: int) -> list[int]:
    """Examples in each slice, in order; sizes differ by at most one, the larger come first."""
    n_slices = max(1, (2 * batch_size + virtual_batch_size - 1) // (2 * virtual_batch_size))
    size, n_larger = divmod(batch_size, n_slices)
    return [size + 1] * n_larger + [size] * (n_slices - n_larger)


def pooled_moments(means: Tensor, variances: Tensor, counts: list[int]) -> tuple[Tensor, Tensor]:
    """Mean and unbiased variance (features,) of all values, from those (slices, features) of ``counts`` values each."""
    n = torch.tensor(counts, dtype=means.dtype, device=means.device)[:, None]
    total = sum(counts)
    mean = (n * means).sum(0) / total
    squares = ((n - 1.0) * variances).sum(0) + (n * (means - mean) ** 2).sum(0)
    return mean, squares / (total - 1)


def to_ghost(model: nn.Module, virtual_batch_size: int) -> nn.Module:
    """Put a ``GhostBatchNorm`` in place of every ``BatchNorm1d``, ``2d`` and ``3d`` in ``model``, and return the model.

    Weights and running statistics are the same tensors as before, so that an optimizer made earlier stays valid. A
    model that is itself a batch norm is returned as a new module. Raises ``InputError`` when there is none to replace.
    """
    if isinstance(model, PLAIN_BATCH_NORMS):
        return _ghost_of(model, virtual_batch_size)
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, PLAIN_BATCH_NORMS)
    ]
    if not found:
        raise InputError(
            f"{type(model).__name__} holds no batch norm to replace{_other_norms(model)}; train it as it is, or build "
            "it with GhostBatchNorm where it is to normalise"
        )
    for parent, name, child in found:
        setattr(parent, name, _ghost_of(child, virtual_batch_size))
    return model


def synchronize_batch_norm(model: nn.Module, group: dist.ProcessGroup | None = None) -> None:
    """Give all processes the running statistics of their batches together; call it in all, before evaluating or saving.

    Means are averaged; a variance becomes the average variance plus the spread of the means. Works for every kind of
    batch norm, and does nothing in a single process.
    """
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None and layer.running_var is not None
    ]
    if not layers or not is_distributed():
        return
    means = [layer.running_mean for layer in layers if layer.running_mean is not None]
    variances = [layer.running_var for layer in layers if layer.running_var is not None]
    own_mean = torch.cat([mean.flatten().float() for mean in means])
    own_variance = torch.cat([variance.flatten().float() for variance in variances])
    mean = _process_mean(own_mean, group)
    # Taken about the common mean, not as a difference of squares, which would lose the digits of a small variance.
    variance = _process_mean(own_variance + (own_mean - mean) ** 2, group)
    for buffers, joined in ((means, mean), (variances, variance)):
        for buffer, part in zip(buffers, torch.split(joined, [buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(part)


def _process_mean(values: Tensor, group: dist.ProcessGroup | None) -> Tensor:
    summed = values.clone()
    dist.all_reduce(summed, group=group)
    return summed / dist.get_world_size(group)


def _ghost_of(layer: _BatchNorm, virtual_batch_size: int) -> GhostBatchNorm:
    ghost = GhostBatchNorm(
        layer.num_features, virtual_batch_size, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
    )
    ghost.weight, ghost.bias = layer.weight, layer.bias
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        setattr(ghost, name, getattr(layer, name))
    return ghost.train(layer.training)


def _other_norms(model: nn.Module) -> str:
    """What the model normalises with instead, to say beside the error."""
    if any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
        return "; SyncBatchNorm does the opposite, it joins the batches of all processes: convert the model before it"
    kinds = sorted({type(module).__name__ for module in model.modules() if "Norm" in type(module).__name__})
    return f"; it normalises with {', '.join(kinds)}, which does not depend on the batch" if kinds else ""

"""Batches of any make: tensors, and tuples, lists and mappings of them, with examples along the first dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tunebook.errors import InputError

Batch: TypeAlias = Any


def map_tensors(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The same structure with every tensor changed; what is neither tensor nor container stays."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        return {key: map_tensors(value, change) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(map_tensors(value, change) for value in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(map_tensors(value, change) for value in batch)
    return batch


def n_examples(batch: Batch) -> int:
    """Length of the first tensor found; ``InputError`` when there is none."""
    tensor = _first_tensor(batch)
    if tensor is None or tensor.dim() == 0:
        raise InputError(
            f"a batch of type {type(batch).__name__} holds no tensor with examples along its first dimension"
        )
    return len(tensor)


def pad_batch(batch: Batch, size: int) -> Batch:
    """Fill ``batch``, of at least 1 example, up to ``size`` with copies of the first, which every model can take."""
    n_missing = size - n_examples(batch)
    if n_missing <= 0:
        return batch
    return map_tensors(batch, lambda values: torch.cat([values, values[:1].expand(n_missing, *values.shape[1:])]))


def to_device(batch: Batch, device: torch.device | str) -> Batch:
    """Move every tensor, without waiting where the memory is pinned."""
    return map_tensors(batch, lambda values: values.to(device, non_blocking=True))


def _first_tensor(batch: Batch) -> Tensor | None:
    if isinstance(batch, Tensor):
        return batch
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, tuple | list) else ()
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)

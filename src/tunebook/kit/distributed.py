"""Several processes training one model: one writer, equal weights at the start, different data (P7).

Everything here also works, and does nothing special, in a single process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn

from tunebook.errors import InputError, RunError

#: Seeds are 63 bits wide: what ``torch.Generator.manual_seed`` takes without a sign.
SEED_BITS = 63


def is_distributed() -> bool:
    """Whether a process group has been set up."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """This process's number from 0, from the process group or, before there is one, from ``RANK``."""
    return dist.get_rank() if is_distributed() else int(os.environ.get("RANK", "0"))


def n_processes() -> int:
    """How many processes train together, from the process group or, before there is one, from ``WORLD_SIZE``."""
    return dist.get_world_size() if is_distributed() else int(os.environ.get("WORLD_SIZE", "1"))


def is_writer() -> bool:
    """Whether this is the one process that logs, saves and prints."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here; nothing in a single process."""
    if is_distributed():
        dist.barrier()


@contextmanager
def writer_first() -> Iterator[None]:
    """Run the block in the writer and only then in the others: to download or prepare data once.

    The others go on too when the block fails in the writer, and then see for themselves.
    """
    if not is_writer():
        barrier()
    try:
        yield
    finally:
        if is_writer():
            barrier()


def data_seed(seed: int, process: int | None = None) -> int:
    """A seed for shuffling and augmentation that differs between processes, and between neighbouring ``seed``."""
    number = rank() if process is None else process
    digest = hashlib.sha256(f"{seed}/data/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def seed_processes(seed: int) -> torch.Generator:
    """Seed PyTorch alike everywhere, for initialisation, and return a generator for the data of this process alone.

    Call it before the model is built; give the generator to the ``DataLoader``. Dropout draws from the global state,
    which stays alike in all processes: call ``torch.manual_seed(data_seed(seed))`` after building the model where masks
    are to differ.
    """
    if seed < 0:
        raise InputError(f"seed is {seed} and must be at least 0")
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(data_seed(seed))


def check_same_weights(model: nn.Module) -> None:
    """After building the model: raise ``RunError`` in every process unless all hold the same weights, to the bit."""
    if not is_distributed():
        return
    own = _fingerprint(model)
    found: list[str | None] = [None] * n_processes()
    dist.all_gather_object(found, own)
    others = [number for number, digest in enumerate(found) if digest != found[0]]
    if others:
        raise RunError(
            f"the weights of processes {others} differ from those of process 0; "
            f"seed all of them alike before the model is built (tunebook.kit.seed_processes)"
        )


def _fingerprint(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

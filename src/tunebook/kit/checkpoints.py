"""Everything a training run needs to go on as if it had not stopped, saved and restored together.

Which checkpoints are kept is the trial's business: ``trial.checkpoint(step, state.save)``.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from tunebook.errors import InputError

FORMAT = 1
STATE_FILE = "state.pt"


@runtime_checkable
class Stateful(Protocol):
    """An optimizer, schedule, gradient scaler, clipper: whatever has a state dict."""

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values and tensors."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """Take the state back."""
        ...


Part: TypeAlias = Stateful | nn.Module | torch.Generator


class TrainingState:
    """The parts of a run by name: ``TrainingState(model=model, optimizer=optimizer, schedule=schedule)``.

    A part is a module, a ``torch.Generator``, or anything with a state dict. ``save`` writes a folder: the weights of
    each module as ``<name>.safetensors``, which any program can read, and all else in ``state.pt``, which is read with
    ``weights_only=True`` and so runs no code. The states of the random numbers (PyTorch on all devices, Python, and
    NumPy if it is loaded) go with it.
    """

    def __init__(self, **parts: Part) -> None:
        if not parts:
            raise InputError(
                "there is nothing to save; name the parts: TrainingState(model=model, optimizer=optimizer)"
            )
        for name, part in parts.items():
            if not isinstance(part, Stateful | torch.Generator):
                raise InputError(f"{name} is a {type(part).__name__}, which has no state_dict and load_state_dict")
        self._parts = parts

    def save(self, path: str | Path) -> None:
        """Write the folder ``path``, which may exist and be empty."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in self._parts.items():
            if isinstance(part, nn.Module):
                save_model(part, str(folder / f"{name}.safetensors"))
        states = {name: _state_of(part) for name, part in self._parts.items() if not isinstance(part, nn.Module)}
        saved = {"format": FORMAT, "parts": sorted(self._parts), "states": states, "random": random_state()}
        torch.save(saved, folder / STATE_FILE)

    def load(self, path: str | Path) -> None:
        """Restore every part and the random numbers from the folder ``path``.

        Raises ``InputError``, before anything is changed, when it was saved with other parts or in another format.
        """
        folder = Path(path)
        saved = torch.load(folder / STATE_FILE, weights_only=True, map_location="cpu")
        if saved.get("format") != FORMAT:
            raise InputError(f"{folder} holds format {saved.get('format')}; this tunebook reads format {FORMAT}")
        if saved["parts"] != sorted(self._parts):
            raise InputError(
                f"{folder} holds {', '.join(saved['parts'])}, but {', '.join(sorted(self._parts))} are asked for"
            )
        for name, part in self._parts.items():
            if isinstance(part, nn.Module):
                load_model(part, str(folder / f"{name}.safetensors"))
            elif isinstance(part, torch.Generator):
                part.set_state(saved["states"][name])
            else:
                part.load_state_dict(saved["states"][name])
        restore_random(saved["random"])


def random_state() -> dict[str, Any]:
    """The state of all global random numbers, as plain values and tensors."""
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    # NumPy's global numbers matter only to a program that has imported it.
    if (numpy := sys.modules.get("numpy")) is not None:
        name, keys, *rest = numpy.random.get_state()
        state["numpy"] = [name, keys.tolist(), *rest]
    return state


def restore_random(state: Mapping[str, Any]) -> None:
    """Undo all drawing since ``state`` was taken; devices that are not here are left out."""
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    if torch.cuda.is_available() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "numpy" in state and (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.set_state(tuple(state["numpy"]))


def _state_of(part: Part) -> object:
    return part.get_state() if isinstance(part, torch.Generator) else part.state_dict()

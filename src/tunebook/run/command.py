"""Rendering a command: placeholders become the values of one trial."""

from __future__ import annotations

import os
import shutil
import string
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.core.config import Config, Value, spelled
from tunebook.core.round import placeholders
from tunebook.core.trial import TrialSpec
from tunebook.errors import InputError, Problem


class _Formatter(string.Formatter):
    """``str.format``, with booleans spelled as in a design file."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, bool) and not format_spec:
            return spelled(value)
        return str(super().format_field(value, format_spec))


def render(command: Sequence[str], spec: TrialSpec, config: Config) -> tuple[str, ...]:
    """The words of ``command`` for one trial. A word that names a hyperparameter it does not have is left out."""
    values: dict[str, Value] = {
        "seed": spec.seed,
        "max_train_steps": spec.max_train_steps,
        "trial": spec.id,
        **config,
    }
    formatter = _Formatter()
    return tuple(formatter.vformat(word, (), values) for word in command if values.keys() >= set(placeholders([word])))


def check_program(command: Sequence[str], project: Path, search: str) -> None:
    """``InputError`` when the program of ``command`` is not there; ``search`` is the PATH it is looked for on."""
    program = command[0]
    if placeholders([program]):
        return
    is_path = os.sep in program or (os.altsep is not None and os.altsep in program)
    place = str(project / program) if is_path else program
    if shutil.which(place, path=search) is None:
        where = f"{place} is not there or may not be executed" if is_path else "it is not on the PATH"
        raise InputError([Problem(key=("command",), message=f"{program!r} cannot be run: {where}")])


def search_path(environment: Mapping[str, str]) -> str:
    """PATH for commands: inside a virtual environment its programs come first, as if it were activated."""
    path = environment.get("PATH", os.defpath)
    programs = str(Path(sys.executable).parent)
    is_virtual = sys.prefix != sys.base_prefix
    return f"{programs}{os.pathsep}{path}" if is_virtual and programs not in path.split(os.pathsep) else path

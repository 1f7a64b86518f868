"""Use cases of a project: functions of a store, a folder and a time, one family of them a file.

A file is loaded on its first use, with all that it imports, so that no command waits for what another one needs.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunebook.use_cases import checking as checking
    from tunebook.use_cases import deciding as deciding
    from tunebook.use_cases import designing as designing
    from tunebook.use_cases import exploiting as exploiting
    from tunebook.use_cases import failures as failures
    from tunebook.use_cases import final_training as final_training
    from tunebook.use_cases import importing as importing
    from tunebook.use_cases import keeping as keeping
    from tunebook.use_cases import launching as launching
    from tunebook.use_cases import learning as learning
    from tunebook.use_cases import opening as opening
    from tunebook.use_cases import reporting as reporting
    from tunebook.use_cases import running as running
    from tunebook.use_cases import status as status
    from tunebook.use_cases import tracking as tracking


def __getattr__(name: str) -> ModuleType:
    place = f"{__name__}.{name}"
    if importlib.util.find_spec(place) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(place)

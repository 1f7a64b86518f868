"""tunebook: the Deep Learning Tuning Playbook as software.

Names are loaded on first use, so that ``import tunebook`` in a training script costs nothing and
needs nothing but the standard library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunebook.core.action import Action as Action
    from tunebook.core.config import Config as Config
    from tunebook.core.finding import Finding as Finding
    from tunebook.core.hyperparameter import Choice as Choice
    from tunebook.core.hyperparameter import Constant as Constant
    from tunebook.core.hyperparameter import Hyperparameter as Hyperparameter
    from tunebook.core.hyperparameter import Range as Range
    from tunebook.core.launch import Launch as Launch
    from tunebook.core.objective import Objective as Objective
    from tunebook.core.round import Round as Round
    from tunebook.core.search import RunOptions as RunOptions
    from tunebook.core.search import Search as Search
    from tunebook.errors import Infeasible as Infeasible
    from tunebook.errors import InputError as InputError
    from tunebook.errors import TunebookError as TunebookError
    from tunebook.evidence import Evidence as Evidence
    from tunebook.handle.current import current_trial as current_trial
    from tunebook.handle.trial import Trial as Trial
    from tunebook.project import Project as Project

__version__ = "0.1.0"

_HOMES = {
    "Action": "core.action",
    "Choice": "core.hyperparameter",
    "Config": "core.config",
    "Constant": "core.hyperparameter",
    "Evidence": "evidence",
    "Finding": "core.finding",
    "Hyperparameter": "core.hyperparameter",
    "Infeasible": "errors",
    "InputError": "errors",
    "Launch": "core.launch",
    "Objective": "core.objective",
    "Project": "project",
    "Range": "core.hyperparameter",
    "Round": "core.round",
    "RunOptions": "core.search",
    "Search": "core.search",
    "Trial": "handle.trial",
    "TunebookError": "errors",
    "current_trial": "handle.current",
}

__all__ = [
    "Action",
    "Choice",
    "Config",
    "Constant",
    "Evidence",
    "Finding",
    "Hyperparameter",
    "Infeasible",
    "InputError",
    "Launch",
    "Objective",
    "Project",
    "Range",
    "Round",
    "RunOptions",
    "Search",
    "Trial",
    "TunebookError",
    "__version__",
    "current_trial",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tunebook' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"tunebook.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

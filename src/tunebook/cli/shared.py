"""Options that several commands share, written once as the fields of a dataclass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def shares_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its parameters that are dataclasses as options, in their place.

    Those fields are annotated as the parameters of a command are.
    """
    hints = get_type_hints(command, include_extras=True)
    shared = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
    own = {name: item for name, item in signature(command).parameters.items() if name not in shared}

    @wraps(command)
    def expanded(**given: Any) -> None:
        made = {name: kind(**{item.name: given[item.name] for item in fields(kind)}) for name, kind in shared.items()}
        command(**{name: given[name] for name in own}, **made)

    parameters = [item.replace(annotation=hints[name]) for name, item in own.items()]
    parameters += [option for kind in shared.values() for option in _options(kind)]
    expanded.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {item.name: item.annotation for item in parameters}
    return expanded


def _options(kind: type[Any]) -> Iterator[Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    for item in fields(kind):
        default = Parameter.empty if item.default is MISSING else item.default
        yield Parameter(item.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[item.name])

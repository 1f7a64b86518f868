"""Finding the function that a design names: ``train.py:train`` or ``package.module:train``. Standard library only."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tunebook.core.problems import did_you_mean
from tunebook.errors import InputError, Problem

Train = Callable[..., Any]


def load_pipeline(reference: str, project: Path) -> Train:
    """The function that ``reference`` names, relative to ``project``; ``InputError`` says why it cannot be had."""
    place, _, name = reference.rpartition(":")
    module = _load_file(project / place) if place.endswith(".py") else _load_module(place, project)
    function = getattr(module, name, None)
    if function is None:
        defined = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise _fault(f"{place} has no function {name!r}{did_you_mean(name, defined)}")
    return check_function(function, reference)


def missing_pipeline(reference: str | None, project: Path) -> str:
    """Why the pipeline's file cannot be had, without running it; nothing where it can, or names a module.

    A function may come by an assignment or an import, so only a name that the file does not have at all is missed.
    """
    place, _, name = (reference or "").rpartition(":")
    if not place.endswith(".py"):
        return ""
    path = project / place
    if not path.is_file():
        return f"there is no file {path}"
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        defined = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError) as error:
        return f"{path} is not Python: {error}"
    is_named = re.search(rf"\b{re.escape(name)}\b", text) is not None
    return "" if is_named else f"{path} has no function {name!r}{did_you_mean(name, defined)}"


def check_function(function: Any, reference: str) -> Train:
    """``function`` when it can be called with a trial and nothing else, or ``InputError``."""
    if not callable(function):
        raise _fault(f"{reference} is a {type(function).__name__}, not a function")
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        words = f"{reference} cannot be called with a trial alone ({error}); it has to look like: def train(trial)"
        raise _fault(words) from None
    except ValueError:
        pass  # a callable that is not written in Python does not tell its arguments
    made: Train = function
    return made


def _load_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise _fault(f"there is no file {path}")
    known = sys.modules.get(path.stem)
    if known is not None and _same_file(known, path):
        return known
    _search_first(path.parent)
    name = path.stem if known is None else f"tunebook_pipeline_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        raise _import_fault(str(path), error) from error
    return module


def _load_module(name: str, project: Path) -> ModuleType:
    _search_first(project)
    try:
        return importlib.import_module(name)
    except BaseException as error:
        raise _import_fault(f"the module {name}", error) from error


def _same_file(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def _search_first(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import_fault(what: str, error: BaseException) -> InputError:
    if isinstance(error, KeyboardInterrupt):
        raise error
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    reason = traceback.format_exception_only(error)[-1].strip()
    frames = [frame for frame in frames if Path(frame.filename) != Path(__file__)]
    place = f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
    return _fault(f"{what} cannot be imported: {place}{reason}")


def _fault(message: str) -> InputError:
    return InputError([Problem(key=("pipeline",), message=message)])

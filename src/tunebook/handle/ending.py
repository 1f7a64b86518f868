"""The ending of a training process by an exception, as a small file the runner reads."""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

from tunebook.errors import Infeasible
from tunebook.handle.assignment import write_atomically

ENDING_FILE = "ending.json"

#: Beginnings or parts of messages that mean "no memory left", by the libraries that write them.
OUT_OF_MEMORY_WORDS = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "HIP out of memory",
    "MPS backend out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "RESOURCE_EXHAUSTED: Out of memory",
    "OutOfMemoryError",
    "std::bad_alloc",
    "Cannot allocate memory",
)

#: Traceback text beyond this is cut in the middle.
LONGEST_TEXT = 20_000

EndingKind: TypeAlias = Literal["infeasible", "out_of_memory", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an exception ended training: what kind it is, its message in one line, and its traceback."""

    kind: EndingKind
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Ending:
        """Classify ``error``; libraries are known by names, none is imported."""
        message = traceback.format_exception_only(error)[-1].strip()
        text = "".join(traceback.format_exception(error))
        return cls(kind=_kind_of(error), message=shortened(message), traceback=shortened(text))

    @classmethod
    def read(cls, directory: Path) -> Ending | None:
        """The ending left in ``directory``, or None."""
        try:
            return cls(**json.loads((directory / ENDING_FILE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, directory: Path) -> None:
        """Leave it in ``directory``, whole."""
        write_atomically(directory / ENDING_FILE, json.dumps(asdict(self)))


def report_uncaught(directory: Path) -> None:
    """From now on leave an ending in ``directory`` when an exception ends this program."""
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        try:
            Ending.of(error).write(directory)
        finally:
            previous(kind, error, trace)

    sys.excepthook = hook


def says_out_of_memory(text: str) -> bool:
    """Whether a message or the end of an output says that memory ran out."""
    is_python = any(line.startswith("MemoryError") for line in text.splitlines())
    return is_python or any(words in text for words in OUT_OF_MEMORY_WORDS)


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """``text`` with its middle left out where it is too long."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _kind_of(error: BaseException) -> EndingKind:
    if isinstance(error, Infeasible):
        return "infeasible"
    if isinstance(error, MemoryError) or "OutOfMemoryError" in type(error).__name__:
        return "out_of_memory"
    if isinstance(error, RuntimeError | OSError) and says_out_of_memory(str(error)):
        return "out_of_memory"
    return "error"

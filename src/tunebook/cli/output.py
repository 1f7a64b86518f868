"""Where words and JSON go, and how errors become exit statuses."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.errors import InputError, Interrupted, TunebookError

if TYPE_CHECKING:
    from rich.console import Console

#: Columns without a terminal, where the environment does not say.
PLAIN_WIDTH = 120
#: Exit status of --strict when a blocking finding stands (contract.md).
BLOCKED = 3


class Output:
    """Standard output for one command: words for people, or one JSON document.

    With ``as_json`` everything meant for people goes to standard error, so that standard output
    holds the document and nothing else.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The console people read; made on first use, because rich costs 50 ms."""
        if self._console is None:
            from rich.console import Console

            stream = sys.stderr if self.as_json else sys.stdout
            width = None if stream.isatty() else int(os.environ.get("COLUMNS", PLAIN_WIDTH))
            self._console = Console(file=stream, width=width, highlight=False, soft_wrap=False)
        return self._console

    def say(self, *renderables: Any) -> None:
        """Show something to people."""
        for renderable in renderables:
            self.console.print(renderable)

    def show(self, document: Mapping[str, Any], *renderables: Callable[[], Any]) -> None:
        """The result: the JSON document when asked for, else what the functions return."""
        if self.as_json:
            sys.stdout.write(dumps(document) + "\n")
        else:
            self.say(*(make() for make in renderables))


def dumps(document: Mapping[str, Any]) -> str:
    """The one JSON writer: what is not finite becomes null, because JSON has no word for it."""
    return json.dumps(plain(document), ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """Mappings, sequences and numbers of any make as JSON's own."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


@contextmanager
def reported(output: Output) -> Iterator[None]:
    """Turn an error of the tree into words on standard error and its exit status."""
    try:
        yield
    except TunebookError as error:
        if output.as_json:
            sys.stdout.write(dumps({"error": describe(error)}) + "\n")
        sys.stderr.write(f"{words_of(error)}\n")
        raise SystemExit(error.exit_status) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        raise SystemExit(1) from None


def describe(error: TunebookError) -> dict[str, Any]:
    """An error as JSON."""
    problems = error.problems if isinstance(error, InputError) else ()
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "key": ".".join(problem.key),
                "message": problem.message,
            }
            for problem in problems
        ],
    }


def words_of(error: TunebookError) -> str:
    """An error as people read it: one line a problem. What a person stopped is no error."""
    if isinstance(error, Interrupted):
        return str(error)
    if isinstance(error, InputError) and len(error.problems) > 1:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        return f"error: {len(error.problems)} things are wrong\n{lines}"
    return f"error: {error}"


def exit_if_blocked(strict: bool, severities: Iterable[object]) -> None:
    """Exit with 3 when ``strict`` was given and a blocking finding stands."""
    if strict and "blocking" in {str(severity) for severity in severities}:
        raise SystemExit(BLOCKED)


def check_folder(target: Path | None) -> None:
    """``InputError`` when a file that is to be written has no folder to lie in."""
    if target is not None and not target.parent.is_dir():
        raise InputError(f"{target} cannot be written: there is no folder {target.parent}; make it first")

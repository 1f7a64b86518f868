"""The reader behind the page, loaded while the page is already there: numbers and plots take a second to import."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from tunebook.project import Project
from tunebook.web.addresses import READS, WRITES

if TYPE_CHECKING:
    from tunebook.web.analyst import Processes
    from tunebook.web.reader import Reader

JSON, PACKED = "application/json", "application/octet-stream"


class Late:
    """Answers by name; the first question (or ``warm``) loads what answering takes."""

    def __init__(self, project: Project, *, in_process: bool = False) -> None:
        self.project = project
        self.is_closed = False
        self._in_process = in_process
        self._processes: Processes | None = None
        self._lock = Lock()

    def warm(self) -> None:
        """Load in the background."""
        Thread(target=lambda: self.reader, daemon=True).start()

    @property
    def reader(self) -> Reader:
        """The reader, made once."""
        with self._lock:
            return self._reader

    @cached_property
    def _reader(self) -> Reader:
        # All of it under one lock: threads that import at the same time can see half-made modules.
        from tunebook.web import analyst, reader

        for address in (*READS.values(), *WRITES.values()):
            _function(address)
        _ = self.project.store
        if self._in_process:
            for job in analyst.JOBS:
                analyst.function_of(job)
            return reader.Reader(self.project, analyst.inline)
        self._processes = analyst.Processes()
        return reader.Reader(self.project, self._processes)

    def version(self, name: str | None) -> str:
        """The version of a round, or of everything."""
        return self.reader.version(name)

    def answer(self, name: str, query: Mapping[str, Any]) -> tuple[str, bytes, str | None]:
        """Kind and bytes of the answer, and the name of the file it is to be saved as, if it is one."""
        reader = self.reader  # before any import: see there
        from tunebook.web.answers import File
        from tunebook.web.pack import as_json

        found = _function({**READS, **WRITES}[name])(reader, query)
        if isinstance(found, File):
            return found.kind, found.data, found.name
        return (PACKED, found, None) if isinstance(found, bytes) else (JSON, as_json(found), None)

    def is_conflict(self, error: Exception) -> bool:
        """Whether a change failed because the page is out of date."""
        from tunebook.web.answers import Conflict

        return isinstance(error, Conflict)

    def report_scripts(self) -> tuple[bytes, ...]:
        """SHA-256 of the scripts that a report may run: its own and Plotly's."""
        return self._report_scripts

    @cached_property
    def _report_scripts(self) -> tuple[bytes, ...]:
        from tunebook.show.report import plotly_script
        from tunebook.show.report_page import SCRIPT

        return tuple(hashlib.sha256(text.encode()).digest() for text in (SCRIPT, plotly_script()))

    def close(self) -> None:
        """End what runs in the background."""
        self.is_closed = True
        if self._processes is not None:
            self._processes.close()


def _function(address: str) -> Callable[..., Any]:
    module, _, name = address.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function

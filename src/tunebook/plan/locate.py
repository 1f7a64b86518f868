"""Where each key of a TOML document stands, which ``tomllib`` does not say.

The scanner reads text that ``tomllib`` has already accepted, so it looks for keys only and never
judges. Elements of arrays count from 1, as problems name them.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Mapping
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str, ...]
Place: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""

START: Place = (1, 1)

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}\n#]*")


def positions(text: str) -> dict[KeyPath, Place]:
    """The first place of every key path of a valid TOML document; ``()`` is its start."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.found


def place_of(found: Mapping[KeyPath, Place], key: KeyPath) -> Place:
    """Where ``key`` stands, or the nearest table around it when it is missing."""
    for length in range(len(key), 0, -1):
        if key[:length] in found:
            return found[key[:length]]
    return START


class _Scanner:
    """Reads a document from the left; ``found`` fills up as it goes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._n_tables: dict[KeyPath, int] = {}
        self.found: dict[KeyPath, Place] = {(): START}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for word in self._words():
            path = self._numbered((*path, word), start)
        if is_array:
            own = self._without_number(path)
            self._n_tables[own] = self._n_tables.get(own, 0) + 1
            path = (*own, str(self._n_tables[own]))
            self._note(path, start)
        self._at += 2 if is_array else 1
        return path

    def _numbered(self, path: KeyPath, start: int) -> KeyPath:
        """Note a table of a header; one that is an array of tables stands for its newest element."""
        self._note(path, start)
        count = self._n_tables.get(path)
        return (*path, str(count)) if count else path

    def _without_number(self, path: KeyPath) -> KeyPath:
        return path[:-1] if path[:-1] in self._n_tables else path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = table
        for word in self._words():
            path = (*path, word)
            self._note(path, start)
        self._at += 1
        self._skip(_SPACE)
        self._value(path)

    def _words(self) -> list[str]:
        """The parts of a dotted key; stops at what follows it."""
        words = []
        while True:
            self._skip(_SPACE)
            words.append(self._word())
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return words
            self._at += 1

    def _word(self) -> str:
        quote = self._text[self._at]
        if quote not in "\"'":
            return self._take(_BARE_KEY)
        raw = self._take(_STRING)
        return _unescaped(raw) if quote == '"' else raw[1:-1]

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            self._take(_STRING)
        else:
            self._take(_PLAIN)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        while self._next() != "]":
            number += 1
            self._note((*path, str(number)), self._at)
            self._value((*path, str(number)))
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._next() != "}":
            self._pair(path)
        self._at += 1

    def _next(self) -> str:
        """The first character of the next element, past blanks and one comma."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
        return self._text[self._at]

    def _note(self, path: KeyPath, start: int) -> None:
        if path not in self.found:
            line = bisect.bisect_right(self._line_starts, start)
            self.found[path] = (line, start - self._line_starts[line - 1] + 1)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._take(pattern)
        return self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, f"not TOML at character {self._at}"
        self._at = match.end()
        return match.group()


def _unescaped(quoted: str) -> str:
    """The text of a basic string; TOML's long escapes become the pairs that JSON knows."""
    long = re.sub(r"\\U([0-9A-Fa-f]{8})", lambda match: json.dumps(chr(int(match[1], 16)))[1:-1], quoted)
    text: str = json.loads(long, strict=False)
    return text

"""Draw what a command prints as an SVG: `python docs/picture.py FILE.svg COMMAND ...`, from the project's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 110


def main() -> None:
    """Run the command as on a terminal and write the picture."""
    target, *words = sys.argv[1:]
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(printed.rstrip()))
        title = " ".join(["tunebook", *words[1:]])
        Path(target).write_text(console.export_svg(title=title), encoding="utf-8")


if __name__ == "__main__":
    main()

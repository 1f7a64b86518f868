"""One trial in a process of its own, or the check that it could be: ``python -m tunebook.run.child``.

Arguments: the process id of the runner, the settings as JSON (as the preloaded parent gets them), then
either ``check FILE`` (writes the problems of importing the pipeline into FILE), or the limit of memory
in bytes (0: none), the file of the trial and, for a command, its words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tunebook.errors import InputError
from tunebook.run.pipeline import load_pipeline
from tunebook.run.preload import run_command, run_function
from tunebook.run.processes import die_with_parent, limit_memory


def main() -> int:
    """Do what the arguments say; the exit status."""
    parent, settings, what, *rest = sys.argv[1:]
    if sys.platform == "linux":
        die_with_parent()(int(parent))
    first = json.loads(settings)
    project = Path(first["project"])
    sys.path.extend(entry for entry in first["path"] if entry not in sys.path)
    if what == "check":
        Path(rest[0]).write_text(json.dumps(_problems(first["pipeline"], project)), encoding="utf-8")
        return 0
    if int(what):
        limit_memory(int(what))
    if len(rest) > 1:
        run_command(rest[1:], project)
    return run_function(load_pipeline(first["pipeline"], project), Path(rest[0]))


def _problems(pipeline: str, project: Path) -> list[tuple[tuple[str, ...], str]]:
    try:
        load_pipeline(pipeline, project)
    except InputError as error:
        return [(problem.key, problem.message) for problem in error.problems]
    return []


if __name__ == "__main__":
    sys.exit(main())

"""The checks over a round, in a process of their own: they take seconds, and the page has to stay awake.

The child ends with its answer, so what the checks needed of memory is given back.
"""

from __future__ import annotations

import json
import os
import pickle
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from tunebook.errors import InputError, TunebookError
from tunebook.evidence import Evidence
from tunebook.learn.analyse import analyse
from tunebook.learn.curve_report import diagnose_round
from tunebook.project import Project, revised
from tunebook.show.data.axes import Axis, axis_data
from tunebook.show.data.marks import Mark, derived_axes, marks_of
from tunebook.show.data.table import table_of
from tunebook.show.report import render
from tunebook.show.words import confidence_text, next_step, subject_text

#: How far the checks stand back behind the page and behind training (see nice(2)).
KINDNESS = 10
#: A child's pickled answer begins with this, so that nothing printed before is taken for it.
MARKER = b"\x00tunebook-answer\x00"
#: Not ``-m``: what is pickled has to name this module, not ``__main__``.
CHILD = "from tunebook.web.analyst import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the checks said: cards ready to show, marks on axes, axes of derived quantities."""

    cards: tuple[dict[str, Any], ...]
    marks: tuple[Mark, ...]
    derived: tuple[Axis, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnoses:
    """The labels of every trial's curves: trial -> ``{"labels": …, "scores": …, "best_step": …}``."""

    trials: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    material: float | None = None
    source: str = ""


def findings_of(evidence: Evidence, objective: str | None) -> Findings:
    """Every check over one round."""
    analysis = analyse(evidence, revised(evidence.round.objective, objective))
    axes = axis_data(table_of(analysis.view), evidence.round)
    return Findings(
        cards=tuple(
            {
                **finding.to_mapping(),
                "confidence_text": confidence_text(finding.confidence),
                "subject_text": subject_text(finding),
                "next_text": next_step(finding),
            }
            for finding in analysis.findings
        ),
        marks=marks_of(analysis.findings),
        derived=derived_axes(axes, analysis.findings),
    )


def diagnoses_of(evidence: Evidence, objective: str | None) -> Diagnoses:
    """The diagnosis of every trial's curves."""
    report = diagnose_round(evidence, revised(evidence.round.objective, objective))
    return Diagnoses(
        trials={one.trial: one.to_mapping() for one in report.trials},
        material=report.unit.value,
        source=report.unit.source,
    )


def report_of(evidence: Evidence, objective: str | None) -> str:
    """The report of a round as one HTML document."""
    wanted = revised(evidence.round.objective, objective)
    command = shlex.join(["tunebook", "learn", evidence.name, *(["--objective", objective] if objective else [])])
    return render(evidence, analyse(evidence, wanted).findings, objective=wanted, reproduce=[command])


JOBS: Mapping[str, Callable[[Evidence, str | None], Any]] = {
    "findings": findings_of,
    "diagnoses": diagnoses_of,
    "report": report_of,
}

Analyst: TypeAlias = Callable[[str, Project, str, str | None], Any]
"""Does the job of this name for a round of a project under an objective."""


def inline(job: str, project: Project, round_name: str, objective: str | None) -> Any:
    """The job, in this process."""
    return JOBS[job](project.evidence(round_name), objective)


class Processes:
    """Does each job in a child process; ``close`` ends those that run."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = Lock()
        self._is_closed = False

    def __call__(self, job: str, project: Project, round_name: str, objective: str | None) -> Any:
        """The answer of the child; ``InputError`` as it raised it, ``TunebookError`` when it died."""
        # The address may hold a password: it goes through a pipe, not through the list of processes.
        task = {"job": job, "root": str(project.root), "store": project.store_url}
        asked = json.dumps({**task, "round": round_name, "objective": objective}).encode()
        with self._lock:
            if self._is_closed:
                raise TunebookError("the page is closing")
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self._running.add(child)
        try:
            out, said = child.communicate(asked)
        finally:
            with self._lock:
                self._running.discard(child)
        _, found, answer = out.partition(MARKER)
        if not found:
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise TunebookError(f"the checks ended early with status {child.returncode}: {last[0]}")
        result = pickle.loads(answer)
        if isinstance(result, InputError):
            raise result
        return result

    def close(self) -> None:
        """End what runs."""
        with self._lock:
            self._is_closed = True
            for child in self._running:
                child.kill()


def main() -> None:
    """The child: a task as JSON comes in, a pickled answer goes out."""
    os.nice(KINDNESS)
    task = json.loads(sys.stdin.buffer.read())
    with Project(Path(task["root"]), task["store"]) as project:
        try:
            answer = inline(task["job"], project, task["round"], task["objective"])
        except InputError as error:
            answer = error
    sys.stdout.buffer.write(MARKER + pickle.dumps(answer))

"""What a child of the page does: everything that takes the checks, the comparison or the next design."""

from __future__ import annotations

import json
import os
import pickle
import select
import shlex
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tunebook.core.objective import revised
from tunebook.decide.arms import Arms
from tunebook.decide.render import render as design_text
from tunebook.errors import InputError, TunebookError
from tunebook.evidence import Evidence
from tunebook.history import baseline_for, earlier_spread
from tunebook.learn.analyse import analyse
from tunebook.learn.curve_report import diagnose_round
from tunebook.project import Project
from tunebook.show.data.axes import axis_data
from tunebook.show.data.marks import derived_axes, marks_of
from tunebook.show.data.table import table_of
from tunebook.show.report import render
from tunebook.show.words import confidence_text, next_step, subject_text
from tunebook.web.analyst import (
    Comparison,
    Diagnoses,
    Findings,
    Proposal,
    function_of,
    keep_own_output,
    read_message,
    write_message,
)
from tunebook.web.comparison import against_second, repeats, verdict_document

#: How far the checks stand back behind the page and behind training (see nice(2)).
KINDNESS = 10
#: Seconds that a child waits for another job.
IDLE = 5.0


def findings_of(project: Project, round_name: str, objective: str | None) -> Findings:
    """Every check over one round."""
    evidence = project.evidence(round_name)
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


def diagnoses_of(project: Project, round_name: str, objective: str | None) -> Diagnoses:
    """The diagnosis of every trial's curves."""
    evidence = project.evidence(round_name)
    report = diagnose_round(evidence, revised(evidence.round.objective, objective))
    return Diagnoses(
        trials={one.trial: one.to_mapping() for one in report.trials},
        material=report.unit.unit,
        source=report.unit.source,
    )


def report_of(project: Project, round_name: str, objective: str | None) -> str:
    """The report of a round as one HTML document."""
    evidence = project.evidence(round_name)
    wanted = revised(evidence.round.objective, objective)
    command = shlex.join(["tunebook", "learn", evidence.name, *(["--objective", objective] if objective else [])])
    return render(evidence, analyse(evidence, wanted).findings, objective=wanted, reproduce=[command])


def comparison_of(project: Project, round_name: str, objective: str | None, complexity: str = "some") -> Comparison:
    """The verdict, or why there is none, and the configurations that ran several times."""
    evidence = project.evidence(round_name)
    wanted = revised(evidence.round.objective, objective)
    baseline, verdict, arms, document, why_not = None, None, None, None, ""
    try:
        baseline = baseline_for(project.store, project.launches(), evidence, wanted)
        arms = Arms.of(evidence, wanted)
        verdict = project.decide(round_name, objective=objective, complexity=complexity)
        second = against_second(arms, verdict, earlier_spread(project.store, evidence))
        own = {trial.name for trial in evidence}
        is_elsewhere = baseline is not None and verdict.baseline is not None and verdict.baseline.trial not in own
        place = baseline.round if baseline is not None and is_elsewhere else None
        document = verdict_document(verdict, wanted.metric, second, place)
    except InputError as error:
        why_not = str(error)
    return Comparison(
        verdict=verdict,
        document=document,
        repeats=tuple(repeats(arms, verdict, baseline, wanted.sign)) if arms else (),
        why_not=why_not,
    )


def proposal_of(project: Project, round_name: str, objective: str | None, name: str = "") -> Proposal:
    """The design of the next round."""
    proposed = project.next_round(round_name, name=name, objective=objective)
    return Proposal(
        design=design_text(proposed),
        changes=tuple({"key": ".".join(one.key), "text": one.text, "source": one.source} for one in proposed.changes),
        first=tuple(proposed.first),
        left=tuple(proposed.left),
    )


class Desk(Project):
    """A project that keeps the round it was asked for last, while the store says that nothing changed."""

    _known: tuple[tuple[str, str], Evidence] | None = None

    def evidence(self, round_name: str, *, metrics: Collection[str] | None = None) -> Evidence:
        """As of ``Project``."""
        if metrics is not None:
            return super().evidence(round_name, metrics=metrics)
        name = self.store.resolve(str(round_name))
        key = (name, self.store.version(name))
        if self._known is None or self._known[0] != key:
            self._known = None
            self._known = (key, super().evidence(name))
        return self._known[1]


def main() -> None:
    """The child: tasks as JSON come in, pickled answers go out, until none has come for a while."""
    os.nice(KINDNESS)
    answers = keep_own_output()
    desk: Desk | None = None
    while select.select([sys.stdin.buffer], [], [], IDLE)[0]:
        asked = read_message(sys.stdin.buffer)
        if asked is None:
            break
        task = json.loads(asked)
        if desk is None or (str(desk.root), desk.store_url) != (task["root"], task["store"]):
            desk = Desk(Path(task["root"]), task["store"])
        write_message(answers, pickle.dumps(_done(desk, task)))
    if desk is not None:
        desk.close()


def _done(desk: Desk, task: dict[str, Any]) -> Any:
    try:
        return function_of(task["job"])(desk, task["round"], task["objective"], **task["more"])
    except TunebookError as error:
        return error
    except Exception as error:  # the edge of a process: whatever it was, the page shows its words
        traceback.print_exc()
        return TunebookError(f"this could not be worked out: {type(error).__name__}: {error}")

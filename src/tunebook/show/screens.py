"""What each command shows a person: one function a command, built from the tables and views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from tunebook.bridges.imported import Imported
from tunebook.core.finding import Severity
from tunebook.core.round import Round
from tunebook.learn.analyse import Analysis
from tunebook.learn.curve_report import CurveReport
from tunebook.plan.budget import Cost, StudyPlan
from tunebook.plan.summary import PlanSummary
from tunebook.show.data.studies import study_summaries
from tunebook.show.data.table import trial_table
from tunebook.show.notebook import Summary
from tunebook.show.sheet import SheetRow
from tunebook.show.tables import duration, table, value_text
from tunebook.show.terminal import diagnosis_table, findings_view, studies_view

#: How many skipped trials an import lists; the rest is counted.
MOST_SKIPPED = 20
#: How many failures are told after a run.
MOST_FAILURES = 5


def plan(summary: PlanSummary, design: Round) -> RenderableType:
    """The plan of a round: roles, studies, what the budget buys, time and cost, then what the linter says."""
    studies = table("", ["study", "trials", "dimensions", *_chance_heads(summary.studies), "too little for"])
    for study in summary.studies:
        chances = [f"{chance:.0%}" for _, chance in study.chances]
        starved = ", ".join(str(want) for want in study.starves) or "–"
        studies.add_row(study.study.name, f"{study.n_trials}", f"{study.n_dimensions}", *chances, starved)
    heading = f"{summary.n_trials} trials of {summary.max_train_steps} steps by {summary.algorithm}"
    return Group(
        Text(summary.goal, style="bold"),
        roles(design),
        Text(heading),
        studies,
        Text(_cost(summary.cost)),
        Text(),
        _told(summary),
    )


def roles(design: Round) -> Text:
    """The three roles as a sentence each; a role nobody has is left out."""
    lines = []
    for role, space in (("scientific", design.scientific), ("nuisance", design.nuisance), ("fixed", design.fixed)):
        said = "; ".join(f"{item.label} = {item.domain.describe()}" for item in space)
        if said:
            lines.append(f"{role}: {said}")
    return Text("\n".join(lines))


def analysis(found: Analysis) -> RenderableType:
    """Studies with their best trials, then the findings."""
    return Group(
        studies_view(
            study_summaries(trial_table(found.view.evidence, found.view.objective)), found.view.objective.metric
        ),
        findings_view(found.findings),
    )


def summary_of(found: Analysis) -> Summary:
    """The same for a notebook."""
    evidence, objective = found.view.evidence, found.view.objective
    return Summary(
        title=evidence.name,
        metric=objective.metric,
        findings=found.findings,
        studies=tuple(study_summaries(trial_table(evidence, objective))),
    )


def curves(report: CurveReport) -> RenderableType:
    """The diagnosis of every trial, and the unit it was made with."""
    unit = (
        f"A change of {report.metric} by less than {report.unit.value:.4g} does not count (from {report.unit.source})."
        if report.unit.value
        else f"Nothing tells which change of {report.metric} counts."
    )
    return Group(diagnosis_table([diagnosis.to_mapping() for diagnosis in report.trials]), Text(unit, style="dim"))


def imported(report: Imported) -> RenderableType:
    """What came in and what was left out."""
    lines = [Text(f"{report.n_trials} trials in {len(report.rounds)} rounds")]
    lines += [Text(f"  {item.name}: {len(item.trials)} trials") for item in report.rounds]
    lines += [Text(f"left out {trial}: {why}", style="yellow") for trial, why in report.skipped[:MOST_SKIPPED]]
    if len(report.skipped) > MOST_SKIPPED:
        lines.append(Text(f"and {len(report.skipped) - MOST_SKIPPED} more", style="yellow"))
    return Group(*lines)


def sheet(rows: Sequence[SheetRow]) -> RenderableType:
    """The tracking sheet on a terminal; the files have every column."""
    made = table("", ["round", "study", "trials", "infeasible", "failed", "metric", "best", "at step", "design"])
    for row in rows:
        best = value_text(row.best_value)
        cells = (row.trials, row.infeasible, row.failed, row.metric, best, value_text(row.best_step), row.design)
        made.add_row(row.round, row.study, *(str(cell) for cell in cells))
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A trial that failed, why, and the file with what it printed."""

    trial: str
    cause: str
    detail: str
    output: str


def failures(found: Sequence[Failure]) -> RenderableType:
    """The trials that failed, with the last line of their tracebacks, and how to try them again."""
    if not found:
        return Group()
    lines = [
        Text(f"{one.trial} failed ({one.cause}): {(one.detail.strip().splitlines() or ['no detail'])[-1]}", style="red")
        for one in found[:MOST_FAILURES]
    ]
    if len(found) > MOST_FAILURES:
        lines.append(Text(f"and {len(found) - MOST_FAILURES} more", style="red"))
    lines.append(Text(f"What the first of them printed is in {found[0].output}"))
    return Group(*lines, Text("Mend the cause and run the same command with --retry-failed."))


def _told(summary: PlanSummary) -> RenderableType:
    """The linter's findings; caveats as plain lines, because every round has some."""
    caveats = [Text(f"caveat: {caveat}", style="dim") for caveat in summary.caveats]
    others = [finding for finding in summary.findings if finding.code != "caveat"]
    if not others:
        return Group(*caveats, Text("The linter has nothing against this design.", style="green"))
    counted = sum(finding.severity is not Severity.NOTE for finding in others)
    return Group(*caveats, findings_view(others), Text(f"{counted} to look at before running", style="dim"))


def _chance_heads(studies: Sequence[StudyPlan]) -> list[str]:
    return [f"a hit in the best {share:.0%}" for share, _ in (studies[0].chances if studies else ())]


def _cost(cost: Cost) -> str:
    if cost.seconds is None:
        return "Time: unknown before a trial of this pipeline has run; [run] seconds_per_step gives an estimate."
    money = f", cost {cost.cost:.4g}" if cost.cost is not None else ""
    workers = f"{cost.workers} worker" + ("s" if cost.workers > 1 else "")
    return f"Time: about {duration(cost.seconds)} on {workers}{money}"

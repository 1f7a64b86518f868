"""Tables for the terminal: configurations, status, best trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tunebook.core.config import Config, Value, spelled
from tunebook.core.outcome import Status
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.evidence import Evidence, ranking

#: How many of a study's trials the table of the best shows.
N_BEST = 3
#: Statuses in the order people think of them, with the style of their count when it is not zero.
STATUS_STYLES = {
    Status.COMPLETE: "green",
    Status.INFEASIBLE: "yellow",
    Status.FAILED: "red",
    Status.RUNNING: "cyan",
    Status.PENDING: "dim",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStatus:
    """How far a round is; ``seconds_left`` is None while nothing can be said about it."""

    round: str
    counts: dict[Status, int]
    origin: str
    seconds_left: float | None = None

    @property
    def n_results(self) -> int:
        """How many trials ended in a way that says something."""
        return self.counts.get(Status.COMPLETE, 0) + self.counts.get(Status.INFEASIBLE, 0)

    @property
    def has_only_failed(self) -> bool:
        """Whether every trial failed, so that nothing was learned."""
        return 0 < self.counts.get(Status.FAILED, 0) == sum(self.counts.values())

    def to_mapping(self) -> dict[str, Any]:
        """One entry of ``status --json``."""
        return {
            "round": self.round,
            "origin": self.origin,
            "trials": {str(status): self.counts.get(status, 0) for status in Status},
            "seconds_left": self.seconds_left,
        }


def table(title: str, columns: Iterable[str]) -> Table:
    """An empty table in the house style: no box around it, headings quiet."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, header_style="dim", overflow="fold")
    return made


def value_text(value: Value | None) -> str:
    """A hyperparameter's value in at most six digits; a dash where it does not exist."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return spelled(value)


def duration(seconds: float | None) -> str:
    """Seconds in the unit people would use."""
    if seconds is None:
        return "unknown"
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def configurations(specs: Sequence[TrialSpec]) -> Table:
    """What would be run, a row a trial."""
    names = _names(spec.config for spec in specs)
    made = table(f"{len(specs)} configurations", ["study", *names])
    for spec in specs:
        made.add_row(spec.study, *(value_text(spec.config.get(name)) for name in names))
    return made


def statuses(rounds: Iterable[RoundStatus]) -> Table:
    """How far each round is."""
    made = table("", ["round", *(str(status) for status in STATUS_STYLES), "time left"])
    for entry in rounds:
        counts = [(entry.counts.get(status, 0), style) for status, style in STATUS_STYLES.items()]
        cells = [Text(str(count), style=style if count else "dim") for count, style in counts]
        is_open = entry.counts.get(Status.PENDING, 0) + entry.counts.get(Status.RUNNING, 0) > 0
        made.add_row(entry.round, *cells, duration(entry.seconds_left) if is_open else "done")
    return made


def best_trials(evidence: Evidence) -> Group:
    """The best trials of every study, by the round's objective, and what did not end well."""
    objective = evidence.round.objective
    settled = {name for study in evidence.studies for name in study.setting}  # the study's name has them
    names = [name for name in dict.fromkeys(item.name for item in evidence.round.searched) if name not in settled]
    made = table(
        f"Best trials by {objective.metric} ({objective.direction}, {objective.reduction})",
        ["study", "", objective.metric, "at step", *names, "trial"],
    )
    scores = evidence.scores()
    order = ranking(scores, objective)
    for study in evidence.studies:
        own = [
            i
            for i in order
            if evidence.trials[i].study == study.name and evidence.trials[i].purpose is TrialPurpose.SEARCH
        ]
        for place, i in enumerate(own[:N_BEST], start=1):
            trial = evidence.trials[i]
            values = [value_text(trial.config.get(name)) for name in names]
            heading = study.name if place == 1 else ""
            style = "bold" if place == 1 else ""
            step = str(scores.steps[i])
            made.add_row(heading, str(place), f"{scores.values[i]:.6g}", step, *values, trial.name, style=style)
    return Group(made, "", *_endings(evidence))


def _endings(evidence: Evidence) -> list[Text]:
    """A line a study: how its trials ended."""
    lines = []
    for study in evidence.studies:
        own = [trial for trial in evidence.trials if trial.study == study.name]
        line = Text(f"{study.name}: {len(own)} trials")
        for status, style in STATUS_STYLES.items():
            count = sum(trial.status is status for trial in own)
            if count:
                line.append(f", {count} {status}", style=style)
        causes = sorted({str(trial.cause) for trial in own if trial.cause is not None})
        if causes:
            line.append(f" ({', '.join(causes)})", style="dim")
        lines.append(line)
    return lines


def _names(configs: Iterable[Config]) -> list[str]:
    return list(dict.fromkeys(name for config in configs for name in config))

"""Live progress of a round: a few lines that renew themselves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from tunebook.cli.output import Output
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.run.events import Event, OnEvent, Progress, TrialEnded, TrialStarted, Warned
from tunebook.run.schedule import n_done
from tunebook.show.tables import STATUS_STYLES, duration

#: Without a terminal, a line this often.
LINE_SECONDS = 5.0
#: How many of the trials that ended last stay on screen.
N_RECENT = 3
#: Trials that failed in the same way get a line each up to this many.
N_ALIKE = 3


@contextmanager
def following(output: Output, design: Round) -> Iterator[OnEvent]:
    """A callback for a run's events that shows them for the length of the block."""
    if output.console.is_terminal:
        with Live(console=output.console, refresh_per_second=4, transient=True) as live:
            yield Screen(design, live.update)
    else:
        lines = Lines(design, output.console)
        yield lines
        lines.finish()


class Screen:
    """The newest state of the round as a few lines."""

    def __init__(self, design: Round, update: Callable[[Group], object]) -> None:
        self._design = design
        self._update = update
        self._progress: Progress | None = None
        self._recent: list[Text] = []
        self._warnings: list[Text] = []

    def __call__(self, event: Event) -> None:
        """Take in one event and draw."""
        if isinstance(event, Progress):
            self._progress = event
        elif isinstance(event, TrialEnded):
            self._recent = [*self._recent, ended(event, self._design)][-N_RECENT:]
        elif isinstance(event, Warned):
            self._warnings = [*self._warnings, Text(f"{event.trial}: {event.message}", style="yellow")][-N_RECENT:]
        self._update(self._drawn())

    def _drawn(self) -> Group:
        if self._progress is None:
            return Group(Text("starting …", style="dim"))
        counts = self._progress.counts
        bar = ProgressBar(total=max(sum(counts.values()), 1), completed=n_done(counts), width=40)
        return Group(bar, state(self._progress, self._design), *self._recent, *self._warnings)


class Lines:
    """Plain lines for a log file: how the round stands every few seconds, and what went wrong at once."""

    def __init__(self, design: Round, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._design = design
        self._console = console
        self._clock = clock
        self._last_line = clock()
        self._progress: Progress | None = None
        self._failures: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        if isinstance(event, Warned):
            self._console.print(f"{event.trial}: {event.message}", style="yellow")
        elif isinstance(event, TrialEnded) and _went_wrong(event):
            self._tell(event)
        elif isinstance(event, Progress):
            self._progress = event
            if self._clock() - self._last_line >= LINE_SECONDS:
                self._last_line = self._clock()
                self._console.print(state(event, self._design))
        else:
            assert isinstance(event, TrialStarted | TrialEnded)

    def _tell(self, event: TrialEnded) -> None:
        """A line for a trial that went wrong, unless some went wrong in the same way before."""
        detail = event.outcome.detail.strip() if event.outcome is not None else ""
        way = detail.splitlines()[-1] if detail else event.trial
        self._failures[way] += 1
        if self._failures[way] <= N_ALIKE:
            self._console.print(ended(event, self._design))
        if self._failures[way] == N_ALIKE:
            self._console.print("further trials that fail like this are only counted", style="dim")

    def finish(self) -> None:
        """The last state, whenever the last line was."""
        if self._progress is not None:
            self._console.print(state(self._progress, self._design))


def state(progress: Progress, design: Round) -> Text:
    """One line: trials done, how they ended, the best so far, the time left."""
    counts = progress.counts
    line = Text(f"{n_done(counts)} of {sum(counts.values())} trials done")
    for status in (Status.INFEASIBLE, Status.FAILED, Status.RUNNING):
        if counts.get(status):
            line.append(f", {counts[status]} {status}", style=STATUS_STYLES[status])
    if progress.best is not None:
        line.append(f"; best {design.objective.metric} {progress.best.value:.6g} ({progress.best.study})")
    if progress.eta_seconds is not None and n_done(counts) < sum(counts.values()):
        line.append(f"; about {duration(progress.eta_seconds)} left", style="dim")
    return line


def ended(event: TrialEnded, design: Round) -> Text:
    """One line about a trial that ended."""
    line = Text(f"{event.trial} ({event.study}) ")
    if event.outcome is None:
        return line.append(f"{event.released}, will be started again", style="yellow")
    line.append(str(event.outcome.status), style=STATUS_STYLES[event.outcome.status])
    if event.value is not None:
        line.append(f" {design.objective.metric} {event.value:.6g}")
    if event.outcome.cause is not None:
        line.append(f": {event.outcome.cause}")
        said = event.outcome.detail.strip().splitlines()
        if said:
            line.append(f" ({said[-1][:160]})", style="dim")
    return line.append(f" after {duration(event.seconds)}", style="dim")


def _went_wrong(event: TrialEnded) -> bool:
    return event.outcome is None or event.outcome.status is Status.FAILED

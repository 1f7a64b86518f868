"""What the page shows of a project, each thing computed once for every version of its round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tunebook.core.verdict import Verdict
from tunebook.decide.arms import Arms
from tunebook.decide.baseline import Baseline
from tunebook.errors import InputError
from tunebook.evidence import Curves, Evidence
from tunebook.project import Project, revised
from tunebook.show.data.curves import curves_data
from tunebook.show.data.page import PlotData, plot_data
from tunebook.show.draw.axes import axis_drawing
from tunebook.show.draw.curves import curves_drawing
from tunebook.show.draw.drawing import Drawing
from tunebook.show.draw.page import Chapter, chapters
from tunebook.web.analyst import Analyst, Diagnoses, Findings
from tunebook.web.cache import Cache, Kept

#: How long, in seconds, an answer about the version of a round serves all that ask: one query a second.
FRESH = 0.8
#: Rounds kept in memory as evidence, and pictures of them: one is looked at, one is compared with.
EVIDENCES, PICTURES, ANSWERS = 2, 4, 32
#: While a round runs, the checks may take one share in this many of the machine.
REST = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One round under one objective, ready to be drawn."""

    evidence: Evidence
    data: PlotData
    _made: dict[str, bytes] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What ``make`` returns, made at the first call with this ``key``."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def chapters(self) -> tuple[Chapter, ...]:
        """All drawings, in the order of the report."""
        return chapters(self.data)

    @cached_property
    def drawings(self) -> Mapping[str, Drawing]:
        """The same by id."""
        return {drawing.id: drawing for chapter in self.chapters for drawing in chapter.drawings}

    def marked(self, findings: Findings) -> tuple[Drawing, ...]:
        """The axis plots with what findings say about places on them, those of derived quantities behind."""
        axes = (*self.data.axes, *findings.derived)
        return tuple(axis_drawing(self.data.table, axis, number, findings.marks) for number, axis in enumerate(axes))

    def window(self, name: str, low: float, high: float) -> Drawing:
        """Curves between two steps in as many points as a plot can show; ``InputError`` for another drawing."""
        number = name.removeprefix("curves-")
        if name == "grad-norm" and self.data.grad_norm:
            metric = self.data.grad_norm.history.metric
        elif name.startswith("curves-") and number.isdecimal() and int(number) < len(self.data.curves):
            metric = self.data.curves[int(number)].metric
        else:
            raise InputError(f"there are no curves {name!r} in this round")
        inside = {one: windowed(curves, low, high) for one, curves in self.evidence.curves.items()}
        shown = curves_data(replace(self.evidence, curves=inside), self.data.table, metric)
        if shown is None:
            raise InputError(f"nothing was logged between step {low:g} and step {high:g}")
        return curves_drawing(self.data.table, shown, name)


class Reader:
    """Reads a project for the page; safe to share between threads."""

    def __init__(self, project: Project, analyst: Analyst, clock: Callable[[], float] = time.monotonic) -> None:
        self.project = project
        self._analyst = analyst
        self._clock = clock
        self._versions: dict[str | None, tuple[float, str]] = {}
        self._evidences, self._pictures = Cache(EVIDENCES, clock), Cache(PICTURES, clock)
        self._answers = Cache(ANSWERS, clock)

    def version(self, name: str | None = None) -> str:
        """A text that changes whenever the round (or anything) does; ``InputError`` for an unknown round."""
        at, known = self._versions.get(name, (-np.inf, ""))
        if self._clock() - at >= FRESH:
            known = self.project.store.version(name)
            if not known:
                self.project.store.resolve(name or "")
            self._versions[name] = (self._clock(), known)
        return known

    def changed(self) -> None:
        """Something was written by this process: ask the store again at once."""
        self._versions.clear()

    def evidence(self, name: str) -> Evidence:
        """The snapshot of a round."""
        return self._evidences.get(name, self.version(name), lambda: self.project.evidence(name)).value

    def picture(self, name: str, objective: str | None) -> Kept[Picture]:
        """All plots of a round."""
        return self._pictures.get((name, objective), self.version(name), lambda: self._picture(name, objective))

    def findings(self, name: str, objective: str | None) -> Kept[Findings]:
        """What the checks say; while a round runs this may be some trials behind."""
        return self._asked("findings", name, objective)

    def diagnoses(self, name: str, objective: str | None) -> Kept[Diagnoses]:
        """What every trial's curves show."""
        return self._asked("diagnoses", name, objective)

    def report(self, name: str, objective: str | None) -> str:
        """The printable report of a round."""
        return str(self._asked("report", name, objective).value)

    def verdict(self, name: str, objective: str | None, complexity: str) -> Verdict:
        """The answers to the two questions of a round; ``InputError`` says why there is none."""
        key = ("verdict", name, objective, complexity)
        version = f"{self.version(name)}/{self.version()}"
        kept = self._answers.get(key, version, lambda: self._verdict(name, objective, complexity))
        if isinstance(kept.value, InputError):
            raise kept.value
        return kept.value

    def arms(self, name: str, objective: str | None) -> Arms:
        """The configurations of a round with their runs."""
        evidence = self.evidence(name)
        return Arms.of(evidence, revised(evidence.round.objective, objective))

    def baseline(self) -> Baseline | None:
        """The launch in force with its runs."""
        return self._answers.get("baseline", self.version(), self.project.baseline).value

    def _picture(self, name: str, objective: str | None) -> Picture:
        evidence = self.evidence(name)
        wanted = revised(evidence.round.objective, objective)
        if wanted.metric not in evidence.curves and wanted.metric != evidence.round.objective.metric:
            known = ", ".join(evidence.metrics) or "none"
            raise InputError(f"no trial logged the metric {wanted.metric!r}; there are: {known}")
        return Picture(evidence=evidence, data=plot_data(evidence, wanted))

    def _asked(self, job: str, name: str, objective: str | None) -> Kept[Any]:
        evidence = self.evidence(name)
        revised(evidence.round.objective, objective)  # refused before a process is started for it
        runs = any(not trial.status.is_final for trial in evidence.trials)
        return self._answers.get(
            (job, name, objective),
            self.version(name),
            lambda: self._analyst(job, self.project, name, objective),
            rest=REST if runs else 0.0,
        )

    def _verdict(self, name: str, objective: str | None, complexity: str) -> Verdict | InputError:
        try:
            return self.project.decide(name, objective=objective, complexity=complexity)
        except InputError as error:
            return error


def windowed(curves: Curves, low: float, high: float) -> Curves:
    """The points between two steps, and of every curve the neighbour on either side so that lines reach the edge."""
    owner = np.repeat(np.arange(len(curves)), np.diff(curves.offsets))
    inside = (curves.steps >= low) & (curves.steps <= high)
    same = owner[1:] == owner[:-1]
    keep = inside.copy()
    keep[1:] |= inside[:-1] & same
    keep[:-1] |= inside[1:] & same
    offsets = np.zeros(len(curves) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner[keep], minlength=len(curves)), out=offsets[1:])
    return Curves(offsets, curves.steps[keep], curves.values[keep])

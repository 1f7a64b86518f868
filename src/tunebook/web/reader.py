"""What the page shows of a project, each thing computed once for every version of its round.

Only what a plot needs is read and kept: a round of 10,000 trials has curves of many metrics, and the page
shows one of them at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from tunebook.core.config import Config
from tunebook.core.launch import current_launch
from tunebook.core.objective import Objective, revised
from tunebook.core.verdict import Verdict
from tunebook.errors import InputError
from tunebook.evidence import Curves, Evidence, IntArray
from tunebook.project import Project
from tunebook.show.data.curves import CurvesData, curves_data, train_twin
from tunebook.show.data.histograms import GRAD_NORM, grad_norm_data
from tunebook.show.data.page import TRAIN_LOSS, PlotData, plot_data
from tunebook.show.draw.axes import axis_drawing
from tunebook.show.draw.boxes import grad_norm_drawings
from tunebook.show.draw.curves import curves_drawing, curves_title
from tunebook.show.draw.drawing import Drawing
from tunebook.show.draw.page import CURVES_CHAPTER, NORMS_CHAPTER, Chapter, chapters
from tunebook.web.analyst import Analyst, Comparison, Diagnoses, Findings, Proposal
from tunebook.web.cache import Cache, Kept
from tunebook.web.memory import give_back

#: How long, in seconds, an answer about the version of a round serves all that ask: one query a second.
FRESH = 0.8
#: Pictures of rounds kept in memory (one is looked at, one is compared with), curves for zooming, answers.
PICTURES, CURVES, ANSWERS = 3, 1, 32
#: While a round runs, the checks may take one share in this many of the machine.
REST = 10.0
NORMS, NORMS_HISTOGRAM = "grad-norm", "grad-norm-histogram"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A drawing, and whose the lines behind its best trials are, in their order (None: not lines of trials)."""

    drawing: Drawing
    owners: IntArray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One round under one objective, ready to be drawn. ``evidence`` has no curves: they are read when needed."""

    evidence: Evidence
    metrics: tuple[str, ...]
    data: PlotData
    curves: Callable[[tuple[str, ...]], Mapping[str, Curves]]
    _made: dict[str, bytes] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What ``make`` returns, made at the first call with this ``key``."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def chapters(self) -> tuple[Chapter, ...]:
        """All drawings, in the order of the report; those in ``later`` empty."""
        found = {chapter.title: list(chapter.drawings) for chapter in chapters(self.data)}
        for title, drawing in self._awaited():
            found.setdefault(title, []).append(drawing)
        return tuple(Chapter(title, tuple(drawings)) for title, drawings in found.items())

    def _awaited(self) -> list[tuple[str, Drawing]]:
        """Chapter and empty frame of what is drawn from curves of its own, when somebody comes near to it."""
        found = []
        if (number := self._loss_number) is not None:
            found.append((CURVES_CHAPTER, _frame(f"curves-{number}", curves_title(TRAIN_LOSS), 460)))
        if GRAD_NORM in self.metrics:
            found.append((NORMS_CHAPTER, _frame(NORMS, curves_title(GRAD_NORM), 460)))
            found.append((NORMS_CHAPTER, _frame(NORMS_HISTOGRAM, "Gradient norms of the best trial", 320)))
        return found

    @property
    def _loss_number(self) -> int | None:
        """The number of the plot of the training loss; None when it was not logged or is shown anyway."""
        is_shown = TRAIN_LOSS not in self.metrics or self.data.table.objective.metric == TRAIN_LOSS
        return None if is_shown else len(self.data.curves)

    @cached_property
    def drawings(self) -> Mapping[str, Drawing]:
        """The same by id."""
        return {drawing.id: drawing for chapter in self.chapters for drawing in chapter.drawings}

    @cached_property
    def later(self) -> frozenset[str]:
        """Drawings that have to be asked for one by one."""
        return frozenset(drawing.id for _, drawing in self._awaited())

    def marked(self, findings: Findings) -> tuple[Drawing, ...]:
        """The axis plots with what findings say about places on them, those of derived quantities behind."""
        axes = (*self.data.axes, *findings.derived)
        return tuple(axis_drawing(self.data.table, axis, number, findings.marks) for number, axis in enumerate(axes))

    def shown(self, name: str) -> Shown:
        """One drawing of the first screen with the trials of its lines."""
        owners: IntArray | None = None
        if name == "parallel" and self.data.parallel:
            owners = self.data.parallel.trials[: len(self.data.parallel.trials) - self.data.parallel.n_best]
        elif name.startswith("curves-"):
            owners = self.data.curves[int(name.removeprefix("curves-"))].trials
        return Shown(drawing=self.drawings[name], owners=owners)

    def late(self, name: str) -> Shown | None:
        """One of the drawings in ``later``; None when its curves have nothing to show after all."""
        table = self.data.table
        if name in (NORMS, NORMS_HISTOGRAM):
            found = grad_norm_data(self._evidence(GRAD_NORM), table)
            if found is None:
                return None
            drawn = {drawing.id: drawing for drawing in grad_norm_drawings(table, found)}
            owners = found.history.trials if name == NORMS else None
            return Shown(drawing=drawn[name], owners=owners) if name in drawn else None
        return self._curves_shown(curves_data(self._evidence(TRAIN_LOSS), table, TRAIN_LOSS), name)

    def window(self, name: str, low: float, high: float) -> Shown:
        """Curves between two steps in as many points as a plot can show; ``InputError`` for another drawing."""
        metric = self._metric_of(name)
        whole = self._evidence(metric)
        inside = {one: windowed(curves, low, high) for one, curves in whole.curves.items()}
        found = self._curves_shown(curves_data(replace(whole, curves=inside), self.data.table, metric), name)
        if found is None:
            raise InputError(f"nothing was logged between step {low:g} and step {high:g}")
        return found

    def _metric_of(self, name: str) -> str:
        number = name.removeprefix("curves-")
        if name == NORMS and name in self.later:
            return GRAD_NORM
        if name.startswith("curves-") and number.isdecimal():
            if int(number) < len(self.data.curves):
                return self.data.curves[int(number)].metric
            if int(number) == self._loss_number:
                return TRAIN_LOSS
        raise InputError(f"there are no curves {name!r} in this round")

    def _curves_shown(self, data: CurvesData | None, name: str) -> Shown | None:
        return Shown(drawing=curves_drawing(self.data.table, data, name), owners=data.trials) if data else None

    def _evidence(self, metric: str) -> Evidence:
        """The round with the curves of ``metric`` and of its twin in training."""
        return replace(self.evidence, curves=self.curves(with_twin(metric, self.metrics)))


def _frame(name: str, title: str, height: int) -> Drawing:
    is_wide = name != NORMS_HISTOGRAM
    return Drawing(id=name, title=title, caption="", traces=(), layout={}, height=height, is_wide=is_wide)


def with_twin(metric: str, metrics: tuple[str, ...]) -> tuple[str, ...]:
    """``metric`` and, where it was logged, the same quantity in training."""
    twin = train_twin(metric, metrics)
    return (metric,) if twin is None else (metric, twin)


class Reader:
    """Reads a project for the page; safe to share between threads."""

    def __init__(self, project: Project, analyst: Analyst, clock: Callable[[], float] = time.monotonic) -> None:
        self.project = project
        self._analyst = analyst
        self._clock = clock
        self._versions: dict[str | None, tuple[float, str]] = {}
        self._pictures, self._curves = Cache(PICTURES, clock), Cache(CURVES, clock)
        self._answers = Cache(ANSWERS, clock)
        #: Whoever draws curves holds all of them for a moment: one at a time, which costs no time with one interpreter.
        self.curves_drawn = Lock()

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

    def picture(self, name: str, objective: str | None) -> Kept[Picture]:
        """All plots of a round."""
        return self._pictures.get((name, objective), self.version(name), lambda: self._picture(name, objective))

    def trial(self, name: str, trial: str) -> Evidence:
        """One trial of a round with all its curves."""
        return self.project.store.snapshot(name, trial=trial)

    def findings(self, name: str, objective: str | None) -> Kept[Findings]:
        """What the checks say; while a round runs this may be some trials behind."""
        return self._asked("findings", name, objective)

    def diagnoses(self, name: str, objective: str | None) -> Kept[Diagnoses]:
        """What every trial's curves show; while a round runs this may be some trials behind."""
        return self._asked("diagnoses", name, objective)

    def report(self, name: str, objective: str | None) -> str:
        """The printable report of a round."""
        return str(self._asked("report", name, objective).value)

    def comparison(self, name: str, objective: str | None, complexity: str) -> Comparison:
        """The answers to the two questions of a round; while it runs they may be some trials behind."""
        found: Kept[Comparison] = self._asked("comparison", name, objective, self._whole(name), complexity=complexity)
        return found.value

    def verdict(self, name: str, objective: str | None, complexity: str) -> Verdict:
        """The verdict on all there is at this moment, to act on; ``InputError`` says why there is none."""
        version = self._whole(name)
        found: Kept[Comparison] = self._asked("comparison", name, objective, version, complexity=complexity)
        if found.version != version:
            found = self._answers.get(
                ("comparison", name, objective, complexity),
                version,
                lambda: self._analyst("comparison", self.project, name, objective, complexity=complexity),
            )
        if found.value.verdict is None:
            raise InputError(found.value.why_not)
        return found.value.verdict

    def proposal(self, name: str, objective: str | None, title: str = "") -> Proposal:
        """The design of the next round, named ``title``."""
        found: Proposal = self._analyst("proposal", self.project, name, objective, name=title)
        return found

    def baseline_config(self) -> Config | None:
        """The configuration of the launch in force."""
        launch = current_launch(self.project.launches())
        return launch.config if launch else None

    def _whole(self, name: str) -> str:
        """The version of a round and of all else a comparison looks at: the ledger, repetitions, earlier rounds."""
        return f"{self.version(name)}/{self.version()}"

    def _picture(self, name: str, objective: str | None) -> Picture:
        store = self.project.store
        design = store.design(name)
        wanted = revised(design.objective, objective)
        metrics = store.metrics(name)
        if wanted.metric not in metrics and wanted.metric != design.objective.metric:
            raise InputError(f"no trial logged the metric {wanted.metric!r}; there are: {', '.join(metrics) or 'none'}")
        made = self._drawn(name, wanted, metrics)
        give_back()
        return made

    def _drawn(self, name: str, wanted: Objective, metrics: tuple[str, ...]) -> Picture:
        evidence = self.project.evidence(name, metrics=with_twin(wanted.metric, metrics))
        bare = replace(evidence, curves={})
        names = tuple(trial.name for trial in evidence.trials)
        return Picture(
            evidence=bare,
            metrics=metrics,
            data=plot_data(evidence, wanted),
            curves=lambda chosen: self._curves_of(name, names, chosen),
        )

    def _curves_of(self, name: str, names: tuple[str, ...], metrics: tuple[str, ...]) -> Mapping[str, Curves]:
        """The curves of the trials called ``names``, in their order, as the store has them now."""
        kept = self._curves.get((name, metrics), self.version(name), lambda: self.project.store.curves(name, metrics))
        known, curves = kept.value
        return curves if known == names else {metric: reordered(one, known, names) for metric, one in curves.items()}

    def _asked(self, job: str, name: str, objective: str | None, version: str | None = None, **more: str) -> Kept[Any]:
        # Refused before a process is started for it.
        revised(self.project.store.design(name).objective, objective)
        runs = any(count for status, count in self.project.store.counts(name).items() if not status.is_final)
        return self._answers.get(
            (job, name, objective, *more.values()),
            version or self.version(name),
            lambda: self._analyst(job, self.project, name, objective, **more),
            rest=REST if runs else 0.0,
        )


def reordered(curves: Curves, known: tuple[str, ...], names: tuple[str, ...]) -> Curves:
    """Curves of the trials ``known`` as those of ``names``; a trial that is not known has none."""
    place = {name: number for number, name in enumerate(known)}
    empty = ((), ())
    return Curves.pack([curves[place[name]] if name in place else empty for name in names])


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

"""What every trial's curves show: eight labels, each with a score and what was measured (L6)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Status
from tunebook.evidence import Evidence
from tunebook.learn.curve_inputs import CurveReader, Points, TrialCurves
from tunebook.learn.material import material, scores_of_all
from tunebook.stats import curve_gain, curve_period, curve_rise, curve_ruin, curve_scatter, curve_spike
from tunebook.stats.curve_mark import UNKNOWN, Mark, any_of
from tunebook.stats.curve_smooth import finite

LABELS = (
    "diverged",
    "overfitting",
    "still_improving",
    "saturated_early",
    "late_variance",
    "loss_spike",
    "train_loss_rising",
    "periodic_validation",
)
#: The two readings of overfitting, of which the stronger one gives the label.
OVERFIT_PRIMARY, OVERFIT_LOSS = "overfit_primary", "overfit_loss"
#: A label is given from this score on.
GIVEN = 0.5
#: An evaluation this early in the run is that of an untrained model.
UNTRAINED = 0.02
#: A run that never gets this share of the way from the untrained model to the best run is at chance.
LEARNED_SHARE = 0.15
#: Nobody evaluates at every fifth step, or twice as often for training as for validation: such a loss is a batch's.
DENSE = 0.2
MORE_OFTEN = 2
#: A metric that gives back this share of its gain is lost.
LOST_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveDiagnosis:
    """The labels of one trial. Scores have an entry per label, measures also the two kinds of overfitting.

    ``best_step`` is where the objective's metric is best, None where it is never finite; ``labels``
    are those with a score of at least 0.5, in the order of ``LABELS``. ``last_step`` is -1 without curves.
    """

    trial: str
    study: str
    scores: Mapping[str, float]
    best_step: int | None
    last_step: int
    measures: Mapping[str, Mark] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are given."""
        return tuple(label for label in LABELS if self.scores[label] >= GIVEN)

    def to_mapping(self) -> dict[str, object]:
        """The trial as ``curves --json`` shows it."""
        return {
            "trial": self.trial,
            "study": self.study,
            "labels": list(self.labels),
            "scores": {label: shown(score) for label, score in self.scores.items()},
            "best_step": self.best_step,
            "last_step": self.last_step if self.last_step >= 0 else None,
        }


def diagnose(
    evidence: Evidence, objective: Objective | None = None, unit: float | None = None
) -> tuple[CurveDiagnosis, ...]:
    """Diagnose every trial, in the order of the evidence.

    ``unit`` is the smallest change of the objective that matters; by default what ``material`` finds. A metric that
    was not logged leaves the labels that need it at score 0.
    """
    objective = objective or evidence.round.objective
    reader = CurveReader(evidence, objective)
    curves = [reader[trial] for trial in range(len(evidence.trials))]
    scores = scores_of_all(evidence, objective)
    unit = unit or material(evidence, objective).unit
    chance, is_stated = chance_level(objective, curves), objective.chance is not None
    return tuple(
        CurveDiagnosis(
            trial=record.name,
            study=record.study,
            scores=MappingProxyType({label: measures[label].score for label in LABELS}),
            best_step=best if best >= 0 else None,
            last_step=own.last_step,
            measures=MappingProxyType(measures),
        )
        for record, own, best in zip(evidence.trials, curves, scores.steps.tolist(), strict=True)
        for measures in (marks(own, unit, chance, record.status, record.cause, is_stated),)
    )


def marks(
    curves: TrialCurves,
    unit: float,
    chance: float | None,
    status: Status = Status.COMPLETE,
    cause: Cause | None = None,
    is_stated: bool = True,
) -> dict[str, Mark]:
    """The measures of one trial, by label; ``chance`` is oriented so that lower is better.

    A stated chance level decides alone whether a run is stuck; one that was estimated does not.
    """
    x, y = curves.primary
    diverged = divergence(curves, chance, cause if status is Status.INFEASIBLE else None)
    if not is_stated:
        diverged = any_of(diverged, stuck(curves))
    intact = 1.0 - diverged.score
    primary, loss = (capped(mark, intact) for mark in overfitting(curves, unit))
    found = {
        "diverged": diverged,
        "overfitting": any_of(primary, loss),
        OVERFIT_PRIMARY: primary,
        OVERFIT_LOSS: loss,
        "still_improving": curve_gain.late_gain(x, y, unit),
        "saturated_early": capped(curve_gain.gain_of_second_half(x, y, unit), intact),
        "late_variance": capped(curve_scatter.late_scatter(x, y, unit), intact),
        "loss_spike": spikes(curves),
        "train_loss_rising": any_of(*(curve_rise.sustained_rise(*loss) for loss in curves.training)),
        "periodic_validation": curve_period.periodicity(x, y),
    }
    if status in (Status.COMPLETE, Status.INFEASIBLE):
        return found
    return found | dict.fromkeys(("still_improving", "saturated_early"), UNKNOWN)


def shown(score: float) -> float:
    """A score with four digits, never rounded up to the one from which a label is given; 0 where it overflowed."""
    return 0.0 if math.isnan(score) else math.floor(score * 10_000) / 10_000


def spikes(curves: TrialCurves) -> Mark:
    """The strongest sign of a spike in the training losses, whether evaluated or of single batches."""
    return any_of(*(curve_spike.spike(*loss, is_of_batches=is_of_batches(loss, curves)) for loss in curves.training))


def is_of_batches(loss: Points, curves: TrialCurves) -> bool:
    """Whether a training loss is that of the batch at hand: named so, or logged much more often than evaluated."""
    n_points = len(loss[0])
    is_dense = n_points > MORE_OFTEN * max(len(curves.primary[0]), 1) or n_points >= DENSE * curves.last_step
    return loss is curves.batch_loss or is_dense


def capped(mark: Mark, limit: float) -> Mark:
    """The mark with a score of at most ``limit``."""
    return replace(mark, score=min(mark.score, limit))


def divergence(curves: TrialCurves, chance: float | None, cause: Cause | None) -> Mark:
    """The strongest sign that the run is infeasible; certain when its record says that it diverged."""
    if cause in (Cause.DIVERGED, Cause.IMPORTED):
        return Mark(size=math.inf, score=1.0)
    metric = UNKNOWN if chance is None else curve_ruin.lost_metric(*curves.primary, chance)
    ends = (curve_ruin.nonfinite_end(points[1]) for points in (curves.primary, *curves.losses) if len(points[1]))
    is_lost = metric.score >= GIVEN or curve_ruin.lost_share(curves.primary[1]) >= LOST_SHARE
    explosions = (curve_ruin.explosion(*loss, is_lost) for loss in curves.training)
    return any_of(metric, *ends, *explosions)


def stuck(curves: TrialCurves) -> Mark:
    """A run that never gets better than the untrained model that its first evaluations show."""
    (x, y), (loss_x, loss) = finite(*curves.primary), finite(*curves.train_loss)
    is_untrained = len(x) > 0 and len(loss_x) > 0 and max(x[0], loss_x[0]) <= UNTRAINED
    return curve_ruin.never_learned(y, loss) if is_untrained else UNKNOWN


def overfitting(curves: TrialCurves, unit: float) -> tuple[Mark, Mark]:
    """Validation worsens while training does not: the primary metric by units, the loss by a share of itself."""
    primary = curve_rise.worsening(*curves.primary, curve_rise.WORSE_UNITS * unit, training_twin(curves))
    loss = curve_rise.worsening(
        *logarithm(curves.valid_loss), math.log1p(curve_rise.WORSE_LOSS), logarithm(curves.train_loss)
    )
    held = curve_rise.falls_or_holds(curves.train_loss, primary.first, primary.last)
    return capped(primary, held), replace(loss, size=math.expm1(loss.size))


def training_twin(curves: TrialCurves) -> Points:
    """The training curve in the unit of the primary metric: its twin, else a training loss stretched to its gain."""
    if len(curves.twin[0]):
        return curves.twin
    if not curves.training or not len(curves.primary[0]):
        return curves.twin
    x, loss = curves.training[0]
    gain, own_gain = spread(curves.primary), spread((x, loss))
    return (x, loss * (gain / own_gain)) if own_gain > 0 else (x, loss)


def spread(points: Points) -> float:
    """Between the worst and the best finite value after the start of the run."""
    x, y = finite(*points)
    later = y[x >= curve_rise.START]
    return float(np.ptp(later)) if len(later) else 0.0


def logarithm(points: Points) -> Points:
    """A positive curve in logarithms, so that differences are relative; what is not positive becomes NaN."""
    x, y = points
    usable = np.isfinite(y) & (y > 0)
    return x, np.where(usable, np.log(np.where(usable, y, 1.0)), math.nan)


def chance_level(objective: Objective, curves: Sequence[TrialCurves]) -> float | None:
    """The value, lower better, that a run has to beat: stated, else near that of the untrained models of the round."""
    if objective.chance is not None:
        return objective.sign * objective.chance
    known = [finite(*own.primary) for own in curves]
    untrained = [float(y[0]) for x, y in known if len(y) and x[0] <= UNTRAINED]
    if not untrained:
        return None
    start, best = float(np.median(untrained)), min(float(y.min()) for _, y in known if len(y))
    return start - LEARNED_SHARE * (start - best)

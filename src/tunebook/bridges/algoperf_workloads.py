"""The workloads of the AlgoPerf benchmark: metric, direction, and what is known of their scale.

``chance`` is the level that an untrained model or a constant prediction reaches, ``material`` about
twice the standard deviation of the best value over seeds: properties of the workloads, from the
benchmark's published baselines (the labels of ``docs`` use the same table).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.core.objective import Direction, Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One family of workloads; variants share all but what they state themselves."""

    metric: str
    material: float
    chance: float


WORKLOADS: Mapping[str, Workload] = {
    "criteo1tb": Workload(metric="loss", material=0.0001, chance=0.137),
    "criteo1tb_embed_init": Workload(metric="loss", material=0.0003, chance=0.137),
    "fastmri": Workload(metric="ssim", material=0.0005, chance=0.66),
    "fastmri_tanh": Workload(metric="ssim", material=0.001, chance=0.66),
    "imagenet_resnet": Workload(metric="accuracy", material=0.003, chance=0.01),
    "imagenet_vit": Workload(metric="accuracy", material=0.003, chance=0.01),
    "librispeech_conformer": Workload(metric="wer", material=0.002, chance=0.8),
    "librispeech_deepspeech": Workload(metric="wer", material=0.002, chance=0.8),
    "ogbg": Workload(metric="mean_average_precision", material=0.003, chance=0.03),
    "wmt": Workload(metric="bleu", material=0.2, chance=1.0),
    "finewebedu_lm": Workload(metric="ppl", material=0.15, chance=1000.0),
}
#: Metrics of which more is better; of all others less is.
MAXIMIZED = ("accuracy", "ssim", "bleu", "mean_average_precision")
TARGET_METRIC = "workload.target_metric_name"
TARGET_VALUE = "workload.validation_target_value"


def workload_named(name: str) -> Workload | None:
    """The workload with the longest name that ``name`` starts with; variants follow their family."""
    found = [known for known in WORKLOADS if name == known or name.startswith(f"{known}_")]
    return WORKLOADS[max(found, key=len)] if found else None


def objective_of(workload: str, metadata: Mapping[str, Any], metrics: Collection[str]) -> Objective | None:
    """The objective of a workload: from its metadata, else from the table; None when neither knows it.

    Material unit and chance level are filled in only where the metric is the one they are stated for.
    """
    known = workload_named(workload)
    stated = metadata.get(TARGET_METRIC)
    metric = stated if isinstance(stated, str) and stated else known.metric if known else _only_metric(metrics)
    if metric is None:
        return None
    same = known is not None and known.metric == metric
    direction: Direction = "maximize" if metric in MAXIMIZED else "minimize"
    return Objective(
        metric=f"valid/{metric}",
        direction=direction,
        material=known.material if known and same else None,
        chance=known.chance if known and same else None,
    )


def _only_metric(metrics: Collection[str]) -> str | None:
    """What validation was measured by, when that is a single metric besides the loss, or the loss alone."""
    names = [name.partition("/")[2] for name in sorted(metrics) if name.startswith("valid/")]
    others = [name for name in names if "loss" not in name]
    return others[0] if len(others) == 1 else names[0] if len(names) == 1 else None


def goal_of(submission: str, workload: str, objective: Objective, metadata: Mapping[str, Any]) -> str:
    """The question that a submission's runs on a workload answer, with the benchmark's target."""
    target = metadata.get(TARGET_VALUE)
    word = "at most" if objective.direction == "minimize" else "at least"
    reach = f" of {word} {target:g}" if isinstance(target, int | float) else ""
    return f"Does {submission} reach the target {objective.metric}{reach} on {workload}?"

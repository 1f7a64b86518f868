"""Parts for PyTorch training code, each of which works alone; nothing else in tunebook imports it.

Names are loaded on first use. Where PyTorch is not installed, the error names the extra that brings it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tunebook._optional import require

if TYPE_CHECKING:
    from tunebook.kit.averaging import exponential_average as exponential_average
    from tunebook.kit.averaging import polyak_average as polyak_average
    from tunebook.kit.checkpoints import TrainingState as TrainingState
    from tunebook.kit.clipping import ClippingReport as ClippingReport
    from tunebook.kit.clipping import GradientClipper as GradientClipper
    from tunebook.kit.data_wait import DataWait as DataWait
    from tunebook.kit.data_wait import DataWaitMeter as DataWaitMeter
    from tunebook.kit.distributed import barrier as barrier
    from tunebook.kit.distributed import check_same_weights as check_same_weights
    from tunebook.kit.distributed import data_seed as data_seed
    from tunebook.kit.distributed import is_writer as is_writer
    from tunebook.kit.distributed import seed_processes as seed_processes
    from tunebook.kit.distributed import writer_first as writer_first
    from tunebook.kit.evaluator import Agreement as Agreement
    from tunebook.kit.evaluator import Evaluation as Evaluation
    from tunebook.kit.evaluator import Evaluator as Evaluator
    from tunebook.kit.evaluator import sample_agreement as sample_agreement
    from tunebook.kit.ghost_batch_norm import GhostBatchNorm as GhostBatchNorm
    from tunebook.kit.ghost_batch_norm import synchronize_batch_norm as synchronize_batch_norm
    from tunebook.kit.ghost_batch_norm import to_ghost as to_ghost
    from tunebook.kit.optimizers.adam import Adam as Adam
    from tunebook.kit.optimizers.adam import AdamW as AdamW
    from tunebook.kit.optimizers.adam import NAdam as NAdam
    from tunebook.kit.optimizers.momentum import SGD as SGD
    from tunebook.kit.optimizers.momentum import Momentum as Momentum
    from tunebook.kit.optimizers.momentum import Nesterov as Nesterov
    from tunebook.kit.optimizers.rmsprop import RMSProp as RMSProp
    from tunebook.kit.schedules import Phase as Phase
    from tunebook.kit.schedules import Schedule as Schedule
    from tunebook.kit.schedules import ScheduleLR as ScheduleLR
    from tunebook.kit.schedules import constant_schedule as constant_schedule
    from tunebook.kit.schedules import cosine_schedule as cosine_schedule
    from tunebook.kit.schedules import linear_schedule as linear_schedule
    from tunebook.kit.schedules import prepend_warmup as prepend_warmup

_HOMES = {
    "Adam": "optimizers.adam",
    "AdamW": "optimizers.adam",
    "Agreement": "evaluator",
    "ClippingReport": "clipping",
    "DataWait": "data_wait",
    "DataWaitMeter": "data_wait",
    "Evaluation": "evaluator",
    "Evaluator": "evaluator",
    "GhostBatchNorm": "ghost_batch_norm",
    "GradientClipper": "clipping",
    "Momentum": "optimizers.momentum",
    "NAdam": "optimizers.adam",
    "Nesterov": "optimizers.momentum",
    "Phase": "schedules",
    "RMSProp": "optimizers.rmsprop",
    "SGD": "optimizers.momentum",
    "Schedule": "schedules",
    "ScheduleLR": "schedules",
    "TrainingState": "checkpoints",
    "barrier": "distributed",
    "check_same_weights": "distributed",
    "constant_schedule": "schedules",
    "cosine_schedule": "schedules",
    "data_seed": "distributed",
    "exponential_average": "averaging",
    "is_writer": "distributed",
    "linear_schedule": "schedules",
    "polyak_average": "averaging",
    "prepend_warmup": "schedules",
    "sample_agreement": "evaluator",
    "seed_processes": "distributed",
    "synchronize_batch_norm": "ghost_batch_norm",
    "to_ghost": "ghost_batch_norm",
    "writer_first": "distributed",
}

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Agreement",
    "ClippingReport",
    "DataWait",
    "DataWaitMeter",
    "Evaluation",
    "Evaluator",
    "GhostBatchNorm",
    "GradientClipper",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Phase",
    "RMSProp",
    "Schedule",
    "ScheduleLR",
    "TrainingState",
    "barrier",
    "check_same_weights",
    "constant_schedule",
    "cosine_schedule",
    "data_seed",
    "exponential_average",
    "is_writer",
    "linear_schedule",
    "polyak_average",
    "prepend_warmup",
    "sample_agreement",
    "seed_processes",
    "synchronize_batch_norm",
    "to_ghost",
    "writer_first",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tunebook.kit' has no attribute {name!r}")
    require("torch")
    value = getattr(importlib.import_module(f"tunebook.kit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

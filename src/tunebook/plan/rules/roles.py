"""Rules about roles: what is scientific, nuisance or fixed, and what is not searched at all (R2, R3, S4)."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.finding import Finding, Severity, Words
from tunebook.core.hyperparameter import Choice, Constant, Hyperparameter, Range, Role
from tunebook.core.round import Purpose, Question, Round
from tunebook.plan.catalogue import n_to_tune
from tunebook.plan.names import OPTIMIZER_KINDS, Kind
from tunebook.plan.rules.common import about, kind

#: A nuisance that changes the size of the model by no more than this factor is optimised away like any
#: other; beyond it, "best" mostly means "largest", at a cost the comparison does not see (R3).
SIZE_RATIO = 4.0

#: The order in which a growing budget tunes the hyperparameters of an optimizer (S2).
TUNED_FROM = {
    Kind.LEARNING_RATE: 1,
    Kind.MOMENTUM: 2,
    Kind.ONE_MINUS_MOMENTUM: 2,
    Kind.EPSILON: 3,
    Kind.BETA2: 4,
    Kind.ONE_MINUS_BETA2: 4,
}

OPTIMIZER_SCIENTIFIC = Words(
    says="{label} is a hyperparameter of the optimizer and is scientific here.",
    why="Its best value depends on nearly everything else, so a value that wins in this round tells little about the "
    "next one; the playbook makes it a nuisance, tuned anew for every setting that is compared.",
    fix="Move {label} to [nuisance], unless the question of the round is about it.",
)
OPTIMIZER_FIXED = Words(
    says="{label} is a hyperparameter of the optimizer and is fixed at {value}, though {trials} trials could tune it.",
    why="Settings that happen to like this value look better than they are: the best {kind} differs from setting to "
    "setting, so the comparison is not fair.",
    fix="Move {label} to [nuisance] with a range; fix it only with too few trials to tune it.",
)
OPTIMIZER_CHOICE = Words(
    says="{label} chooses the optimizer and is a nuisance here.",
    why="Every optimizer has hyperparameters of its own and needs a search of its own; drawn as one more dimension, "
    "the trials of each are too few to tune it.",
    fix="Make {label} scientific, with the hyperparameters of each optimizer under 'when', or fix it.",
)
REGULARIZER_PRESENCE = Words(
    says="{label} switches a regularizer on and off and is a nuisance here.",
    why="Whether to regularize is a question to answer, with the strength tuned where it is on; as a nuisance, "
    "half of the trials go to each answer and none of them is compared.",
    fix="Make {label} scientific and put its strength under [nuisance.when.{name}.{on}], or fix it.",
)
REGULARIZER_STRENGTH = Words(
    says="{label} is the strength of a regularizer and is scientific here.",
    why="The best strength moves with the rest of the configuration, so it has to be tuned for every setting; what "
    "can be compared is with against without.",
    fix="Make the presence scientific, as in use_{name} = [false, true], and {label} a nuisance of the true branch.",
)
ARCHITECTURE_NUISANCE = Words(
    says="{label} is part of the architecture ({domain}) and is a nuisance here.",
    why="Architecture changes what training and serving cost; optimised away as a nuisance, the best trial tends to "
    "be the most expensive one, and the comparison does not say so.",
    fix="Make {label} scientific, or fix it.",
)
BATCH_SIZE_SEARCHED = Words(
    says="{label} is the batch size and is {role} here.",
    why="Given enough steps and tuned nuisance hyperparameters, the best validation metric does not depend on the "
    "batch size; it decides the speed of training, and every other tuned value moves with it.",
    fix="Fix it at the largest size that pays (tunebook batch-size), or set purpose = 'batch_size_scaling'.",
)
CAVEAT = Words(
    says="{label} is fixed at {value}{reason}.",
    why="Every conclusion of this round holds for this value only.",
    fix="Make it a nuisance when the answer might depend on it.",
)


def optimizer_hyperparameters(design: Round) -> Iterator[Finding]:
    """Hyperparameters of the optimizer are nuisance: rarely scientific, not fixed (R3)."""
    is_question = design.question is Question.UNDERSTAND
    for item in _of_kind(design, *OPTIMIZER_KINDS):
        role = design.role_of(item)
        if role is Role.SCIENTIFIC:
            severity = Severity.NOTE if is_question else Severity.WARNING
            yield about(item, "role_optimizer_hyperparameter", OPTIMIZER_SCIENTIFIC, severity)
        elif role is Role.FIXED and TUNED_FROM[kind(item)] <= n_to_tune(design.search.trials):
            evidence = {"value": item.domain.describe(), "trials": design.search.trials, "kind": str(kind(item))}
            yield about(item, "role_optimizer_hyperparameter", OPTIMIZER_FIXED, evidence=evidence)


def optimizer_choice(design: Round) -> Iterator[Finding]:
    """The choice of the optimizer is scientific or fixed (R3)."""
    for item in _of_kind(design, Kind.OPTIMIZER):
        if item in design.nuisance:
            yield about(item, "role_optimizer", OPTIMIZER_CHOICE)


def regularizers(design: Round) -> Iterator[Finding]:
    """The presence of a regularizer is scientific, its strength nuisance (R3)."""
    is_question = design.question is Question.UNDERSTAND
    for item in _of_kind(design, Kind.REGULARIZER_PRESENCE):
        if item in design.nuisance:
            yield about(item, "role_regularizer", REGULARIZER_PRESENCE, evidence={"on": _on(item)})
    for item in _of_kind(design, Kind.REGULARIZER_STRENGTH, Kind.WEIGHT_DECAY):
        if item in design.scientific:
            severity = Severity.NOTE if is_question else Severity.WARNING
            yield about(item, "role_regularizer", REGULARIZER_STRENGTH, severity)


def architecture(design: Round) -> Iterator[Finding]:
    """Architecture is scientific or fixed (R3). An activation costs nothing and may be a nuisance."""
    for item in _of_kind(design, Kind.ARCHITECTURE, Kind.ARCHITECTURE_SIZE):
        if item in design.nuisance and not _is_cheap(item):
            yield about(item, "role_architecture", ARCHITECTURE_NUISANCE, evidence={"domain": item.domain.describe()})


def batch_size(design: Round) -> Iterator[Finding]:
    """Batch size is not tuned for validation quality (S4)."""
    if design.purpose is Purpose.BATCH_SIZE_SCALING:
        return
    for item in _of_kind(design, Kind.BATCH_SIZE):
        if item in design.searched:
            role = str(design.role_of(item))
            yield about(item, "searched_batch_size", BATCH_SIZE_SEARCHED, requirement="S4", evidence={"role": role})


def caveats(design: Round) -> Iterator[Finding]:
    """What is fixed limits every conclusion (R2)."""
    for item in design.fixed:
        assert isinstance(item.domain, Constant)
        reason = f" because {item.domain.because}" if item.domain.because else ""
        evidence = {"value": item.domain.describe(), "reason": reason}
        yield about(item, "caveat", CAVEAT, Severity.NOTE, "R2", evidence)


def _of_kind(design: Round, *kinds: Kind) -> Iterator[Hyperparameter]:
    return (item for item in design.hyperparameters if kind(item) in kinds)


def _is_cheap(item: Hyperparameter) -> bool:
    if "activation" in item.name.lower() or "nonlinearity" in item.name.lower():
        return True
    sizes = _sizes(item)
    return bool(sizes) and min(sizes) > 0 and max(sizes) / min(sizes) <= SIZE_RATIO


def _sizes(item: Hyperparameter) -> list[float]:
    if isinstance(item.domain, Range):
        return [item.domain.low, item.domain.high]
    values = item.domain.values if isinstance(item.domain, Choice) else ()
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return numbers if len(numbers) == len(values) else []


def _on(item: Hyperparameter) -> str:
    return "true" if isinstance(item.domain, Choice) and True in item.domain else "VALUE"

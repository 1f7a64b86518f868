"""What a hyperparameter is, judged by its name: the linter's rules of thumb speak of kinds (R3)."""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """The kinds the playbook gives advice on."""

    LEARNING_RATE = "learning rate"
    MOMENTUM = "momentum"
    ONE_MINUS_MOMENTUM = "1 - momentum"
    BETA2 = "beta2"
    ONE_MINUS_BETA2 = "1 - beta2"
    EPSILON = "epsilon"
    OPTIMIZER = "choice of optimizer"
    BATCH_SIZE = "batch size"
    REGULARIZER_STRENGTH = "strength of a regularizer"
    REGULARIZER_PRESENCE = "presence of a regularizer"
    WEIGHT_DECAY = "weight decay"
    ARCHITECTURE_SIZE = "size of the model"
    ARCHITECTURE = "architecture"
    OTHER = "other"


OPTIMIZER_KINDS = frozenset(
    {
        Kind.LEARNING_RATE,
        Kind.MOMENTUM,
        Kind.ONE_MINUS_MOMENTUM,
        Kind.BETA2,
        Kind.ONE_MINUS_BETA2,
        Kind.EPSILON,
    }
)

_BATCH = re.compile(r"(^|_)(bs|batch_?size|batch)$|(^|_)batch_?size(_|$)|^n_?batch$")
_LEARNING_RATE = re.compile(r"(^|_)(lr|learning_?rate|eta_?0?|alpha_?0|step_?size|lr_?0|stepsize)$")
_MOMENTUM = r"(momentum|mom|beta_?1|b_?1|gamma|mu)"
_BETA2 = r"(beta_?2|b_?2)"
_ONE_MINUS = r"(^|_)(one_?minus|1_?minus|1m|1|om)_?"
_EPSILON = re.compile(r"(^|_)(adam_?)?(eps|epsilon)$")
_OPTIMIZER = re.compile(r"(^|_)(optimi[sz]er|opt|optim)(_?(name|type|kind|class|choice))?$")
_WEIGHT_DECAY = re.compile(
    r"(^|_)(weight_?decay|wd|l2|l2_?(reg|penalty|regulari[sz]ation|coef\w*|weight|strength)?|weight_?penalty)$"
)
_REGULARIZER = re.compile(
    r"(^|_)(drop_?out|drop_?path|drop_?connect|stochastic_?depth|label_?smoothing|smoothing|mix_?up|cut_?mix|cut_?out|"
    r"rand_?augment|rand_?erasing|random_?erasing|augment\w*|l1|reg\w*|weight_?noise|input_?noise|noise_?std)(_|$)"
)
_SWITCH = re.compile(r"^(use|with|has|is|enable|enabled|apply|do|add)_|_(enabled|on|off|used)$")
_SIZE = re.compile(
    r"(^|_)((n|num|number_of|no_of)_?)?(hidden_?)?(layers?|blocks?|units?|neurons?|filters?|channels?|heads?|width|depth|"
    r"hidden|hidden_?(size|dim\w*|units|width)|d_?model|d_?ff|embed\w*_?(dim\w*|size)|dim|model_?(size|dim|width)|"
    r"(width|depth)_?(mult\w*|factor)|growth_?rate)(_(size|dim|count))?$"
)
_ARCHITECTURE = re.compile(
    r"^norm(ali[sz]ation)?(_(layer|type|kind))?$|(^|_)(arch\w*|model(_?(name|type|family|class))?|backbone|network|activation(_?\w*)?|nonlinearity|"
    r"(batch|layer|group|rms|instance)_?norm\w*|residual|skip_?connections?|pooling|kernel_?size|"
    r"block_?type|cell(_?type)?|attention\w*|bias|encoder|decoder)$"
)


def kind_of(name: str, *, is_switch: bool = False) -> Kind:
    """The kind of the hyperparameter called ``name``; ``is_switch`` when its values are true and false."""
    word = plain(name)
    stem = _SWITCH.sub("", word)
    has_switch = is_switch or stem != word
    regularizer = _WEIGHT_DECAY.search(stem) or _REGULARIZER.search(stem)
    if regularizer and has_switch:
        return Kind.REGULARIZER_PRESENCE
    for kind, pattern in _TABLE:
        if pattern.search(stem):
            return kind
    return Kind.OTHER


def plain(name: str) -> str:
    """Lower case with underscores and without a path: ``adamW/learningRate`` becomes ``learning_rate``."""
    last = re.split(r"[/.]", name.rstrip("/."))[-1]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


_TABLE: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.BATCH_SIZE, _BATCH),
    (Kind.ONE_MINUS_BETA2, re.compile(_ONE_MINUS + _BETA2 + "$")),
    (Kind.ONE_MINUS_MOMENTUM, re.compile(_ONE_MINUS + _MOMENTUM + "$")),
    (Kind.BETA2, re.compile("(^|_)" + _BETA2 + "$")),
    (Kind.MOMENTUM, re.compile("(^|_)" + _MOMENTUM + "$")),
    (Kind.LEARNING_RATE, _LEARNING_RATE),
    (Kind.EPSILON, _EPSILON),
    (Kind.OPTIMIZER, _OPTIMIZER),
    (Kind.WEIGHT_DECAY, _WEIGHT_DECAY),
    (Kind.REGULARIZER_STRENGTH, _REGULARIZER),
    (Kind.ARCHITECTURE_SIZE, _SIZE),
    (Kind.ARCHITECTURE, _ARCHITECTURE),
)

"""Rules about ranges: the scale a hyperparameter is searched on, and how wide the search is (R3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunebook.core.finding import Finding, Words
from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.core.round import Round
from tunebook.plan.names import Kind
from tunebook.plan.rules.common import about, kind

#: A momentum range that reaches at least this far has its action in the last few per cent below 1.
NEAR_ONE = 0.9
#: A learning rate is searched over at least a decade; its optimum moves by more between settings.
LEAST_RATIO = 10.0
#: What spans more than this factor on a linear scale spends nine trials of ten in its top decade.
LINEAR_RATIO = 10.0

#: The low that is suggested in place of 0, as a share of the high: four decades.
SUGGESTED_RATIO = 1e-4
#: Sizes that are factors of a size, not counts.
_FACTOR = re.compile(r"mult|factor|rate|ratio|scale")

LINEAR_LEARNING_RATE = Words(
    says="{label} is searched on a {scale} scale from {low:g} to {high:g}.",
    why="Equal factors in the learning rate matter equally; on this scale {top:.0%} of the trials fall in the top "
    "decade of the range.",
    fix="Write {name} = {{ low = {suggested:g}, high = {high:g}, scale = 'log' }}.",
)
NARROW_LEARNING_RATE = Words(
    says="{label} is searched from {low:g} to {high:g}, a factor of {ratio:.2g}.",
    why="The best learning rate moves by more than that between settings; the best trials will sit at an edge.",
    fix="Search at least one factor of ten, better three, and narrow it when the round shows where the optimum is.",
)
LINEAR_MOMENTUM = Words(
    says="{label} is searched on a {scale} scale up to {high:g}.",
    why="What matters is 1 - momentum: from 0.9 to 0.99 the effective learning rate changes tenfold, from 0 to 0.5 "
    "twofold. Sampled this way, few trials come near 1.",
    fix="Write scale = 'reverse_log', or search one_minus_momentum on scale = 'log'.",
)
LINEAR_ONE_MINUS = Words(
    says="{label} is searched on a {scale} scale from {low:g} to {high:g}.",
    why="The effective learning rate goes with 1 / (1 - momentum), so equal factors matter equally.",
    fix="Write scale = 'log' with a low of at least 1e-4.",
)
LINEAR_DECADES = Words(
    says="{label} is searched on a linear scale from {low:g} to {high:g}.",
    why="The {kind} matters by its order of magnitude; on this scale {top:.0%} of the trials fall in the top decade.",
    fix="Write {name} = {{ low = {suggested:g}, high = {high:g}, scale = 'log' }}.",
)


WHOLE = Words(
    says="{label} is searched as a real number from {low:g} to {high:g}: trials get values such as {example:.4g}.",
    why="Its name and its ends look like a count; training code that rounds it hides how often values repeat.",
    fix="Add type = 'int' to its range when training needs whole numbers.",
)


def learning_rates(design: Round) -> Iterator[Finding]:
    """Learning rates are searched on a log scale, over at least a decade."""
    for item, domain in _ranges(design, Kind.LEARNING_RATE):
        if domain.scale != "log":
            yield _scale(item, domain, "scale_learning_rate", LINEAR_LEARNING_RATE)
        elif domain.high / domain.low < LEAST_RATIO:
            yield _scale(item, domain, "narrow_learning_rate", NARROW_LEARNING_RATE, ratio=domain.high / domain.low)


def momenta(design: Round) -> Iterator[Finding]:
    """Momentum is searched as 1 - momentum on a log scale."""
    for item, domain in _ranges(design, Kind.MOMENTUM, Kind.BETA2):
        if domain.scale != "reverse_log" and domain.high >= NEAR_ONE:
            yield _scale(item, domain, "scale_momentum", LINEAR_MOMENTUM)
    for item, domain in _ranges(design, Kind.ONE_MINUS_MOMENTUM, Kind.ONE_MINUS_BETA2):
        if domain.scale != "log":
            yield _scale(item, domain, "scale_momentum", LINEAR_ONE_MINUS)


def magnitudes(design: Round) -> Iterator[Finding]:
    """Epsilon and weight decay are searched on a log scale where the range spans decades."""
    for item, domain in _ranges(design, Kind.EPSILON, Kind.WEIGHT_DECAY):
        if domain.scale == "linear" and (domain.low <= 0 or domain.high / domain.low > LINEAR_RATIO):
            yield _scale(item, domain, "scale_magnitude", LINEAR_DECADES, kind=str(kind(item)))


def counts(design: Round) -> Iterator[Finding]:
    """What looks like a number of things, such as a width, is searched in whole numbers."""
    for item, domain in _ranges(design, Kind.ARCHITECTURE_SIZE, Kind.BATCH_SIZE):
        has_whole_ends = float(domain.low).is_integer() and float(domain.high).is_integer() and domain.low >= 1
        if domain.type == "float" and has_whole_ends and not _FACTOR.search(item.name):
            example = (domain.low * domain.high) ** 0.5 + 0.23
            evidence = {"low": domain.low, "high": domain.high, "example": example}
            yield about(item, "fractional_count", WHOLE, evidence=evidence)


def _ranges(design: Round, *kinds: Kind) -> Iterator[tuple[Hyperparameter, Range]]:
    for item in design.searched:
        if isinstance(item.domain, Range) and kind(item) in kinds:
            yield item, item.domain


def _scale(item: Hyperparameter, domain: Range, code: str, words: Words, **more: object) -> Finding:
    low, high = domain.low, domain.high
    evidence = {
        "low": low,
        "high": high,
        "scale": domain.scale,
        "top": min(1.0, (high - high / 10) / (high - low)) if high > 0 else 1.0,
        "suggested": low if low > 0 else abs(high) * SUGGESTED_RATIO,
        **more,
    }
    return about(item, code, words, evidence=evidence)

"""One configuration of a design, rounds that vary one of its values, and the design with a result applied."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.hyperparameter import Choice, Constant, Domain, Hyperparameter
from tunebook.core.objective import Objective
from tunebook.core.problems import did_you_mean
from tunebook.core.round import Purpose, Question, Round
from tunebook.core.search import Search
from tunebook.core.space import Space
from tunebook.errors import InputError
from tunebook.plan.cube import from_unit
from tunebook.plan.names import Kind, kind_of

NO_NAME = "procedure"


def base_config(design: Round, given: Mapping[str, Value] | None = None) -> Config:
    """One configuration of the design: ``given`` values, else fixed ones, the middle of a range in its own
    scale and the first of a choice.

    ``InputError`` for a given name that the design, or the branch that results, does not have.
    """
    given = dict(given or {})
    values: dict[str, Value] = {}
    pending = list(design.hyperparameters)
    while ready := [item for item in pending if item.is_active(values)]:
        pending = [item for item in pending if item not in ready]
        values.update((item.name, given.get(item.name, middle(item.domain))) for item in ready)
    for name in given.keys() - values.keys():
        known = sorted({item.name for item in design.hyperparameters})
        where = "in this configuration" if name in known else "of this design"
        raise InputError(f"{name!r} is no hyperparameter {where}{did_you_mean(name, known)}; it has {', '.join(known)}")
    return Config(values)


def middle(domain: Domain) -> Value:
    """The value to start from: the middle of a range in its own scale, the first of a choice."""
    return from_unit(domain, np.array([0.5]))[0] if not isinstance(domain, Choice) else domain.values[0]


def one_of_kind(design: Round, config: Mapping[str, Value], kind: Kind, named: str | None = None) -> str:
    """The hyperparameter of ``config`` that is of ``kind``, or the one the user ``named``.

    ``InputError`` when there is none, or several to choose from.
    """
    if named is not None:
        return required(config, named, f"it was named as the {kind}")
    found = [name for name in config if kind_of(name) is kind]
    if len(found) == 1:
        return found[0]
    said = f"these could be: {', '.join(found)}" if found else f"it has: {', '.join(config) or 'none at all'}"
    raise InputError(f"which hyperparameter of {design.name or 'the design'} is the {kind}? Name it; {said}")


def required(config: Mapping[str, Value], name: str, why: str) -> str:
    """``name`` itself; ``InputError`` when the configuration does not have it."""
    if name not in config:
        hint = did_you_mean(name, config)
        raise InputError(f"the design has no {name!r}{hint}, and {why}")
    return name


def check_positive(**numbers: float) -> None:
    """``InputError`` for the first of the numbers that is not above 0."""
    for name, number in numbers.items():
        if not number > 0:
            raise InputError(f"{name.replace('_', ' ')} is {number:g} and has to be above 0")


def varied_round(
    design: Round,
    *,
    suffix: str,
    goal: str,
    config: Config,
    name: str,
    values: Sequence[Value],
    seed: int = 0,
    max_train_steps: int | None = None,
    objective: Objective | None = None,
) -> Round:
    """A round that trains ``config`` with each of ``values`` for ``name``; all else is fixed.

    It is called ``<design>-<suffix>``, so that planning it again finds the trials it has.
    """
    kept = [Hyperparameter(key, Constant(value)) for key, value in config.items() if key != name]
    distinct = list(dict.fromkeys(values))
    return replace(
        design,
        goal=goal,
        question=Question.UNDERSTAND,
        purpose=Purpose.BATCH_SIZE_SCALING if kind_of(name) is Kind.BATCH_SIZE else design.purpose,
        max_train_steps=max_train_steps or design.max_train_steps,
        objective=objective or design.objective,
        scientific=(Hyperparameter(name, Choice(*sorted(distinct))),),
        nuisance=(),
        fixed=tuple(kept),
        search=Search(algorithm="list", seed=seed, configurations=tuple(Config({name: value}) for value in distinct)),
        name=f"{design.name or NO_NAME}-{suffix}",
    )


def with_fixed(design: Round, name: str, value: Value, because: str) -> Round:
    """The design that holds ``name`` at ``value``, whatever role it had; what needs another value goes."""
    return _with(design, Hyperparameter(name, Constant(value, because)), "fixed")


def with_range(design: Round, name: str, domain: Domain) -> Round:
    """The design that searches ``name`` in ``domain``, in the role it had where that was a searched one."""
    role = "scientific" if any(item.name == name for item in design.scientific) else "nuisance"
    return _with(design, Hyperparameter(name, domain), role)


def _with(design: Round, item: Hyperparameter, role: str) -> Round:
    values: tuple[Value, ...] | None = item.domain.values if isinstance(item.domain, Choice) else None
    if isinstance(item.domain, Constant):
        values = (item.domain.value,)

    def changed(space: Space, own: str) -> Space:
        return (*_without(space, item.name, values), *((item,) if role == own else ()))

    return replace(
        design,
        scientific=changed(design.scientific, "scientific"),
        nuisance=changed(design.nuisance, "nuisance"),
        fixed=changed(design.fixed, "fixed"),
        search=_without_listed(design.search, {item.name} if role == "fixed" else set()),
    )


def _without(space: Space, name: str, values: Collection[Value] | None) -> Space:
    """The space without ``name`` and without what exists only for values that ``name`` no longer takes."""
    return tuple(
        item
        for item in space
        if item.name != name
        and (values is None or all(part.parent != name or part.value in values for part in item.branch))
    )


def _without_listed(search: Search, gone: Collection[str]) -> Search:
    if search.algorithm != "list" or not gone:
        return search
    kept = (Config({key: value for key, value in one.items() if key not in gone}) for one in search.configurations)
    return replace(search, configurations=tuple(dict.fromkeys(kept)))

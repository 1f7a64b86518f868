"""Round: one narrow goal, the roles it gives to hyperparameters, and the search that answers it (R1)."""

from __future__ import annotations

import importlib
import inspect
import json
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from tunebook.core.config import Config
from tunebook.core.hyperparameter import Hyperparameter, Role
from tunebook.core.objective import Objective
from tunebook.core.problems import Problems, did_you_mean
from tunebook.core.search import RunOptions, Search, table_of
from tunebook.core.space import Space, SpaceReader, space_mapping

MAX_STEPS = 10**15
#: What a command may name besides hyperparameters.
COMMAND_WORDS = ("seed", "max_train_steps", "trial")
#: Reading and writing files is the plan layer's work; a value names it and does not import it.
DESIGN_FILES = "tunebook.plan.design"


class Question(StrEnum):
    """What a round asks."""

    COMPARE = "compare"
    UNDERSTAND = "understand"
    MINIMIZE = "minimize"


class Purpose(StrEnum):
    """What a round is for, where a rule of thumb depends on it."""

    TUNING = "tuning"
    BATCH_SIZE_SCALING = "batch_size_scaling"
    FINAL = "final"
    """Train the launch again and look at the test set, once (X2, X3)."""
    FINAL_ALL_DATA = "final_all_data"
    """The same with the validation data folded into the training data."""

    @property
    def is_final(self) -> bool:
        """Whether the round is a last training, there for what the test set says."""
        return self in (Purpose.FINAL, Purpose.FINAL_ALL_DATA)


@dataclass(frozen=True, slots=True, init=False)
class Round:
    """A round's design. ``InputError`` on construction lists everything that is wrong with it.

    ``scientific``, ``nuisance`` and ``fixed`` take what a design file holds (a mapping with lists,
    ranges and ``when`` tables, or ``Range`` and ``Choice``) or a sequence of ``Hyperparameter``, and
    become tuples of ``Hyperparameter``. Exactly one of ``pipeline`` (``"train.py:train"`` or a
    module-level function) and ``command`` says how to train. ``name`` is where the round is filed and
    no part of the comparison of two designs.
    """

    goal: str
    question: Question
    pipeline: str | None
    command: tuple[str, ...] | None
    max_train_steps: int
    objective: Objective
    scientific: Space
    nuisance: Space
    fixed: Space
    search: Search
    run: RunOptions
    purpose: Purpose
    name: str = field(compare=False)

    def __init__(
        self,
        *,
        goal: str = "",
        question: str = "",
        pipeline: str | Callable[..., Any] | None = None,
        command: Sequence[str] | None = None,
        max_train_steps: int = 0,
        objective: Objective | Mapping[str, Any] | None = None,
        scientific: Mapping[str, Any] | Sequence[Hyperparameter] = (),
        nuisance: Mapping[str, Any] | Sequence[Hyperparameter] = (),
        fixed: Mapping[str, Any] | Sequence[Hyperparameter] = (),
        search: Search | Mapping[str, Any] | None = None,
        run: RunOptions | Mapping[str, Any] | None = None,
        purpose: str = Purpose.TUNING,
        name: str = "",
    ) -> None:
        problems = Problems()
        _check_text(problems, "goal", goal)
        roles = _read_roles(problems, scientific, nuisance, fixed)
        values = {
            "goal": goal,
            "question": _read_word(problems, "question", question, Question),
            "pipeline": _read_pipeline(problems, pipeline),
            "command": _read_command(problems, command),
            "max_train_steps": _read_steps(problems, max_train_steps),
            "objective": _read_objective(problems, objective),
            **{role.value: space for role, space in roles.items()},
            "search": table_of(Search, {} if search is None else search, problems.below("search")),
            "run": table_of(RunOptions, {} if run is None else run, problems.below("run")),
            "purpose": _read_word(problems, "purpose", purpose, Purpose),
            "name": _read_name(problems, name),
        }
        _check_way_to_train(problems, values["pipeline"], values["command"])
        if not len(problems):
            _check_placeholders(problems, values["command"] or (), roles)
            _check_configurations(problems, values["search"], roles)
        problems.raise_if_any()
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def searched(self) -> Space:
        """Scientific and nuisance hyperparameters, in that order."""
        return self.scientific + self.nuisance

    @property
    def hyperparameters(self) -> Space:
        """All hyperparameters: scientific, nuisance, fixed."""
        return self.scientific + self.nuisance + self.fixed

    @property
    def way_to_train(self) -> str:
        """The pipeline or command as one canonical text; part of every trial's identity."""
        return self.pipeline if self.pipeline is not None else json.dumps(self.command)

    def role_of(self, hyperparameter: Hyperparameter) -> Role:
        """The role this round gives to ``hyperparameter``; ``KeyError`` when it has none here."""
        for role in Role:
            if hyperparameter in getattr(self, role.value):
                return role
        raise KeyError(hyperparameter.label)

    def to_mapping(self) -> dict[str, Any]:
        """The design file as nested tables; ``Round(**mapping)`` is this round again."""
        mapping: dict[str, Any] = {"goal": self.goal, "question": str(self.question)}
        if self.pipeline is not None:
            mapping["pipeline"] = self.pipeline
        else:
            mapping["command"] = list(self.command or ())
        mapping["max_train_steps"] = self.max_train_steps
        if self.purpose is not Purpose.TUNING:
            mapping["purpose"] = str(self.purpose)
        if self.name:
            mapping["name"] = self.name
        mapping["objective"] = self.objective.to_mapping()
        for role in Role:
            mapping[role.value] = space_mapping(getattr(self, role.value))
        mapping["search"] = self.search.to_mapping()
        mapping["run"] = self.run.to_mapping()
        return {key: value for key, value in mapping.items() if value != {}}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Round:
        """Read a design as nested tables; ``InputError`` lists unknown keys with all the rest."""
        accepted = [item.name for item in fields(cls)]
        problems = Problems()
        problems.unknown_keys(mapping, accepted)
        with problems.catching():
            made = cls(**{key: value for key, value in mapping.items() if key in accepted})
        problems.raise_if_any()
        return made

    @classmethod
    def load(cls, path: str | Path) -> Round:
        """Read a design file; ``InputError`` names file, line and key of everything wrong in it."""
        made: Round = importlib.import_module(DESIGN_FILES).load(Path(path))
        return made

    def save(self, path: str | Path) -> None:
        """Write a design file that ``load`` reads back as this round."""
        importlib.import_module(DESIGN_FILES).save(self, Path(path))


def placeholders(command: Sequence[str]) -> list[str]:
    """The names that stand in braces in a command, in order; ``ValueError`` for a brace without its pair."""
    return [name for argument in command for _, name, _, _ in string.Formatter().parse(argument) if name is not None]


def _check_text(problems: Problems, key: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        problems.add("missing: say in a sentence what this round is to find out", key)


def _read_name(problems: Problems, name: object) -> str:
    if isinstance(name, str):
        return name
    problems.add(f"{name!r} is not a name in quotes", "name")
    return ""


def _read_word(problems: Problems, key: str, word: object, kind: type[StrEnum]) -> StrEnum | None:
    accepted = [item.value for item in kind]
    if word in accepted:
        return kind(word)
    said = f"{word!r} is not accepted" if word else "missing"
    problems.add(f"{said}{did_you_mean(str(word), accepted)}; accepted: {', '.join(accepted)}", key)
    return None


def _read_pipeline(problems: Problems, pipeline: object) -> str | None:
    if callable(pipeline):
        return _reference(problems, pipeline)
    if pipeline is None:
        return None
    if isinstance(pipeline, str) and all(pipeline.rpartition(":")[::2]):
        return pipeline
    problems.add(f"{pipeline!r} is not 'FILE.py:FUNCTION' or 'package.module:FUNCTION'", "pipeline")
    return None


def _reference(problems: Problems, function: Callable[..., Any]) -> str | None:
    name = getattr(function, "__qualname__", "")
    if not name.isidentifier():
        problems.add(f"{function!r} is not a function at the top of a module, so a worker cannot import it", "pipeline")
        return None
    if function.__module__ != "__main__":
        return f"{function.__module__}:{name}"
    try:
        return f"{inspect.getsourcefile(function)}:{name}"
    except TypeError:
        return f"__main__:{name}"


def _read_command(problems: Problems, command: object) -> tuple[str, ...] | None:
    if command is None:
        return None
    if isinstance(command, str) or not isinstance(command, Sequence) or not command:
        problems.add("a command is a list of words, such as ['python', 'train.py', '--lr={learning_rate}']", "command")
        return None
    if not all(isinstance(word, str) for word in command):
        problems.add("every word of a command is a string", "command")
        return None
    return tuple(command)


def _read_steps(problems: Problems, steps: object) -> int:
    if isinstance(steps, int) and not isinstance(steps, bool) and 1 <= steps <= MAX_STEPS:
        return steps
    said = f"{steps!r} is not one whole number of at least 1" if steps else "missing or 0"
    problems.add(f"{said}; it is the number of training steps of every trial (T1)", "max_train_steps")
    return 0


def _read_objective(problems: Problems, objective: object) -> Objective | None:
    if isinstance(objective, Objective):
        return objective
    if not isinstance(objective, Mapping):
        problems.add("missing: name the metric that decides, as in metric = 'valid/error'", "objective")
        return None
    with problems.catching("objective"):
        return Objective.from_mapping(objective)
    return None


def _read_roles(problems: Problems, scientific: object, nuisance: object, fixed: object) -> dict[Role, Space]:
    reader = SpaceReader(problems)
    for role, table in zip(Role, (scientific, nuisance, fixed), strict=True):
        reader.add(role, table)
    return reader.finish()


def _check_way_to_train(problems: Problems, pipeline: str | None, command: tuple[str, ...] | None) -> None:
    if any(problem.key[:1] in (("pipeline",), ("command",)) for problem in problems):
        return
    if pipeline is None and command is None:
        problems.add("missing: name a function, as in pipeline = 'train.py:train', or a command", "pipeline")
    elif pipeline is not None and command is not None:
        problems.add("pipeline and command are both given; keep one of them", "command")


def _check_placeholders(problems: Problems, command: tuple[str, ...], roles: Mapping[Role, Space]) -> None:
    known = {hyperparameter.name for space in roles.values() for hyperparameter in space} | set(COMMAND_WORDS)
    try:
        named = placeholders(command)
    except ValueError as error:
        problems.add(f"{error}; write {{{{ and }}}} for braces that are no placeholder", "command")
        return
    for name in dict.fromkeys(named):
        if name not in known:
            hint = did_you_mean(name, known)
            problems.add(
                f"{{{name}}} is no hyperparameter of this round{hint}; known: {', '.join(sorted(known))}", "command"
            )


def _check_configurations(problems: Problems, search: Search, roles: Mapping[Role, Space]) -> None:
    searched = roles[Role.SCIENTIFIC] + roles[Role.NUISANCE]
    for number, configuration in enumerate(search.configurations, start=1):
        below = problems.below("search", "configurations", str(number))
        full = configuration.merged(active_fixed(roles[Role.FIXED], configuration))
        active = {item.name: item for item in searched if item.is_active(full)}
        for name, value in configuration.items():
            if name not in active:
                below.add(f"is no searched hyperparameter of this configuration{did_you_mean(name, active)}", name)
            elif value not in active[name].domain:
                below.add(f"{value!r} is outside of {active[name].domain.describe()}", name)
        for name in active.keys() - configuration.keys():
            below.add("missing: a listed configuration gives every searched hyperparameter", name)


def active_fixed(fixed: Space, config: Mapping[str, Any]) -> Config:
    """The fixed values that exist in ``config``, parents before children."""
    values = dict(config)
    found: dict[str, Any] = {}
    pending = list(fixed)
    while ready := [item for item in pending if item.is_active(values)]:
        pending = [item for item in pending if item not in ready]
        found.update((item.name, item.domain.value) for item in ready)  # type: ignore[union-attr]
        values.update(found)
    return Config(found)

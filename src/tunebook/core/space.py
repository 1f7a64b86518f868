"""Reading the role tables of a design: literals and ``when`` tables in, hyperparameters out (R2, R4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunebook.core.config import Value, spelled
from tunebook.core.hyperparameter import (
    Branch,
    Choice,
    Condition,
    Constant,
    Domain,
    Hyperparameter,
    Range,
    Role,
    excludes,
    is_value,
)
from tunebook.core.problems import Path, Problems, did_you_mean
from tunebook.errors import InputError

#: Names that stand for something else in ``trials.csv``, in commands or in a design.
RESERVED = {
    "max_train_steps": "max_train_steps is one number for all trials of a round and is never searched (T1): "
    "set it at the top of the design",
    "seed": "seeds are tunebook's: set [search] seed and read trial.seed in training",
    **dict.fromkeys(
        ("trial", "study", "status", "objective"), "this name is a column of trials.csv; choose another one"
    ),
}

#: More than any round needs, and few enough that a hostile file is refused at once.
MAX_HYPERPARAMETERS = 1000

RawBranch = tuple[tuple[str, str], ...]
Space = tuple[Hyperparameter, ...]


@dataclass(slots=True, eq=False)
class _Raw:
    """A hyperparameter whose conditions still are the words of the file."""

    name: str
    domain: Domain
    words: RawBranch
    role: Role
    path: Path
    branch: Branch | None = None


@dataclass(slots=True)
class SpaceReader:
    """Collects the three role tables, then resolves every condition against all of them."""

    problems: Problems
    _raw: list[_Raw] = field(default_factory=list)
    _resolving: list[_Raw] = field(default_factory=list)

    def add(self, role: Role, table: object) -> None:
        """Read one role table: a mapping as in the design file, or hyperparameters as they are."""
        problems = self.problems.below(role.value)
        if isinstance(table, Mapping):
            self._add_table(role, table, (), problems, (role.value,))
        elif isinstance(table, Iterable) and not isinstance(table, str):
            for item in table:
                self._add_ready(role, item, problems)
        else:
            problems.add(f"{table!r} is not a table of hyperparameters")

    def _add_ready(self, role: Role, item: object, problems: Problems) -> None:
        if not isinstance(item, Hyperparameter):
            problems.add(f"{item!r} is not a Hyperparameter")
            return
        words = tuple((condition.parent, spelled(condition.value)) for condition in item.branch)
        if _fits_role(role, item.domain, problems.below(item.name)):
            self._raw.append(_Raw(item.name, item.domain, words, role, (role.value, item.name)))

    def _add_table(
        self, role: Role, table: Mapping[Any, Any], words: RawBranch, problems: Problems, path: Path
    ) -> None:
        for name, literal in table.items():
            below = problems.below(str(name))
            if name == "when":
                self._add_when(role, literal, words, below, (*path, "when"))
                continue
            with problems.catching(str(name)):
                domain = read_domain(role, literal)
                if str(name) in RESERVED:
                    raise InputError(RESERVED[str(name)])
                Hyperparameter(str(name), domain)
                self._raw.append(_Raw(str(name), domain, words, role, (*path, str(name))))

    def _add_when(self, role: Role, table: object, words: RawBranch, problems: Problems, path: Path) -> None:
        for parent, branches in _subtables(table, problems, "a parent hyperparameter"):
            for value, children in _subtables(branches, problems.below(parent), "a value of the parent"):
                condition = (parent, value)
                below = problems.below(parent, value)
                self._add_table(role, children, (*words, condition), below, (*path, parent, value))

    def finish(self) -> dict[Role, Space]:
        """Resolve the conditions and check that every configuration has each name at most once."""
        if len(self._raw) > MAX_HYPERPARAMETERS:
            self.problems.add(f"{len(self._raw)} hyperparameters are more than {MAX_HYPERPARAMETERS}")
            return dict.fromkeys(Role, ())
        for raw in self._raw:
            self._branch_of(raw)
        ready = [raw for raw in self._raw if raw.branch is not None]
        self._check_names(ready)
        return {
            role: in_file_order([Hyperparameter(r.name, r.domain, r.branch or ()) for r in ready if r.role is role])
            for role in Role
        }

    def _branch_of(self, raw: _Raw) -> Branch | None:
        if raw.branch is None and raw not in self._resolving:
            self._resolving.append(raw)
            raw.branch = self._resolve(raw)
        return raw.branch

    def _resolve(self, raw: _Raw) -> Branch | None:
        branch: Branch = ()
        for parent, word in raw.words:
            found = self._parent(raw, parent, branch)
            if found is None:
                return None
            value = _value_spelled(found.domain, word)
            if value is None:
                self._note(raw, f"{parent} cannot be {word!r}; it is {found.domain.describe()}")
                return None
            inherited = tuple(condition for condition in found.branch or () if condition not in branch)
            branch = (*branch, *inherited, Condition(parent, value))
        return branch

    def _parent(self, raw: _Raw, name: str, branch: Branch) -> _Raw | None:
        named = [other for other in self._raw if other.name == name and other is not raw]
        if not named:
            hint = did_you_mean(name, {other.name for other in self._raw})
            self._note(raw, f"depends on {name!r}, which is no hyperparameter of this round{hint}")
            return None
        if any(self._branch_of(other) is None for other in named):
            self._note(raw, f"depends on {name!r}, which depends on it in turn or is itself in error")
            return None
        visible = [other for other in named if set(other.branch or ()) <= set(branch)]
        candidates = visible or [other for other in named if not excludes(other.branch or (), branch)]
        if len(candidates) != 1:
            self._note(raw, f"{name!r} exists on {len(named)} branches: nest this 'when' inside one of them")
            return None
        return candidates[0]

    def _check_names(self, ready: Sequence[_Raw]) -> None:
        for position, raw in enumerate(ready):
            for earlier in ready[:position]:
                if raw.name != earlier.name or excludes(raw.branch or (), earlier.branch or ()):
                    continue
                self._note(raw, _clash(raw, earlier))
                break

    def _note(self, raw: _Raw, message: str) -> None:
        self.problems.add(message, *raw.path)


def read_domain(role: Role, literal: object) -> Domain:
    """Read what a design file writes behind a name; ``InputError`` when the role cannot hold it."""
    problems = Problems()
    domain = _read_literal(literal, problems)
    problems.raise_if_any()
    assert domain is not None
    if isinstance(domain, Constant) and role is not Role.FIXED:
        shown = domain.describe()
        raise InputError(
            f"{shown} is a single value: put it under [fixed], or give the values to try as a list such as [{shown}]"
        )
    _fits_role(role, domain, problems)
    problems.raise_if_any()
    return domain


def in_file_order(items: Sequence[Hyperparameter], depth: int = 0) -> Space:
    """What always exists first, then branch by branch, as a design file has to list them."""
    ordered = [item for item in items if len(item.branch) == depth]
    groups: dict[str, dict[str, list[Hyperparameter]]] = {}
    for item in items:
        if len(item.branch) > depth:
            condition = item.branch[depth]
            groups.setdefault(condition.parent, {}).setdefault(spelled(condition.value), []).append(item)
    for values in groups.values():
        for below in values.values():
            ordered.extend(in_file_order(below, depth + 1))
    return tuple(ordered)


def space_mapping(space: Space) -> dict[str, Any]:
    """The role table that reads back as ``space``; conditions become nested ``when`` tables."""
    table: dict[str, Any] = {}
    for hyperparameter in space:
        place = table
        for condition in hyperparameter.branch:
            place = place.setdefault("when", {}).setdefault(condition.parent, {})
            place = place.setdefault(spelled(condition.value), {})
        place[hyperparameter.name] = literal_of(hyperparameter.domain)
    return table


def literal_of(domain: Domain) -> Any:
    """The inverse of ``read_domain``."""
    if isinstance(domain, Choice):
        return list(domain.values)
    if isinstance(domain, Constant):
        return {"value": domain.value, "because": domain.because} if domain.because else domain.value
    table: dict[str, Any] = {"low": domain.low, "high": domain.high}
    if domain.scale != "linear":
        table["scale"] = domain.scale
    if domain.type != "float":
        table["type"] = domain.type
    return table


def _read_literal(literal: object, problems: Problems) -> Domain | None:
    if isinstance(literal, Range | Choice | Constant):
        return literal
    if isinstance(literal, list | tuple):
        with problems.catching():
            return Choice(*literal)
    elif isinstance(literal, Mapping):
        return _read_table(literal, problems)
    elif is_value(literal):
        return Constant(literal)  # type: ignore[arg-type]
    else:
        problems.add(f"{literal!r} is not a value, a list of values or a range such as {{ low = 1, high = 10 }}")
    return None


def _read_table(table: Mapping[str, Any], problems: Problems) -> Domain | None:
    accepted = ("value", "because") if "value" in table else ("low", "high", "scale", "type")
    problems.unknown_keys(table, accepted)
    missing = [key for key in accepted[:2] if key not in table and key != "because"]
    for key in missing:
        problems.add(f"a range needs {key}, as in {{ low = 1e-4, high = 1.0, scale = 'log' }}", key)
    if len(problems):
        return None
    with problems.catching():
        return Constant(**table) if "value" in table else Range(**table)
    return None


def _fits_role(role: Role, domain: Domain, problems: Problems) -> bool:
    fits = isinstance(domain, Constant) == (role is Role.FIXED)
    if not fits and role is Role.FIXED:
        problems.add("a fixed hyperparameter has one value; what has several is scientific or nuisance")
    elif not fits:
        problems.add(f"a {role.value} hyperparameter has several values; a constant is fixed")
    return fits


def _subtables(table: object, problems: Problems, of: str) -> list[tuple[str, Mapping[Any, Any]]]:
    if not isinstance(table, Mapping):
        problems.add(f"expected a table for {of}, as in [nuisance.when.use_dropout.true]")
        return []
    found = []
    for key, value in table.items():
        word = key if isinstance(key, str) else spelled(key)
        if isinstance(value, Mapping):
            found.append((word, value))
        else:
            problems.add(f"expected a table for {of}, as in [nuisance.when.use_dropout.true]", word)
    return found


def _value_spelled(domain: Domain, word: str) -> Value | None:
    """The value of ``domain`` that a table key means; TOML keys are always text."""
    if isinstance(domain, Range):
        number = _as_float(word) if domain.type == "int" else None
        return int(number) if number is not None and number in domain else None
    values = domain.values if isinstance(domain, Choice) else (domain.value,)
    for value in values:
        if spelled(value) == word or (isinstance(value, float) and _as_float(word) == value):
            return value
    return None


def _as_float(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _clash(raw: _Raw, earlier: _Raw) -> str:
    if raw.role is not earlier.role:
        return f"has two roles, {earlier.role.value} and {raw.role.value}; a hyperparameter has exactly one per round"
    return f"stands twice, and both can exist in one configuration; the other is {'.'.join(earlier.path)}"

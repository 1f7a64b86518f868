"""The house rules about imports, read from the source: who may import whom, and no cycles."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tunebook

PACKAGE = Path(tunebook.__file__).parent

#: folder or module directly below the package -> its layer (docs/concepts/architecture.md)
LAYERS = {
    "__init__": 0,
    "__main__": 8,
    "errors": 0,
    "_optional": 0,
    "core": 1,
    "handle": 2,
    "stats": 2,
    "evidence": 2,
    "plan": 3,
    "store": 3,
    "run": 4,
    "learn": 4,
    "exploit": 4,
    "bridges": 4,
    "decide": 5,
    "procedures": 5,
    "show": 5,
    "exploitation": 6,
    "history": 6,
    "use_cases": 6.25,
    "project": 6.5,
    "autopilot": 6,
    "cli": 7,
    "web": 7,
    "tools": 7,
}
STANDARD_LIBRARY_ONLY = ("core", "handle", "errors", "_optional", "__init__")
HEAVY = ("numpy", "scipy", "torch", "botorch", "ray", "plotly", "sqlalchemy", "starlette", "pandas", "rich", "typer")
TEMPLATES = "template"


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if TEMPLATES in parts or "versions" in parts or path.name == "env.py":
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path) -> set[str]:
    """Modules imported anywhere in a file, inside functions as well, type checking blocks excepted."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute in this project"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(path: Path, known: dict[str, Path]) -> set[str]:
    return {name for name in imports_of(path) if name in known and name != "tunebook"}


MODULES = modules()


def test_every_folder_has_a_layer() -> None:
    rooms = {room(name) for name in MODULES} - {"kit"}
    assert rooms <= set(LAYERS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_downward(module: str) -> None:
    own = room(module)
    for imported in own_imports(MODULES[module], MODULES):
        other = room(imported)
        if other == own or (own == "_optional" and other == "errors"):
            continue  # files of one folder; the two stand side by side at the top
        assert other != "kit", f"{module} imports {imported}: nothing imports the kit"
        if own == "kit":
            assert other in ("errors", "_optional", "core", "handle"), f"{module} imports {imported}"
            continue
        assert LAYERS[other] < LAYERS[own], f"{module} (layer {LAYERS[own]}) imports {imported} ({LAYERS[other]})"


def test_there_is_no_import_cycle() -> None:
    graph = {name: own_imports(path, MODULES) for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done:
            return
        for other in graph[name]:
            # Importing a name of a package's __init__ from inside that package is what packages are for.
            if not name.startswith(other + "."):
                visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("module", sorted(name for name in MODULES if room(name) in STANDARD_LIBRARY_ONLY))
def test_core_and_handle_use_the_standard_library_only(module: str) -> None:
    for imported in imports_of(MODULES[module]):
        root = imported.partition(".")[0]
        assert root == "tunebook" or root in sys.stdlib_module_names, f"{module} imports {imported}"


def test_import_loads_nothing_heavy() -> None:
    script = "import sys, tunebook; tunebook.Round, tunebook.Trial; print(*(set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "tunebook.core.round" in loaded
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


def test_a_project_loads_what_a_use_case_needs_on_its_first_use() -> None:
    script = "import sys, tunebook; tunebook.Project; print(*(set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "tunebook.use_cases" in loaded
    assert not [name for name in loaded if name.startswith("tunebook.use_cases.")]
    assert not {name.partition(".")[0] for name in loaded} & (set(HEAVY) - {"numpy"})


def test_public_names_are_sorted_and_real() -> None:
    assert list(tunebook.__all__) == sorted(tunebook.__all__)
    for name in tunebook.__all__:
        assert getattr(tunebook, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = tunebook.no_such_name

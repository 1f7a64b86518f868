"""Names lead nowhere, and nothing is ever unpickled that lay in a store, a log or on the wire."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tunebook
from store_cases import a_block, claimed, with_round
from tunebook.core.round import Round
from tunebook.errors import TunebookError
from tunebook.plan.design import load
from tunebook.run.folders import attempt_folder, folder_name, output_file, round_folder, trial_folder
from tunebook.store.keeping import examine
from tunebook.store.store import Store

PACKAGE = Path(tunebook.__file__).parent

NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.sampled_from(
        ["..", ".", "", "/", "/etc/passwd", "../../x", "a/../../b", "..\\..\\x", "C:\\x", "~", "~root", "a\0b", "\n"]
    ),
    st.lists(st.sampled_from(["..", ".", "a", "", "~"]), max_size=6).map("/".join),
)


@given(NAMES, NAMES)
@example("..", "..")
@example("%2E%2E", "%2e")
@example("a" * 5000, "ß" * 5000)
def test_folders_of_any_names_stay_in_the_project(round_name: str, trial: str) -> None:
    home = PurePosixPath("/project/.tunebook/trials")
    project = Path("/project")
    folder = round_folder(project, round_name)
    assert PurePosixPath(folder).parent == home
    inner = trial_folder(project, round_name, trial)
    assert inner.parent == folder
    for path in (inner, output_file(attempt_folder(inner, 1))):
        assert ".." not in path.parts
        assert len(path.name.encode()) <= 255
        assert "\0" not in str(path)


@given(NAMES, NAMES)
def test_different_names_have_different_folders(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)


def test_a_round_with_a_name_that_leads_out_runs_inside(tmp_path: Path) -> None:
    from tunebook.project import Project

    root = tmp_path / "project"
    root.mkdir()
    (root / "tunebook.toml").write_text("")
    (root / "train.py").write_text("def train(trial):\n    trial.log(0, {'valid/error': 0.5})\n")
    design = Round(
        name="../../outside",
        goal="g",
        question="minimize",
        pipeline="train.py:train",
        max_train_steps=1,
        objective={"metric": "valid/error"},
        nuisance={"x": {"low": 0.0, "high": 1.0}},
        search={"trials": 1},
    )
    with Project.open(root, store=f"sqlite:///{root}/tunebook.db") as project:
        project.run(design, executor="inline")
        project.status()
        project.sheet()
        project.evidence("../../outside")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


#: Where pickle is used, and why that is none of the three: both ends are processes of ours, joined by a pipe.
ALLOWED = {
    "web/analyst.py": "the answer of a child that the page started itself, by its standard output",
    "web/jobs.py": "the other end of that pipe",
}
LOADERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def test_only_the_places_listed_import_anything_that_unpickles() -> None:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if {name.partition(".")[0] for name in names} & LOADERS:
            found[path.relative_to(PACKAGE).as_posix()] = names
    assert set(found) == set(ALLOWED)


def test_calls_that_can_unpickle_say_that_they_do_not() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called in ("torch.load", "np.load", "numpy.load"):
                assert said.get("weights_only", said.get("allow_pickle")) in ("True", "False"), f"{path}: {called}"
                assert said.get("weights_only") != "False", path
                assert said.get("allow_pickle") != "True", path
            assert called not in ("pd.read_pickle", "pandas.read_pickle", "eval", "exec", "yaml.load"), (
                f"{path}: {called}"
            )


class Bomb:
    """Unpickling it would leave a file behind."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("encoding", range(4))
def test_a_pickle_in_a_store_is_bytes_that_are_no_curve(tmp_path: Path, encoding: int) -> None:
    target = tmp_path / "boom"
    bomb = pickle.dumps(Bomb(target))
    pickle.loads(bomb)
    assert target.exists(), "the bomb works"
    target.unlink()
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url) as store:
        with_round(store, 1)
        (claim,) = claimed(store)
        store.append_curves(claim, a_block([1, 5, 7]), 0)
        store.database.write(
            lambda connection: connection.exec_driver_sql(
                "UPDATE chunks SET data = ?, steps = ?, encoding = ?", (bomb, bomb, encoding)
            )
        )
        with pytest.raises(Exception):  # noqa: B017 - any but the bomb
            store.snapshot("r")
    from store_cases import NOW

    assert not examine(url, is_dead=lambda _: False, now=NOW).is_sound
    assert not target.exists()


@pytest.mark.parametrize("name", ["design.toml", "trials.csv", "curves.csv"])
def test_a_pickle_among_files_is_no_file_of_ours(tmp_path: Path, name: str) -> None:
    from tunebook.bridges import files

    target = tmp_path / "boom"
    folder = tmp_path / "round"
    folder.mkdir()
    (folder / name).write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(TunebookError):
        files.read(folder)
    with pytest.raises(TunebookError):
        load(folder / name)
    assert not target.exists()

"""merge, doctor and backup as people type them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tunebook.project import Project

Call = Callable[..., object]


@pytest.fixture
def ran(project: Path, tunebook: Call) -> Path:
    assert tunebook("run", "rounds/01-it.toml", "--executor", "inline").status == 0
    return project


def test_a_sound_store_says_so(ran: Path, tunebook: Call) -> None:
    answer = tunebook("doctor")
    assert answer.status == 0
    assert "everything is sound" in answer.out
    assert tunebook("doctor", "--json").document["is_sound"] is True


def test_a_damaged_store_is_told_with_what_to_do(ran: Path, tunebook: Call) -> None:
    path = ran / "tunebook.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3 * 4096)
    answer = tunebook("doctor")
    assert answer.status == 1
    assert "cut short" in answer.out
    assert "tunebook backup" in answer.out
    assert tunebook("doctor", "--json").document["is_sound"] is False
    refused = tunebook("merge", path, "--store", f"sqlite:///{ran}/other.db")
    assert refused.status == 2
    assert "is damaged and is not merged" in refused.err
    assert not (ran / "other.db").exists()


def test_a_backup_is_written_once_and_restores(ran: Path, tunebook: Call) -> None:
    answer = tunebook("backup", "b.db", "--json")
    assert answer.document == {"file": "b.db", "bytes": (ran / "b.db").stat().st_size}
    again = tunebook("backup", "b.db")
    assert again.status == 2
    assert "--force" in again.err
    assert tunebook("backup", "b.db", "--force").status == 0
    before = tunebook("status", "--json").document
    (ran / "tunebook.db").unlink()
    (ran / "b.db").rename(ran / "tunebook.db")
    assert tunebook("status", "--json").document == before


def test_the_store_of_another_project_is_merged_once(ran: Path, tunebook: Call, tmp_path: Path) -> None:
    here = ("--store", f"sqlite:///{tmp_path}/here.db")
    first = tunebook("merge", ran, *here, "--json").document
    assert first["rounds"][0] == {
        "round": "01-it",
        "is_new": True,
        "trials": 12,
        "results": 12,
        "same": 0,
        "kept": 0,
        "left_out": 0,
    }
    again = tunebook("merge", ran / "tunebook.db", *here)
    assert "12 results here already" in again.out
    assert "nothing was new" in again.out
    other = tunebook("merge", ran, "--rename", "01-it=01-[b]", *here)
    assert "01-[b] (new)" in other.out
    assert tunebook("merge", ran, "--rename", "01-it", *here).status == 2


def test_what_is_not_there_is_not_merged(project: Path, tunebook: Call) -> None:
    answer = tunebook("merge", "none.db")
    assert answer.status == 1
    assert "none.db does not exist" in answer.err
    assert not (project / "none.db").exists()


def test_python_does_the_same(ran: Path, tmp_path: Path) -> None:
    with Project.open(ran) as ours, Project.open(ran, store=f"sqlite:///{tmp_path}/python.db") as other:
        assert other.merge(ran).rounds[0].results == 12
        assert other.merge(ours.store_url).is_empty
        assert ours.merge(tmp_path / "python.db").is_empty
        assert other.doctor().is_sound
        assert other.backup(tmp_path / "copy.db") > 0

"""Provenance: enough to run a trial again, and no secret."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from pathlib import Path

import pytest

from tunebook.core.round import Round
from tunebook.run import provenance

DESIGN = Round(
    goal="g",
    question="minimize",
    pipeline="train.py:train",
    max_train_steps=5,
    objective={"metric": "m"},
    search={"seed": 4},
)
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "WANDB_API_KEY": "hunter2",
    "PGPASSWORD": "hunter2",
    "TUNEBOOK_STORE": "postgresql://me:hunter2@host/db",
}


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def made(folder: Path, environment: dict[str, str], argv: list[str] | None = None) -> dict[str, object]:
    return provenance.record(
        DESIGN, folder, environment=environment, executor="local", workers=2, cores=8, argv=argv or ["tunebook", "run"]
    )


def test_secrets_are_not_kept(tmp_path: Path) -> None:
    argv = ["tunebook", "run", "--store", "postgresql://me:hunter2@host/db", "--api-key=hunter2", "MY_TOKEN=hunter2"]
    record = made(tmp_path, {**SECRETS, "OMP_NUM_THREADS": "4"}, argv)
    assert "hunter2" not in json.dumps(record)
    assert record["environment"] == {"OMP_NUM_THREADS": "4"}
    assert record["argv"] == [
        "tunebook", "run", "--store", "postgresql://me:***@host/db", "--api-key=***", "MY_TOKEN=***",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["--lr=0.1", "https://example.org/a:b", "train.py:train", "--monkey=1"])
def test_other_words_stay(word: str) -> None:
    assert provenance.without_secrets(word) == word


def test_the_record_says_what_ran(tmp_path: Path) -> None:
    record = made(tmp_path, {})
    assert (record["pipeline"], record["command"], record["search_seed"]) == ("train.py:train", None, 4)
    assert (record["executor"], record["workers"], record["cores"]) == ("local", 2, 8)
    packages = record["packages"]
    assert isinstance(packages, dict)
    assert "numpy" in packages
    assert json.loads(json.dumps(record)) == record


def test_packages_are_those_that_their_own_metadata_names() -> None:
    expected = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    assert provenance.packages() == expected


def test_a_folder_without_repository_has_no_revision(tmp_path: Path) -> None:
    assert provenance.git_state(tmp_path) is None


def test_revision_and_changes_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init")
    (tmp_path / "train.py").write_text("rate = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    (tmp_path / "train.py").write_text("rate = 2\n")
    (tmp_path / "new.py").write_text("")
    state = provenance.git_state(tmp_path)
    assert state is not None
    assert len(state["revision"]) == 40
    assert "-rate = 1\n+rate = 2" in state["diff"]
    assert (state["is_diff_cut"], state["untracked"]) == (False, ["new.py"])
    monkeypatch.setattr(provenance, "LARGEST_DIFF", 10)
    cut = provenance.git_state(tmp_path)
    assert cut is not None
    assert (len(cut["diff"]), cut["is_diff_cut"]) == (10, True)

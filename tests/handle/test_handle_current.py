"""current_trial(), the assignment's file, and the ending a script leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handle.handle_kit import assignment
from tunebook.errors import Infeasible, InputError
from tunebook.handle.assignment import Assignment
from tunebook.handle.current import current_trial, running
from tunebook.handle.ending import Ending, shortened
from tunebook.handle.trial import Trial


def test_an_assignment_is_the_same_from_its_file(tmp_path: Path) -> None:
    for resume in (None, tmp_path / "checkpoints" / "step-00000003"):
        made = assignment(tmp_path, resume_from=resume, start_step=4 if resume else 0)
        assert Assignment.from_json(made.to_json()) == made


def test_outside_of_a_trial_it_says_how_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEBOOK_TRIAL", raising=False)
    with pytest.raises(InputError, match="tunebook run DESIGN"):
        current_trial()


def test_it_is_the_running_one(tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path))
    with running(trial):
        assert current_trial() is trial


def test_a_script_finds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "trial.json"
    file.write_text(assignment(tmp_path).to_json())
    monkeypatch.setenv("TUNEBOOK_TRIAL", str(file))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert current_trial()["learning_rate"] == 0.1
    assert current_trial() is current_trial()


@pytest.mark.parametrize("text", ["", "{}", '{"format": 99}'])
def test_a_file_that_describes_no_trial_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "trial.json"
    file.write_text(text)
    monkeypatch.setenv("TUNEBOOK_TRIAL", str(file))
    with pytest.raises(InputError, match=r"another format|does not describe a trial"):
        current_trial()


def test_an_uncaught_exception_of_a_script_leaves_an_ending(tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text(assignment(tmp_path).to_json())
    code = "import tunebook; tunebook.current_trial(); raise tunebook.Infeasible('no')"
    environment = {**os.environ, "TUNEBOOK_TRIAL": str(tmp_path / "trial.json")}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Infeasible: no" in ran.stderr
    ending = Ending.read(tmp_path)
    assert ending is not None
    assert (ending.kind, ending.message) == ("infeasible", "tunebook.errors.Infeasible: no")


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Infeasible("x"), "infeasible"),
        (MemoryError(), "out_of_memory"),
        (OutOfMemoryError("x"), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (OSError(12, "Cannot allocate memory"), "out_of_memory"),
        (ValueError("CUDA out of memory is what I am testing"), "error"),
        (KeyError("x"), "error"),
    ],
)
def test_exceptions_are_told_apart(error: Exception, kind: str) -> None:
    assert Ending.of(error).kind == kind


def test_long_text_keeps_its_ends() -> None:
    text = shortened("a" * 50 + "b" * 50, 20)
    assert text.startswith("a" * 10 + "\n")
    assert text.endswith("b" * 10)
    assert "80 characters left out" in text

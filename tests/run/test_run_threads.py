"""A script that computes with OpenMP when it is imported does not hang its trials, which have their threads."""

import os
import sys
import textwrap

import pytest

from tunebook.project import Project
from tunebook.run.threads import VARIABLES, hold_threads, release_threads

TRAIN = """
    import torch

    # More elements than PyTorch leaves to one thread: with two of them the parent would start a team of OpenMP's.
    DATA = torch.randn(1000, 200, dtype=torch.float64).to(torch.float32).softmax(dim=1)

    def train(trial):
        value = DATA.double().softmax(dim=1).sum().item() / 1000
        trial.log(0, {"valid/loss": value, "threads": torch.get_num_threads()})
"""
DESIGN = """
    goal = "Does it end?"
    question = "understand"
    pipeline = "train.py:train"
    max_train_steps = 1
    [objective]
    metric = "valid/loss"
    [nuisance]
    learning_rate = { low = 1e-3, high = 1.0, scale = "log" }
    [search]
    trials = 2
    [run]
    max_seconds = 60
"""


def test_threads_are_held_and_released(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    for module in ("torch", "threadpoolctl"):  # this process keeps its own number
        monkeypatch.delitem(sys.modules, module, raising=False)
    before = hold_threads()
    assert before == {"OMP_NUM_THREADS": "3"}
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert "MKL_NUM_THREADS" not in os.environ
    release_threads(before)
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_script_that_computes_when_imported_does_not_hang(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.delenv("TUNEBOOK_STORE", raising=False)
    for name in VARIABLES:
        monkeypatch.setenv(name, "2")
    (tmp_path / "tunebook.toml").write_text("")
    (tmp_path / "train.py").write_text(textwrap.dedent(TRAIN))
    (tmp_path / "rounds").mkdir()
    (tmp_path / "rounds" / "01-threads.toml").write_text(textwrap.dedent(DESIGN))
    with Project.open(tmp_path) as project:
        project.run("01-threads")
        evidence = project.evidence("01-threads")
    assert [str(trial.status) for trial in evidence.trials] == ["complete", "complete"]
    assert evidence.curves["threads"].values.tolist() == [2.0, 2.0]

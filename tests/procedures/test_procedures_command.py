"""The commands themselves, on real rounds in a project: words, JSON, the written design, going on, memory."""

import json
import sys
import textwrap

import pytest
import typer
from typer.testing import CliRunner

from tunebook.cli import procedures
from tunebook.core.round import Round
from tunebook.errors import InputError

TRAIN = """
    import math

    def train(trial):
        batch = int(trial["batch_size"])
        held = bytearray(batch * 2**20)
        rate = float(trial["learning_rate"])
        for step in range(trial.max_train_steps):
            loss = 0.1 + math.exp(-step * rate / 10) + (rate > 2) * step
            seconds = 0.01 * max(1.0, batch / 16)
            trial.log(step, {"train/loss": loss, "valid/loss": loss + 1e-3 / rate + 0.1 * (rate > 0.5)})
            trial.log(step, {"train/error": max(0.0, 0.9 - step * rate / (10 if rate < 0.5 else 400))})
            trial.log(step, {"examples_per_second": batch / seconds, "data_wait_seconds": 0.0, "grad_norm": 1.0})
        del held
"""
DESIGN = """
    goal = "Which learning rate?"
    question = "understand"
    pipeline = "train.py:train"
    max_train_steps = 200
    [objective]
    metric = "valid/loss"
    [nuisance]
    learning_rate = { low = 1e-2, high = 10.0, scale = "log" }
    [fixed]
    batch_size = 4
    warmup_steps = 0
    clip_norm = 1e30
    [search]
    trials = 4
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNEBOOK_STORE", raising=False)
    (tmp_path / "tunebook.toml").write_text("")
    (tmp_path / "train.py").write_text(textwrap.dedent(TRAIN))
    (tmp_path / "rounds").mkdir()
    (tmp_path / "rounds" / "01-rate.toml").write_text(textwrap.dedent(DESIGN))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(folder):
    app = typer.Typer()
    procedures.register(app)

    def call(*words, executor="inline", status=0):
        result = CliRunner().invoke(app, [words[0], "01-rate", *map(str, words[1:]), "--executor", executor])
        assert result.exit_code == status, result.output
        return result

    return call


def test_batch_size_in_words_then_as_json(call, folder):
    said = call("batch-size", "--most", 64, "--repeats", 1, "--memory-gib", 100, "-o", folder / "next.toml").stdout
    assert "01-rate-batch-size:" in said
    assert "batch_size = 8, 16, … up to 64" in said
    assert "batch-size: 16" in said
    assert "Written to" in said
    written = Round.load(folder / "next.toml")
    assert written.name == "next"  # a round of its own
    assert next(item for item in written.fixed if item.name == "batch_size").domain.value == 16
    document = json.loads(call("batch-size", "--most", 64, "--repeats", 1, "--memory-gib", 100, "--json").stdout)
    assert document["answer"] == "16"
    assert [row["batch_size"] for row in document["numbers"]["sizes"]] == [8, 16, 32, 64]
    assert {finding["code"] for finding in document["findings"]} == {"batch_size", "retune"}


def test_memory_that_runs_out_is_caught(call):
    words = ("batch-size", "--least", 64, "--repeats", 1, "--memory-gib", 0.7, "--json")
    numbers = json.loads(call(*words, executor="local").stdout)["numbers"]
    assert numbers["smallest_that_does_not_fit"] in (512, 1024)
    assert numbers["largest_that_fits"] == numbers["smallest_that_does_not_fit"] // 2


def test_steps_refuses_at_the_edge_with_status_3(call):
    words = ("steps", "--metric", "train/error", "--rates", 5, "--low", 0.01, "--high")
    call(*words, 0.1, "--strict", status=3)
    document = json.loads(call(*words, 4, "--json").stdout)
    assert document["answer"] == "46"
    assert f"max_train_steps = {document['answer']}" in document["design"]


def test_stability_and_its_remedies(call):
    assert json.loads(call("stability", "--json").stdout)["answer"] == "stable"
    for name in ("warmup", "clipping"):
        document = json.loads(call(name, "--json").stdout)
        assert (document["procedure"], document["answer"], document["design"]) == (name, "stable", None)


def test_scaling(call):
    sizes = [word for size in (1, 2, 4, 8) for word in ("-b", size)]
    document = json.loads(call("scaling", *sizes, "--json").stdout)
    assert [row["batch_size"] for row in document["numbers"]["sizes"]] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("words", "plot"),
    [
        (("batch-size", "--most", 32, "--repeats", 1, "--memory-gib", 100), "throughput"),
        (("steps", "--metric", "train/error", "--rates", 5, "--low", 0.01, "--high", 4), "best-step"),
        (("stability",), "sweep"),
        (("scaling", "-b", 1, "-b", 2, "-b", 4, "-b", 8), "budgets"),
    ],
)
def test_a_page_with_the_plots_is_written(call, folder, words, plot):
    said = call(*words, "--html", folder / "page.html").stdout
    assert "The plots are in" in said
    assert f'id="{plot}-plot"' in (folder / "page.html").read_text()


def test_without_the_package_for_plots_nothing_is_run(call, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert "pip install 'tunebook[plots]'" in call("stability", "--html", folder / "page.html", status=2).stderr
    assert not (folder / "tunebook.db").exists()


@pytest.mark.parametrize("option", ["--html", "-o"])
def test_a_file_in_a_folder_that_is_not_there_is_told_before_anything_runs(call, folder, option):
    result = call("stability", option, folder / "nowhere" / "file", status=2)
    assert "nowhere" in result.stderr
    assert not (folder / "tunebook.db").exists()


def test_wrong_input_is_told_before_anything_runs(call, folder):
    result = call("warmup", "--length", 500, status=2)
    assert "a warmup of 500 steps is longer than the run of 200" in result.stderr
    assert not (folder / "tunebook.db").exists()
    assert "is not NAME=VALUE" in call("stability", "--set", "learning_rate", status=2).stderr


def test_values_are_read_as_a_design_would():
    assert procedures.assignments(["a=0.1", "b=true", "c=2", "d=adam"]) == {"a": 0.1, "b": True, "c": 2, "d": "adam"}
    with pytest.raises(InputError):
        procedures.assignments(["a"])

"""What is wrong is said with file, line, key and what is accepted, and exits with 2 before anything runs."""

import pytest

from tunebook.cli.output import dumps


def broken(project, old: str, new: str):
    design = project / "rounds" / "01-it.toml"
    text = design.read_text()
    assert old in text
    design.write_text(text.replace(old, new))
    return design


CASES = {
    "unknown key": (
        "max_train_steps = 20",
        "max_train_step = 20",
        ["max_train_step", "did you mean 'max_train_steps'"],
    ),
    "low above high": ("low = 1e-3, high = 10.0", "low = 10.0, high = 1e-3", ["learning_rate", "has to be below"]),
    "log of zero": ("low = 1e-3", "low = 0", ["learning_rate.low", "above 0 on a log scale"]),
    "two roles": ("use_it = [false, true]", "use_it = [false, true]\nlearning_rate = [1, 2]", ["has two roles"]),
    "steps searched": ("use_it = [false", "max_train_steps = [5, 6]\nuse_it = [false", ["never searched"]),
    "when of nothing": ("when.use_it.true", "when.use_that.true", ["'use_that'", "did you mean 'use_it'"]),
    "when of no value": ("when.use_it.true", "when.use_it.maybe", ["cannot be 'maybe'", "false | true"]),
    "no such algorithm": ("trials = 6", "trials = 6\nalgorithm = 'holton'", ["did you mean 'halton'"]),
    "no toml": ("[search]", "[search", ["TOML"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_design_names_the_place_and_exits_with_2(case, project, tunebook):
    old, new, words = CASES[case]
    design = broken(project, old, new)
    answer = tunebook("run", design)
    assert answer.status == 2
    for word in [*words, f"{design}:"]:
        assert word in answer.err
    assert not (project / "tunebook.db").exists()


def test_all_problems_are_told_at_once(project, tunebook):
    broken(project, "low = 1e-3", "low = 0")
    design = broken(project, "trials = 6", "trials = 0")
    answer = tunebook("check", design, "--json")
    assert answer.status == 2
    problems = answer.document["error"]["problems"]
    assert {problem["key"] for problem in problems} == {"nuisance.learning_rate.low", "search.trials"}
    assert all(problem["line"] for problem in problems)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ('pipeline = "nothing.py:train"', ["nothing.py"]),
        ('pipeline = "train.py:fit"', ["fit"]),
        ('command = ["no-such-program", "{learning_rate}"]', ["no-such-program"]),
    ],
)
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_pipeline_that_cannot_run_is_told_before_any_trial(project, tunebook, pipeline, words, executor):
    design = broken(project, 'pipeline = "train.py:train"', pipeline)
    answer = tunebook("run", design, "--executor", executor)
    assert answer.status == 2
    assert all(word in answer.err for word in words)
    assert tunebook("status", "--json").document["rounds"] == []  # what is refused leaves nothing behind


def test_a_metric_that_is_never_logged_is_told_after_the_first_trial(project, tunebook):
    design = broken(project, 'metric = "valid/error"', 'metric = "valid/accuracy"')
    answer = tunebook("run", design, "--executor", "inline")
    assert answer.status == 2
    assert "valid/accuracy" in answer.err
    assert "valid/error" in answer.err
    assert tunebook("status", "--json").document["rounds"][0]["trials"]["pending"] >= 10


def test_placeholders_of_a_command_are_checked(project, tunebook):
    design = broken(project, 'pipeline = "train.py:train"', 'command = ["echo", "{learning_rte}"]')
    answer = tunebook("check", design)
    assert answer.status == 2
    assert "did you mean 'learning_rate'" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["learn", "nothing"], "has run yet"),
        (["export", "nothing", "x.csv"], "has run yet"),
        (["import", "wandbb", "."], "accepted"),
        (["import", "csv", "no-such-folder"], "no-such-folder"),
        (["status", "--project", "no-such-folder"], "no-such-folder"),
        (["status", "--store", "mysql://x"], "mysql"),
        (["check", "02-it"], "did you mean '01-it'"),
    ],
)
def test_other_wrong_words_exit_with_2(project, tunebook, words, said):
    answer = tunebook(*words)
    assert answer.status == 2, answer
    assert said in answer.err


def test_without_a_project_it_says_how_to_start_one(tmp_path, monkeypatch, tunebook):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNEBOOK_STORE", raising=False)
    answer = tunebook("status")
    assert answer.status == 2
    assert "tunebook init" in answer.err


def test_json_has_no_word_for_what_is_not_finite():
    assert dumps({"a": float("nan"), "b": (1, float("inf"))}) == '{"a": null, "b": [1, null]}'


def test_a_mended_metric_name_loses_no_trial(project, tunebook):
    design = broken(project, 'metric = "valid/error"', 'metric = "valid/eror"')
    refused = tunebook("run", design, "--executor", "inline")
    assert refused.status == 2
    assert "did you mean 'valid/error'?" in refused.err
    broken(project, 'metric = "valid/eror"', 'metric = "valid/error"')
    counts = tunebook("run", design, "--executor", "inline", "--json").document["trials"]
    assert (counts["failed"], counts["pending"]) == (0, 0)


def test_check_says_what_run_will_refuse(project, tunebook):
    assert "will refuse" not in tunebook("check", "01-it").out
    (project / "train.py").write_text("def trainn(trial):\n    pass\n")
    said = " ".join(tunebook("check", "01-it").out.split())
    assert "has no function 'train', did you mean 'trainn'?" in said
    (project / "train.py").unlink()
    answer = tunebook("check", "01-it", "--json")
    assert answer.status == 0
    assert "there is no file" in answer.err
    assert "there is no file" not in answer.out
    design = broken(project, 'pipeline = "train.py:train"', 'command = ["./trian", "{learning_rate}"]')
    said = " ".join(tunebook("check", design).out.split())
    assert "`tunebook run` will refuse this: './trian' cannot be run" in said

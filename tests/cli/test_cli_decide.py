"""From evidence to a launch and the next round, through the command line."""

from datetime import datetime

import pytest

NOISY = """
import math
import random

import tunebook


def train(trial):
    lr = trial["learning_rate"]
    noise = random.Random(f"{lr}-{trial.seed}-{trial.config.get('rate')}")
    better = -0.5 if trial["use_it"] else 0.0
    for step in range(trial.max_train_steps):
        loss = 1.0 + (math.log10(lr) + 1.0) ** 2 + better + 1.0 / (1 + step) + noise.gauss(0.0, 0.01)
        trial.log(step, {"train/loss": loss, "valid/error": loss})
"""


@pytest.fixture
def ran(project, tunebook):
    (project / "train.py").write_text(NOISY)
    answer = tunebook("run", "01-it", "--executor", "inline")
    assert answer.status == 0, answer.err
    return project


@pytest.fixture
def repeated(ran, tunebook):
    answer = tunebook("repeat", "01-it", "--seeds", 5, "--executor", "inline", "--json")
    assert answer.status == 0, answer.err
    assert answer.document["trials"]["complete"] == 12 + 10
    return ran


def test_without_repeats_the_verdict_is_unresolved(ran, tunebook):
    document = tunebook("decide", "01-it", "--json").document
    assert document["verdict"] == "unresolved"
    assert document["configuration"]["rests_on"] == "none"
    assert document["needs"]["seeds"] > 0
    refused = tunebook("decide", "01-it", "--adopt")
    assert refused.status == 2
    assert "--note" in refused.err
    assert tunebook("ledger", "--json").document["launches"] == []


def test_repeats_are_no_part_of_the_search(repeated, tunebook):
    again = tunebook("run", "01-it", "--executor", "inline", "--json").document["trials"]
    assert again["complete"] == 22
    sheet = tunebook("suggest", "01-it", "--json").document["configurations"]
    assert len(sheet) == 12


def test_a_clear_improvement_is_adopted_and_can_be_rolled_back(repeated, tunebook):
    verdict = tunebook("decide", "01-it", "--json").document
    assert verdict["verdict"] == "adopt"
    assert verdict["candidate"]["config"]["use_it"] is True
    assert verdict["configuration"]["rests_on"] == "repeats"
    improvement = verdict["configuration"]["improvement"]
    assert improvement["low"] < improvement["estimate"] < improvement["high"]
    assert verdict["configuration"]["probability_of_improvement"] >= verdict["threshold"] == 0.95
    assert verdict["settings"][0]["setting"] == {"use_it": True}

    adopted = tunebook("decide", "01-it", "--adopt").out
    assert "Launch 0: trial" in adopted
    assert "reproduce: tunebook run launch-0" in adopted
    shown = tunebook("ledger", "show", 0, "--json").document
    assert shown["trial"] == verdict["candidate"]["trial"]
    assert shown["command"]
    assert datetime.fromisoformat(shown["at"]).tzinfo is not None
    assert tunebook("ledger", "--json").document["current"] == 0

    assert tunebook("ledger", "rollback", 0, "--note", "too early").status == 0
    assert tunebook("ledger", "--json").document["current"] is None
    twice = tunebook("ledger", "rollback", 0)
    assert twice.status == 2
    assert "too early" in tunebook("ledger").out


def test_keeping_changes_no_launch(repeated, tunebook):
    kept = tunebook("decide", "01-it", "--keep", "--note", "not now", "--json")
    assert (kept.status, kept.document["entry"]) == (0, 0)
    ledger = tunebook("ledger", "--json").document
    assert ledger["current"] is None
    [entry] = ledger["launches"]
    assert (entry["keeps"], entry["note"]) == (True, "not now")
    assert (entry["trial"], entry["config"]) == (
        kept.document["baseline"]["trial"],
        kept.document["baseline"]["config"],
    )
    assert "the baseline stayed after 01-it" in tunebook("ledger", "show", 0).out
    assert tunebook("ledger", "rollback", 0).status == 2
    both = tunebook("decide", "01-it", "--keep", "--adopt")
    assert both.status == 2


def test_the_next_design_is_accepted_and_runs(repeated, tunebook):
    made = tunebook("next", "01-it", "-o", "rounds/02-next.toml", "--json")
    assert made.status == 0, made.err
    text = (repeated / "rounds" / "02-next.toml").read_text()
    assert made.document["design"] == text
    for change in made.document["changes"]:
        assert change["source"]
    assert tunebook("check", "02-next", "--strict").status == 0
    ran = tunebook("run", "02-next", "--executor", "inline", "--json")
    assert ran.status == 0, ran.err
    assert ran.document["trials"]["complete"] > 0
    printed = tunebook("next", "01-it").out
    assert 'goal = "' in printed


def test_a_longer_round_keeps_the_design_and_stretches_the_steps(repeated, tunebook):
    made = tunebook("next", "01-it", "--longer", "4x", "-o", "rounds/02-long.toml", "--json")
    assert made.status == 0, made.err
    assert "max_train_steps = 80" in (repeated / "rounds" / "02-long.toml").read_text()
    assert made.document["carries"]
    wrong = tunebook("next", "01-it", "--longer", "half")
    assert wrong.status == 2
    assert "'half'" in wrong.err


def test_the_first_baseline_is_launch_0(project, tunebook):
    (project / "train.py").write_text(NOISY)
    design = project / "rounds" / "01-it.toml"
    without = tunebook("baseline", "01-it", "--executor", "inline")
    assert without.status == 2
    assert "chance" in without.err
    design.write_text(design.read_text().replace('metric = "valid/error"', 'metric = "valid/error"\nchance = 9.0'))
    made = tunebook("baseline", "01-it", "--set", "learning_rate=0.1", "--executor", "inline", "--json")
    assert made.status == 0, made.err
    assert made.document["launch"] == 0
    assert made.document["config"]["learning_rate"] == 0.1
    again = tunebook("baseline", "01-it", "--executor", "inline")
    assert again.status == 2
    assert "baseline already" in again.err


def test_a_changed_batch_size_makes_the_baseline_stale(project, tunebook):
    design = project / "rounds" / "01-it.toml"
    first = design.read_text().replace('metric = "valid/error"', 'metric = "valid/error"\nchance = 9.0')
    design.write_text(first + "\n[fixed]\nbatch_size = 32\n")
    assert tunebook("baseline", "01-it", "--executor", "inline").status == 0
    codes = [finding["code"] for finding in tunebook("check", "01-it", "--json").document["findings"]]
    assert "stale_baseline" not in codes
    design.write_text(first + "\n[fixed]\nbatch_size = 64\n")
    [stale] = [
        finding
        for finding in tunebook("check", "01-it", "--json").document["findings"]
        if finding["code"] == "stale_baseline"
    ]
    assert stale["requirement"] == "S7"
    assert (stale["evidence"]["before"], stale["evidence"]["after"]) == ("32", "64")
    assert "learning rate" in stale["evidence"]["retune"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["baseline", "01-it", "--set", "learning_rate"], "NAME=VALUE"),
        (["baseline", "01-it", "--set", "learning_rte=0.1"], "did you mean 'learning_rate'"),
        (["ledger", "rollback"], "number"),
        (["ledger", "show", "3"], "no launch 3"),
        (["ledger", "forget", "3"], "accepted"),
        (["decide", "01-it", "--complexity", "huge"], "huge"),
        (["repeat", "01-it", "--trial", "nothing"], "nothing"),
    ],
)
def test_wrong_words_exit_with_2(ran, tunebook, words, said):
    answer = tunebook(*words)
    assert answer.status == 2, answer
    assert said in answer.err


def test_deciding_before_anything_is_complete(project, tunebook):
    from tunebook import Project

    with Project.open(project) as opened:
        opened.plan("01-it")
    for words in (["decide", "01-it"], ["repeat", "01-it"]):
        answer = tunebook(*words)
        assert answer.status == 2
        assert "complete" in answer.err


def test_one_setting_without_a_launch_has_no_baseline_and_says_so(project, tunebook, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "design.toml").write_text(
        'goal = "Which?"\nquestion = "minimize"\npipeline = "train.py:train"\nmax_train_steps = 10\n'
        '[objective]\nmetric = "valid/error"\n[nuisance]\nlearning_rate = { low = 0.1, high = 1.0 }\n'
    )
    (folder / "trials.csv").write_text(
        "trial,study,seed,status,objective,learning_rate\na,all,0,complete,0.2,0.5\nb,all,1,complete,0.3,0.5\n"
    )
    assert tunebook("import", "csv", folder).status == 0
    said = tunebook("decide", "one").out
    assert "there is no baseline to compare with" in said
    assert "nothing tells how much" not in said
    assert "one setting only\n" not in said


def test_a_study_can_really_be_repeated_and_counts_in_the_decision(repeated, tunebook):
    before = tunebook("decide", "01-it", "--json").document
    again = tunebook("repeat", "01-it", "--study", "--executor", "inline", "--json")
    assert again.status == 0, again.err
    assert again.document["round"] == "01-it-again-1"
    assert again.document["trials"]["complete"] == 12
    first = {item["trial"] for item in tunebook("suggest", "01-it", "--json").document["configurations"]}
    curves = tunebook("curves", "01-it-again-1", "--json").document["trials"]
    assert first.isdisjoint(item["trial"] for item in curves)
    after = tunebook("decide", "01-it", "--json").document
    assert after["settings"] != before["settings"]
    assert any("again" in reason or "repetition" in reason or "search" in reason for reason in after["because"])
    assert tunebook("repeat", "01-it", "--study", "--executor", "inline", "--json").document["round"] == "01-it-again-2"


def test_a_round_in_which_all_failed_exits_with_1_and_leads_nowhere(project, tunebook):
    """A pipeline that breaks at once: nothing was learned, and no next round comes of it (E5, D5)."""
    (project / "train.py").write_text("def train(trial):\n    raise RuntimeError('no data here')\n")
    answer = tunebook("run", "01-it", "--executor", "inline")
    assert answer.status == 1
    assert answer.out.count("no data here) after") == 3
    assert "only counted" in answer.out
    for command in ("decide", "next"):
        refused = tunebook(command, "01-it")
        assert refused.status == 2
        assert "--retry-failed" in refused.err


def test_the_next_round_goes_by_another_objective_when_asked(repeated, tunebook):
    made = tunebook("next", "01-it", "--objective", "train/loss final", "-o", "rounds/02-loss.toml", "--json")
    assert made.status == 0, made.err
    [change] = [one for one in made.document["changes"] if one["key"] == "objective.metric"]
    assert "was valid/error" in change["text"]
    checked = tunebook("check", "rounds/02-loss.toml", "--json")
    assert checked.status == 0
    assert 'metric = "train/loss"' in (repeated / "rounds" / "02-loss.toml").read_text()
    assert 'reduce = "final"' in (repeated / "rounds" / "02-loss.toml").read_text()

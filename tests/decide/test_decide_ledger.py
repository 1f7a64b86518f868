"""The ledger's rules: append only, overruling, rolling back, fingerprints."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from decide_builders import config, design

from tunebook.core.config import Config
from tunebook.core.launch import current_launch
from tunebook.core.verdict import (
    ConfigurationAnswer,
    Contender,
    Improvement,
    RestsOn,
    Ruling,
    Verdict,
)
from tunebook.decide.ledger import (
    first_launch,
    is_overruled,
    kept,
    next_launch,
    pipeline_fingerprint,
    reproduce_command,
    rollback,
    stale,
    stale_findings,
)
from tunebook.errors import InputError

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def verdict(ruling=Ruling.ADOPT, rate=0.1, candidate=True):
    return Verdict(
        round="02",
        baseline=None,
        candidate=Contender(trial="t", config=Config(config(True, rate)), repeats=5) if candidate else None,
        configuration=ConfigurationAnswer(
            probability=0.97, improvement=Improvement(estimate=1.0, low=0.5, high=1.5), rests_on=RestsOn.REPEATS
        ),
        threshold=0.95,
        ruling=ruling,
        because=("for a reason",),
    )


def ledger(n=2):
    found = []
    for number in range(n):
        found.append(next_launch(found, verdict(rate=0.1 + number), now=NOW, who="ada", revision="abc"))
    return found


def test_numbers_count_from_zero_and_the_newest_stands():
    assert [launch.number for launch in ledger(3)] == [0, 1, 2]
    assert current_launch(ledger(3)).number == 2


def test_an_entry_holds_the_evidence():
    (launch,) = ledger(1)
    assert launch.evidence["configuration"]["probability_of_improvement"] == 0.97
    assert (launch.who, launch.revision, launch.at) == ("ada", "abc", NOW)
    assert not is_overruled(launch)


@pytest.mark.parametrize("ruling", [Ruling.KEEP, Ruling.UNRESOLVED])
def test_overruling_needs_a_note(ruling):
    with pytest.raises(InputError, match="--note"):
        next_launch([], verdict(ruling), now=NOW)
    overruled = next_launch([], verdict(ruling), now=NOW, note="the deadline is today")
    assert is_overruled(overruled)
    assert overruled.note == "the deadline is today"


def test_nothing_to_adopt_is_refused():
    with pytest.raises(InputError, match="no candidate"):
        next_launch([], verdict(candidate=False), now=NOW)


def test_what_is_in_force_is_not_adopted_again():
    with pytest.raises(InputError, match="launch 0 has this configuration"):
        next_launch(ledger(1), verdict(rate=0.1), now=NOW)


def test_rolling_back_brings_the_one_before_into_force():
    found = ledger(2)
    found.append(rollback(found, 1, now=NOW, note="worse in production"))
    assert current_launch(found).number == 0
    assert (found[2].number, found[2].rolls_back) == (2, 1)


def test_after_a_roll_back_the_launch_can_be_adopted_anew():
    found = ledger(2)
    found.append(rollback(found, 1, now=NOW))
    found.append(next_launch(found, verdict(rate=1.1), now=NOW))
    assert current_launch(found).number == 3


@pytest.mark.parametrize(("number", "words"), [(1, "rolled back already"), (2, "is the roll-back"), (9, "no launch 9")])
def test_a_roll_back_that_makes_no_sense_is_refused(number, words):
    found = ledger(2)
    found.append(rollback(found, 1, now=NOW))
    with pytest.raises(InputError, match=words):
        rollback(found, number, now=NOW)


def test_keeping_the_baseline_is_an_entry_and_no_launch():
    found = ledger(1)
    stays = Contender(trial="b", config=found[0].config, repeats=5)
    entry = kept(found, replace(verdict(Ruling.KEEP), baseline=stays), now=NOW, who="ada", note="as it was")
    assert (entry.number, entry.trial, entry.config, entry.revision) == (1, "b", found[0].config, "abc")
    assert (entry.keeps, entry.is_launch, is_overruled(entry)) == (True, False, False)
    assert entry.evidence["verdict"] == "keep"
    assert current_launch([*found, entry]).number == 0
    with pytest.raises(InputError, match="the baseline stayed; there is nothing to take back"):
        rollback([*found, entry], 1, now=NOW)


def test_no_baseline_cannot_be_kept():
    lone = verdict()
    for none in (lone, replace(lone, baseline=lone.candidate)):
        with pytest.raises(InputError, match="no baseline that could be kept"):
            kept([], none, now=NOW)
    assert kept(ledger(1), replace(lone, baseline=lone.candidate), now=NOW).keeps


def test_an_empty_ledger_says_so():
    with pytest.raises(InputError, match="there are: none"):
        rollback([], 0, now=NOW)


def test_the_first_launch_is_only_the_first():
    contender = Contender(trial="t", config=Config(), repeats=1)
    first = first_launch([], "00", contender, {}, now=NOW)
    assert first.number == 0
    with pytest.raises(InputError, match="in force already"):
        first_launch([first], "00", contender, {}, now=NOW)


def test_the_command_that_reproduces_a_launch():
    (launch,) = ledger(1)
    shell = design(pipeline=None, command=["python", "train.py", "--lr={learning_rate}", "--steps={max_train_steps}"])
    assert reproduce_command(shell, launch) == "git checkout abc && python train.py --lr=0.1 --steps=1000"
    assert reproduce_command(design(), launch) == "git checkout abc && tunebook run launch-0"


def test_a_value_the_command_needs_and_nobody_has_is_named():
    (launch,) = ledger(1)
    shell = design(pipeline=None, command=["train", "{momentum}"], nuisance={"momentum": {"low": 0.1, "high": 0.9}})
    with pytest.raises(InputError, match="momentum"):
        reproduce_command(shell, launch)


def test_the_fingerprint_changes_with_what_the_variance_depends_on():
    same = pipeline_fingerprint(design(), "abc")
    assert pipeline_fingerprint(design(goal="something else", search={"trials": 99}), "abc") == same
    others = [
        pipeline_fingerprint(design(), "abd"),
        pipeline_fingerprint(design(fixed={"batch_size": 256}), "abc"),
        pipeline_fingerprint(design(max_train_steps=2000), "abc"),
        pipeline_fingerprint(design(pipeline="other.py:train"), "abc"),
        pipeline_fingerprint(design(objective={"metric": "valid/loss"}), "abc"),
    ]
    assert len({same, *others}) == 6


def test_what_changed_and_what_to_tune_again():
    (change,) = stale(design(), design(fixed={"batch_size": 512}))
    assert (change.what, change.before, change.after) == ("batch size", "128", "512")
    assert change.retune[0] == "learning rate"
    assert stale(design(), design(goal="x")) == ()
    (finding,) = stale_findings(design(), design(fixed={"batch_size": 512}))
    assert (finding.code, finding.requirement) == ("stale_baseline", "S7")
    assert "learning rate" in finding.fix

"""The next round: what findings become, which of them gives way, and that the file can be run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from decide_builders import config, design, evidence, repeats, searched

from tunebook.core.action import (
    AddSeeds,
    AddTrials,
    Clip,
    Exploit,
    Fix,
    Lengthen,
    Narrow,
    Regularise,
    Shorten,
    WarmUp,
    Widen,
)
from tunebook.core.config import Config
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.hyperparameter import Range
from tunebook.core.round import Question
from tunebook.core.verdict import Ruling
from tunebook.decide.next_round import next_round
from tunebook.decide.render import render
from tunebook.decide.verdict import decide
from tunebook.errors import InputError
from tunebook.learn.analyse import analyse
from tunebook.plan.design import loads
from tunebook.plan.lint import lint
from tunebook.plan.trials import plan_trials

WORDS = Words(says="it was seen", why="it matters")
RATE = {"low": 1e-4, "high": 1.0, "scale": "log"}
NOISE = np.array([-0.0012, -0.0004, 0.0, 0.0005, 0.0011])
OFF, ON = [0.100, 0.110, 0.105, 0.120, 0.130, 0.150], [0.094, 0.090, 0.101, 0.115, 0.140, 0.160]


def finding(code, action=None, *, label=None, confidence=1.0, requirement="L2", **numbers):
    return Finding(
        code=code,
        requirement=requirement,
        severity=Severity.WARNING,
        words=WORDS,
        evidence=numbers,
        confidence=confidence,
        subject=Subject(hyperparameter=label),
        next=action,
    )


def widen(low=1e-4, high=10.0, label="learning_rate"):
    return finding("boundary", Widen(hyperparameter=label, low=low, high=high), label=label)


def narrow(low=1e-3, high=1e-1, label="learning_rate"):
    return finding("narrow", Narrow(hyperparameter=label, low=low, high=high), label=label, requirement="L8")


def wide(**changes):
    """A design the linter has nothing against."""
    return design(**{"search": {"trials": 32}, **changes})


def domain(made, name):
    return next(item.domain for item in made.hyperparameters if item.name == name)


def decided(gap):
    off, on = config(False, 1e-3), config(True, 2e-3)
    runs = [*searched(False, OFF), *searched(True, [value - gap for value in OFF])]
    on = config(True, 1e-3)
    return decide(evidence([*runs, *repeats(off, list(0.1 + NOISE)), *repeats(on, list(0.1 - gap + NOISE))], wide()))


def clean(made):
    """The linter has nothing but caveats."""
    return [found.says for found in lint(made) if found.severity is not Severity.NOTE] == []


ROUNDS = {
    "boundary": ([widen()], None),
    "density": ([finding("undersampled", AddTrials(trials=64))], None),
    "narrow": ([narrow()], None),
    "longer": ([finding("best_step_late")], None),
    "shorter": ([finding("best_step_early", steps=200)], None),
    "unstable": ([finding("unstable", WarmUp(hyperparameter="learning_rate", best=0.1))], None),
    "overfitting": ([finding("overfitting")], None),
    "adopted": ([narrow()], 0.03),
    "kept": ([], -0.03),
    "all at once": (
        [widen(), narrow(), finding("undersampled", AddTrials(trials=64)), finding("overfitting"), finding("unstable")],
        0.03,
    ),
}


@pytest.mark.parametrize("name", ROUNDS)
def test_every_next_design_reads_back_lints_and_plans(name):
    findings, gap = ROUNDS[name]
    start = wide(nuisance={"learning_rate": RATE, "weight_decay": {"low": 1e-6, "high": 1e-2, "scale": "log"}})
    made = next_round(start, findings, decided(gap) if gap is not None else None, name="02")
    assert loads(render(made)) == replace(made.design, name="")
    assert clean(made.design)
    assert plan_trials(made.design)
    assert made.design.name == "02"


def test_a_change_is_made_and_traced():
    made = next_round(wide(), [widen()], name="02")
    assert domain(made.design, "learning_rate").high == 10.0
    (change,) = made.changes
    assert (change.key, change.source) == (("nuisance", "learning_rate"), "boundary L2")
    (line,) = [line for line in render(made).splitlines() if line.startswith("learning_rate")]
    assert line.endswith("# widened, was 0.0001 to 1 (log) [boundary L2]")


def test_what_is_not_found_stays():
    before = wide()
    made = next_round(before, [widen()], name="02").design
    assert replace(made, nuisance=before.nuisance, name=before.name, goal=before.goal) == before


@pytest.mark.parametrize(("low", "high"), [(3e-3, 2e-2), (1.1e-4, 2e-4), (0.4, 0.9), (1e-3, 1e-1)])
def test_a_learning_rate_keeps_at_least_a_decade(low, high):
    made = next_round(wide(), [narrow(low, high)])
    kept = domain(made.design, "learning_rate")
    assert kept.low <= low < high <= kept.high
    assert kept.high / kept.low >= 10.0 * (1 - 1e-9)
    assert (kept.low, kept.high) != (1e-4, 1.0)
    assert clean(made.design)


def test_two_sides_widen_together_and_twice_is_once():
    both = next_round(wide(), [widen(low=1e-6, high=1.0), widen(high=10.0), widen(high=10.0)])
    assert (domain(both.design, "learning_rate").low, domain(both.design, "learning_rate").high) == (1e-6, 10.0)
    assert len(both.changes) == 1


def test_boundaries_go_before_narrowing_and_it_is_said():
    made = next_round(wide(), [narrow(), widen()])
    assert domain(made.design, "learning_rate").high == 10.0
    assert "boundary" in made.left[0]
    assert made.left[0] in render(made)


def test_stability_goes_before_opening_a_range_upward():
    unstable = finding("unstable", WarmUp(hyperparameter="learning_rate", best=0.3), requirement="L5")
    made = next_round(wide(), [widen(), unstable], name="02")
    assert domain(made.design, "learning_rate").high == 1.0
    assert "tunebook warmup 01-dropout" in made.first[0]
    assert "stability before boundaries" in made.left[0]
    downward = next_round(wide(), [widen(low=1e-6, high=1.0), unstable])
    assert domain(downward.design, "learning_rate").low == 1e-6


def test_a_warmup_of_the_design_is_opened_to_a_tenth_of_the_run():
    start = wide(fixed={"batch_size": 128, "warmup_steps": 0})
    unstable = finding("unstable", WarmUp(hyperparameter="learning_rate", best=0.3), requirement="L5")
    made = next_round(start, [unstable])
    assert domain(made.design, "warmup_steps") == Range(low=0, high=100, type="int")


def test_an_unstable_gradient_norm_asks_for_clipping():
    start = wide(fixed={"batch_size": 128, "clip_norm": 5.0})
    made = next_round(start, [finding("unstable", requirement="L5")])
    assert domain(made.design, "clip_norm") == Range(low=0.5, high=5.0, scale="log")
    assert "clipping" in next_round(wide(), [finding("unstable")]).first[0]


def test_a_stretch_that_fails_is_left_out_but_not_the_whole_range():
    fails = finding("infeasible_region", label="learning_rate", threshold=0.2, direction="high", share_beyond=0.95)
    assert domain(next_round(wide(), [fails]).design, "learning_rate").high == 0.2
    rare = finding("infeasible_region", label="learning_rate", threshold=0.2, direction="high", share_beyond=0.5)
    assert next_round(wide(), [rare]).is_saturated


def test_one_end_is_drawn_in_and_the_other_opened():
    fails = finding("infeasible_region", label="learning_rate", threshold=0.2, direction="high", share_beyond=0.95)
    both = next_round(wide(), [widen(low=1e-6, high=1.0), fails])
    assert (domain(both.design, "learning_rate").low, domain(both.design, "learning_rate").high) == (1e-6, 0.2)
    upward = next_round(wide(), [widen(low=1e-4, high=10.0), fails])
    assert domain(upward.design, "learning_rate").high == 0.2
    assert "infeasible_region" in upward.left[0]


def test_a_round_that_compares_nothing_goes_on_to_minimise():
    start = wide(scientific={}, question="understand")
    made = next_round(start, [])
    assert made.is_saturated
    assert made.design.question is Question.MINIMIZE
    assert clean(made.design)


def test_stronger_dropout_is_a_reason_to_look_at_the_steps_and_weaker_is_none():
    start = wide(nuisance={"learning_rate": RATE, "dropout": {"low": 0.0, "high": 0.2}})
    assert any("noisy" in step for step in next_round(start, [finding("overfitting")]).first)
    assert next_round(start, [narrow(0.0, 0.1, label="dropout")]).first == ()


def test_overfitting_strengthens_what_regularises_before_training_longer():
    start = wide(nuisance={"learning_rate": RATE, "dropout": {"low": 0.0, "high": 0.2}})
    made = next_round(start, [finding("best_step_late"), finding("overfitting")])
    assert domain(made.design, "dropout").high == pytest.approx(0.6)
    assert made.design.max_train_steps == 1000
    assert any("lengthen" in line for line in made.left)


def test_a_regulariser_that_was_held_is_searched():
    start = wide(fixed={"batch_size": 128, "weight_decay": 0.0})
    made = next_round(start, [finding("overfitting")])
    assert domain(made.design, "weight_decay") == Range(low=1e-6, high=1e-1, scale="log")


def test_longer_runs_keep_the_decay_in_steps_and_tune_it_again():
    start = wide(fixed={"batch_size": 128, "schedule": "linear", "decay_steps": 400})
    made = next_round(start, [finding("best_step_late", requirement="T2")])
    assert made.design.max_train_steps == 1500
    assert domain(made.design, "decay_steps") == Range(low=200, high=800, scale="log", type="int")
    assert {change.key for change in made.changes} == {("max_train_steps",), ("nuisance", "decay_steps")}


def test_density_and_linter_share_one_number_of_trials():
    made = next_round(design(search={"trials": 6}), [widen()], name="02")
    assert made.design.search.trials > 6
    assert clean(made.design)
    assert any("few_trials" in change.source or "starved" in change.source for change in made.changes)


def test_a_fix_the_linter_would_warn_of_is_left_out():
    fix = finding("insensitive", Fix(hyperparameter="learning_rate", value=0.1), label="learning_rate")
    made = next_round(wide(), [fix])
    assert "linter" in made.left[0]
    assert isinstance(domain(made.design, "learning_rate"), Range)


def test_an_action_on_what_is_gone_is_left_out():
    made = next_round(wide(), [widen(label="gone"), narrow()])
    assert any("does not fit" in line for line in made.left)
    assert [change.key for change in made.changes] == [("search", "seed")]


def test_adopting_settles_the_question():
    verdict = decided(0.03)
    assert verdict.ruling is Ruling.ADOPT
    made = next_round(wide(), [], verdict, name="02")
    assert made.design.scientific == ()
    assert made.design.question is Question.MINIMIZE
    kept = domain(made.design, "use_dropout")
    assert kept.value is True
    assert "probability" in kept.because
    assert "[verdict D3]" in render(made)


def test_keeping_settles_it_the_other_way_and_drops_what_needs_the_loser():
    start = wide(
        nuisance={"learning_rate": RATE, "when": {"use_dropout": {"true": {"dropout_rate": {"low": 0.1, "high": 0.5}}}}}
    )
    made = next_round(start, [], decided(-0.03), name="02")
    assert domain(made.design, "use_dropout").value is False
    assert [item.name for item in made.design.nuisance] == ["learning_rate"]


def test_nothing_is_settled_while_a_boundary_is_open():
    made = next_round(wide(), [widen()], decided(0.03))
    assert [item.name for item in made.design.scientific] == ["use_dropout"]


def test_an_unresolved_verdict_asks_for_seeds_first():
    verdict = decided(0.0007)
    assert verdict.ruling is Ruling.UNRESOLVED
    made = next_round(wide(), [], verdict)
    assert f"tunebook repeat 01 --seeds {verdict.seeds}" in made.first[0]
    assert made.design.scientific
    assert made.is_saturated  # the search, that is: more seeds would settle the question, not more trials


def test_nothing_to_change_is_saturated():
    made = next_round(wide(scientific={}, question="minimize"), [])
    assert made.is_saturated
    assert "saturated" in made.first[0]
    assert [change.key for change in made.changes] == [("search", "seed")]
    assert made.design.search.seed == 1
    assert made.design.question is Question.MINIMIZE


def test_running_the_same_search_again_draws_other_configurations():
    made = next_round(wide(scientific={}, question="minimize"), [])
    before = {spec.id for spec in plan_trials(wide(scientific={}, question="minimize"))}
    assert before.isdisjoint(spec.id for spec in plan_trials(made.design))


def test_one_trial_that_had_enough_steps_does_not_shorten_all():
    everyone = finding("saturated_early", Shorten(max_train_steps=100))
    assert next_round(wide(), [everyone]).design.max_train_steps == 100
    one = replace(everyone, subject=Subject(trial="one"))
    assert next_round(wide(), [one]).design.max_train_steps == wide().max_train_steps


def test_listed_configurations_go_on_as_a_search():
    listed = wide(
        search={"algorithm": "list", "configurations": [{"use_dropout": True, "learning_rate": 0.1}]},
    )
    made = next_round(listed, [widen()])
    assert made.design.search.algorithm == "halton"
    assert made.design.search.configurations == ()


def test_a_nested_key_carries_its_comment():
    start = wide(
        nuisance={"learning_rate": RATE, "when": {"use_dropout": {"true": {"rate": {"low": 0.1, "high": 0.5}}}}}
    )
    made = next_round(start, [widen(low=0.1, high=0.6, label="rate[use_dropout=true]")])
    (line,) = [line for line in render(made).splitlines() if line.startswith("rate")]
    assert "[boundary L2]" in line


def test_three_rounds_in_a_row_are_ready_to_run():
    """From real checks on simulated searches, each design planned, run on a known surface, and followed."""
    current, best = design(scientific={"use_dropout": [False, True]}, search={"trials": 16}, name="r0"), []
    for number in range(3):
        runs = []
        rng = np.random.default_rng(number)
        from decide_builders import run

        for spec in plan_trials(current):
            rate = float(spec.config["learning_rate"])
            value = 0.1 + 0.02 * (np.log10(rate) - 0.5) ** 2 - 0.02 * bool(spec.config["use_dropout"])
            runs.append(run(spec.config, float(value + 0.001 * rng.standard_normal()), name=spec.id, study=spec.study))
        found = evidence(runs, current, current.name)
        best.append(min(value for _, value in runs))
        made = next_round(current, analyse(found).findings, decide(found, earlier=None), name=f"r{number + 1}")
        current = replace(loads(render(made)), name=f"r{number + 1}")
        assert clean(current)
        if made.is_saturated:
            break
    assert best[-1] <= best[0] + 0.002


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Regularise(hyperparameter="learning_rate", low=0.1, high=0.2), "regularise"),
        (Clip(), "clip"),
        (AddSeeds(seeds=3), "add_seeds"),
        (Exploit(), "exploit"),
        (Lengthen(max_train_steps=5000), "lengthen"),
    ],
)
def test_actions_are_a_family(action, kind):
    assert action.to_mapping()["action"] == kind
    assert action.apply(design()).objective == design().objective


def test_an_action_names_what_it_does_not_find():
    with pytest.raises(KeyError, match="gone"):
        Regularise(hyperparameter="gone", low=0.0, high=1.0).apply(design())
    with pytest.raises(InputError, match="low"):
        Regularise(hyperparameter="learning_rate", low=2.0, high=1.0).apply(design())


def test_exploiting_minimises():
    assert Exploit().apply(design()).question is Question.MINIMIZE
    assert Config({"a": 1}) == {"a": 1}


def test_what_was_just_opened_is_not_fixed_at_once():
    rate = {"dropout_rate": {"low": 0.0, "high": 0.5}, "learning_rate": RATE}
    stronger = finding("overfitting", Regularise(hyperparameter="dropout_rate", low=0.0, high=0.8, scale="linear"))
    fixed = finding("insensitive", Fix(hyperparameter="dropout_rate", value=0.3), requirement="L8")
    made = next_round(wide(nuisance=rate), [fixed, stronger])
    assert "dropout_rate" in {item.name for item in made.design.nuisance}
    assert any("changes dropout_rate already" in line for line in made.left)

"""stability, warmup and clipping on the three workloads, and their parts on losses made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from procedure_workloads import Runner, design, early, healthy, middle

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.errors import Infeasible, InputError
from tunebook.evidence import Curves, Evidence, TrialRecord
from tunebook.procedures.clipping import Clipping, run_clipping
from tunebook.procedures.losses import course, dense_loss, first_trouble, smoothed
from tunebook.procedures.stability import run_stability
from tunebook.procedures.sweep import sweep_rates
from tunebook.procedures.warmup import Warmup, run_warmup

#: None of these was looked at while the workloads and thresholds were made.
SEEDS = range(1000, 1500, 100)


def value_of(found, name):
    return next(item.domain.value for item in found.fixed if item.name == name)


def codes(conclusion):
    return [finding.code for finding in conclusion.findings]


# -- the three workloads, five seeds each ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_early_instability_is_seen_and_a_warmup_mends_it(seed):
    runner = Runner(early)
    stable = run_stability(runner, design(), seed=seed)
    assert stable.answer == "unstable"
    assert stable.numbers["onset"] < 0.05
    assert "warmup first" in stable.findings[0].fix
    conclusion = run_warmup(runner, design(), seed=seed)
    assert conclusion.answer == "warmup"
    length = conclusion.numbers["warmup_steps"]
    assert 1 <= length <= 50
    assert value_of(conclusion.design, "warmup_steps") == length
    assert conclusion.design.max_train_steps == 500 + length
    mended = next(finding for finding in conclusion.findings if finding.code == "warmup").evidence
    assert mended["after"] < mended["before"]
    assert mended["rate"] > stable.numbers["best_rate"]
    # The playbook: clipping helps against early instability as well as against what comes later.
    assert run_clipping(runner, design(), seed=seed).answer == "clipping"


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_instability_in_the_middle_is_seen_and_clipping_mends_it(seed):
    runner = Runner(middle)
    stable = run_stability(runner, design(), seed=seed)
    assert stable.answer == "unstable"
    assert stable.numbers["onset"] > 0.2
    assert "clipping" in stable.findings[0].fix
    assert run_warmup(runner, design(), seed=seed).design is None
    conclusion = run_clipping(runner, design(), seed=seed)
    assert conclusion.answer == "clipping"
    assert conclusion.numbers["clipped_share"] < 0.5
    mended = next(finding for finding in conclusion.findings if finding.code == "clipping").evidence
    assert mended["after"] < mended["before"]
    assert value_of(conclusion.design, "clip_norm") == mended["threshold"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("procedure", [run_stability, run_warmup, run_clipping])
def test_a_healthy_workload_is_left_alone(procedure, seed):
    conclusion = procedure(Runner(healthy), design(), seed=seed)
    assert (conclusion.answer, codes(conclusion), conclusion.design) == ("stable", ["stable"], None)


# -- the same on losses made by hand, in no time -----------------------------------------------------------------------


def synthetic(limit, *, warm=0, clip=np.inf, last_good=5):
    """Diverges above ``limit`` after ``last_good`` steps, unless warmed up for ``warm`` or clipped at ``clip``."""

    def train(trial):
        rate = float(trial["learning_rate"])
        saved = (0 < warm <= trial["warmup_steps"]) or float(trial["clip_norm"]) <= clip < np.inf
        rng = np.random.default_rng(trial.seed)
        for step in range(trial.max_train_steps):
            if rate > limit and not saved and step > last_good:
                raise Infeasible("diverged")
            loss = 0.1 + np.exp(-rate * step / 20)
            trial.log(step, {"train/loss": loss, "valid/loss": loss + 1e-3 / rate, "grad_norm": 1 + 0.5 * rng.random()})

    return Runner(train)


def long_design(**changes):
    return design(max_train_steps=2000, **changes)


def test_the_shortest_warmup_is_bracketed_and_bisected():
    conclusion = run_warmup(synthetic(0.05, warm=60), long_design())
    lengths = conclusion.numbers["lengths"]
    assert {key: lengths[key] for key in ("10", "100")} == {"10": False, "100": True}
    assert len(lengths) == 4
    found = conclusion.numbers["warmup_steps"]
    assert 60 <= found <= 60 * 1.8
    assert lengths[str(max(int(key) for key, survives in lengths.items() if not survives))] is False
    # Training fails at 0.0562, between two rates of the sweep, where the closer look went.
    assert conclusion.numbers["base_rate"] == pytest.approx(0.562)


def test_a_warmup_of_more_than_a_twentieth_is_warned_about():
    conclusion = run_warmup(synthetic(0.05, warm=150), long_design())
    assert "long_warmup" in codes(conclusion)
    assert conclusion.numbers["warmup_steps"] > 0.05 * 2000


def test_no_warmup_helps():
    conclusion = run_warmup(synthetic(0.05, warm=10**6), long_design())
    assert conclusion.answer == "warmup does not mend it"
    assert "warmup_fails" in codes(conclusion)
    assert conclusion.design is None


def test_a_threshold_that_has_to_be_halved():
    conclusion = run_clipping(synthetic(0.05, clip=0.8, last_good=1000), long_design())
    assert conclusion.numbers["first_threshold"] == pytest.approx(1.45, rel=0.02)
    assert conclusion.numbers["runs"][-1]["threshold"] == pytest.approx(1.45 / 2, rel=0.02)
    assert "clipping_aggressive" in codes(conclusion)  # every norm is above 1
    assert conclusion.design is None


def test_the_first_threshold_is_the_90th_percentile_of_the_norms():
    conclusion = run_clipping(synthetic(0.05, clip=10.0), long_design())
    assert conclusion.answer == "clipping"
    assert conclusion.numbers["threshold"] == pytest.approx(1.45, rel=0.05)
    assert conclusion.numbers["clipped_share"] == pytest.approx(0.1, abs=0.03)


def test_clipping_that_does_not_help():
    conclusion = run_clipping(synthetic(0.05, clip=0.01), long_design())
    assert conclusion.answer == "clipping does not mend it"
    assert len({run["threshold"] for run in conclusion.numbers["runs"]}) == 4


def test_without_norms_clipping_says_what_to_log():
    def train(trial):
        for step in range(trial.max_train_steps):
            if float(trial["learning_rate"]) > 0.05:
                raise Infeasible("diverged")
            trial.log(
                step,
                {
                    "train/loss": np.exp(-step * float(trial["learning_rate"])),
                    "valid/loss": 1 / (1 + step * float(trial["learning_rate"])),
                },
            )

    with pytest.raises(InputError, match="log the unclipped norm"):
        run_clipping(Runner(train), design())


def test_the_best_rate_at_the_edge_is_no_conclusion():
    conclusion = run_stability(synthetic(1e9), long_design())
    assert conclusion.answer == "at the edge"
    [finding] = conclusion.findings
    assert finding.severity == "blocking"
    assert finding.next.apply(design()).nuisance[0].domain.high == 100.0


def test_nothing_trains():
    conclusion = run_stability(synthetic(0.0, last_good=-1), design())
    assert conclusion.answer == "nothing trains"
    assert codes(conclusion) == ["infeasible_fraction"]


def test_in_doubt_twice_the_best_rate_decides():
    """The best rate is 0.1; 0.316 trains but worse, and from 1 on training diverges."""

    def train(limit):
        def run(trial):
            rate = float(trial["learning_rate"])
            for step in range(trial.max_train_steps):
                if rate > 0.9 or limit[0] < rate < limit[1]:
                    raise Infeasible("diverged")
                loss = np.exp(-step / 50) + abs(np.log(rate / 0.1))
                trial.log(step, {"train/loss": loss, "valid/loss": loss})

        return Runner(run)

    calm, shaky = train((5, 6)), train((0.15, 0.25))
    assert run_stability(calm, design()).answer == "stable"
    assert run_stability(shaky, design()).answer == "unstable"
    assert [len(made.search.configurations) for made in calm.rounds] == [9, 6, 6, 1, 1, 1]
    assert calm.rounds[-1].search.configurations[0]["learning_rate"] == pytest.approx(0.2, rel=0.05)


def bowl(wall, lucky=None, wall_of_odd_seeds=None):
    """A valley of the learning rate around 0.4; training fails above ``wall``. With seed 0 one rate is lucky."""

    def train(trial):
        rate = float(trial["learning_rate"])
        limit = wall_of_odd_seeds if wall_of_odd_seeds and trial.seed % 2 else wall
        for step in range(trial.max_train_steps):
            if rate > limit and step > 5:
                raise Infeasible("diverged")
            trial.log(step, {"train/loss": 1 + np.exp(-step / 50), "valid/loss": valley(rate, trial.seed, lucky)})

    return Runner(train)


def valley(rate, seed, lucky):
    luck = 1.0 if lucky is not None and seed == 0 and abs(rate / lucky - 1) < 0.01 else 0.0
    return 1 + 0.01 * np.log(rate / 0.4) ** 2 - luck


def test_luck_of_one_seed_at_the_last_rate_that_trains_is_seen_through():
    """3.16 is the last rate of the sweep that trains, and with its seed the best one."""
    runner = bowl(wall=5.0, lucky=3.16)
    found = run_stability(runner, design())
    assert (found.answer, codes(found)) == ("stable", ["stable"])
    assert found.numbers["best_rate"] == 0.316
    assert runner.rounds[1].search.seed != runner.rounds[0].search.seed


@pytest.mark.parametrize(("wall", "answer"), [(0.2, "unstable"), (0.7, "unstable"), (0.9, "stable"), (5.0, "stable")])
def test_a_wall_between_two_rates_is_placed_by_the_closer_look(wall, answer):
    assert run_stability(bowl(wall), design()).answer == answer


def test_a_rate_that_only_some_seeds_survive_is_still_the_best():
    """Without the seeds that failed the best rate would be a low one, with nothing failing right above it."""
    found = run_stability(bowl(0.2, wall_of_odd_seeds=0.02), design())
    assert found.answer == "unstable"
    assert found.numbers["best_rate"] > 0.02


def test_a_warmup_longer_than_the_run():
    with pytest.raises(InputError, match="a warmup of 600 steps is longer than the run of 500"):
        Warmup(design=design(), lengths=(600,))


def test_a_run_without_room_for_a_warmup():
    with pytest.raises(InputError, match="no room for a warmup"):
        Warmup(design=design(max_train_steps=5))


@pytest.mark.parametrize(("made", "name"), [(Warmup, "warmup_steps"), (Clipping, "clip_norm")])
def test_what_is_varied_has_to_be_in_the_design(made, name):
    with pytest.raises(InputError, match=f"no '{name}'"):
        made(design=design(fixed={}))


def test_results_keep_the_rest_of_the_design():
    conclusion = run_clipping(synthetic(0.05, clip=10.0), long_design())
    before, after = long_design(), conclusion.design
    assert replace(after, fixed=before.fixed) == before


# -- losses ------------------------------------------------------------------------------------------------------------


def evidence_of(values, status=Status.COMPLETE, steps=None):
    cause = None if status is Status.COMPLETE else Cause.DIVERGED
    trial = TrialRecord(name="a", study="all", config=Config({}), seed=0, status=status, cause=cause)
    steps = np.arange(len(values)) if steps is None else steps
    curves = {"train/loss": Curves.pack([(steps, values)]), "train/batch_loss": Curves.pack([([0], [1.0])])}
    return Evidence(name="r", round=design(), studies=(), trials=(trial,), curves=curves)


def falling(n=500, noise=0.05, seed=0):
    return np.exp(-np.arange(n) / 50) + noise * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_noise_of_batches_is_no_trouble(noise, seed):
    assert first_trouble(falling(noise=noise, seed=seed), 1.0) is None


def test_a_rise_is_found_where_it_begins():
    values = falling()
    values[300:] += np.minimum(np.arange(200) / 50, 1.0)
    assert 310 <= first_trouble(values, 1.0) <= 330


def test_a_single_outlier_is_no_trouble_and_a_value_that_is_not_finite_is():
    values = falling()
    values[100] = 50.0
    assert first_trouble(values, 1.0) is None
    values[100] = np.nan
    assert first_trouble(values, 1.0) == 100


def test_a_loss_that_goes_to_infinity_is_trouble_without_a_word_from_numpy():
    values = falling()
    values[200:] = np.inf
    assert 190 <= first_trouble(values, 1.0) <= 200


def test_an_ended_run_is_unstable_from_its_last_step():
    went = course(evidence_of(falling(250), Status.INFEASIBLE), 0, "train/loss")
    assert went.is_unstable
    assert went.onset == pytest.approx(249 / 499)


def test_the_densest_loss_is_read():
    assert dense_loss(evidence_of(falling(50))) == "train/loss"


def test_smoothing_keeps_length_and_ends():
    values = falling(10, noise=0.0)
    assert len(smoothed(values)) == 10
    assert len(smoothed(np.zeros(0))) == 0


def test_rates_are_even_on_a_log_scale():
    rates = sweep_rates(design(), "learning_rate", 5)
    assert rates == (0.001, 0.01, 0.1, 1.0, 10.0)
    fixed = design(nuisance={}, fixed={"learning_rate": 0.1, "warmup_steps": 0, "clip_norm": 1e30})
    assert sweep_rates(fixed, "learning_rate", 5) == (0.001, 0.01, 0.1, 1.0, 10.0)
    with pytest.raises(InputError, match="0 < low < high"):
        sweep_rates(design(), "learning_rate", 5, low=1.0, high=0.1)

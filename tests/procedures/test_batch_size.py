"""batch-size: memory that runs out, the knee, an input that is to blame, noise, and timing without a log."""

import numpy as np
import pytest
from procedure_workloads import Runner

from tunebook.core.round import Round
from tunebook.errors import InputError, RunError
from tunebook.procedures.batch_size import BatchSize, run_batch_size
from tunebook.procedures.procedure import carry_out
from tunebook.procedures.throughput import Size, doublings, find_knee, is_dominated_by_noise

FIXED_SECONDS = 0.010


def design(**changes):
    table = {
        "name": "digits",
        "goal": "Which learning rate?",
        "question": "understand",
        "pipeline": "train.py:train",
        "max_train_steps": 1000,
        "objective": {"metric": "train/loss"},
        "nuisance": {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}},
        "fixed": {"batch_size": 64},
    }
    return Round(**(table | changes))


def machine(*, saturates_at=512, fits=4096, wait_per_example=0.0, noise=0.0, logs=True, cold_steps=10):
    """Training on a machine whose step time is flat up to a size and grows with the batch from there on."""

    def seconds(batch, rng):
        compute = FIXED_SECONDS * max(1.0, batch / saturates_at)
        wait = max(0.0, wait_per_example * batch - compute)
        return (compute + wait) * np.exp(noise * rng.standard_normal()), wait

    def train(trial):
        batch = int(trial["batch_size"])
        if batch > fits:
            raise MemoryError
        rng = np.random.default_rng([trial.seed, batch])
        luck = np.exp(noise * rng.standard_normal())
        for step in range(trial.max_train_steps):
            took, wait = seconds(batch, rng)
            took *= luck * (20 if step < cold_steps else 1)
            trial.log(step, {"train/loss": 1.0})
            if logs:
                trial.log(step, {"examples_per_second": batch / took, "data_wait_seconds": wait})

    def whole(spec):
        step = FIXED_SECONDS * max(1.0, spec.config["batch_size"] / saturates_at)
        return 3.0 + step * spec.max_train_steps

    return Runner(train, whole)


def codes(conclusion):
    return [finding.code for finding in conclusion.findings]


def test_finds_the_knee_and_what_fits():
    runner = machine()
    conclusion = run_batch_size(runner, design())
    assert conclusion.answer == "512"
    assert conclusion.numbers["largest_that_fits"] == 4096
    assert conclusion.numbers["smallest_that_does_not_fit"] == 8192
    assert codes(conclusion) == ["retune", "batch_size"]
    [fixed] = [item for item in conclusion.design.fixed if item.name == "batch_size"]
    assert fixed.domain.value == 512
    assert "batch_size = {value = 512" in conclusion.patch
    for row in conclusion.numbers["sizes"]:
        expected = FIXED_SECONDS * max(1.0, row["batch_size"] / 512)
        assert row["seconds_per_step"] == pytest.approx(expected)
        assert row["repeats"] == 3


def test_cold_steps_are_left_out_even_where_they_are_most():
    conclusion = run_batch_size(machine(fits=16), design(), timed_steps=5)
    assert conclusion.numbers["sizes"][0]["seconds_per_step"] == pytest.approx(FIXED_SECONDS)


def test_trials_run_one_at_a_time_and_only_what_fits_is_repeated():
    runner = machine(fits=64)
    run_batch_size(runner, design(), repeats=2)
    last = runner.rounds[-1]
    assert [configuration["batch_size"] for configuration in last.search.configurations] == [8, 16, 32, 64]
    assert last.search.seed == 1
    assert not BatchSize.is_parallel


def test_nothing_is_run_twice_when_carried_out_again():
    runner = machine()
    run_batch_size(runner, design())
    trained = runner.n_trained
    again = run_batch_size(runner, design())
    assert runner.n_trained == trained
    assert again.answer == "512"


def test_the_input_is_blamed_and_the_batch_size_left_alone():
    conclusion = run_batch_size(machine(wait_per_example=2e-4), design())
    [finding] = [finding for finding in conclusion.findings if finding.code == "input_bound"]
    assert finding.severity == "blocking"
    assert "512 instead of 64" in finding.says
    assert conclusion.design is None


def test_waiting_that_moves_no_knee_is_named_without_blame():
    conclusion = run_batch_size(machine(saturates_at=512, wait_per_example=2.4e-5), design())
    [finding] = [finding for finding in conclusion.findings if finding.code == "input_bound"]
    assert finding.severity == "warning"
    assert conclusion.design is not None


def test_noise_is_named_with_its_spread():
    conclusion = run_batch_size(machine(noise=0.5), design())
    [finding] = [finding for finding in conclusion.findings if finding.code == "noisy_throughput"]
    assert finding.evidence["spread"] > 0.3
    assert f"{finding.evidence['spread']:.0%}" in finding.says


def test_a_size_chosen_by_noise_is_not_written_into_the_design():
    sizes = [Size(batch_size=2**k, seconds=np.array([0.01, 0.012, 0.11]), waits=np.zeros(0)) for k in range(3, 7)]
    assert is_dominated_by_noise(sizes, find_knee(sizes))
    quiet = [Size(batch_size=2**k, seconds=np.array([0.01, 0.012, 0.011]), waits=np.zeros(0)) for k in range(3, 7)]
    assert not is_dominated_by_noise(quiet, find_knee(quiet))
    conclusion = run_batch_size(machine(noise=1.5), design())
    assert conclusion.design is None
    assert not conclusion.changes


def test_a_quiet_machine_is_not_called_noisy():
    assert "noisy_throughput" not in codes(run_batch_size(machine(noise=0.01), design()))


def test_flat_from_the_start_without_a_log_of_waiting():
    runner = machine(saturates_at=4, logs=False)
    conclusion = run_batch_size(runner, design(), most=64)
    assert "throughput_flat" in codes(conclusion)
    assert "coarse_timing" in codes(conclusion)


def test_whole_trials_of_two_lengths_tell_the_time_of_a_step():
    conclusion = run_batch_size(machine(logs=False), design())
    assert conclusion.answer == "512"
    assert conclusion.numbers["sizes"][0]["seconds_per_step"] == pytest.approx(FIXED_SECONDS)


def test_goes_down_when_the_smallest_does_not_fit():
    conclusion = run_batch_size(machine(fits=2), design())
    assert conclusion.numbers["largest_that_fits"] == 2
    assert conclusion.answer == "2"


def test_says_so_when_nothing_fits():
    conclusion = run_batch_size(machine(fits=0), design())
    [finding] = conclusion.findings
    assert (finding.code, finding.severity) == ("out_of_memory", "blocking")
    assert "down to 1" in finding.says


def test_a_size_that_still_pays_at_the_end_is_taken():
    conclusion = run_batch_size(machine(saturates_at=10**9, fits=256), design())
    assert conclusion.answer == "256"
    assert "Memory ran out at 512" in conclusion.findings[-1].why


def test_accumulation_is_no_batch_size():
    with pytest.raises(InputError, match="accumulated gradients are no larger batch"):
        BatchSize(design=design(fixed={"batch_size": 64, "accumulation_steps": 4}))


def test_a_design_without_a_batch_size():
    with pytest.raises(InputError, match="which hyperparameter of digits is the batch size"):
        carry_out(BatchSize(design=design(fixed={})), machine())


def test_a_trial_that_fails_is_no_measurement():
    def broken(trial):
        raise ArithmeticError("a bug")

    with pytest.raises(RunError, match="a bug"):
        run_batch_size(Runner(broken), design())


def sizes_of(seconds):
    return tuple(
        Size(batch_size=2**number, seconds=np.array([value]), waits=np.zeros(0)) for number, value in enumerate(seconds)
    )


def test_efficiency_by_hand():
    steps = doublings(sizes_of([1.0, 1.0, 1.25, 2.0, 4.0]))
    assert [step.efficiency for step in steps] == [1.0, 0.8, 0.625, 0.5]
    assert [step.label for step in steps] == ["linear", "diminishing", "does not pay", "saturated"]
    knee = find_knee(sizes_of([1.0, 1.0, 1.25, 2.0, 4.0]))
    assert (knee.batch_size, knee.is_reached) == (4, True)


def test_one_step_down_is_no_knee_where_throughput_goes_on_rising():
    """As measured on two busy cores: from 16 examples on the library used threads, which cost it at first."""
    seconds = [0.0092, 0.046, 0.053, 0.049, 0.074, 0.1, 0.087, 0.069, 0.13, 0.165, 0.205, 0.315]
    assert find_knee(sizes_of(seconds)).batch_size == 2**7
    assert doublings(sizes_of(seconds))[0].label == "saturated"


def test_a_fall_that_nothing_makes_up_for_is_the_knee():
    assert find_knee(sizes_of([1.0, 1.0, 3.0, 5.0, 9.0])).batch_size == 2


def test_a_rise_too_slow_for_its_doublings_is_no_reason_to_go_on():
    assert find_knee(sizes_of([1.0, 1.5, 2.2, 3.3, 5.0])).batch_size == 1


@pytest.mark.parametrize("seed", range(20))
def test_the_knee_lies_between_what_its_repeats_allow(seed):
    rng = np.random.default_rng(seed)
    seconds = np.cumprod(rng.uniform(0.6, 2.6, 10))
    repeated = [value * rng.uniform(0.6, 1.6, 3) for value in seconds]
    sizes = [Size(batch_size=2**n, seconds=own, waits=np.zeros(0)) for n, own in enumerate(repeated)]
    knee = find_knee(sizes)
    assert knee.earliest <= knee.batch_size <= knee.latest

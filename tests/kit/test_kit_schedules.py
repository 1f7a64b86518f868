"""Schedules: exact at both ends and at the joints, in order between, and resumable."""

import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.errors import InputError
from tunebook.kit import (
    SGD,
    Phase,
    Schedule,
    ScheduleLR,
    constant_schedule,
    cosine_schedule,
    linear_schedule,
    prepend_warmup,
)
from tunebook.kit.schedules import Shape

lengths = st.integers(0, 10_000)
factors = st.floats(0.0, 100.0)
phases = st.builds(Phase, n_steps=lengths, start=factors, end=factors, shape=st.sampled_from(Shape))


@settings(deadline=None)
@given(phase=phases, step=st.integers(0, 20_000))
def test_phase_is_exact_at_its_ends_and_between_them_elsewhere(phase: Phase, step: int) -> None:
    assert phase(0) == (phase.start if phase.n_steps else phase.end)
    assert phase(phase.n_steps) == phase.end
    assert phase(phase.n_steps + 7) == phase.end
    low, high = sorted((phase.start, phase.end))
    assert low * (1 - 1e-15) <= phase(step) <= high * (1 + 1e-15)


@settings(deadline=None)
@given(parts=st.lists(phases, min_size=1, max_size=5))
def test_schedule_has_the_value_of_the_later_phase_at_every_joint(parts: list[Phase]) -> None:
    schedule = Schedule(tuple(parts))
    begin = 0
    for number, phase in enumerate(parts):
        later = [other for other in parts[number:] if other.n_steps]
        assert schedule(begin) == (later[0].start if later else parts[-1].end)
        begin += phase.n_steps
    assert schedule.n_steps == begin
    assert schedule(begin) == schedule(begin + 1000) == parts[-1].end


def test_known_values() -> None:
    schedule = linear_schedule(100, warmup_steps=10, constant_steps=40, end=0.1)
    assert schedule.joints == (10, 50, 100)
    assert [schedule(step) for step in (0, 5, 10, 49, 50, 75, 100)] == [
        0.0,
        0.5,
        1.0,
        1.0,
        1.0,
        pytest.approx(0.55),
        0.1,
    ]
    cosine = cosine_schedule(100, warmup_steps=20)
    # cos(pi/4) above and below the middle of the decay
    assert [cosine(step) for step in (20, 40, 60, 80, 100)] == [
        1.0,
        pytest.approx(0.5 + math.sqrt(2) / 4),
        pytest.approx(0.5),
        pytest.approx(0.5 - math.sqrt(2) / 4),
        0.0,
    ]
    assert [constant_schedule(8, warmup_steps=4)(step) for step in range(6)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert constant_schedule(0)(0) == constant_schedule(5)(3) == 1.0


def test_without_warmup_it_is_the_one_of_torch() -> None:
    for own, peer in (
        (cosine_schedule(50), lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)),
        (linear_schedule(50), lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 50)),
    ):
        optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        scheduler = peer(optimizer)
        for step in range(55):
            if step <= 50:
                assert 0.3 * own(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
            optimizer.step()
            scheduler.step()


def test_longer_run_keeps_the_decay_of_a_linear_schedule() -> None:
    short = linear_schedule(100, constant_steps=60)
    long = linear_schedule(300, constant_steps=260)
    assert [long(step + 200) for step in range(60, 101)] == [short(step) for step in range(60, 101)]


def test_prepended_warmup_lengthens_the_run_and_leaves_the_rest_alone() -> None:
    base = cosine_schedule(1000)
    warmed = prepend_warmup(base, 100, hold_steps=0)
    assert warmed.n_steps == 1100
    assert [warmed(100 + step) for step in range(1001)] == [base(step) for step in range(1001)]
    assert warmed(0) == 0.0
    held = prepend_warmup(base, 100)
    assert held.n_steps == 1300
    assert {held(step) for step in range(100, 301)} == {1.0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: linear_schedule(100, warmup_steps=101),
        lambda: cosine_schedule(100, warmup_steps=60, constant_steps=50),
        lambda: constant_schedule(100, warmup_steps=101),
        lambda: constant_schedule(100, warmup_steps=-1),
        lambda: Phase(n_steps=-1),
        lambda: Phase(n_steps=1, end=math.nan),
        lambda: Phase(n_steps=1, start=-0.5),
        lambda: Schedule(()),
        lambda: constant_schedule(10)(-1),
        lambda: ScheduleLR(SGD([torch.zeros(1)]), [constant_schedule(1)] * 2),
    ],
)
def test_impossible_schedules_are_refused(make) -> None:
    with pytest.raises(InputError):
        make()


def test_warmup_longer_than_the_run_is_named() -> None:
    with pytest.raises(InputError, match=r"warmup of 101 steps .* run of 100 steps"):
        linear_schedule(100, warmup_steps=101)


def driven(schedule: Schedule, n_steps: int) -> tuple[SGD, ScheduleLR, list[float]]:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = ScheduleLR(optimizer, schedule)
    rates = []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return optimizer, scheduler, rates


def test_scheduler_gives_base_rate_times_factor_to_the_bit() -> None:
    schedule = cosine_schedule(40, warmup_steps=5, constant_steps=5)
    optimizer, scheduler, rates = driven(schedule, 40)
    assert rates == [0.3 * schedule(step) for step in range(40)]
    assert rates[5] == 0.3
    assert scheduler.get_last_lr() == [0.0]
    assert optimizer.param_groups[0]["lr"] == 0.0


def test_resumed_scheduler_goes_on_where_it_was() -> None:
    schedule = linear_schedule(40, warmup_steps=10)
    _, _, whole = driven(schedule, 40)
    optimizer, scheduler, _ = driven(schedule, 17)
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), scheduler.state_dict()], file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    resumed = SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    again = ScheduleLR(resumed, linear_schedule(40, warmup_steps=10))
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    rates = []
    for _ in range(17, 40):
        rates.append(resumed.param_groups[0]["lr"])
        resumed.step()
        again.step()
    assert rates == whole[17:]


def test_resuming_under_another_schedule_warns() -> None:
    _, scheduler, _ = driven(linear_schedule(40), 3)
    _, other, _ = driven(linear_schedule(80), 0)
    with pytest.warns(UserWarning, match="goes on under"):
        other.load_state_dict(scheduler.state_dict())
    assert other.last_epoch == 3


def test_groups_take_their_own_schedules_and_tensor_rates_stay_tensors() -> None:
    a, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    rate = torch.tensor(1.0)
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": rate}], lr=0.5)
    scheduler = ScheduleLR(optimizer, [linear_schedule(4), constant_schedule(4, warmup_steps=4)])
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.375
    assert optimizer.param_groups[1]["lr"] is rate
    assert rate.item() == 0.25

"""Averages of weights against their definitions."""

import pytest
import torch
from torch import nn

from tunebook.errors import InputError
from tunebook.kit import exponential_average, polyak_average


def feed(average, values: list[float]) -> float:
    model = nn.Linear(1, 1, bias=False)
    shadow = average(model)
    for value in values:
        nn.init.constant_(model.weight, value)
        shadow.update_parameters(model)
    return shadow.module.weight.item()


def test_polyak_is_the_plain_mean() -> None:
    assert feed(polyak_average, [1.0, 2.0, 6.0, 3.0]) == pytest.approx(3.0)


def test_exponential_average_halves_in_a_half_life() -> None:
    assert feed(lambda m: exponential_average(m, 1), [8.0, 0.0]) == pytest.approx(4.0)
    assert feed(lambda m: exponential_average(m, 5), [8.0] + [0.0] * 10) == pytest.approx(2.0)
    decay, expected = 0.5 ** (1 / 3), 1.0
    for value in (2.0, 5.0):
        expected = decay * expected + (1 - decay) * value
    assert feed(lambda m: exponential_average(m, 3), [1.0, 2.0, 5.0]) == pytest.approx(expected)


@pytest.mark.parametrize("make", [polyak_average, lambda m: exponential_average(m, 2)])
def test_model_is_untouched_and_running_statistics_are_averaged(make) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = make(model)
    for seed in range(3):
        model(torch.randn(8, 2, generator=torch.Generator().manual_seed(seed)))
        before = [p.clone() for p in model.parameters()]
        average.update_parameters(model)
        assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert not torch.equal(average.module[1].running_mean, model[1].running_mean)
    assert average.module[1].num_batches_tracked == model[1].num_batches_tracked == 3
    assert average.eval()(torch.zeros(2, 2)).shape == (2, 3)


def test_averaging_lowers_the_variance_of_a_wandering_weight() -> None:
    steps = torch.randn(2000, generator=torch.Generator().manual_seed(0)).tolist()
    assert abs(feed(polyak_average, steps)) < 0.1
    assert abs(feed(lambda m: exponential_average(m, 200), steps)) < 0.25


def test_half_life_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="half_life is 0"):
        exponential_average(nn.Linear(1, 1), 0)

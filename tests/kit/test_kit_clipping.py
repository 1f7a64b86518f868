"""Clipping: what is logged is unclipped, what is applied has the threshold as its norm, and the report counts right."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.errors import InputError
from tunebook.kit import GradientClipper
from tunebook.kit.clipping import propose_threshold


def parameters(*gradients: list[float]) -> list[torch.Tensor]:
    found = []
    for gradient in gradients:
        parameter = torch.zeros(len(gradient), requires_grad=True)
        parameter.grad = torch.tensor(gradient)
        found.append(parameter)
    return found


def total_norm(found: list[torch.Tensor]) -> float:
    return math.sqrt(sum(float(p.grad.square().sum()) for p in found))


def test_longer_gradient_is_scaled_as_a_whole_and_logged_unclipped(recorder) -> None:
    found = [*parameters([3.0, 0.0], [4.0]), torch.zeros(2, requires_grad=True)]
    norm = GradientClipper(1.0, log=recorder)(found, 7)
    assert norm.item() == 5.0
    assert recorder.logged == [(7, {"grad_norm": 5.0})]
    assert found[0].grad.tolist() == pytest.approx([0.6, 0.0])
    assert found[1].grad.tolist() == pytest.approx([0.8])


def test_gradient_at_or_below_the_threshold_is_left_to_the_bit() -> None:
    for threshold in (5.0, 6.0, None):
        found = parameters([3.0], [4.0])
        GradientClipper(threshold)(found, 0)
        assert [p.grad.item() for p in found] == [3.0, 4.0]


@settings(deadline=None)
@given(
    gradient=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=8),
    threshold=st.floats(1e-9, 1e4),
)
def test_clipped_norm_is_the_smaller_of_norm_and_threshold(gradient: list[float], threshold: float) -> None:
    found = parameters(gradient)
    before = total_norm(found)
    GradientClipper(threshold)(found, 0)
    assert total_norm(found) == pytest.approx(min(before, threshold), rel=1e-5, abs=1e-30)


def test_tiny_thresholds_are_met_too() -> None:
    found = parameters([3e-6], [4e-6])
    GradientClipper(1e-7)(found, 0)
    assert total_norm(found) == pytest.approx(1e-7, rel=1e-5)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_gradient_that_is_not_finite_stays_visible_and_is_no_clip(bad: float, recorder) -> None:
    found = parameters([1.0, bad])
    clipper = GradientClipper(0.5, log=recorder)
    clipper(found, 0)
    assert found[0].grad[0].item() == 1.0
    assert not math.isfinite(found[0].grad[1].item())
    report = clipper.report()
    assert (report.n_steps, report.n_clipped, report.n_not_finite) == (1, 0, 1)
    assert "1 norms not finite" in str(report)


def run(clipper: GradientClipper, norms: list[float]) -> None:
    for step, norm in enumerate(norms):
        clipper(parameters([norm]), step)


def test_proposal_is_the_90th_percentile_of_unclipped_norms() -> None:
    norms = np.random.default_rng(0).lognormal(0.0, 1.5, 500).astype(np.float32)
    clipper = GradientClipper(0.1)
    run(clipper, norms.tolist())
    assert clipper.report().proposed_threshold == pytest.approx(np.percentile(norms, 90), rel=1e-6)
    assert clipper.report().n_clipped == int((norms > np.float32(0.1)).sum())


def test_too_few_norms_propose_nothing() -> None:
    assert propose_threshold([1.0] * 99) is None
    assert propose_threshold([1.0] * 100) == 1.0


def test_more_than_half_clipped_is_extremely_aggressive() -> None:
    half, more = GradientClipper(1.0), GradientClipper(1.0)
    run(half, [0.5, 2.0] * 2)
    run(more, [0.5, 2.0, 2.0])
    assert half.report().clipped_fraction == 0.5
    assert not half.report().is_aggressive
    assert more.report().is_aggressive
    assert "extremely aggressive: lower the learning rate" in str(more.report())
    assert GradientClipper(1.0).report().clipped_fraction == 0.0


def test_warmup_is_left_out_of_the_report_but_logged_and_clipped(recorder) -> None:
    clipper = GradientClipper(1.0, log=recorder, ignore_before=2)
    run(clipper, [9.0, 9.0, 0.5])
    assert clipper.report().clipped_fraction == 0.0
    assert [values["grad_norm"] for _, values in recorder.logged] == [9.0, 9.0, 0.5]


def test_norms_are_fetched_together_and_each_is_logged_at_its_step(recorder) -> None:
    clipper = GradientClipper(log=recorder, every=3)
    run(clipper, [1.0, 2.0])
    assert recorder.logged == []
    run(clipper, [3.0, 4.0])
    assert [values["grad_norm"] for _, values in recorder.logged] == [1.0, 2.0, 3.0]
    clipper.flush()
    assert recorder.logged[-1] == (1, {"grad_norm": 4.0})


def test_state_goes_with_the_checkpoint() -> None:
    whole, first, second = (GradientClipper(1.0) for _ in range(3))
    norms = np.random.default_rng(1).lognormal(0.0, 1.0, 150).tolist()
    run(whole, norms)
    run(first, norms[:70])
    second.load_state_dict(first.state_dict())
    run(second, norms[70:])
    assert second.report() == whole.report()


def test_works_with_a_module_and_a_single_tensor() -> None:
    model = torch.nn.Linear(3, 1)
    model(torch.ones(1, 3)).sum().backward()
    assert GradientClipper(0.5)(model.parameters(), 0).item() == pytest.approx(2.0)
    assert model.weight.grad.square().sum() + model.bias.grad.square().sum() == pytest.approx(0.25)
    assert GradientClipper()(model.bias, 0).item() == pytest.approx(0.25)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan])
def test_thresholds_that_let_nothing_through_are_refused(threshold: float) -> None:
    with pytest.raises(InputError, match="must be above 0"):
        GradientClipper(threshold)
    with pytest.raises(InputError, match="every is 0"):
        GradientClipper(every=0)

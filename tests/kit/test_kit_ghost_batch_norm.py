"""Ghost batch norm: a slice is batch norm on that slice, the running statistics are those of the whole batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tunebook.errors import InputError
from tunebook.kit import SGD, GhostBatchNorm, synchronize_batch_norm, to_ghost
from tunebook.kit.ghost_batch_norm import slice_sizes

SHAPES = [(), (5,), (4, 3), (2, 3, 2)]


def batch(n: int, *rest: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, *rest, generator=generator) * torch.tensor([1.0, 5.0, 0.1]).reshape(3, *[1] * len(rest))
    return x + torch.arange(float(n)).reshape(n, *[1] * (x.dim() - 1)) + 10.0


def ordinary(rest: tuple[int, ...]) -> nn.Module:
    return (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(rest)](3)


def set_affine(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 2.0, -1.0]))
        layer.bias.copy_(torch.tensor([0.0, 3.0, 1.0]))
    return layer


@settings(deadline=None)
@given(batch_size=st.integers(1, 5000), virtual=st.integers(1, 600))
def test_slices_hold_every_example_and_come_as_near_to_the_virtual_size_as_can_be(
    batch_size: int, virtual: int
) -> None:
    sizes = slice_sizes(batch_size, virtual)
    assert sum(sizes) == batch_size
    assert max(sizes) - min(sizes) <= 1
    n = len(sizes)
    distance = abs(batch_size / virtual - n)
    assert n == 1 or distance <= 0.5
    if batch_size <= virtual:
        assert sizes == [batch_size]
    if batch_size % virtual == 0:
        assert set(sizes) == {virtual}


@pytest.mark.parametrize("rest", SHAPES)
@pytest.mark.parametrize(
    ("n", "sizes"), [(3, [3]), (4, [4]), (8, [4, 4]), (16, [4] * 4), (10, [5, 5]), (15, [4, 4, 4, 3])]
)
def test_each_slice_is_batch_norm_on_that_slice(rest: tuple[int, ...], n: int, sizes: list[int]) -> None:
    x = batch(n, *rest)
    ghost = set_affine(GhostBatchNorm(3, 4))
    expected = torch.cat([set_affine(ordinary(rest))(part) for part in x.split(sizes)])
    assert torch.equal(ghost(x), expected)


@pytest.mark.parametrize("momentum", [0.1, 1.0, None])
@pytest.mark.parametrize("rest", SHAPES)
@pytest.mark.parametrize("n", [3, 4, 8, 10, 15])
def test_running_statistics_are_those_of_ordinary_batch_norm(
    rest: tuple[int, ...], n: int, momentum: float | None
) -> None:
    ghost, plain = GhostBatchNorm(3, 4, momentum=momentum), ordinary(rest)
    plain.momentum = momentum
    for seed in range(3):
        ghost(batch(n, *rest, seed=seed))
        plain(batch(n, *rest, seed=seed))
    torch.testing.assert_close(ghost.running_mean, plain.running_mean)
    torch.testing.assert_close(ghost.running_var, plain.running_var)
    assert ghost.num_batches_tracked == plain.num_batches_tracked == 3
    x = batch(n, *rest, seed=9)
    torch.testing.assert_close(ghost.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("n", [2, 8, 11])
def test_virtual_batch_of_the_batch_is_ordinary_batch_norm_to_the_bit(n: int) -> None:
    x = batch(n, 4, 4)
    ghost, plain = GhostBatchNorm(3, 8), nn.BatchNorm2d(3)
    assert torch.equal(ghost(x), plain(x))
    assert torch.equal(ghost.running_mean, plain.running_mean)
    assert torch.equal(ghost.running_var, plain.running_var)


def test_running_mean_is_the_mean_of_slice_means() -> None:
    x = batch(16)
    ghost = GhostBatchNorm(3, 4, momentum=1.0)
    ghost(x)
    torch.testing.assert_close(ghost.running_mean, torch.stack([part.mean(0) for part in x.split(4)]).mean(0))


def test_moving_an_example_to_another_slice_changes_the_output_and_within_a_slice_not() -> None:
    x = batch(8)
    across, within = torch.tensor([4, 1, 2, 3, 0, 5, 6, 7]), torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])
    layer = GhostBatchNorm(3, 4)
    assert not torch.allclose(layer(x)[across], layer(x[across]))
    torch.testing.assert_close(layer(x)[within], layer(x[within]))


def test_gradients_are_those_of_the_slices() -> None:
    x = batch(10).double().requires_grad_()
    layer = set_affine(GhostBatchNorm(3, 4).double())
    assert torch.autograd.gradcheck(layer, x)


def test_without_running_statistics_evaluation_uses_slices_too() -> None:
    layer = GhostBatchNorm(3, 4, track_running_stats=False)
    x = batch(8)
    assert torch.equal(layer(x), layer.eval()(x))
    torch.testing.assert_close(layer(x)[:4].mean(0), torch.zeros(3), atol=1e-5, rtol=0)


def test_half_precision_input_keeps_full_precision_statistics() -> None:
    ghost = GhostBatchNorm(3, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = ghost(batch(8, 4, 4).bfloat16())
    assert y.dtype == torch.bfloat16
    assert ghost.running_mean.dtype == torch.float32
    plain = nn.BatchNorm2d(3)
    plain(batch(8, 4, 4).bfloat16().float())
    torch.testing.assert_close(ghost.running_mean, plain.running_mean)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_compiles_to_one_graph() -> None:
    ghost, compiled = GhostBatchNorm(3, 4), GhostBatchNorm(3, 4)
    fast = torch.compile(compiled, backend="eager", fullgraph=True)
    x = batch(10, 4, 4)
    torch.testing.assert_close(fast(x), ghost(x))
    torch.testing.assert_close(compiled.running_var, ghost.running_var)


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.3, eps=1e-3), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16))
    )


def test_conversion_keeps_parameters_statistics_mode_and_optimizer() -> None:
    model = network()
    model(batch(8, 2, 2))
    optimizer = SGD(model.parameters(), lr=0.1)
    before = {name: id(value) for name, value in [*model.named_parameters(), *model.named_buffers()]}
    model[1].eval()
    converted = to_ghost(model, 4)
    assert converted is model
    assert {name: id(value) for name, value in [*model.named_parameters(), *model.named_buffers()]} == before
    assert isinstance(model[1], GhostBatchNorm)
    assert isinstance(model[2][1], GhostBatchNorm)
    assert (model[1].momentum, model[1].eps, model[1].virtual_batch_size) == (0.3, 1e-3, 4)
    assert (model[1].training, model[2][1].training) == (False, True)
    start = model[1].weight.clone()
    model(batch(8, 2, 2)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(model[1].weight, start)
    assert "virtual_batch_size=4" in repr(model)


def test_converting_a_lone_layer_gives_a_new_one() -> None:
    layer = nn.BatchNorm2d(3, affine=False, track_running_stats=False)
    ghost = to_ghost(layer, 4)
    assert isinstance(ghost, GhostBatchNorm)
    assert ghost.weight is None
    assert ghost(batch(8, 2, 2)).shape == (8, 3, 2, 2)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(2, 2), "Linear holds no batch norm to replace; train it as it is"),
        (nn.Sequential(nn.LayerNorm(4)), "normalises with LayerNorm"),
        (nn.Sequential(nn.SyncBatchNorm(4)), "SyncBatchNorm does the opposite"),
    ],
)
def test_model_without_batch_norm_is_an_error(model: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_ghost(model, 4)


def test_bad_sizes_and_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="virtual_batch_size is 0"):
        GhostBatchNorm(3, 0)
    with pytest.raises(InputError, match="dimensions, not 1"):
        GhostBatchNorm(3, 4)(torch.zeros(3))


def test_synchronising_a_single_process_changes_nothing() -> None:
    layer = GhostBatchNorm(3, 4)
    layer(batch(8))
    before = layer.running_var.clone()
    synchronize_batch_norm(layer)
    assert torch.equal(layer.running_var, before)

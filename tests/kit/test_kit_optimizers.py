"""The update rules step by step against NumPy in double precision, their limits, and their manners."""

import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tunebook.errors import InputError
from tunebook.kit import SGD, Adam, AdamW, Momentum, NAdam, Nesterov, RMSProp

ALL = [SGD, Momentum, Nesterov, RMSProp, Adam, AdamW, NAdam]
N_STEPS = 25

# --- the reference: each rule as the playbook prints it, in NumPy, one array at a time ---


def sgd(w: np.ndarray, grads: Iterator[np.ndarray], *, lr: float, decay: float) -> Iterator[np.ndarray]:
    for g in grads:
        w = w - lr * (g + decay * w)
        yield w


def momentum(w: np.ndarray, grads: Iterator[np.ndarray], *, lr: float, gamma: float, decay: float, nesterov: bool):
    v = np.zeros_like(w)
    for gradient in grads:
        g = gradient + decay * w
        v = gamma * v + g
        w = w - lr * (gamma * v + g if nesterov else v)
        yield w


def rmsprop(
    w: np.ndarray, grads: Iterator[np.ndarray], *, lr: float, rho: float, gamma: float, eps: float, decay: float
):
    v, m = np.ones_like(w), np.zeros_like(w)
    for gradient in grads:
        g = gradient + decay * w
        v = rho * v + (1 - rho) * g**2
        m = gamma * m + lr / np.sqrt(v + eps) * g
        w = w - m
        yield w


def adam(
    w: np.ndarray,
    grads: Iterator[np.ndarray],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    l2: float = 0.0,
    decoupled: float = 0.0,
    nesterov: bool = False,
):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, gradient in enumerate(grads, start=1):
        g = gradient + l2 * w
        w = w - lr * decoupled * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        b = np.sqrt(1 - beta2**t) / (1 - beta1**t)
        top = beta1 * m + (1 - beta1) * g if nesterov else m
        w = w - lr * top / (np.sqrt(v) + eps) * b
        yield w


MOMENTS = {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3}
BETAS: dict[str, Any] = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3}
CASES = {
    "sgd": (SGD, {"lr": 0.1}, sgd, {"lr": 0.1, "decay": 0.0}),
    "sgd decay": (SGD, {"lr": 0.1, "weight_decay": 0.3}, sgd, {"lr": 0.1, "decay": 0.3}),
    "momentum": (
        Momentum,
        {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.3},
        momentum,
        {"lr": 0.05, "gamma": 0.8, "decay": 0.3, "nesterov": False},
    ),
    "nesterov": (
        Nesterov,
        {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.3},
        momentum,
        {"lr": 0.05, "gamma": 0.8, "decay": 0.3, "nesterov": True},
    ),
    "rmsprop": (
        RMSProp,
        {"lr": 0.01, "rho": 0.9, "eps": 1e-2},
        rmsprop,
        {"lr": 0.01, "rho": 0.9, "gamma": 0.0, "eps": 1e-2, "decay": 0.0},
    ),
    "rmsprop momentum": (
        RMSProp,
        {"lr": 0.01, "rho": 0.9, "momentum": 0.7, "eps": 1e-2, "weight_decay": 0.3},
        rmsprop,
        {"lr": 0.01, "rho": 0.9, "gamma": 0.7, "eps": 1e-2, "decay": 0.3},
    ),
    "adam": (Adam, BETAS, adam, MOMENTS),
    "adam decay": (Adam, BETAS | {"weight_decay": 0.3}, adam, MOMENTS | {"l2": 0.3}),
    "adamw": (AdamW, BETAS | {"weight_decay": 0.3}, adam, MOMENTS | {"decoupled": 0.3}),
    "adamw default": (AdamW, BETAS, adam, MOMENTS | {"decoupled": 0.01}),
    "nadam": (NAdam, BETAS | {"weight_decay": 0.3}, adam, MOMENTS | {"l2": 0.3, "nesterov": True}),
    "adam no betas": (Adam, BETAS | {"betas": (0.0, 0.0)}, adam, MOMENTS | {"beta1": 0.0, "beta2": 0.0}),
}


def start_and_gradients(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=(N_STEPS, *shape)) * 10.0 ** rng.uniform(-2, 1, (N_STEPS, *shape))


@pytest.mark.parametrize("foreach", [True, False, None])
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_the_playbooks(case: str, foreach: bool | None) -> None:
    cls, options, reference, reference_options = CASES[case]
    shapes = [(3, 4), (5,), ()]
    data = [start_and_gradients(shape, seed) for seed, shape in enumerate(shapes)]
    weights = [torch.tensor(start, dtype=torch.float64, requires_grad=True) for start, _ in data]
    expected = [reference(start, iter(gradients), **reference_options) for start, gradients in data]
    optimizer = cls(weights, foreach=foreach, **options)
    for step in range(N_STEPS):
        for weight, (_, gradients) in zip(weights, data, strict=True):
            weight.grad = torch.tensor(gradients[step])
        before = [weight.grad.clone() for weight in weights]
        optimizer.step()
        for weight, gradient, after in zip(weights, before, expected, strict=True):
            np.testing.assert_allclose(weight.detach().numpy(), next(after), rtol=1e-12, atol=1e-12)
            assert torch.equal(weight.grad, gradient)


# --- inclusion (Choi et al. 2019): the more general rule reproduces the special one in a limit ---

ETA, GAMMA, BETA2 = 0.05, 0.9, 0.999


def noisy_quadratic(
    make: Callable[[list[torch.Tensor]], torch.optim.Optimizer], rate: Callable[[int], float]
) -> torch.Tensor:
    """Weights after 200 steps on a quadratic with curvatures of 0.1 to 1 and noise in its gradient."""
    generator = torch.Generator().manual_seed(0)
    curvature = torch.logspace(-1, 0, 10, dtype=torch.float64)
    weight = torch.ones(10, dtype=torch.float64, requires_grad=True)
    optimizer = make([weight])
    for t in range(1, 201):
        weight.grad = curvature * weight.detach() + 0.1 * torch.randn(10, generator=generator, dtype=torch.float64)
        optimizer.param_groups[0]["lr"] = rate(t)
        optimizer.step()
    return weight.detach()


def adam_rate(eps: float) -> Callable[[int], float]:
    return lambda t: ETA * eps * (1 - GAMMA**t) / ((1 - GAMMA) * math.sqrt(1 - BETA2**t))


INCLUSIONS = {
    "momentum in adam": (Momentum, lambda p, eps: Adam(p, betas=(GAMMA, BETA2), eps=eps), adam_rate),
    "nesterov in nadam": (Nesterov, lambda p, eps: NAdam(p, betas=(GAMMA, BETA2), eps=eps), adam_rate),
    "momentum in rmsprop": (
        Momentum,
        lambda p, eps: RMSProp(p, rho=0.99, momentum=GAMMA, eps=eps),
        lambda eps: lambda t: ETA * math.sqrt(eps),
    ),
}


@pytest.mark.parametrize("case", INCLUSIONS)
def test_special_rule_is_a_limit_with_an_error_inverse_to_epsilon(case: str) -> None:
    special, general, rate = INCLUSIONS[case]
    target = noisy_quadratic(lambda p: special(p, momentum=GAMMA), lambda t: ETA)

    def error(eps: float) -> float:
        return float((noisy_quadratic(lambda p: general(p, eps), rate(eps)) - target).abs().max())

    errors = [error(eps) for eps in (1e2, 1e4, 1e6)]
    assert 1e-6 < errors[0] < 1e-3
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(100, rel=0.05)


def test_sgd_is_momentum_and_nesterov_without_momentum() -> None:
    plain = noisy_quadratic(SGD, lambda t: ETA)
    for cls in (Momentum, Nesterov):
        assert torch.equal(noisy_quadratic(lambda p, cls=cls: cls(p, momentum=0.0), lambda t: ETA), plain)


# --- against torch.optim, where the docstrings say same or different ---


def trained(make: Callable[[list[torch.Tensor]], torch.optim.Optimizer], n_steps: int = 10) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(6, 5, generator=generator, dtype=torch.float64).requires_grad_()
    optimizer = make([weight])
    for _ in range(n_steps):
        weight.grad = torch.randn(6, 5, generator=generator, dtype=torch.float64)
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize(
    ("own", "peer"),
    [
        (lambda p: SGD(p, 0.1, weight_decay=0.1), lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1)),
        (lambda p: Momentum(p, 0.1, 0.8), lambda p: torch.optim.SGD(p, 0.1, momentum=0.8)),
        (lambda p: Nesterov(p, 0.1, 0.8), lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True)),
        (lambda p: Adam(p, 0.1, eps=0.0), lambda p: torch.optim.Adam(p, 0.1, eps=0.0)),
        (lambda p: AdamW(p, 0.1, eps=0.0), lambda p: torch.optim.AdamW(p, 0.1, eps=0.0)),
    ],
)
def test_same_as_torch_where_the_docstring_says_so(own: Any, peer: Any) -> None:
    torch.testing.assert_close(trained(own), trained(peer), rtol=1e-12, atol=1e-12)


def test_epsilon_of_torch_adam_is_smaller_by_the_correction() -> None:
    ours = trained(lambda p: Adam(p, 0.1, eps=0.1 * math.sqrt(1 - 0.999)), n_steps=1)
    torch.testing.assert_close(ours, trained(lambda p: torch.optim.Adam(p, 0.1, eps=0.1), n_steps=1))


def test_first_rmsprop_step_is_small_where_that_of_torch_is_large() -> None:
    start = trained(lambda p: SGD(p, 0.0))
    ours = (trained(lambda p: RMSProp(p, 0.01, rho=0.99), n_steps=1) - start).abs().max()
    theirs = (trained(lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.99), n_steps=1) - start).abs().max()
    assert 2 * ours < theirs


def test_rate_acts_on_new_gradients_only_in_rmsprop() -> None:
    weight = torch.zeros(1, requires_grad=True)
    optimizer = RMSProp([weight], 0.1, rho=0.0, momentum=0.5, eps=0.0)
    weight.grad = torch.ones(1)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert weight.item() == pytest.approx(-0.15)


# --- manners of torch.optim ---


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("cls", ALL)
def test_state_dict_round_trip_goes_on_to_the_bit(cls: type) -> None:
    model = network()
    optimizer = cls(model.parameters(), lr=0.01)
    train(model, optimizer, range(5))
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    train(model, optimizer, range(5, 10))

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other = network()
    other.load_state_dict(saved["model"])
    resumed = cls(other.parameters(), lr=99.0)
    resumed.load_state_dict(saved["optimizer"])
    train(other, resumed, range(5, 10))
    for own, expected in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(own, expected)


def test_state_of_torch_adam_is_taken_over() -> None:
    model = network()
    peer = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, peer, range(5))
    optimizer = Adam(model.parameters())
    optimizer.load_state_dict(peer.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.01
    train(model, optimizer, range(5, 7))
    assert {float(state["step"]) for state in optimizer.state.values()} == {7.0}


@pytest.mark.parametrize("foreach", [True, None])
def test_groups_have_their_own_rates_and_late_parameters_their_own_count(foreach: bool | None) -> None:
    first, second = (torch.zeros(3, requires_grad=True) for _ in range(2))
    optimizer = Adam([first, second], lr=0.1, foreach=foreach)
    optimizer.add_param_group({"params": [(third := torch.zeros(3, requires_grad=True))], "lr": 0.5})
    first.grad = torch.ones(3)
    optimizer.step()
    first.grad, second.grad, third.grad = torch.zeros(3), torch.ones(3), torch.ones(3)
    optimizer.step()
    assert [float(optimizer.state[p]["step"]) for p in (first, second, third)] == [2.0, 1.0, 1.0]
    assert second[0].item() == pytest.approx(-0.1, rel=1e-4)
    assert third[0].item() == pytest.approx(-0.5, rel=1e-4)


def test_mixed_types_and_many_small_parameters_are_all_updated() -> None:
    weights = [torch.ones(40_000, requires_grad=True) for _ in range(4)]
    weights += [
        torch.ones(2, dtype=torch.float64, requires_grad=True),
        torch.ones(2, dtype=torch.bfloat16, requires_grad=True),
    ]
    for foreach in (True, False, None):
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        SGD(weights, 0.25, foreach=foreach).step()
    assert all((weight == 0.25).all() for weight in weights)


@pytest.mark.parametrize("cls", ALL)
def test_closure_is_evaluated_with_gradients(cls: type) -> None:
    weight = torch.tensor([2.0], requires_grad=True)
    optimizer = cls([weight], lr=0.1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert weight.item() < 2.0


# PyTorch's compiler warns of its own use of torch.jit while it is imported.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("cls", ALL)
def test_compiled_step_is_the_same_in_one_graph(cls: type) -> None:
    torch._dynamo.reset()
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    eager, compiled = network(), network()
    a, b = cls(eager.parameters(), lr=0.01), cls(compiled.parameters(), lr=torch.tensor(0.01))
    step = torch.compile(b.step, backend=backend, fullgraph=True)
    for seed in range(4):
        for one, two in zip(eager.parameters(), compiled.parameters(), strict=True):
            one.grad = torch.randn(one.shape, generator=torch.Generator().manual_seed(seed))
            two.grad = one.grad.clone()
        a.step()
        step()
        a.param_groups[0]["lr"] *= 0.5
        b.param_groups[0]["lr"].mul_(0.5)
    assert len(graphs) == 1
    for one, two in zip(eager.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("cls", ALL)
def test_gradient_scaler_skips_overflow_and_unscales(cls: type) -> None:
    weight = torch.ones(3, requires_grad=True)
    plain = torch.ones(3, requires_grad=True)
    optimizer, reference = cls([weight], lr=0.1), cls([plain], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale((weight * math.inf).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(weight, torch.ones(3))
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = (weight * 2.0).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    plain.grad = torch.full((3,), 2.0)
    reference.step()
    torch.testing.assert_close(weight, plain)


@pytest.mark.parametrize("cls", ALL)
def test_sparse_and_complex_are_refused(cls: type) -> None:
    with pytest.raises(InputError, match=r"real parameters.*complex64"):
        cls([torch.zeros(2, dtype=torch.complex64, requires_grad=True)], lr=0.1)
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match="sparse=False"):
        cls(embedding.parameters(), lr=0.1).step()


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (SGD, {"lr": -1.0}, "lr is -1"),
        (SGD, {"lr": math.nan}, "lr is nan"),
        (SGD, {"weight_decay": -0.1}, "weight_decay"),
        (Momentum, {"momentum": 1.0}, "momentum is 1 and must be at least 0 and below 1"),
        (RMSProp, {"rho": 1.5}, "rho"),
        (RMSProp, {"eps": -1e-8}, "eps"),
        (Adam, {"betas": (1.0, 0.9)}, "beta1"),
        (NAdam, {"betas": (0.9, -0.1)}, "beta2"),
    ],
)
def test_values_out_of_range_are_named(cls: type, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cls([torch.zeros(1, requires_grad=True)], **options)

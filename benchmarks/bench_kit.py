"""What the training kit costs, beside its PyTorch peers in the same run.

Optimizer steps over 10 million parameters (40 tensors), own and ``torch.optim`` in turn, medians and their ratio;
then the logger and the evaluator inside a training step of about 10 ms, against the same step without them.
Limits: a step at most 1.1 times its peer, the evaluator and the logger together under 2 % of a step.

Run: ``python benchmarks/bench_kit.py [--device cuda] [--json]``
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from tunebook.kit import (
    SGD,
    Adam,
    AdamW,
    DataWaitMeter,
    Evaluator,
    GradientClipper,
    Momentum,
    NAdam,
    Nesterov,
    RMSProp,
    ScheduleLR,
    constant_schedule,
)

N_TENSORS, TENSOR_SIZE = 40, 250_000
STEP_LIMIT, OVERHEAD_LIMIT = 1.1, 0.02
WIDTH, BATCH = 512, 96
EVERY = 50

Make = Callable[..., torch.optim.Optimizer]
PAIRS: dict[str, tuple[Make, Make]] = {
    "SGD": (SGD, torch.optim.SGD),
    "Momentum": (Momentum, lambda p, **k: torch.optim.SGD(p, momentum=0.9, **k)),
    "Nesterov": (Nesterov, lambda p, **k: torch.optim.SGD(p, momentum=0.9, nesterov=True, **k)),
    "RMSProp": (
        lambda p, **k: RMSProp(p, momentum=0.9, **k),
        lambda p, **k: torch.optim.RMSprop(p, momentum=0.9, **k),
    ),
    "Adam": (Adam, torch.optim.Adam),
    "AdamW": (AdamW, torch.optim.AdamW),
    "NAdam": (NAdam, torch.optim.NAdam),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison; times in milliseconds."""

    what: str
    own_ms: float
    peer_ms: float
    ratio: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.ratio <= self.limit


class Silent:
    """A log that takes everything and keeps nothing but how much it was."""

    n_values = 0

    def log(self, _: int, values: dict[str, float]) -> None:
        self.n_values += len(values)


def weights(device: str, n_tensors: int, size: int) -> list[torch.Tensor]:
    torch.manual_seed(0)
    found = [torch.randn(size, device=device).requires_grad_() for _ in range(n_tensors)]
    for weight in found:
        weight.grad = torch.randn(size, device=device)
    return found


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def in_turn(first: Callable[[], object], second: Callable[[], object], n: int, device: str) -> tuple[list, list]:
    """Seconds of ``n`` calls of each, alternating so that both meet the same weather; the first calls are dropped.

    On a processor these are seconds of the one thread that computes, which other programs can slow but not stretch.
    """
    clock = time.perf_counter if device == "cuda" else time.thread_time
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(n + 3):
        for call, own in zip((first, second), times, strict=True):
            begin = clock()
            call()
            synchronize(device)
            if number >= 3:
                own.append(clock() - begin)
    return times


def optimizer_row(
    name: str, device: str, *, foreach: bool | None, n: int, n_tensors: int = N_TENSORS, size: int = TENSOR_SIZE
) -> Row:
    own, peer = (make(weights(device, n_tensors, size), lr=1e-3, foreach=foreach) for make in PAIRS[name])
    mine, theirs = in_turn(own.step, peer.step, n, device)
    what = f"{name} step, {n_tensors} × {size:,}, {'foreach' if foreach else 'default'}"
    return row(what, mine, theirs, STEP_LIMIT)


def row(what: str, own: Iterable[float], peer: Iterable[float], limit: float) -> Row:
    mine, theirs = statistics.median(own) * 1e3, statistics.median(peer) * 1e3
    return Row(what=what, own_ms=mine, peer_ms=theirs, ratio=mine / theirs, limit=limit)


def measure(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
    x, y = batch
    return {"loss": nn.functional.cross_entropy(model(x), y, reduction="none")}


def training(device: str, with_kit: bool) -> Callable[[], object]:
    """A training step of about 10 ms on a core; with the kit, its norm log, schedule, data meter and evaluator."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(4)), nn.Linear(WIDTH, 10))
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(BATCH, WIDTH, device=device), torch.randint(0, 10, (BATCH,), device=device)
    log = Silent()
    meter = DataWaitMeter(log=log, every=EVERY)
    batches = iter(meter(_endless((x, y)))) if with_kit else _endless((x, y))
    # An evaluator that is never due: what is measured is its presence, and evaluating itself below.
    evaluator = Evaluator([(x, y)], measure, batch_size=BATCH, every=10**9, log=log)
    steps = iter(range(1, 10**9))

    def step() -> None:
        number = next(steps)
        inputs, labels = next(batches)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        if with_kit:
            log.log(number, {"train/loss": 0.0})
            evaluator(model, number)

    return step


def clipping(device: str, own: bool) -> Callable[[], object]:
    """Norm and scaling of a model's gradients, by the kit or by ``clip_grad_norm_``."""
    found = weights(device, N_TENSORS, TENSOR_SIZE)
    clipper, steps = GradientClipper(1e9, log=Silent(), every=EVERY), iter(range(10**9))
    if own:
        return lambda: clipper(found, next(steps))
    return lambda: torch.nn.utils.clip_grad_norm_(found, 1e9)


def evaluation(device: str, own: bool) -> Callable[[], object]:
    """A pass over 8 batches by the evaluator, or by a bare loop that sums a reduced loss."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(4)), nn.Linear(WIDTH, 10))
    model.to(device)
    batches = [
        (torch.randn(BATCH, WIDTH, device=device), torch.randint(0, 10, (BATCH,), device=device)) for _ in range(8)
    ]
    evaluator = Evaluator(batches, measure, batch_size=BATCH)

    @torch.no_grad()
    def bare() -> float:
        model.eval()
        total = sum(nn.functional.cross_entropy(model(x), y, reduction="sum") for x, y in batches)
        model.train()
        return float(total) / (8 * BATCH)

    return (lambda: evaluator.evaluate(model)) if own else bare


def scheduling(device: str, own: bool) -> Callable[[], object]:
    """200 scheduler steps, by the kit or by ``LambdaLR``."""
    optimizer = torch.optim.SGD(weights(device, 1, 1), lr=0.1)
    schedule = constant_schedule(10**9, warmup_steps=10**6)
    scheduler = ScheduleLR(optimizer, schedule) if own else torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    optimizer.step()

    def run() -> None:
        for _ in range(200):
            scheduler.step()

    return run


def _endless(batch: tuple[torch.Tensor, torch.Tensor]) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
    while True:
        yield batch


def all_rows(device: str) -> list[Row]:
    rows = [optimizer_row(name, device, foreach=True, n=15) for name in PAIRS]
    rows += [optimizer_row(name, device, foreach=None, n=15) for name in PAIRS]
    rows += [optimizer_row(name, device, foreach=None, n=40, n_tensors=100, size=1000) for name in PAIRS]
    comparisons = (
        ("training step with data meter, log and evaluator", training, 150, 1.0 + OVERHEAD_LIMIT),
        ("evaluation, 8 batches, against a bare loop", evaluation, 40, 1.0 + 2 * OVERHEAD_LIMIT),
        ("clipping with logged norms, against clip_grad_norm_", clipping, 40, STEP_LIMIT),
        ("200 scheduler steps, against LambdaLR", scheduling, 20, STEP_LIMIT),
    )
    for what, make, n, limit in comparisons:
        rows.append(row(what, *in_turn(make(device, True), make(device, False), n, device), limit))
        gc.collect()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # Two threads on two busy cores wait for each other far longer than they compute.
    torch.set_num_threads(1)
    begin = time.perf_counter()
    rows = all_rows(options.device)
    if options.json:
        print(json.dumps([asdict(one) for one in rows]))
        return
    for one in rows:
        mark = "" if one.holds else f"   over {one.limit:.2f}"
        print(f"{one.what:58} {one.own_ms:9.3f} ms  peer {one.peer_ms:9.3f} ms  ratio {one.ratio:5.3f}{mark}")
    print(f"{time.perf_counter() - begin:.0f} s, {torch.get_num_threads()} threads, torch {torch.__version__}")


if __name__ == "__main__":
    main()

"""The data-wait meter on a clock that is moved by hand."""

from collections.abc import Iterator

import pytest
import torch

from tunebook.errors import InputError
from tunebook.kit import DataWaitMeter


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def loader(clock: Clock, n: int, wait: float, size: int = 4) -> Iterator[torch.Tensor]:
    for _ in range(n):
        clock.now += wait
        yield torch.zeros(size, 2)


def run(meter: DataWaitMeter, clock: Clock, n: int, wait: float, compute: float) -> None:
    for _ in meter(loader(clock, n, wait)):
        clock.now += compute


def test_waiting_and_computing_are_told_apart() -> None:
    clock = Clock()
    meter = DataWaitMeter(clock=clock, warm_steps=0)
    run(meter, clock, 20, wait=1.0, compute=3.0)
    report = meter.report()
    assert (report.n_steps, report.n_examples) == (20, 80)
    assert (report.wait_seconds, report.compute_seconds) == (20.0, 60.0)
    assert report.wait_share == 0.25
    assert report.examples_per_second == 1.0
    assert report.is_input_bound
    assert "input-bound" in str(report)
    assert "num_workers" in str(report)
    assert "1.333 if it never had to" in str(report)


def test_input_that_keeps_up_is_said_to() -> None:
    clock = Clock()
    meter = DataWaitMeter(clock=clock, warm_steps=0)
    assert str(meter.report()) == "no step measured yet"
    run(meter, clock, 10, wait=0.25, compute=4.0)
    assert not meter.report().is_input_bound
    assert "keeps up" in str(meter.report())


def test_logs_means_of_windows_across_epochs_at_the_right_steps(recorder) -> None:
    clock = Clock()
    meter = DataWaitMeter(log=recorder, every=4, start_step=100, warm_steps=2, clock=clock)
    run(meter, clock, 5, wait=1.0, compute=1.0)
    run(meter, clock, 5, wait=3.0, compute=1.0)
    # steps 100 and 101 are warm; 102-105 waited 1, 1, 1, 3; 106-109 waited 3 each
    assert recorder.logged == [
        (105, {"data_wait_seconds": 1.5, "examples_per_second": 16 / 10}),
        (109, {"data_wait_seconds": 3.0, "examples_per_second": 16 / 16}),
    ]
    assert meter.report().n_steps == 8


def test_batches_come_through_unchanged_and_a_break_leaves_the_last_out() -> None:
    clock = Clock()
    meter = DataWaitMeter(clock=clock, warm_steps=0)
    batches = [torch.full((2,), float(number)) for number in range(5)]
    seen = []
    for batch in meter(batches):
        seen.append(batch)
        if len(seen) == 3:
            break
    assert all(one is other for one, other in zip(seen, batches, strict=False))
    assert meter.report().n_steps == 2


def test_time_until_the_device_is_done_is_computing() -> None:
    clock = Clock()

    def synchronize() -> None:
        clock.now = max(clock.now, busy_until[0])

    busy_until = [0.0]
    meter = DataWaitMeter(clock=clock, warm_steps=0, synchronize=synchronize)
    for _ in meter(loader(clock, 10, wait=0.5)):
        busy_until[0] = clock.now + 2.0
    assert meter.report().wait_seconds == 5.0
    assert meter.report().compute_seconds == 20.0


@pytest.mark.parametrize("options", [{"every": 0}, {"warm_steps": -1}])
def test_bad_settings_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least"):
        DataWaitMeter(**options)

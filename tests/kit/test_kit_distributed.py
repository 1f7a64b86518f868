"""Several processes: the rules in one process, and the real thing with two and gloo."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing, nn

from tunebook.errors import InputError, RunError
from tunebook.kit import (
    GhostBatchNorm,
    barrier,
    check_same_weights,
    data_seed,
    is_writer,
    seed_processes,
    synchronize_batch_norm,
    writer_first,
)
from tunebook.kit.distributed import n_processes, rank


def test_a_single_process_is_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert is_writer()
    assert (rank(), n_processes()) == (0, 1)
    barrier()
    with writer_first():
        check_same_weights(nn.Linear(1, 1))


def test_the_launchers_variables_count_before_there_is_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert not is_writer()
    assert (rank(), n_processes()) == (2, 4)
    assert data_seed(0) == data_seed(0, 2)


def test_data_seeds_differ_between_processes_and_neighbouring_seeds() -> None:
    seeds = {data_seed(seed, process) for seed in range(50) for process in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert data_seed(3, 1) == data_seed(3, 1)


def test_seeding_is_equal_for_weights_and_different_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number in ("0", "1"):
        monkeypatch.setenv("RANK", number)
        generator = seed_processes(5)
        found.append((nn.Linear(3, 3).weight, torch.randperm(100, generator=generator)))
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], found[1][1])
    with pytest.raises(InputError, match="seed is -1"):
        seed_processes(-1)


# --- two real processes ---


def process(number: int, folder: str) -> None:
    """Body of one of two processes; what it sees goes into a file that the test reads."""
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=number, world_size=2)
    saved: dict[str, Any] = {"writer": is_writer(), "rank": rank(), "n": n_processes()}
    generator = seed_processes(7)
    model = nn.Sequential(nn.Conv2d(2, 3, 1), GhostBatchNorm(3, 4, momentum=0.5), nn.BatchNorm2d(3))
    check_same_weights(model)
    saved["weights"] = [parameter.detach().clone() for parameter in model.parameters()]
    x = torch.randn(8, 2, 3, 3, generator=generator) * (1.0 + number) + 5.0 * number
    saved["x"] = x
    model(x)
    saved["before"] = {name: buffer.clone() for name, buffer in model.named_buffers()}
    synchronize_batch_norm(model)
    saved["after"] = {name: buffer.clone() for name, buffer in model.named_buffers()}

    marker = Path(folder) / "prepared"
    with writer_first():
        saved["found"] = marker.exists()
        marker.touch()
    if number == 1:
        nn.init.zeros_(model[0].bias)
    try:
        check_same_weights(model)
    except RunError as error:
        saved["error"] = str(error)
    barrier()
    torch.save(saved, f"{folder}/{number}.pt")
    dist.destroy_process_group()


Seen = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(process, args=(str(folder),), nprocs=2)
    return (torch.load(folder / "0.pt", weights_only=True), torch.load(folder / "1.pt", weights_only=True))


@pytest.mark.slow
def test_two_processes_have_one_writer_equal_weights_and_different_data(seen: Seen) -> None:
    one, two = seen
    assert [(own["writer"], own["rank"], own["n"]) for own in seen] == [(True, 0, 2), (False, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(one["weights"], two["weights"], strict=True))
    assert not torch.equal(one["x"], two["x"])
    assert (one["found"], two["found"]) == (False, True)


@pytest.mark.slow
def test_two_processes_notice_that_their_weights_differ(seen: Seen) -> None:
    assert "processes [1] differ" in seen[0]["error"]
    assert seen[0]["error"] == seen[1]["error"]


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["1", "2"])
def test_two_processes_end_with_the_statistics_of_both(seen: Seen, layer: str) -> None:
    means = [own["before"][f"{layer}.running_mean"].double() for own in seen]
    variances = [own["before"][f"{layer}.running_var"].double() for own in seen]
    mean = (means[0] + means[1]) / 2
    # E[x²] - E[x]² over both, from the moments of each
    variance = sum(v + m**2 for v, m in zip(variances, means, strict=True)) / 2 - mean**2
    for own in seen:
        torch.testing.assert_close(own["after"][f"{layer}.running_mean"].double(), mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(own["after"][f"{layer}.running_var"].double(), variance, rtol=1e-5, atol=1e-6)
    assert torch.equal(seen[0]["after"][f"{layer}.running_var"], seen[1]["after"][f"{layer}.running_var"])
    assert not torch.equal(seen[0]["before"][f"{layer}.running_mean"], seen[0]["after"][f"{layer}.running_mean"])


@pytest.mark.slow
def test_two_devices_keep_the_mean_of_one_device_with_twice_the_batch(seen: Seen) -> None:
    torch.manual_seed(7)
    single = nn.Sequential(nn.Conv2d(2, 3, 1), GhostBatchNorm(3, 4, momentum=0.5))
    single(torch.cat([own["x"] for own in seen]))
    torch.testing.assert_close(seen[0]["after"]["1.running_mean"], single[1].running_mean)

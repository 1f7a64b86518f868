"""The training state: a resumed run is the run that did not stop, to the bit."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tunebook.errors import InputError
from tunebook.kit import Adam, GradientClipper, ScheduleLR, TrainingState, exponential_average, linear_schedule


class Run:
    """A little training run that draws from every source of chance."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 1))
        self.optimizer = Adam(self.model.parameters(), lr=0.01)
        self.schedule = ScheduleLR(self.optimizer, linear_schedule(20, warmup_steps=5))
        self.average = exponential_average(self.model, half_life=3)
        self.clipper = GradientClipper(0.5)
        self.data = torch.Generator().manual_seed(seed)
        self.state = TrainingState(
            model=self.model,
            optimizer=self.optimizer,
            schedule=self.schedule,
            average=self.average,
            clipper=self.clipper,
            data=self.data,
        )

    def train(self, steps: range) -> list[float]:
        losses = []
        for step in steps:
            x = torch.randn(16, 4, generator=self.data)
            target = random.random() + np.random.rand()
            loss = (self.model(x) - target).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.clipper(self.model.parameters(), step)
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            losses.append(loss.item())
        return losses


def test_resumed_run_is_the_run_that_did_not_stop(tmp_path: Path) -> None:
    run = Run(0)
    run.train(range(8))
    run.state.save(tmp_path / "checkpoint")
    expected = run.train(range(8, 16))

    other = Run(1)
    other.train(range(3))
    other.state.load(tmp_path / "checkpoint")
    assert other.train(range(8, 16)) == expected
    assert other.clipper.report() == run.clipper.report()
    for own, whole in zip(other.average.parameters(), run.average.parameters(), strict=True):
        assert torch.equal(own, whole)


def test_saving_draws_nothing(tmp_path: Path) -> None:
    run = Run(0)
    run.state.save(tmp_path)
    saving = run.train(range(3))
    assert saving == Run(0).train(range(3))


def test_weights_are_readable_by_any_program_and_the_rest_runs_no_code(tmp_path: Path) -> None:
    run = Run(0)
    run.state.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert torch.equal(weights["0.weight"], run.model[0].weight)
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    assert set(saved["states"]) == {"optimizer", "schedule", "clipper", "data"}


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    expected = model[0].weight.detach().clone()
    state = TrainingState(model=model)
    state.save(tmp_path)
    with torch.no_grad():
        model[0].weight.zero_()
    state.load(tmp_path)
    assert torch.equal(model[1].weight, expected)
    assert model[1].weight is model[0].weight


def test_other_parts_than_were_saved_are_named_and_nothing_is_changed(tmp_path: Path) -> None:
    run = Run(0)
    TrainingState(model=run.model, optimizer=run.optimizer).save(tmp_path)
    other = Run(1)
    before = other.model[0].weight.clone()
    with pytest.raises(InputError, match=r"holds model, optimizer, but model, schedule are asked for"):
        TrainingState(model=other.model, schedule=other.schedule).load(tmp_path)
    assert torch.equal(other.model[0].weight, before)


def test_another_format_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 99}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="format 99"):
        TrainingState(model=nn.Linear(1, 1)).load(tmp_path)


def test_parts_without_state_are_refused() -> None:
    with pytest.raises(InputError, match="rate is a float"):
        TrainingState(rate=0.1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="nothing to save"):
        TrainingState()

"""Evaluation: every example counts once, whatever the batches, and the numbers say what they rest on."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tunebook.errors import InputError
from tunebook.kit import Evaluator, sample_agreement
from tunebook.kit.batches import map_tensors, pad_batch
from tunebook.kit.evaluator import summarise

Pair = tuple[torch.Tensor, torch.Tensor]


def data(n: int, seed: int = 0) -> Pair:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=generator), torch.randint(0, 3, (n,), generator=generator)


def batches(pair: Pair, size: int) -> list[Pair]:
    return list(zip(pair[0].split(size), pair[1].split(size), strict=True))


def measure(model: nn.Module, batch: Pair) -> dict[str, torch.Tensor]:
    x, y = batch
    scores = model(x)
    loss = nn.functional.cross_entropy(scores, y, reduction="none")
    return {"loss": loss, "error": (scores.argmax(1) != y).float(), "class": y}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


@settings(deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 50))
def test_means_do_not_depend_on_how_the_data_are_cut(n: int, size: int) -> None:
    pair = data(n)
    net = model()
    evaluation = Evaluator(batches(pair, size), measure, batch_size=size, keep_examples=True).evaluate(net)
    with torch.no_grad():
        expected = measure(net, pair)
    assert evaluation.n_examples == n
    assert evaluation.means["loss"] == pytest.approx(float(expected["loss"].double().mean()), rel=1e-6)
    assert evaluation.means["error"] == pytest.approx(float(expected["error"].double().mean()), rel=1e-6, abs=1e-12)
    # Losses are computed in single precision, whose last bit depends on the shape of the batch.
    torch.testing.assert_close(evaluation.examples["loss"], expected["loss"].double(), rtol=1e-6, atol=1e-6)
    assert torch.equal(evaluation.examples["class"], pair[1])


def test_every_batch_the_model_sees_has_the_full_size_and_padding_counts_nothing() -> None:
    seen = []

    def poisoned(_: nn.Module, batch: Pair) -> dict[str, torch.Tensor]:
        seen.append(len(batch[0]))
        values = torch.ones(len(batch[0]))
        if len(seen) == 3:
            values[2:] = math.nan  # what the padding gives
        return {"error": values}

    evaluation = Evaluator(batches(data(10), 4), poisoned, batch_size=4).evaluate(model())
    assert seen == [4, 4, 4]
    assert evaluation.means["error"] == 1.0
    assert evaluation.examples is None


def test_a_nan_of_an_example_is_not_hidden() -> None:
    def broken(_: nn.Module, batch: Pair) -> dict[str, torch.Tensor]:
        return {"loss": torch.full((len(batch[0]),), math.nan)}

    assert math.isnan(Evaluator(batches(data(4), 4), broken, batch_size=4).evaluate(model()).means["loss"])


def test_logs_at_step_intervals_and_after_the_last_step(recorder) -> None:
    evaluator = Evaluator(
        batches(data(8), 4), measure, batch_size=4, every=10, max_train_steps=25, log=recorder, prefix="test"
    )
    net = model()
    done = [step for step in range(25) if evaluator(net, step) is not None]
    assert done == [0, 10, 20, 24]
    assert [step for step, _ in recorder.logged] == done
    assert set(recorder.logged[0][1]) == {"test/loss", "test/error"}


def test_model_is_evaluated_in_evaluation_mode_without_gradients_and_put_back() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(), nn.BatchNorm1d(3))
    net[2].eval()
    modes = []

    def watch(watched: nn.Module, batch: Pair) -> dict[str, torch.Tensor]:
        modes.append((watched.training, watched[1].training, torch.is_grad_enabled()))
        return measure(watched, batch)

    Evaluator(batches(data(4), 4), watch, batch_size=4).evaluate(net)
    assert modes == [(False, False, False)]
    assert (net.training, net[1].training, net[2].training) == (True, True, False)

    def fail(*_: object) -> dict[str, torch.Tensor]:
        raise KeyError("broken measure")

    with pytest.raises(KeyError):
        Evaluator(batches(data(4), 4), fail, batch_size=4).evaluate(net)
    assert net.training
    assert torch.is_grad_enabled()


def test_classes_are_counted_and_rare_ones_named() -> None:
    labels = torch.tensor([0] * 60 + [1] * 30 + [7] * 3)
    errors = torch.tensor([0.0] * 60 + [1.0] * 15 + [0.0] * 15 + [1.0, 1.0, 0.0])
    evaluation = summarise({"error": errors, "class": labels})
    assert evaluation.class_counts == {0: 60, 1: 30, 7: 3}
    assert evaluation.rare_classes() == {7: 3}
    assert evaluation.rare_classes(below=31) == {1: 30, 7: 3}
    assert evaluation.class_means[1] == {"error": 0.5}
    assert evaluation.class_means[7]["error"] == pytest.approx(2 / 3)
    assert evaluation.means["error"] == pytest.approx(17 / 93)


def test_standard_error_is_that_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=50)
    evaluation = summarise({"loss": torch.tensor(values)})
    assert evaluation.standard_error("loss") == pytest.approx(values.std(ddof=1) / math.sqrt(50))
    assert summarise({"loss": torch.tensor([2.0])}).standard_error("loss") == 0.0


def test_works_with_a_data_loader_and_mappings() -> None:
    pair = data(10)
    loader = DataLoader(TensorDataset(*pair), batch_size=4)
    assert Evaluator(loader, measure, batch_size=4).evaluate(model()).n_examples == 10
    padded = pad_batch({"x": pair[0], "names": ["a"], "both": pair}, 12)
    assert padded["x"].shape == (12, 4)
    assert torch.equal(padded["x"][10], pair[0][0])
    assert padded["names"] == ["a"]
    assert isinstance(padded["both"], tuple)
    assert len(padded["both"][1]) == 12
    assert map_tensors([pair[1]], lambda t: t + 1)[0][0] == pair[1][0] + 1


# --- the sample against the full set ---


def test_interval_of_a_fair_sample_covers_zero_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    errors = (rng.random(2000) < 0.2).astype(np.float64)
    full = summarise({"error": torch.tensor(errors)})
    agreed = 0
    for _ in range(400):
        sample = summarise({"error": torch.tensor(rng.choice(errors, 500, replace=False))})
        agreed += sample_agreement(sample, full, "error").agrees
    # 400 draws at 95 %: four standard errors are 4.4 points
    assert agreed / 400 == pytest.approx(0.95, abs=0.044)


def test_skewed_sample_is_told() -> None:
    errors = torch.cat([torch.ones(200), torch.zeros(1800)])
    full, skewed = summarise({"error": errors}), summarise({"error": errors[:400]})
    agreement = sample_agreement(skewed, full, "error")
    assert not agreement.agrees
    assert agreement.difference == pytest.approx(0.4)
    # s² = 0.09, n = 400 of N = 2000
    half = 1.959964 * math.sqrt(0.09 * 2000 / 1999 * (1 / 400 - 1 / 2000))
    assert (agreement.low, agreement.high) == (pytest.approx(0.4 - half), pytest.approx(0.4 + half))
    assert "skewed" in str(agreement)
    assert "95%" in str(agreement)


@pytest.mark.parametrize(("metric", "n", "level"), [("loss", 5, 0.95), ("error", 10, 0.95), ("error", 5, 1.0)])
def test_agreement_of_what_cannot_be_compared_is_refused(metric: str, n: int, level: float) -> None:
    sample, full = summarise({"error": torch.zeros(n)}), summarise({"error": torch.zeros(10)})
    with pytest.raises(InputError):
        sample_agreement(sample, full, metric, level=level)


# --- bad input ---


def test_smaller_batch_than_in_training_warns() -> None:
    with pytest.warns(UserWarning, match="batches of 4 is slower .* 32"):
        Evaluator(batches(data(8), 4), measure, batch_size=4, train_batch_size=32)
    Evaluator(batches(data(8), 4), measure, batch_size=32, train_batch_size=32)


@pytest.mark.parametrize(
    ("found", "how", "message"),
    [
        ([], measure, "nothing to evaluate"),
        (batches(data(8), 8), measure, "8 examples where batch_size is 4"),
        (batches(data(8), 4), lambda m, b: {"loss": torch.tensor(1.0)}, "one value per example"),
        (["text"], measure, "no tensor"),
    ],
)
def test_bad_data_and_measures_are_named(found, how, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Evaluator(found, how, batch_size=4).evaluate(model())


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="only once"):
        Evaluator(iter(batches(data(8), 4)), measure, batch_size=4)
    with pytest.raises(InputError, match="every is 0"):
        Evaluator([], measure, batch_size=4, every=0)

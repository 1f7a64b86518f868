"""The sentences of a comparison, for somebody who has not seen the round."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import web_kit
from web_kit import client_of, make_project, unpacked

from tunebook.core.config import Config
from tunebook.core.round import Round
from tunebook.core.trial import WHOLE_ROUND
from tunebook.core.verdict import (
    ConfigurationAnswer,
    Contender,
    Improvement,
    RestsOn,
    Ruling,
    SettingAnswer,
    Verdict,
)
from tunebook.web.comparison import answers

GAIN = Improvement(estimate=0.01, low=-0.02, high=0.04)
OFF, ON = Config({"use_dropout": False}), Config({"use_dropout": True})


def verdict(ruling: Ruling, chance: float | None, *settings: float, alone: bool = False) -> Verdict:
    candidate = Contender(trial="a", config=Config({"x": 1}), repeats=5)
    baseline = candidate if alone else Contender(trial="b", config=Config({"x": 2}), repeats=5)
    known = ConfigurationAnswer(probability=chance, improvement=GAIN, rests_on=RestsOn.REPEATS)
    return Verdict(
        round="r",
        baseline=baseline,
        candidate=candidate,
        configuration=ConfigurationAnswer() if chance is None else known,
        settings=tuple(SettingAnswer(setting=ON, against=OFF, probability=one, improvement=GAIN) for one in settings),
        threshold=0.95,
        ruling=ruling,
        because=(),
        caveats=(),
        seeds=0,
    )


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (0.97, "use_dropout=true is better than use_dropout=false, with a probability of 97%"),
        (0.999, "with a probability of over 99%"),
        (0.03, "use_dropout=true is worse than use_dropout=false, with a probability of 97%"),
        (0.6, "Whether use_dropout=true or use_dropout=false is better is open"),
    ],
)
def test_a_setting_is_better_worse_or_open(chance: float, said: str) -> None:
    first, _ = answers(verdict(Ruling.KEEP, 0.5, chance), "valid/error")
    assert said in first
    assert "0.01 of valid/error (-0.02 to 0.04 at 95%)" in first


@pytest.mark.parametrize(
    ("ruling", "said"),
    [
        (Ruling.ADOPT, "The candidate is better than the baseline"),
        (Ruling.KEEP, "The baseline stays"),
        (Ruling.UNRESOLVED, "is open"),
    ],
)
def test_the_ruling_is_said_before_its_numbers(ruling: Ruling, said: str) -> None:
    [only] = answers(verdict(ruling, 0.8), "e")
    assert said in only
    assert ("80%, which is less than the 95% asked for" in only) == (ruling is Ruling.UNRESOLVED)


def test_without_a_spread_nothing_is_claimed() -> None:
    [unknown] = answers(verdict(Ruling.UNRESOLVED, None), "e")
    assert "nothing tells" in unknown


def test_without_a_baseline_the_best_is_measured_by_the_runner_up() -> None:
    alone = verdict(Ruling.UNRESOLVED, None, alone=True)
    [sure] = answers(alone, "e", verdict(Ruling.ADOPT, 0.96))
    assert "better than the runner-up with a probability of 96%" in sure
    assert "open" not in sure
    [doubtful] = answers(alone, "e", verdict(Ruling.UNRESOLVED, 0.6))
    assert "whether it is better than the runner-up is open" in doubtful
    [unknown] = answers(alone, "e")
    assert "nothing tells how sure" in unknown


def test_a_round_with_one_setting_says_how_sure_its_best_is(tmp_path: Path) -> None:
    with make_project(tmp_path / "alone", n_trials=4, n_repeats=0) as project:
        design = Round(
            name="02-alone",
            goal="What is best?",
            question="minimize",
            pipeline="train.py:train",
            max_train_steps=web_kit.STEPS,
            objective={"metric": "valid/error", "direction": "minimize", "reduce": "best"},
            nuisance={
                "use_dropout": [False, True],
                "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
                "activation": ["relu", web_kit.NASTY],
            },
            fixed={"batch_size": 64},
            search={"algorithm": "halton", "trials": 12},
        )
        made = web_kit.trials(12, 5)
        found = [replace(one, spec=replace(one.spec, study=WHOLE_ROUND)) for one in made]
        now = datetime(2026, 1, 3, tzinfo=UTC)
        project.store.import_round("02-alone", design, found, now=now, origin="synthetic")
        with client_of(project) as client:
            told = unpacked(client.get("/api/compare", params={"round": "02-alone"}).content)["verdict"]
            feasible = unpacked(client.get("/api/round", params={"round": "02-alone"}).content)["n_searched"]
    # With dropout is better by 0.05 at a noise of 0.003 (see the kit), and both were repeated.
    assert told["candidate"]["config"]["use_dropout"]
    assert not next(one for one in found if one.name == told["runner_up"]["trial"]).spec.config["use_dropout"]
    assert "with a probability of over 99%" in told["answers"][0]
    assert feasible["configurations"] == feasible["feasible"] > 6

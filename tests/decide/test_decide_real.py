"""Deciding on real logs and on simulated rounds; the full figures come from benchmarks/truth_decide.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tunebook.core.verdict import Ruling

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DATA = Path(os.environ.get("TUNEBOOK_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def truth():
    """The benchmark as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    yield pytest.importorskip("truth_decide")
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def folder():
    """The real logs."""
    if not (DATA / "opda" / "deberta").is_dir():
        pytest.skip("the real logs are not at hand; TUNEBOOK_DATA names their folder")
    return DATA


@pytest.mark.parametrize("n_trials", [10, 20])
def test_two_searches_of_one_model_are_told_apart_from_two_models(truth, folder, n_trials):
    pools = [truth.deberta_values(folder, model) for model in ("deberta-base", "deberta-v3-base")]
    rng = np.random.default_rng(0)
    same = [truth._replay(rng, pools[0], pools[0], n_trials) for _ in range(60)]
    other = [truth._replay(rng, pools[0], pools[1], n_trials) for _ in range(60)]
    assert not any(verdict.ruling is Ruling.ADOPT for verdict in [*same, *other])  # nothing was repeated
    assert np.mean([verdict.settings[0].probability >= 0.95 for verdict in same]) <= 0.07
    assert np.mean([verdict.settings[0].probability >= 0.95 for verdict in other]) >= 0.75


def test_what_is_adopted_on_three_studies_is_better_on_the_two_left_out(truth, folder):
    pytest.importorskip("pandas")
    cells = truth.algoperf_cells(folder)
    of = cells["wmt"]
    hits = []
    for a, b in ((x, y) for x in sorted(of) for y in sorted(of) if x != y):
        verdict = truth.decide(truth.pair_evidence(of[a], of[b], [2, 3, 4]))
        gain = truth._held_back(verdict, of[a], of[b], (0, 1))
        if gain is not None and verdict.ruling is Ruling.ADOPT:
            hits.append(gain > 0)
    assert len(hits) >= 3
    assert np.mean(hits) >= 0.8


@pytest.mark.slow
def test_simulated_rounds_meet_the_figures(truth):
    found = truth.figures(600, 11, has_real=False)
    both = found["simulated rounds"]
    assert both["configuration"]["brier"] <= 0.07
    assert 0.7 <= both["configuration"]["better among 0.8-0.9"] <= 0.97
    assert 0.92 <= both["setting"]["interval covers what is found on average"] <= 0.98
    scores = both["setting"]["log score"]
    assert scores["tunebook"] > max(scores["best against best"], scores["means of repeats"])
    assert found["adopted when equal"]["tunebook"] <= 0.05
    assert found["adopted when 2 SD better"]["tunebook"] >= 0.8

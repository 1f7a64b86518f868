"""The boundary check, its limits and the ranges it proposes; the labelled cases where they are at hand."""

import csv
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learn_builders import log_values, make_evidence, make_round, points, record

from tunebook.core.hyperparameter import Choice, Hyperparameter, Range
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.learn import boundary
from tunebook.learn.limits import can_widen, natural_limits, widened
from tunebook.learn.terrain import terrain
from tunebook.learn.view import View

DATA = Path(os.environ.get("TUNEBOOK_DATA", Path(__file__).parents[3] / "shared" / "data"))


def evidence_of(keys_of, n_trials=30, wall=None, **changed):
    """Trials over learning rate and 1 - momentum, in unit coordinates."""
    units = points(n_trials, 2)
    rates = log_values(units[:, 0], 1e-4, 1.0)
    momenta = log_values(units[:, 1], 1e-3, 1.0)
    keys = keys_of(units) + 0.01 * np.random.default_rng(1).normal(size=n_trials)
    failed = np.zeros(n_trials, bool) if wall is None else wall(units)
    trials = [
        record(
            i, {"learning_rate": float(rates[i]), "one_minus_momentum": float(momenta[i])},
            Status.INFEASIBLE if failed[i] else Status.COMPLETE,
        )
        for i in range(n_trials)
    ]  # fmt: skip
    return make_evidence(make_round(**changed), trials, np.where(failed, np.nan, keys))


def findings_of(evidence):
    return list(boundary.check(View.of(evidence)))


def test_the_end_is_named_with_a_wider_range():
    (finding,) = findings_of(evidence_of(lambda u: (u[:, 0] - 1.4) ** 2))
    assert (finding.code, finding.subject.hyperparameter) == ("boundary", "learning_rate")
    assert finding.subject.study == "all"
    assert finding.evidence["direction"] == "high"
    assert finding.severity == "blocking"
    assert finding.next.to_mapping() == {
        "action": "widen", "hyperparameter": "learning_rate", "low": 1e-4, "high": 100.0,
    }  # fmt: skip
    assert finding.next.apply(make_round()).nuisance[0].domain.high == 100.0


def test_maximising_turns_nothing_around():
    objective = {"metric": "valid/error", "direction": "maximize"}
    (finding,) = findings_of(evidence_of(lambda u: -((u[:, 0] + 0.4) ** 2), objective=objective))
    assert finding.evidence["direction"] == "low"


@pytest.mark.parametrize(
    ("keys_of", "wall"),
    [
        (lambda u: (u[:, 0] - 0.5) ** 2 + (u[:, 1] - 0.4) ** 2, None),
        (lambda u: 0 * u[:, 0], None),
        (lambda u: (u[:, 0] - 1.0) ** 2, lambda u: u[:, 0] > 0.6),
    ],
    ids=["inside", "flat", "wall"],
)
def test_silent_where_nothing_lies_beyond(keys_of, wall):
    assert findings_of(evidence_of(keys_of, wall=wall)) == []


def test_a_natural_limit_is_a_note_without_a_next_step():
    (finding,) = findings_of(evidence_of(lambda u: (u[:, 1] - 1.4) ** 2))
    assert (finding.code, finding.severity, finding.next) == ("natural_limit", "note", None)
    assert finding.evidence["limit"] == 1.0


def test_a_list_of_numbers_is_a_dimension_and_can_be_widened():
    units = points(36, 2)
    sizes = np.array([32, 8, 16])[(units[:, 1] * 3).astype(int)]
    design = make_round(nuisance={"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}, "width": [32, 8, 16]})
    trials = [
        record(i, {"learning_rate": float(log_values(units[i, 0], 1e-4, 1.0)), "width": int(sizes[i])})
        for i in range(36)
    ]
    keys = -np.log2(sizes) + 0.3 * (units[:, 0] - 0.5) ** 2
    (finding,) = findings_of(make_evidence(design, trials, keys))
    assert finding.subject.hyperparameter == "width"
    assert finding.next.apply(design).nuisance[1].domain == Choice(32, 8, 16, 48)


def test_studies_lend_each_other_strength_and_are_named():
    design = make_round(scientific={"use_bias": [False, True]})
    units = points(40, 2)
    trials, keys = [], []
    for i, (u, v) in enumerate(units):
        config = {
            "use_bias": bool(i % 2),
            "learning_rate": float(log_values(u, 1e-4, 1.0)),
            "one_minus_momentum": float(log_values(v, 1e-3, 1.0)),
        }
        trials.append(record(i, config, study=f"use_bias={str(bool(i % 2)).lower()}"))
        keys.append((u - 1.4) ** 2 + 0.1 * (i % 2))
    view = View.of(make_evidence(design, trials, keys))
    assert {finding.subject.study for finding in boundary.check(view)} == {"use_bias=false", "use_bias=true"}
    assert terrain(view) is terrain(view)


@pytest.mark.parametrize(
    ("name", "domain", "low_open", "high_open"),
    [
        ("dropout_rate", Range(low=0.0, high=0.5), False, True),
        ("dropout_rate", Range(low=0.1, high=0.5), True, True),
        ("one_minus_momentum", Range(low=1e-3, high=1.0, scale="log"), True, False),
        ("momentum", Range(low=0.5, high=0.99, scale="reverse_log"), True, True),
        ("momentum", Range(low=0.7, high=1.0), True, False),
        ("weight_decay", Range(low=0.0, high=0.1), False, True),
        ("weight_decay", Range(low=1e-5, high=1.0, scale="log"), True, True),
        ("layers", Range(low=1, high=4, type="int"), False, True),
        ("layers", Range(low=3, high=8, type="int"), True, True),
        ("shift", Range(low=-1.0, high=1.0), True, True),
    ],
)
def test_natural_limits(name, domain, low_open, high_open):
    hyperparameter = Hyperparameter(name, domain)
    assert (can_widen(hyperparameter, False), can_widen(hyperparameter, True)) == (low_open, high_open)


@given(
    st.sampled_from(["linear", "log", "reverse_log"]), st.floats(0.01, 0.4), st.floats(0.5, 0.98), st.booleans(),
    st.sampled_from(["x", "dropout", "beta1"]),
)  # fmt: skip
def test_a_proposed_range_is_valid_wider_and_within_its_limits(scale, low, high, is_high, name):
    domain = Range(low=low, high=high, scale=scale)
    hyperparameter = Hyperparameter(name, domain)
    new_low, new_high = widened(hyperparameter, is_high)
    lowest, highest = natural_limits(hyperparameter)
    assert lowest <= new_low <= low
    assert high <= new_high <= highest
    assert (new_high > high) if is_high else (new_low < low)
    if not (scale == "log" and new_low <= 0) and not (scale == "reverse_log" and new_high >= 1):
        Range(low=new_low, high=new_high, scale=scale)
    else:
        pytest.fail("the proposed range is not valid on its scale")


def test_whole_numbers_stay_whole():
    hyperparameter = Hyperparameter("layers", Range(low=3, high=8, type="int"))
    assert widened(hyperparameter, True) == (3, 11)
    assert widened(hyperparameter, False) == (0, 8)


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def case_findings(folder):
    design = Round(**tomllib.loads((folder / "design.toml").read_text()))
    rows = table(folder / "trials.csv")

    def read(item, text):
        values = getattr(item.domain, "values", None)
        return float(text) if values is None else next(value for value in values if float(value) == float(text))

    trials = [
        record(i, {item.name: read(item, row[item.name]) for item in design.searched}, Status(row["status"]))
        for i, row in enumerate(rows)
    ]
    values = [float(row["objective"]) if row["objective"] else np.nan for row in rows]
    return findings_of(make_evidence(design, trials, values))


@pytest.mark.skipif(not (DATA / "boundary").is_dir(), reason="the labelled boundary cases are not at hand")
def test_labelled_cases():
    """Of sides that the trials can show (a look at the three best does in 80 % of draws), all are found;
    of sides with nothing beyond, none. Half of the cases were not looked at in development.
    """
    truth = table(DATA / "boundary" / "truth.csv")
    found = {
        (case.name, finding.subject.hyperparameter, finding.evidence["direction"])
        for case in sorted((DATA / "boundary").glob("case_*"))
        for finding in case_findings(case)
        if finding.code == "boundary"
    }
    place = [(row["case"], row["hyperparameter"], row["side"]) for row in truth]
    clear = {
        at for at, row in zip(place, truth, strict=True)
        if row["at_boundary"] == "1" and row["expandable"] == "1" and float(row["detectable"]) >= 0.8
    }  # fmt: skip
    nothing = {at for at, row in zip(place, truth, strict=True) if row["at_boundary"] == "0"}
    assert len(clear) >= 7
    assert clear <= found
    assert not found & nothing

"""analyse: order, JSON, bad input, silence on flat studies, speed."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learn_builders import log_values, make_evidence, make_round, points, record

from tunebook.core.finding import Severity
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.errors import MissingExtra
from tunebook.evidence import Curves, Evidence
from tunebook.learn import analyse as module
from tunebook.learn.analyse import analyse
from tunebook.learn.table import CHECKS, load

OWN = tuple(name for name in CHECKS if name != "curves")


def evidence_of(values, statuses=None, seed=0):
    units = points(max(len(values), 1), 2, seed)[: len(values)]
    statuses = statuses or [Status.COMPLETE if np.isfinite(value) else Status.INFEASIBLE for value in values]
    trials = [
        record(
            i,
            {"learning_rate": float(log_values(u, 1e-4, 1.0)), "one_minus_momentum": float(log_values(v, 1e-3, 1.0))},
            s,
        )
        for i, ((u, v), s) in enumerate(zip(units, statuses, strict=True))
    ]
    return make_evidence(make_round(), trials, values)


def codes(analysis):
    return [finding.code for finding in analysis.findings]


def test_important_findings_come_first_and_everything_is_json():
    units = points(40, 2)
    values = np.where(units[:, 0] > 0.7, np.nan, (units[:, 0] - 1.0) ** 2)
    found = analyse(evidence_of(values))
    ranks = [(finding.severity.rank, -finding.confidence) for finding in found.findings]
    assert ranks == sorted(ranks)
    assert found.has_blocking
    document = json.loads(json.dumps(found.to_mapping(), allow_nan=False))
    assert document["objective"] == {"metric": "valid/error", "direction": "minimize", "reduce": "best"}
    (study,) = document["studies"]
    assert (study["trials"], study["infeasible"], study["failed"]) == (40, int(np.isnan(values).sum()), 0)
    assert study["best"]["value"] == np.nanmin(values)
    assert study["best"]["step"] == 1000
    assert {"code", "requirement", "severity", "confidence", "subject", "evidence", "says", "why", "next"} <= set(
        document["findings"][0]
    )


@pytest.mark.parametrize(
    ("values", "statuses", "code"),
    [
        ([], None, "nothing_known"),
        ([0.5], None, "few_trials"),
        ([np.nan] * 8, None, "nothing_known"),
        ([0.5] * 8, None, "constant_objective"),
        ([0.5, np.nan, 0.2], [Status.COMPLETE] * 3, "metric_missing"),
        ([np.nan] * 3, [Status.PENDING, Status.RUNNING, Status.FAILED], "nothing_known"),
    ],
    ids=["empty", "one", "all infeasible", "constant", "missing in one", "unfinished"],
)
def test_little_to_go_by_is_said_in_a_sentence(values, statuses, code):
    found = analyse(evidence_of(values, statuses))
    assert code in codes(found)
    json.dumps(found.to_mapping(), allow_nan=False)


def test_a_metric_that_nobody_logged_names_those_that_were():
    found = analyse(evidence_of([0.1, 0.2]), Objective(metric="valid/accuracy"), checks=OWN)
    (finding,) = found.findings
    assert "valid/error" in finding.says
    assert found.studies[0]["best"] is None


def test_a_revised_objective_changes_the_findings():
    evidence = evidence_of((points(30, 2)[:, 0] - 1.4) ** 2)
    upward = Objective(metric="valid/error", direction="maximize")
    sides = [
        {
            finding.evidence["direction"]
            for finding in analyse(evidence, objective).findings
            if finding.code == "boundary"
        }
        for objective in (None, upward)
    ]
    assert sides == [{"high"}, {"low"}]


def test_an_absent_package_costs_one_check_and_a_note(monkeypatch):
    def absent(_):
        raise MissingExtra("this needs the package frobnicate; run: pip install 'tunebook[stats]'")

    monkeypatch.setattr(module, "load", lambda name: absent if name == "boundary" else load(name))
    found = analyse(evidence_of(np.random.default_rng(0).random(30)), checks=OWN)
    (note,) = [finding for finding in found.findings if finding.code == "check_skipped"]
    assert "tunebook[stats]" in note.says


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.just(1.0)), st.sampled_from(list(Status))
        ),
        max_size=14,
    ),
    st.sampled_from(["minimize", "maximize"]),
)
def test_never_a_traceback(trials, direction):
    evidence = evidence_of([value for value, _ in trials], [status for _, status in trials])
    found = analyse(evidence, Objective(metric="valid/error", direction=direction, chance=0.5), checks=OWN)
    json.dumps(found.to_mapping(), allow_nan=False)
    assert all(math.isfinite(finding.confidence) for finding in found.findings)


def test_nan_and_repeated_values_inside_curves():
    grid = np.arange(60)
    curves = [(grid, np.where(grid % 7 == i % 7, np.nan, 1 / (1 + grid) + 0.01 * i)) for i in range(10)]
    evidence = evidence_of(np.ones(10))
    evidence = Evidence(
        name=evidence.name, round=evidence.round, studies=evidence.studies, trials=evidence.trials,
        curves={"valid/error": Curves.pack(curves), "grad_norm": Curves.pack(curves)},
    )  # fmt: skip
    document = analyse(evidence, checks=OWN).to_mapping()
    assert json.loads(json.dumps(document, allow_nan=False))["studies"][0]["best"]["value"] < 1.0


@pytest.mark.slow
def test_flat_studies_are_hardly_ever_blocked():
    blocked = [
        analyse(evidence_of(np.random.default_rng([1, seed]).normal(size=24), seed=seed), checks=OWN).has_blocking
        for seed in range(100)
    ]
    assert np.mean(blocked) <= 0.05


def test_a_few_flat_studies_are_silent():
    for seed in range(12):
        found = analyse(evidence_of(np.random.default_rng([2, seed]).normal(size=24), seed=seed), checks=OWN)
        assert all(finding.severity is not Severity.BLOCKING for finding in found.findings)


@pytest.mark.slow
@pytest.mark.parametrize(("n_trials", "seconds"), [(1000, 3.0), (10_000, 15.0)])
def test_speed(n_trials, seconds):
    names = [f"x{j}" for j in range(8)]
    units = points(n_trials, 8)
    trials = [record(i, dict(zip(names, map(float, row), strict=True))) for i, row in enumerate(units)]
    keys = ((units - 0.4) ** 2) @ np.arange(1, 9) + 0.01 * np.random.default_rng(0).normal(size=n_trials)
    evidence = make_evidence(make_round(nuisance={name: {"low": 0.0, "high": 1.0} for name in names}), trials, keys)
    begun = time.process_time()
    analyse(evidence, checks=OWN)
    assert time.process_time() - begun < seconds

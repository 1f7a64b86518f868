"""What findings say about a place is marked at that place."""

from __future__ import annotations

import numpy as np
import pytest
from show_builders import make_evidence

from tunebook.core.action import Narrow, Widen
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.learn.analyse import analyse
from tunebook.show.data.marks import marks_of
from tunebook.show.data.page import plot_data
from tunebook.show.draw.page import chapters
from tunebook.show.report import render
from tunebook.show.theme import RED


def region(hyperparameter: str, made_of: tuple[str, ...] = ()) -> Finding:
    evidence = {
        "hyperparameter": hyperparameter,
        "made_of": list(made_of),
        "direction": "high",
        "threshold": 0.2,
        "share_beyond": 0.87,
    }
    return Finding(
        code="infeasible_region",
        requirement="L4",
        severity=Severity.WARNING,
        words=Words(says="There.", why="So."),
        evidence=evidence,
        subject=Subject(hyperparameter=hyperparameter),
    )


def proposal(action: Widen) -> Finding:
    return Finding(
        code="boundary",
        requirement="L2",
        severity=Severity.BLOCKING,
        words=Words(says="Outside.", why="So."),
        evidence={},
        next=action,
    )


def layout_of(findings: list[Finding], title: str) -> dict:
    told = chapters(plot_data(make_evidence(30), findings=findings))
    (found,) = [drawing for chapter in told for drawing in chapter.drawings if drawing.title == title]
    return found.layout


def test_the_threshold_of_an_infeasible_region_is_a_red_line() -> None:
    layout = layout_of([region("learning_rate")], "learning_rate")
    (line,) = [shape for shape in layout["shapes"] if shape["line"].get("color") == RED]
    assert line["x0"] == line["x1"] == 0.2
    assert [note["text"] for note in layout["annotations"]] == ["87% infeasible above 0.2"]


def test_a_proposed_range_is_a_band_that_the_axis_makes_room_for() -> None:
    layout = layout_of([proposal(Widen(hyperparameter="learning_rate", low=1e-4, high=100.0))], "learning_rate")
    (band,) = [shape for shape in layout["shapes"] if shape["type"] == "rect"]
    assert (band["x0"], band["x1"]) == (1e-4, 100.0)
    assert layout["xaxis"]["range"][1] > 2
    bounds = sorted(shape["x0"] for shape in layout["shapes"] if shape["line"].get("dash") == "dot")
    assert bounds == [1e-4, 1.0]


def test_marks_of_a_reverse_log_axis_lie_where_its_points_do() -> None:
    layout = layout_of([proposal(Narrow(hyperparameter="momentum", low=0.9, high=0.99))], "momentum")
    (band,) = [shape for shape in layout["shapes"] if shape["type"] == "rect"]
    assert [band["x0"], band["x1"]] == pytest.approx([0.1, 0.01])


def test_one_mark_however_many_studies_say_it() -> None:
    assert len(marks_of([region("learning_rate"), region("learning_rate")])) == 1


def test_a_quantity_made_of_two_hyperparameters_gets_an_axis_of_its_own() -> None:
    evidence = make_evidence(30)
    finding = region("learning_rate / (1 - momentum)", ("learning_rate", "momentum"))
    data = plot_data(evidence, findings=[finding])
    (axis,) = data.derived
    rates = [float(t.config["learning_rate"]) / (1 - float(t.config["momentum"])) for t in evidence.trials]
    np.testing.assert_allclose(axis.x, rates)
    layout = layout_of([finding], axis.label)
    assert not [shape for shape in layout["shapes"] if shape["line"].get("dash") == "dot"]
    assert "See the plot: learning_rate / (1 - momentum)" in render(evidence, [finding])


def test_the_real_checks_find_and_mark_the_wall_of_the_builder() -> None:
    evidence = make_evidence(60)
    findings = analyse(evidence, checks=["infeasible"]).findings
    data = plot_data(evidence, findings=findings)
    (mark,) = [mark for mark in data.marks if mark.is_bad]
    assert mark.label == "learning_rate / (1 - momentum)"
    assert mark.low == pytest.approx(10**0.8, rel=0.5)
    assert all(finding.says.split("(")[0].split("&")[0][:20] in render(evidence, findings) for finding in findings)

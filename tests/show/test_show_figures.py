"""Figures: the traces that have to be there are there."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest
from show_builders import make_evidence

from tunebook.core.objective import Objective
from tunebook.core.outcome import Cause, Status
from tunebook.errors import InputError, MissingExtra
from tunebook.show import figures
from tunebook.show.data.axes import axis_data
from tunebook.show.data.page import plot_data
from tunebook.show.data.table import trial_table
from tunebook.show.draw.axes import MOST_POINTS, axis_drawing
from tunebook.show.draw.drawing import Drawing, clipped, escape, hover_lines
from tunebook.show.draw.page import chapters
from tunebook.show.theme import RED, series

EVIDENCE = make_evidence(60)


def drawings(n_trials: int = 60) -> list[Drawing]:
    return [drawing for chapter in chapters(plot_data(make_evidence(n_trials))) for drawing in chapter.drawings]


def trace(figure, name: str):
    (found,) = [item for item in figure.data if item.name and item.name.startswith(name)]
    return found


@pytest.mark.parametrize("label", [item.label for item in EVIDENCE.round.searched])
def test_every_infeasible_trial_is_a_red_cross_at_the_edge(label: str) -> None:
    figure = figures.axis(EVIDENCE, label)
    crosses = trace(figure, "infeasible")
    table = trial_table(EVIDENCE)
    own = [item.label for item in EVIDENCE.round.searched].index(label)
    exists = np.isfinite(axis_data(table, EVIDENCE.round)[own].x)
    assert sorted(crosses.customdata) == np.flatnonzero(table.infeasible & exists).tolist()
    assert crosses.marker.symbol == "x-thin"
    assert crosses.marker.line.color == RED
    assert set(crosses.y) == {table.shown.wall}
    assert min(figure.layout.yaxis.range) < table.shown.wall < max(figure.layout.yaxis.range)


def test_crosses_stand_at_the_bottom_when_higher_is_better() -> None:
    figure = figures.axis(EVIDENCE, "learning_rate", objective=Objective(metric="valid/error", direction="maximize"))
    assert max(trace(figure, "infeasible").y) < min(trace(figure, "use_dropout=false").y)


def test_log_axis_and_searched_bounds() -> None:
    figure = figures.axis(EVIDENCE, "learning_rate")
    assert figure.layout.xaxis.type == "log"
    assert [line.x0 for line in figure.layout.shapes] == [1e-4, 1.0]
    low, high = figure.layout.xaxis.range
    assert low < -4 < 0 < high


def test_reverse_log_axis_is_read_in_its_own_values() -> None:
    figure = figures.axis(EVIDENCE, "momentum")
    assert [line.x0 for line in figure.layout.shapes] == pytest.approx([0.5, 0.001])
    assert figure.layout.xaxis.range[0] > figure.layout.xaxis.range[1]
    assert {"0.9", "0.99", "0.999"} <= set(figure.layout.xaxis.ticktext)


def test_the_best_trials_are_drawn_last_and_large() -> None:
    figure = figures.axis(EVIDENCE, "learning_rate")
    front = figure.data[-1]
    assert list(front.customdata) == trial_table(EVIDENCE).best.tolist()
    assert front.marker.size > figure.data[0].marker.size


def test_values_worse_than_shown_are_triangles_at_the_edge_not_lost() -> None:
    evidence = make_evidence(30)
    values = evidence.curves["valid/error"].values.copy()
    table = trial_table(evidence)
    far = int(table.order[-1])
    offsets = evidence.curves["valid/error"].offsets
    values[offsets[far] : offsets[far + 1]] = 1e6
    curves = {
        "valid/error": type(evidence.curves["valid/error"])(offsets, evidence.curves["valid/error"].steps, values)
    }
    figure = figures.axis(replace(evidence, curves=curves), "learning_rate")
    assert list(trace(figure, "worse than shown").customdata) == [far]
    assert max(figure.layout.yaxis.range) < 1


def test_every_trial_is_drawn_exactly_once() -> None:
    figure = figures.axis(EVIDENCE, "weight_decay")
    drawn = [trial for item in figure.data for trial in item.customdata]
    assert sorted(drawn) == list(range(60))


def test_thousands_of_points_are_thinned_and_the_caption_says_so() -> None:
    evidence = make_evidence(4000, n_points=2)
    table = trial_table(evidence)
    drawing = axis_drawing(table, axis_data(table, evidence.round)[1])
    feasible = [item for item in drawing.traces if "infeasible" not in item["name"]]
    assert sum(len(item["x"]) for item in feasible) <= MOST_POINTS + 5
    assert "left out" in drawing.caption


def test_curves_stand_in_front_of_one_joined_background() -> None:
    figure = figures.curves(EVIDENCE)
    behind = trace(figure, "other trials")
    n_feasible = int(trial_table(EVIDENCE).feasible.sum())
    assert np.isnan(np.array(behind.y, dtype=float)).sum() >= n_feasible - 5
    names = [item.name for item in figure.data]
    assert names.index(behind.name) < min(i for i, name in enumerate(names) if name.startswith("1."))
    assert any("train/error" in (item.name or "") and item.line.dash == "dot" for item in figure.data)
    assert trace(figure, "infeasible: broke here").marker.symbol == "x-thin"


def test_intervals_are_drawn_as_whiskers() -> None:
    figure = figures.isolation(EVIDENCE, "use_dropout", intervals={"true": (0.0, 0.5)})
    best = trace(figure, "best of each setting")
    value = best.y[1]
    assert best.error_y.arrayminus[1] == pytest.approx(value)
    assert best.error_y.array[1] == pytest.approx(0.5 - value)
    assert best.error_y.array[0] == 0


def test_boxes_are_ordered_for_either_direction() -> None:
    for objective in (None, Objective(metric="valid/error", direction="maximize")):
        for box in figures.best_of_n(EVIDENCE, objective=objective).data:
            parts = [np.array(getattr(box, part)) for part in ("lowerfence", "q1", "median", "q3", "upperfence")]
            assert all((a <= b).all() for a, b in itertools.pairwise(parts))


def test_no_plot_needs_webgl_and_each_says_how_to_read_it() -> None:
    for drawing in drawings():
        assert {item["type"] for item in drawing.traces} <= {"scatter", "bar", "box"}
        assert len(drawing.caption) > 60
        assert len({d.id for d in drawings()}) == len(drawings())


@pytest.mark.parametrize("n_trials", [1, 2, 8, 60])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_plotly_accepts_every_drawing(n_trials: int, theme: str) -> None:
    evidence = make_evidence(n_trials)
    table = trial_table(evidence)
    for drawing in drawings(n_trials):
        figure = figures.figure(drawing, table, theme)
        assert figure.layout.template.layout.font.color
        assert figure.layout.annotations[-1].text
        figure.to_json()


def test_pointing_at_a_trial_names_it_with_value_and_configuration() -> None:
    text = figures.axis(EVIDENCE, "learning_rate").data[-1].text[0]
    best = int(trial_table(EVIDENCE).order[0])
    assert EVIDENCE.trials[best].name in text
    assert "valid/error = 0.0" in text
    assert "learning_rate = " in text
    assert "use_dropout = true" in text


def test_hostile_names_are_shown_as_they_are() -> None:
    evidence = make_evidence(4, names="<b>{}</b>&<a href='javascript:x'>")
    for line in hover_lines(trial_table(evidence)):
        assert "<a" not in line
        assert "&lt;b&gt;" in line
    assert escape("<&>") == "&lt;&amp;&gt;"


def test_long_labels_are_cut_in_the_middle() -> None:
    assert clipped("a" * 40, 11) == "aaaaa…aaaaa"
    assert clipped("short") == "short"


def test_twenty_series_look_different() -> None:
    assert len({series(number) for number in range(20)}) == 20


def test_wrong_names_are_answered_with_the_right_ones() -> None:
    with pytest.raises(InputError, match=r"lr is no searched hyperparameter.*learning_rate"):
        figures.axis(EVIDENCE, "lr")
    with pytest.raises(InputError, match=r"no trial logged valid/loss; logged: grad_norm, train/error"):
        figures.curves(EVIDENCE, "valid/loss")
    with pytest.raises(InputError, match="logged norm"):
        figures.grad_norm(EVIDENCE, "norm")
    trials = tuple(replace(t, status=Status.INFEASIBLE, cause=Cause.DIVERGED) for t in EVIDENCE.trials)
    with pytest.raises(InputError, match="no best step"):
        figures.best_step(replace(EVIDENCE, trials=trials))


def test_without_plotly_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingExtra, match=r"tunebook\[plots\]"):
        figures.axis(EVIDENCE, "learning_rate")

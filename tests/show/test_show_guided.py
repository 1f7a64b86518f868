"""Plots of the guided procedures: the data first, then what is drawn of it, then the page."""

import json
import re

import numpy as np
import pytest

from tunebook.core.finding import Finding, Severity, Words
from tunebook.show import figures
from tunebook.show.data.guided import PLOTS, guided_plots
from tunebook.show.data.plot import Style, wall
from tunebook.show.guided_report import render_conclusion
from tunebook.show.report_page import POLICY
from tunebook.show.theme import RED

SWEEP = {
    "rates": np.array([0.01, 0.1, 1.0, 10.0]),
    "metric": "valid/loss",
    "direction": "minimize",
    "objective": np.array([0.5, 0.2, 0.9, np.nan]),
    "unstable_share": np.array([0.0, 0.0, 1.0, 1.0]),
    "best_rate": 0.1,
    "unstable_rate": 1.0,
}
NUMBERS = {
    "batch-size": {
        "sizes": [
            {"batch_size": size, "examples_per_second": size / seconds, "seconds_per_step": seconds,
             "low": 0.9 * seconds, "high": 1.1 * seconds, "wait_share": share}
            for size, seconds, share in ((8, 0.01, 0.0), (16, 0.01, 0.5), (32, 0.02, 0.5))
        ],
        "knee": 16,
        "smallest_that_does_not_fit": 64,
    },
    "steps": {
        "rates": np.array([0.01, 0.1, 1.0, 10.0]),
        "steps_to_fit": np.array([np.inf, 200.0, 400.0, np.inf]),
        "closest": np.array([0.1, 0.0, 0.0, np.nan]),
        "histogram": {"edges": np.linspace(0, 1000, 11), "counts": np.arange(10)},
        "metric": "train/error",
        "perfect": 0.0,
        "max_train_steps": 200,
    },
    "stability": SWEEP,
    "warmup": SWEEP
    | {
        "lengths": {"10": False, "100": True, "32": False},
        "base_rate": 10.0,
        "warmup_steps": 100,
        "finals": [
            {"rate": 1.0, "unstable": 0.0, "key": 0.1, "onset": None},
            {"rate": 10.0, "unstable": 0.5, "key": float("nan"), "onset": 0.1},
        ],
    },
    "clipping": SWEEP
    | {
        "first_threshold": 2.0,
        "threshold": 1.0,
        "norms": {"edges": np.geomspace(0.1, 100, 5), "counts": np.array([5, 20, 3, 1])},
        "runs": [
            {"rate": 0.1, "threshold": threshold, "unstable": unstable, "clipped_share": 0.1, "key": 0.15}
            for threshold, unstable in ((2.0, 1.0), (1.0, 0.0))
        ],
    },
    "scaling": {
        "goal": 0.05,
        "sizes": [
            {"batch_size": size, "steps": steps}
            for size, steps in ((16, 800.0), (32, 420.0), (64, 260.0), (128, None), (256, 200.0))
        ],
        "critical_batch_size": 50.0,
        "interval": [30.0, 80.0],
        "least_steps": 200.0,
        "least_examples": 10_000.0,
        "sharpness": 2.0,
        "best_rates": {"batch_sizes": np.array([16.0, 64.0]), "rates": np.array([0.1, 0.2])},
        "budgets": {"steps": 500, "examples": 8000, "batch_sizes": np.array([16, 64, 256]),
                    "best_by_steps": [0.1, 0.05, 0.04], "best_by_examples": [0.1, 0.2, None]},
    },
}  # fmt: skip


class Concluded:
    """A conclusion, as far as a page looks at it."""

    def __init__(self, procedure, numbers, changes=(), patch=""):
        self.procedure, self.numbers, self.changes, self.patch = procedure, numbers, changes, patch
        self.answer = "unstable & <b>bold</b>"
        words = Words(says="It fails <here>.", why="Because.", fix="Mend it.")
        self.findings = (Finding(code="c", requirement="I1", severity=Severity.NOTE, words=words, evidence={}),)


def plots(procedure, **changes):
    return {plot.id: plot for plot in guided_plots(procedure, NUMBERS[procedure] | changes)}


def series(plot, name):
    (found,) = [one for one in plot.series if one.name == name]
    return found


def plain(value):
    """As JSON has it: lists, and null for what is not finite."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    return None if isinstance(value, float) and not np.isfinite(value) else value


# -- the data ----------------------------------------------------------------------------------------------------------


def test_every_procedure_has_plots_with_unlike_ids():
    assert PLOTS.keys() == NUMBERS.keys()
    for name in PLOTS:
        found = guided_plots(name, NUMBERS[name])
        assert len({plot.id for plot in found}) == len(found) > 0
        assert all(plot.caption and plot.title for plot in found)


@pytest.mark.parametrize("name", list(NUMBERS))
def test_numbers_read_back_from_json_make_the_same_plots(name):
    again = json.loads(json.dumps(plain(NUMBERS[name])))
    made = [[plot.to_mapping() for plot in guided_plots(name, numbers)] for numbers in (NUMBERS[name], again)]
    assert made[0] == made[1]
    json.dumps(made, allow_nan=False)


def test_throughput_has_the_ideal_the_knee_and_what_does_not_fit():
    plot = plots("batch-size")["throughput"]
    assert series(plot, "measured").y.tolist() == [800, 1600, 1600]
    assert series(plot, "every doubling for free").y.tolist() == [800, 1600, 3200]
    assert series(plot, "if data never had to be waited for").y.tolist() == [800, 3200, 3200]
    assert plot.marks == (("pays up to 16", 16.0), ("64 does not fit", 64.0))
    assert plot.x.is_log
    assert plot.y.is_log


def test_nothing_measured_is_nothing_drawn():
    assert guided_plots("batch-size", {}) == ()
    assert guided_plots("stability", {"rates": np.zeros(0)}) == ()


def test_rates_without_a_perfect_fit_are_crosses_beyond_the_slowest():
    plot = plots("steps")["steps-to-fit"]
    crosses = series(plot, "no perfect fit")
    assert (crosses.style, crosses.x.tolist()) == (Style.CROSSES, [0.01, 10.0])
    assert (crosses.y > 400).all()
    assert plot.marks == (("fastest: 200 steps", 0.1),)
    assert series(plots("steps")["best-step"], "trials").style is Style.BARS


def test_unstable_rates_are_crosses_at_their_value_or_at_the_edge():
    plot = plots("stability")["sweep"]
    crosses = series(plot, "unstable")
    assert crosses.x.tolist() == [1.0, 10.0]
    assert crosses.y[0] == 0.9
    assert crosses.y[1] > 0.9
    assert series(plot, "stable").x.tolist() == [0.01, 0.1]
    assert plot.marks == (("best", 0.1), ("unstable", 1.0))
    assert plot.band == (0.1, 1.0)
    one = plots("stability", unstable_rate=0.1)["sweep"]
    assert one.marks == (("best, and unstable", 0.1),)


def test_where_more_is_better_the_edge_is_below():
    plot = plots("stability", direction="maximize")["sweep"]
    assert series(plot, "unstable").y[1] < 0.2
    assert "higher is better" in plot.y.label


def test_warmups_that_survive_and_whole_runs_with_them():
    found = plots("warmup")
    assert series(found["survivors"], "survives").x.tolist() == [100]
    assert sorted(series(found["survivors"], "does not").x) == [10, 32]
    assert series(found["whole-runs"], "unstable").x.tolist() == [10.0]
    assert series(found["whole-runs"], "without").y.tolist()[:3] == [0.5, 0.2, 0.9]


def test_clipping_shows_the_norms_with_the_threshold_and_the_last_runs():
    found = plots("clipping")
    assert found["norms"].marks == (("90th percentile", 2.0), ("clipped at 1", 1.0))
    assert series(found["clipped-runs"], "survives").y.tolist() == [0.15]
    assert not [one for one in found["clipped-runs"].series if one.name == "unstable"]


def test_steps_to_the_goal_with_fit_interval_and_rules():
    found = plots("scaling")
    goal = found["steps-to-goal"]
    assert series(goal, "fastest trial").x.tolist() == [16, 32, 64, 256]
    fit, ideal = series(goal, "fit"), series(goal, "perfect scaling")
    assert (fit.y[0], fit.y[-1]) == pytest.approx(((200**2 + 625**2) ** 0.5, (200**2 + (10_000 / 256) ** 2) ** 0.5))
    assert (ideal.y * ideal.x).tolist() == pytest.approx([10_000.0] * len(ideal.x))
    assert goal.band == (30.0, 80.0)
    assert series(found["best-rates"], "linear rule").y.tolist() == pytest.approx([0.1, 0.4])
    assert series(found["best-rates"], "square-root rule").y.tolist() == pytest.approx([0.1, 0.2])
    assert np.isnan(series(found["budgets"], "8000 examples").y[2])


def test_a_goal_that_was_missed_leaves_what_was_measured():
    numbers = {key: NUMBERS["scaling"][key] for key in ("goal", "sizes", "budgets")}
    found = {plot.id: plot for plot in guided_plots("scaling", numbers)}
    assert found.keys() == {"steps-to-goal", "budgets"}
    assert [one.name for one in found["steps-to-goal"].series] == ["fastest trial", "perfect scaling"]


@pytest.mark.parametrize(("sign", "is_log"), [(1, False), (-1, False), (1, True), (-1, True)])
def test_the_wall_is_beyond_the_worst(sign, is_log):
    values = np.array([0.1, 0.5, np.nan])
    at = wall(values, sign, is_log=is_log)
    assert at > 0.5 if sign > 0 else at < 0.1
    assert at > 0
    assert wall(np.array([np.nan]), sign, is_log=is_log) == 1.0
    assert wall(np.array([2.0]), 1, is_log=is_log) > 2.0


# -- the drawing and the page ------------------------------------------------------------------------------------------


def test_crosses_are_red_crosses_and_marks_are_lines_with_words():
    figure = figures.guided(Concluded("stability", NUMBERS["stability"]))["sweep"]
    (crosses,) = [trace for trace in figure.data if trace.name == "unstable"]
    assert (crosses.marker.symbol, crosses.marker.line.color) == ("x-thin", RED)
    assert [shape.x0 for shape in figure.layout.shapes if shape.type == "line"] == [0.1, 1.0]
    words = {note.text: note.x for note in figure.layout.annotations if note.text in ("best", "unstable")}
    assert words == {"best": -1.0, "unstable": 0.0}  # annotations of a logarithmic axis count in powers of ten


def test_bars_on_a_log_axis_are_drawn_in_powers_and_so_are_their_marks():
    figure = figures.guided(Concluded("clipping", NUMBERS["clipping"]))["norms"]
    (bars,) = figure.data
    assert np.asarray(bars.width) == pytest.approx(0.75)
    assert figure.layout.xaxis.type != "log"
    assert [shape.x0 for shape in figure.layout.shapes] == pytest.approx(np.log10([2.0, 1.0]))


@pytest.mark.parametrize("name", list(NUMBERS))
def test_the_page_has_everything_in_one_file(name):
    page = render_conclusion(Concluded(name, NUMBERS[name], ("a = 1, fixed",), "goal = '<x>'"), title="A & B")
    data = json.loads(re.search(r'id="plots">(.*?)</script>', page, re.DOTALL)[1])
    assert list(data["drawings"]) == [plot.id for plot in guided_plots(name, NUMBERS[name])]
    for place in data["drawings"]:
        assert f'id="{place}-plot"' in page
    assert "<h1>A &amp; B</h1>" in page
    assert "unstable &amp; &lt;b&gt;bold&lt;/b&gt;" in page
    assert "It fails &lt;here&gt;." in page
    assert "goal = &#x27;&lt;x&gt;&#x27;" in page
    assert "://" not in page.partition("</main>")[0]  # what follows is data and Plotly's own script
    assert POLICY in page


def test_a_page_without_plots_or_changes_says_so():
    page = render_conclusion(Concluded("batch-size", {}))
    assert "There was nothing to draw." in page
    assert "It stays as it is." in page

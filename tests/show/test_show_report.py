"""The report: whole, self-contained, escaped, small."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from show_builders import design, make_evidence

from tunebook.core.action import Widen
from tunebook.core.config import Config
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.core.outcome import Cause, Status
from tunebook.show.report import MOST_ROWS, _script_safe, plotly_script, render
from tunebook.show.report_links import SHOWN_IN

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def finding(code: str = "boundary", **changes: object) -> Finding:
    values = {
        "code": code,
        "requirement": "L2",
        "severity": Severity.BLOCKING,
        "words": Words(
            says="{n} of the best trials < the bound", why="The optimum may lie outside.", fix="Widen it & go."
        ),
        "evidence": {"n": 7},
        "confidence": 0.97,
        "subject": Subject(study="use_dropout=true", hyperparameter="learning_rate"),
        "next": Widen(hyperparameter="learning_rate", low=1e-4, high=10.0),
    }
    return Finding(**(values | changes))  # type: ignore[arg-type]


class Page(HTMLParser):
    """Collects elements, ids and links, and checks that elements are closed in order."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def without_plotly(text: str) -> str:
    assert text.count(plotly_script()) == 1
    return text.replace(plotly_script(), "")


def plots(text: str) -> dict:
    (found,) = re.findall(r'<script type="application/json" id="plots">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def test_every_finding_stands_in_it_the_important_first() -> None:
    note = finding(
        "best_step_late", severity=Severity.NOTE, words=Words(says="Late.", why="Perhaps longer."), subject=Subject()
    )
    text = render(make_evidence(12), [note, finding()])
    for said in (
        "7 of the best trials &lt; the bound",
        "Widen it &amp; go.",
        "very likely (97 %)",
        "Late.",
        "Perhaps longer.",
    ):
        assert said in text
    assert text.index("7 of the best") < text.index("Late.")
    assert "widen: hyperparameter learning_rate, low 0.0001, high 10" in text


def test_cards_link_to_a_plot_that_exists() -> None:
    codes = [*SHOWN_IN, "boundary", "code_of_tomorrow"]
    page = Page(without_plotly(render(make_evidence(12), [finding(code) for code in codes])))
    ids = [value for key, value in page.attributes if key == "id"]
    links = [value for key, value in page.attributes if key == "href"]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    assert "#axis-1" in links
    assert page.open == []


def test_each_plot_has_a_place_a_caption_and_data() -> None:
    text = render(make_evidence(12))
    found = plots(text)["drawings"]
    assert {"isolation-0", "axis-0", "best-of-n", "curves-0", "parallel", "best-step", "grad-norm"} <= set(found)
    for name in found:
        assert f'<div id="{name}-plot"' in text
    assert text.count("Red crosses at the edge are infeasible trials") == 1


def test_arrays_arrive_as_they_left() -> None:
    evidence = make_evidence(12)
    drawing = plots(render(evidence))["drawings"]["axis-1"]
    front = drawing["data"][-1]
    rates = np.frombuffer(base64.b64decode(front["x"]["bdata"]), dtype="<f4")
    trials = np.frombuffer(base64.b64decode(front["customdata"]["bdata"]), dtype="<i4")
    expected = [evidence.trials[trial].config["learning_rate"] for trial in trials]
    np.testing.assert_allclose(rates, np.array(expected, dtype=float), rtol=1e-6)


def test_nothing_is_loaded_from_anywhere() -> None:
    text = without_plotly(render(make_evidence(12), [finding()]))
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    page = Page(text)
    assert not {"img", "link", "iframe", "object"} & set(page.tags)
    assert not [value for key, value in page.attributes if key in ("src", "srcset", "action")]
    assert "default-src 'none'" in text


def test_hostile_texts_are_shown_and_not_carried_out() -> None:
    evidence = make_evidence(12, names="{}" + HOSTILE)
    trials = tuple(
        replace(t, config=t.config.merged({"activation": HOSTILE}), study=HOSTILE, detail=HOSTILE)
        for t in evidence.trials
    )
    changed = design(12, goal=HOSTILE, fixed={"data": {"value": HOSTILE, "because": HOSTILE}})
    evidence = replace(evidence, trials=trials, name=HOSTILE, round=changed)
    hostile = finding(
        words=Words(says="{n}", why="{n}", fix="{n}"), evidence={"n": HOSTILE}, subject=Subject(trial=HOSTILE)
    )
    text = without_plotly(render(evidence, [hostile], caveats=[HOSTILE], reproduce=[HOSTILE]))
    page = Page(text)
    assert page.tags.count("script") == 3
    assert "img" not in page.tags
    assert "onerror" not in dict(page.attributes)
    assert "alert(1)" in text
    assert "<" not in re.findall(r'id="plots">(.*?)</script>', text, re.DOTALL)[0]
    for line in plots(text)["hover"]:
        assert not re.search(r"<(?!/?b>|br>)", line)


def test_the_table_shows_the_best_and_counts_the_rest() -> None:
    evidence = make_evidence(200, n_points=4)
    text = render(evidence)
    rows = re.findall(r'<td class="number">(\d+)</td><td class="name">trial-', text)
    assert [int(rank) for rank in rows] == list(range(1, MOST_ROWS + 1))
    n_infeasible = sum(trial.status is Status.INFEASIBLE for trial in evidence.trials)
    assert f"{n_infeasible} infeasible" in text


def test_caveats_name_what_was_held_fixed_and_how_to_reproduce_is_there() -> None:
    changed = design(12, fixed={"batch_size": {"value": 128, "because": "memory"}})
    text = render(
        replace(make_evidence(12), round=changed), caveats=["Seeds differ."], reproduce=["tunebook run a.toml"]
    )
    assert "batch_size was held at 128 (memory)" in text
    assert "Seeds differ." in text
    assert "<pre>tunebook run a.toml</pre>" in text


@pytest.mark.parametrize("n_trials", [0, 1, 2])
def test_hardly_any_trials_still_make_a_report(n_trials: int) -> None:
    evidence = make_evidence(2, n_points=4)
    curves = {name: type(c).pack([c[i] for i in range(n_trials)]) for name, c in evidence.curves.items()}
    text = without_plotly(render(replace(evidence, trials=evidence.trials[:n_trials], curves=curves)))
    Page(text)
    assert all((trial.name in text) == (number < n_trials) for number, trial in enumerate(evidence.trials))


def test_all_infeasible_still_makes_a_report() -> None:
    evidence = make_evidence(6)
    trials = tuple(replace(t, status=Status.INFEASIBLE, cause=Cause.DIVERGED) for t in evidence.trials)
    text = render(replace(evidence, trials=trials))
    assert "no trial has a finite objective" in text
    assert "6 infeasible" in text


def test_configurations_without_values_are_no_trouble() -> None:
    evidence = make_evidence(4)
    text = render(replace(evidence, trials=tuple(replace(t, config=Config()) for t in evidence.trials)))
    assert all(trial.name in text for trial in evidence.trials)


def test_the_report_of_1000_trials_is_under_8_megabytes() -> None:
    assert len(render(make_evidence(1000, n_points=100), [finding()]).encode()) < 8e6


def test_numbers_that_overflowed_are_null_in_the_page():
    assert _script_safe({"y": [math.inf, 1.5], "end": "</script>"}) == '{"y":[null,1.5],"end":"\\u003c/script>"}'

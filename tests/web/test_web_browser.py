"""The page in a real browser: the story from the project to a launch, plots that light up together, live news."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_kit import NASTY, make_project

playwright = pytest.importorskip("playwright.sync_api", reason="the story tests need Playwright for Python")

CHROMIUM = os.environ.get("TUNEBOOK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="the story tests need Chromium (Debian: apt-get install chromium)"),
    # Playwright's own event loop, ended with the interpreter.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SERVE = "from tunebook.cli.serving import serve; import typer; typer.run(serve)"
PATIENCE = 60_000
#: All four questions of a round are answered: nothing more arrives.
ANSWERED = "#in-short[data-answered]"

TINY = """
goal = "Does it get better while somebody looks?"
question = "minimize"
pipeline = "train.py:train"
max_train_steps = 20
[objective]
metric = "valid/error"
[nuisance]
learning_rate = { low = 1e-3, high = 1.0, scale = "log" }
[search]
algorithm = "halton"
trials = 6
"""
TRAIN = """
import pathlib, time
def train(trial):
    # Goes on when the test has seen the page before the first trial.
    gate = pathlib.Path(__file__).with_name("gate")
    while not gate.exists():
        time.sleep(0.02)
    for step in range(trial.start_step, trial.max_train_steps):
        trial.log(step, {"valid/error": 1.0 / (1 + step * trial["learning_rate"])})
"""


class Served:
    """A page in a process of its own."""

    def __init__(self, root: Path, *options: str) -> None:
        command = [sys.executable, "-c", SERVE, "--project", str(root), "--json", "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.url, self.token = told["url"], told["token"]

    def close(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=20)
        return said


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    made = context.new_page()
    made.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    made.wrong = wrong
    asked: list[str] = []
    made.on("request", lambda request: asked.append(request.url))
    made.asked = asked
    yield made
    context.close()


def serve(root: Path) -> Iterator[Served]:
    make_project(root).close()
    made = Served(root)
    yield made
    said = made.close()
    assert "Traceback" not in said, said


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page that is only looked at."""
    yield from serve(tmp_path_factory.mktemp("read") / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Served]:
    """A page of one test, which may change its project."""
    yield from serve(tmp_path / "project")


def test_from_the_project_to_a_launch(page: Any, fresh: Served, tmp_path: Path) -> None:
    page.goto(fresh.url)
    page.get_by_role("link", name="1. 01-dropout").click()
    page.wait_for_selector(ANSWERED)
    answers = page.locator("#in-short dd")
    assert answers.count() == 4
    assert "use_dropout=true is better than use_dropout=false" in answers.nth(0).inner_text()
    assert "The candidate is better than the baseline" in answers.nth(0).inner_text()
    assert "feasible trials" in answers.nth(1).inner_text()
    assert "of 34" in answers.nth(2).inner_text()
    assert "Adopt the candidate" in answers.nth(3).inner_text()

    card = page.locator("article.card", has_text="infeasible in").first
    card.get_by_role("button", name=re.compile("Show the plot behind")).click()
    figure = page.locator("figure.evidence[data-drawn]")
    figure.wait_for()
    assert "learning_rate" in figure.locator("h3").inner_text()
    page.locator("figure.evidence", has_text="infeasible above").wait_for()
    assert "infeasible in" in figure.locator(".told").inner_text()

    page.locator("#in-short").get_by_role("link", name=re.compile("trial-")).first.click()
    page.wait_for_selector("#diagnosis[data-told]")
    page.locator("figure", has_text="train/error").first.wait_for()
    page.locator("#crumbs a", has_text="01-dropout").click()

    page.get_by_role("link", name="Compare and decide").click()
    page.wait_for_selector(".verdict-word.adopt")
    page.locator("#launch summary").click()
    page.locator("#launch textarea").fill("dropout pays")
    page.get_by_role("button", name="Write launch").click()
    page.locator("#told", has_text="Launch 0 is written").wait_for()
    page.get_by_role("link", name="see the project").click()
    page.locator(".badge.launch", has_text="launch 0, in force").wait_for()
    assert "dropout pays" in page.locator("main").inner_text()

    page.goto(f"{fresh.url}#/compare/01-dropout")
    page.locator("#next summary").click()
    page.get_by_role("button", name="Save design").click()
    page.locator("#told", has_text="rounds/02-next.toml is written").wait_for()
    assert (tmp_path / "project" / "rounds" / "02-next.toml").is_file()
    assert page.evaluate("window.hacked") is None
    assert page.wrong == []
    assert {url for url in page.asked if not url.startswith(fresh.url)} <= {"about:blank"}


def open_round(page: Any, served: Served) -> None:
    page.goto(f"{served.url}#/round/01-dropout")
    page.wait_for_selector(ANSWERED)  # from here on nothing above the plots grows and moves them
    for name in ("axis-1", "parallel", "curves-0", "isolation-0"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.locator(f"#{name}[data-drawn]").wait_for()


def lit(page: Any, name: str) -> int:
    return int(page.locator(f"#{name}").get_attribute("data-lit"))


def test_a_trial_lights_up_everywhere(page: Any, served: Served) -> None:
    open_round(page, served)
    plots = ("axis-1", "parallel", "curves-0", "isolation-0")
    assert [lit(page, name) for name in plots] == [0, 0, 0, 0]
    # The row of a trial of the search in the table below; repeats have curves but no place in the sample.
    page.locator("tr[data-trial]", has_not_text="(a repeat)").first.hover()
    page.locator("#axis-1:not([data-lit='0'])").wait_for()
    assert all(lit(page, name) > 0 for name in plots)
    page.locator("h1").hover()
    page.locator("#axis-1[data-lit='0']").wait_for()

    # A point of an axis plot itself, found where Plotly drew it.
    page.locator("#axis-1").scroll_into_view_if_needed()
    spot = page.evaluate(
        """() => { const point = document.querySelector('#axis-1 .scatterlayer .trace:last-child .point');
        const box = point.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }"""
    )
    page.mouse.move(*spot)
    page.locator("#curves-0:not([data-lit='0'])").wait_for()
    assert page.locator("#tip").inner_text()
    page.mouse.down()
    page.mouse.up()
    page.locator("#trial-bar").wait_for()
    chosen = page.locator("#trial-bar strong").inner_text()
    page.get_by_role("link", name="Open trial").click()
    page.locator("h1", has_text=chosen).wait_for()
    assert page.wrong == []


def test_keys_go_through_the_trials(page: Any, served: Served) -> None:
    open_round(page, served)
    page.locator("#axis-1 .plot").focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#say").inner_text()
    assert first.startswith("Rank 1 of")
    page.keyboard.press("ArrowRight")
    assert page.locator("#say").inner_text().startswith("Rank 2 of")
    assert lit(page, "parallel") > 0
    page.keyboard.press("Enter")
    page.wait_for_selector("#diagnosis")


def brush_left_half(page: Any) -> None:
    page.locator("#axis-1").scroll_into_view_if_needed()
    box = page.locator("#axis-1 .plot").bounding_box()
    page.mouse.move(box["x"] + 70, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 52, steps=4)
    page.mouse.up()


def test_a_brush_filters_all_plots(page: Any, served: Served) -> None:
    open_round(page, served)
    brush_left_half(page)
    page.get_by_role("button", name="Clear filter").wait_for()
    for name in ("axis-1", "parallel", "curves-0"):
        assert "filtered" in page.locator(f"#{name} .plot").get_attribute("class")
    n_shown = page.locator("tr[data-trial]").count()
    assert 0 < n_shown < 24
    page.get_by_role("button", name="Clear filter").click()
    page.locator(".plot.filtered").first.wait_for(state="detached")


def test_a_large_round_is_painted_and_still_works(page: Any, tmp_path: Path) -> None:
    make_project(tmp_path / "large", n_trials=700).close()
    served = Served(tmp_path / "large")
    try:
        open_round(page, served)
        assert page.locator("#axis-1 .point").count() < 30  # the best few; all others are painted
        n_painted = page.evaluate(
            """() => { const canvas = document.querySelector('#axis-1 canvas.under');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, place) => place % 4 === 3 && value > 0).length; }"""
        )
        assert n_painted > 2000
        page.locator("tr[data-trial]", has_not_text="(a repeat)").first.hover()
        page.locator("#axis-1:not([data-lit='0'])").wait_for()
        page.locator("h1").hover()
        brush_left_half(page)
        page.get_by_role("button", name="Clear filter").wait_for()
        words = page.locator(".tabs .small").first.inner_text()
        assert 100 < int(words.split()[0]) < 700
        # The legend switches off what is painted as well.
        before = painted(page)
        page.locator("#axis-1 .legendtoggle").first.click()
        page.wait_for_function("(before) => document.querySelector('#axis-1').dataset.painted < before", arg=before)
        assert page.wrong == []
    finally:
        served.close()


def painted(page: Any) -> int:
    return int(page.locator("#axis-1").get_attribute("data-painted"))


def test_printing_draws_every_plot(page: Any, served: Served) -> None:
    page.goto(f"{served.url}#/round/01-dropout")
    page.wait_for_selector(ANSWERED)
    assert page.locator("figure:not([data-drawn])").count() > 0
    page.evaluate("() => { dispatchEvent(new Event('beforeprint')); }")
    page.locator("figure:not([data-drawn])").first.wait_for(state="detached")
    assert page.wrong == []


def test_the_objective_can_be_another_one(page: Any, served: Served) -> None:
    open_round(page, served)
    page.get_by_label("Metric").select_option("train/loss")
    page.get_by_role("button", name="Recompute").click()
    page.get_by_role("link", name=re.compile("Back to the round's own")).wait_for()
    assert "train/loss" in page.locator("th", has_text="best ").first.inner_text()


def test_markup_in_values_is_shown_as_text(page: Any, served: Served) -> None:
    open_round(page, served)
    assert NASTY in page.locator("main").inner_text()
    page.goto(f"{served.url}#/sheet")
    page.locator("td", has_text="01-dropout").first.wait_for()
    page.goto(f"{served.url}report?round=01-dropout")
    page.wait_for_selector("h1")
    assert page.evaluate("window.hacked") is None


def test_a_note_is_edited_in_place(page: Any, fresh: Served) -> None:
    page.goto(f"{fresh.url}#/sheet")
    page.get_by_role("button", name=re.compile("Edit the note")).first.click()
    page.locator("textarea").fill("look here again")
    page.get_by_role("button", name="Keep").click()
    page.locator("td button", has_text="look here again").first.wait_for()
    page.reload()
    page.locator("td button", has_text="look here again").first.wait_for()
    page.get_by_role("button", name="trials", exact=True).click()
    assert page.locator("th[aria-sort=ascending]").inner_text() == "trials"


@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_width(browser: Any, served: Served, width: int, scheme: str) -> None:
    made = browser.new_page(viewport={"width": width, "height": 850}, color_scheme=scheme)
    made.set_default_timeout(PATIENCE)
    for place, ready in (("", "round"), ("round/01-dropout", "[data-checked]"), ("compare/01-dropout", ".verdict-word"),
                         ("trial/01-dropout/trial-0001", "#diagnosis"), ("sheet", "tbody td")):  # fmt: skip
        made.goto(f"{served.url}#/{place}")
        made.wait_for_selector(ready if place else ".story li")
        assert made.evaluate("document.documentElement.scrollWidth <= innerWidth"), (place, width)
    made.close()


def test_a_round_that_runs_is_seen_running(page: Any, tmp_path: Path) -> None:
    root = tmp_path / "live"
    (root / "rounds").mkdir(parents=True)
    (root / "tunebook.toml").write_text("")
    (root / "rounds" / "01-tiny.toml").write_text(TINY)
    (root / "train.py").write_text(TRAIN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tunebook", "run", "rounds/01-tiny.toml", "--workers", "1"]
    running = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    served = Served(root)
    try:
        page.goto(served.url)
        page.get_by_role("link", name="1. 01-tiny").click()
        page.locator("[data-counts]", has_text="1 running").wait_for()
        assert page.locator("progress").count() == 1
        (root / "gate").touch()
        page.locator("[data-counts]", has_text="6 trials: 6 complete").wait_for()
        page.locator("progress").wait_for(state="detached")
        page.locator("#axis-0").scroll_into_view_if_needed()
        page.locator("#axis-0[data-drawn]").wait_for()
        page.locator("#axis-0 .point").nth(5).wait_for(state="attached")
        _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        assert page.wrong == []
    finally:
        (root / "gate").touch()
        if running.poll() is None:
            running.kill()
            running.wait()
        said = served.close()
    assert "Traceback" not in said, said


def test_others_need_the_token(page: Any, tmp_path: Path) -> None:
    make_project(tmp_path / "project").close()
    served = Served(tmp_path / "project", "--host", "0.0.0.0", "--read-only")
    try:
        assert served.token
        assert page.goto(served.url).status == 401
        page.goto(f"{served.url}?token={served.token}#/compare/01-dropout")
        page.locator("text=This page is read-only").wait_for()
        assert "token" not in page.url
    finally:
        served.close()

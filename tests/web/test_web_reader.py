from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from web_kit import add_round, make_project

from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.outcome import Outcome
from tunebook.core.trial import TrialSpec
from tunebook.errors import InputError, TunebookError
from tunebook.evidence import Curves
from tunebook.project import Project
from tunebook.store.packing import CurveBlock
from tunebook.store.values import Owner
from tunebook.web import analyst
from tunebook.web.cache import Cache
from tunebook.web.project_page import improvement
from tunebook.web.reader import REST, Reader, reordered, windowed

NOW = datetime(2026, 1, 4, tzinfo=UTC)
NAME = "01-dropout"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_version_changes_with_everything_that_can_happen_to_a_round(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        store = project.store
        seen = [store.version(NAME)]

        def happened() -> bool:
            seen.append(store.version(NAME))
            return seen[-1] not in seen[:-1] and store.version(NAME) == seen[-1]

        spec = next(iter(store.specs(NAME)))
        store.add_trials(NAME, [_other(spec)], now=NOW)
        assert happened()  # planned
        owner = Owner(id="o", host="h", pid=1, started=NOW)
        [claim] = store.claim(NAME, owner=owner, limit=1, now=NOW, lease_seconds=60)
        assert happened()  # running
        store.release(claim, reason="stopped", now=NOW)
        assert happened()  # given back
        [claim] = store.claim(NAME, owner=owner, limit=1, now=NOW, lease_seconds=60)
        assert happened()
        block = CurveBlock(("valid/error",), np.array([1, 2]), np.array([[0.5], [0.4]]))
        store.append_curves(claim, block, 0)
        assert happened()  # logged
        store.finish(claim, Outcome.complete(), now=NOW, seconds=1.0)
        assert happened()  # ended
        store.add_note(NAME, None, "words", NOW)
        assert happened()
        store.append_launch(Launch(number=0, round=NAME, trial="t", config=spec.config, at=NOW))
        assert happened()
        assert store.version("no such round") == ""
        before = store.version()
        add_round(project, "02-more", n_trials=4, n_repeats=0)
        assert store.version() != before


def _other(spec: Any) -> Any:
    return TrialSpec(
        study=spec.study,
        config=spec.config,
        seed=77,
        max_train_steps=spec.max_train_steps,
        way_to_train=spec.way_to_train,
    )


def test_asking_often_asks_the_store_once(paged: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(), []
    reader = Reader(paged, analyst.inline, clock)
    version = paged.store.version
    monkeypatch.setattr(paged.store, "version", lambda name=None: asked.append(name) or version(name))
    for _ in range(20):
        reader.version(NAME)
    assert asked == [NAME]
    clock.now += 1
    reader.version(NAME)
    assert asked == [NAME, NAME]


def test_nothing_is_computed_twice_for_one_version(paged: Project) -> None:
    asked: list[str] = []

    def analyse(job: str, project: Project, name: str, objective: str | None) -> Any:
        asked.append(job)
        return analyst.inline(job, project, name, objective)

    clock = Clock()
    reader = Reader(paged, analyse, clock)
    assert reader.findings(NAME, None) is reader.findings(NAME, None)
    assert reader.picture(NAME, None) is reader.picture(NAME, None)
    assert asked == ["findings"]
    paged.store.add_note(NAME, None, "a change", NOW)
    clock.now += 1000
    reader.findings(NAME, None)
    assert asked == ["findings", "findings"]


def test_of_a_round_that_ended_the_checks_are_never_behind(paged: Project) -> None:
    clock = Clock()

    def slow(job: str, project: Project, name: str, objective: str | None) -> Any:
        clock.now += 30
        return len(project.store.notes(name))

    reader = Reader(paged, slow, clock)
    assert reader.findings(NAME, None).value == 0
    paged.store.add_note(NAME, None, "a change", NOW)
    clock.now += 1
    assert reader.findings(NAME, None).value == 1
    # With a trial still to run they rest, and say from which version they are.
    spec = next(iter(paged.store.specs(NAME)))
    paged.store.add_trials(NAME, [_other(spec)], now=NOW)
    clock.now += 1
    kept = reader.findings(NAME, None)
    assert kept.value == 1
    assert kept.version != reader.version(NAME)


def test_while_a_round_runs_the_checks_rest_between_their_runs() -> None:
    clock, made = Clock(), []

    def make() -> int:
        clock.now += 3  # it takes three seconds
        made.append(len(made))
        return made[-1]

    cache = Cache(4, clock)
    assert cache.get("k", "v1", make, rest=REST).value == 0
    clock.now += 3 * REST - 1
    assert cache.get("k", "v2", make, rest=REST).value == 0
    clock.now += 2
    assert cache.get("k", "v2", make, rest=REST).value == 1
    assert cache.get("k", "v3", make).value == 2


def test_the_cache_drops_what_was_not_asked_for() -> None:
    cache, made = Cache(2, Clock()), []
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get(key, "v", lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]


def test_a_window_keeps_neighbours_but_not_those_of_other_trials() -> None:
    curves = Curves.pack([([0, 10, 20, 30], [0.0, 1.0, 2.0, 3.0]), ([], []), ([0, 50], [5.0, 6.0]), ([15], [7.0])])
    found = windowed(curves, 12, 22)
    assert found[0][0].tolist() == [10, 20, 30]
    assert len(found[1][0]) == len(found[2][0]) == 0
    assert found[3][1].tolist() == [7.0]


def test_a_window_takes_no_neighbour_of_another_trial() -> None:
    curves = Curves.pack(
        [([0, 15], [0.0, 1.0]), ([100, 200], [2.0, 3.0]), ([0, 5], [4.0, 5.0]), ([15, 90], [6.0, 7.0])]
    )
    found = windowed(curves, 12, 22)
    assert [found[number][0].tolist() for number in range(4)] == [[0, 15], [], [], [15, 90]]


def test_improvements_add_and_their_doubts_as_independent_errors() -> None:
    def launch(number: int, gain: dict[str, float] | None, **more: Any) -> Launch:
        evidence = {"configuration": {"improvement": gain}}
        return Launch(number=number, round="r", trial="t", config=Config(), at=NOW, evidence=evidence, **more)

    first = launch(0, None)
    second = launch(1, {"estimate": 3.0, "low": 0.0, "high": 6.0, "level": 0.95})
    third = launch(2, {"estimate": 4.0, "low": 0.0, "high": 8.0, "level": 0.95})
    assert improvement([first]) is None
    found = improvement([first, second, third])
    assert found is not None
    assert (found["estimate"], found["low"], found["high"]) == (7.0, 2.0, 12.0)
    undone = launch(3, None, rolls_back=2)
    kept = improvement([first, second, third, undone])
    assert kept is not None
    assert kept["estimate"] == 3.0


@pytest.fixture
def processes() -> Iterator[analyst.Processes]:
    made = analyst.Processes()
    yield made
    made.close()


@pytest.mark.slow
def test_a_child_finds_what_this_process_finds(paged: Project, processes: analyst.Processes) -> None:
    own = analyst.inline("findings", paged, NAME, None)
    other = processes("findings", paged, NAME, None)
    assert [card["says"] for card in other.cards] == [card["says"] for card in own.cards]
    assert other.marks == own.marks
    diagnoses = processes("diagnoses", paged, NAME, None)
    assert diagnoses.trials == analyst.inline("diagnoses", paged, NAME, None).trials


@pytest.mark.slow
def test_errors_of_a_child_come_back(paged: Project, processes: analyst.Processes) -> None:
    with pytest.raises(InputError, match="nope"):
        processes("findings", paged, "nope", None)
    with pytest.raises(TunebookError, match="could not be worked out"):
        processes("no such job", paged, NAME, None)
    processes.close()
    with pytest.raises(TunebookError, match="closing"):
        processes("findings", paged, NAME, None)


def test_a_child_that_ends_without_an_answer_is_told(
    paged: Project, processes: analyst.Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyst, "CHILD", "raise SystemExit(3)")
    with pytest.raises(TunebookError, match="ended early with status 3"):
        processes("findings", paged, NAME, None)
    assert not processes._children


def test_a_job_that_the_end_of_the_page_cuts_off_is_told_so(
    paged: Project, processes: analyst.Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyst, "CHILD", "import sys; sys.stdin.read()")  # reads the job and never answers
    write = analyst.write_message

    def write_and_close(pipe: IO[bytes], message: bytes) -> None:
        write(pipe, message)
        processes.close()

    monkeypatch.setattr(analyst, "write_message", write_and_close)
    with pytest.raises(TunebookError, match="the page is closing"):
        processes("findings", paged, NAME, None)


@pytest.mark.slow
def test_a_child_does_one_job_after_the_other_and_may_be_lost_between(
    paged: Project, processes: analyst.Processes
) -> None:
    first = processes("comparison", paged, NAME, None)
    [child] = processes._children
    assert processes("comparison", paged, NAME, None, complexity="none").verdict.threshold < first.verdict.threshold
    assert processes._children == {child}
    child.kill()
    child.wait()
    assert processes("diagnoses", paged, NAME, None).trials
    assert child not in processes._children


def test_a_picture_holds_no_curves(paged: Project) -> None:
    picture = Reader(paged, analyst.inline, Clock()).picture(NAME, None).value
    assert not picture.evidence.curves
    assert picture.metrics == paged.evidence(NAME).metrics
    assert set(picture.later) == {"curves-1"}


def test_curves_follow_the_trials_of_the_picture() -> None:
    curves = Curves.pack([([0], [1.0]), ([0, 1], [2.0, 3.0])])
    found = reordered(curves, ("a", "b"), ("b", "gone", "a"))
    assert [part[1].tolist() for part in found] == [[2.0, 3.0], [], [1.0]]

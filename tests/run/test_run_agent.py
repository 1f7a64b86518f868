"""The agent and the relay: what a trial leaves on a machine that shares nothing with the driver."""

from __future__ import annotations

import asyncio
import random
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clusters import RayCluster
from postgres import fresh_schema, postgres_url  # noqa: F401
from run.round_kit import HONEST, NAME, Project, honest_curve, honest_loss
from store_cases import NOW, an_owner
from tunebook.core.outcome import Status
from tunebook.errors import InputError, RunError
from tunebook.handle.spool import Spool
from tunebook.run import agent as agents
from tunebook.run.agent import Agent, Asked, Mark, Told
from tunebook.run.attempts import assign, make_job
from tunebook.run.executors.ray_desk import Desk
from tunebook.run.executors.ray_head import Head
from tunebook.run.jobs import Exit, Setup
from tunebook.run.options import Resources, check_options
from tunebook.run.relay import LARGEST_PROJECT_BYTES, Change, Relay, apply, packed_checkpoint, packed_project
from tunebook.run.spools import SpoolSource


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


class TestRelay:
    def test_a_spool_is_whole_after_every_change_and_the_same_in_the_end(self, tmp_path: Path) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        (here / "attempt-1" / "spool").mkdir(parents=True)
        spool = Spool(here / "attempt-1" / "spool" / "1-0.spool", ("a", "b"))
        relay = Relay(here, "attempt-1")
        chance = random.Random(0)
        n_rows = 0
        for _ in range(30):
            for _ in range(chance.randrange(400)):
                spool.append(n_rows, (n_rows / 7, -n_rows))
                n_rows += 1
            for change in relay.changes():
                apply(there, change)
                apply(there, change)  # twice is once
                source = SpoolSource.open(there / "attempt-1" / "spool" / "1-0.spool")
                assert source is not None
                part = source.read(0)
                n_there = len(part.rows[0].steps) if part is not None else 0
                if part is not None:
                    assert np.array_equal(part.rows[0].steps, np.arange(n_there))
                    assert np.array_equal(part.rows[0].values[:, 0], np.arange(n_there) / 7)
                source.close()
        spool.close()
        assert n_there == n_rows > 5000

    def test_nothing_new_is_nothing_sent(self, tmp_path: Path) -> None:
        (tmp_path / "attempt-1" / "spool").mkdir(parents=True)
        (tmp_path / "attempt-1" / "spool" / "metrics.jsonl").write_text('{"step": 1, "a": 2}\n')
        relay = Relay(tmp_path, "attempt-1")
        assert [change.data for change in relay.changes()] == [b'{"step": 1, "a": 2}\n']
        assert list(relay.changes()) == []

    def test_a_checkpoint_never_comes_before_what_was_logged_before_it(self, tmp_path: Path) -> None:
        (tmp_path / "attempt-1" / "spool").mkdir(parents=True)
        (tmp_path / "checkpoints").mkdir()
        lines = tmp_path / "attempt-1" / "spool" / "metrics.jsonl"
        relay = Relay(tmp_path, "attempt-1")
        lines.write_text('{"step": 1, "a": 2}\n')
        changes = relay.changes()
        first = next(changes)  # the metrics are read, and now the trial goes on
        (tmp_path / "checkpoints" / "step-00000002").write_text("two")
        assert [change.path for change in [first, *changes]] == ["attempt-1/spool/metrics.jsonl"]
        assert any("step-00000002" in change.to for change in relay.changes())

    def test_checkpoints_come_whole_and_go_again(self, tmp_path: Path) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        folder = here / "checkpoints" / "step-00000001"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "weights").write_bytes(b"w" * 10)
        (here / "checkpoints" / "step-00000002").write_bytes(b"")
        relay = Relay(here, "attempt-1")
        seen = []
        for change in relay.changes():
            apply(there, change)
            seen.append(sorted(path.name for path in (there / "checkpoints").glob("step-*")))
        assert tree(there) == tree(here)
        assert seen[0] == []  # not there before all of it is
        shutil.rmtree(folder)
        for change in relay.changes():
            apply(there, change)
        assert tree(there) == tree(here)

    def test_a_checkpoint_travels_back(self, tmp_path: Path) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        (here / "checkpoints").mkdir(parents=True)
        (here / "checkpoints" / "step-00000003").write_text("three")
        (here / "checkpoints" / "index.json").write_text("{}")
        for change in packed_checkpoint(here, here / "checkpoints" / "step-00000003"):
            apply(there, change)
        assert tree(there) == tree(here)

    @pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", ""])
    def test_no_change_leaves_the_folder(self, tmp_path: Path, path: str) -> None:
        for change in (Change("write", path, data=b"x"), Change("drop", path), Change("place", "a", to=path or "..")):
            (tmp_path / "in").mkdir(exist_ok=True)
            (tmp_path / "in" / "a").write_text("a")
            with pytest.raises(RunError, match="not inside the trial's folder"):
                apply(tmp_path / "in", change)

    def test_a_project_is_packed_without_what_is_not_code(self, tmp_path: Path) -> None:
        (tmp_path / "lib").mkdir()
        (tmp_path / "lib" / "net.py").write_text("x = 1")
        (tmp_path / "train").write_text("#!/bin/sh")
        (tmp_path / "train").chmod(0o755)
        for name in (".git/config", ".tunebook/trials/a", "__pycache__/a.pyc", "tunebook.db", ".env"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("secret")
        changes = packed_project(tmp_path)
        assert sorted(change.path for change in changes) == ["lib/net.py", "train"]
        for change in changes:
            apply(tmp_path / "copy", change)
        assert (tmp_path / "copy" / "train").stat().st_mode & 0o111

    def test_a_project_full_of_data_is_refused(self, tmp_path: Path) -> None:
        with (tmp_path / "data.bin").open("wb") as file:
            file.truncate(LARGEST_PROJECT_BYTES + 1)
        with pytest.raises(InputError, match="keep data elsewhere"):
            packed_project(tmp_path)


class Far:
    """An agent in this process, that is made to believe it runs under another kernel, or sees nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_seen: bool) -> None:
        self.words: list[Told] = []
        monkeypatch.setattr(agents, "FIRST_SECONDS", 0.0)
        monkeypatch.setattr(agents, "TELL_SECONDS", 0.01)
        monkeypatch.setattr(agents, "boot_id", lambda: "another")
        self.is_seen = is_seen

    def mark(self, mark: Mark) -> Mark:
        return replace(mark, boot="here", text=mark.text if self.is_seen else "something else")


class Fake:
    """An executor that hands jobs to a far agent at once; what the agent tells goes into the driver's files."""

    runs_here = False

    def __init__(self, setup: Setup, far: Far, store: str | None = None) -> None:
        project = packed_project(setup.project)
        setup = replace(setup, store=store)
        self._agent = Agent(setup, far.mark(Mark.leave(setup.folder, setup.token)), project)
        self._far = far
        self._ended: list[Exit] = []

    def start(self, job: Any) -> None:
        folder = job.assignment.directory.parent

        def tell(word: Told) -> Asked:
            self._far.words.append(word)
            for change in word.changes:
                apply(folder, change)
            return Asked()

        resume = job.assignment.resume_from
        changes = packed_checkpoint(folder, resume) if resume is not None else []
        last = self._agent.run(job, tell, checkpoint=changes)
        tell(last)
        assert last.ended is not None
        self._ended.append(last.ended)

    def poll(self, timeout: float) -> list[Exit]:
        ended, self._ended = self._ended, []
        return ended

    def news(self, key: int) -> Any:
        return self._far.words[-1].news if self._far.words else agents.HERE

    def stop(self, key: int, *, force: bool) -> None: ...

    def close(self) -> None:
        self._agent.close()


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_machine_that_shares_no_memory_or_no_files_relays_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_seen: bool
) -> None:
    far = Far(monkeypatch, is_seen=is_seen)
    monkeypatch.setattr("tunebook.run.run.open_executor", lambda name, setup: Fake(setup, far))
    kill_once = """
    def before_step(trial, step):
        import os, pathlib
        assert str(trial.directory).startswith("/tmp/tunebook-"), trial.directory
        (trial.directory / "note").write_text("mine")
        if step == 6 and trial.start_step == 0:
            os.kill(os.getpid(), 9)
    """
    project = Project(tmp_path, HONEST + kill_once)
    project.run("local")
    (row,) = project.trials
    assert (row.status, row.attempts) == (Status.COMPLETE, 2), row.detail
    assert project.curve() == honest_curve(0.0)
    assert project.curve("train/loss") == honest_loss()
    assert project.output(attempt=2).startswith("trained 0.0")
    assert (project.attempt(attempt=2) / "note").read_text() == "mine"
    kept = project.attempt().parent / "checkpoints"
    assert sorted(path.name for path in kept.glob("*")) == ["index.json", "step-00000007", "step-00000009"]
    assert any(word.changes for word in far.words)


@pytest.mark.slow
@pytest.mark.parametrize("is_seen", [True, False])
def test_an_agent_that_reaches_the_store_stores_by_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,  # noqa: F811
    is_seen: bool,
) -> None:
    far = Far(monkeypatch, is_seen=is_seen)
    url = fresh_schema(postgres_url)
    monkeypatch.setattr("tunebook.run.run.open_executor", lambda name, setup: Fake(setup, far, url))
    project = Project(tmp_path, HONEST, store=url)
    report = project.run("local")
    assert {word.news.where for word in far.words} == {"stored"}
    assert far.words[-1].news.n_rows == 15
    assert not [change for word in far.words for change in word.changes if "spool" in change.path]
    assert project.curve() == honest_curve(0.0)
    assert project.curve("train/loss") == honest_loss()
    assert report.best is not None
    assert (report.best.value, report.best.step) == (0.1, 9)
    project.store.close()


def test_a_store_that_cannot_be_reached_from_there_leaves_it_to_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Far(monkeypatch, is_seen=False)
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1"
    monkeypatch.setattr("tunebook.run.run.open_executor", lambda name, setup: Fake(setup, far, nowhere))
    project = Project(tmp_path, HONEST)
    project.run("local")
    assert {word.news.where for word in far.words} == {"files"}
    assert project.curve() == honest_curve(0.0)


def test_the_last_word_of_a_job_waits_for_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's result may be here before what its agent left at the desk."""
    module = pytest.importorskip("tunebook.run.executors.ray")
    project = Project(tmp_path, HONEST)
    claim = project.store.claim(NAME, owner=an_owner(), limit=1, now=NOW, lease_seconds=60.0)[0]
    folder = tmp_path / "trial"
    job = make_job(claim, project.design, assign(claim, project.design, folder), 0, {})
    ended = Exit(key=job.key, seconds=1.0, status=0)
    words = {
        "task": Told(job.key, changes=(Change("write", "a", 2, b"cd"),), ended=ended, serial=1),
        "desk": (1, [Told(job.key, changes=(Change("write", "a", 0, b"ab"),))]),
    }
    monkeypatch.setattr(module.ray, "get", lambda ref, **_: words[ref])
    monkeypatch.setattr(module.ray, "wait", lambda refs, **_: (["task"] if "task" in refs else ["desk"], []))
    driver = module.Ray.__new__(module.Ray)
    driver._tasks, driver._jobs, driver._exits, driver._is_gone = {"task": job.key}, {}, [], False
    driver._jobs[job.key] = module._Running(job, "task", 0.0)
    driver._told, driver._head = "desk", Head("127.0.0.1:1", float("inf"))
    known: list[int] = []
    driver._desk = SimpleNamespace(collect=SimpleNamespace(remote=lambda n: known.append(n) or "desk"))
    assert driver.poll(0.0) == []
    assert driver.poll(0.0) == [ended]
    assert (folder / "a").read_bytes() == b"abcd"
    assert known[0] == 1


def test_the_desk_keeps_words_until_they_are_known_to_have_arrived() -> None:
    async def talk() -> None:
        desk = Desk()
        await desk.ask(7, Asked(stop=True))
        assert await desk.tell(Told(7, serial=0)) == Asked(stop=True)
        assert await desk.tell(Told(8, serial=1)) == Asked()
        for _ in range(2):  # the answer was lost on its way
            n_words, words = await desk.collect(0)
            assert (n_words, [word.key for word in words]) == (2, [7, 8])
        later = asyncio.create_task(desk.collect(2))
        await asyncio.sleep(0)
        assert not later.done()
        await desk.tell(Told(9))
        assert (await later)[1] == [Told(9)]

    asyncio.run(talk())


@pytest.mark.slow
def test_a_ray_cluster_of_which_a_node_sees_no_project(tmp_path: Path) -> None:
    """A raylet in a mount namespace of its own, with nothing where the project is."""
    cluster = RayCluster(n_nodes=0, cpus=0)
    try:
        cluster.add_blind_node(tmp_path, cpus=2)
        code = HONEST + "\n    def before_step(trial, step):\n"
        code += "        import os, helper\n        if step == 6 and trial.start_step == 0: os.kill(os.getpid(), 9)\n"
        project = Project(tmp_path, code, n=2)
        (tmp_path / "helper.py").write_text("x = 1")
        with cluster.joined():
            project.run("ray", workers=2)
        assert project.count(Status.COMPLETE) == 2, [row.detail for row in project.trials]
        assert [row.attempts for row in project.trials] == [2, 2]
        for number in range(2):
            assert project.curve(trial=number) == honest_curve(float(number))
            assert project.curve("train/loss", number) == honest_loss()
        assert len(list(tmp_path.glob(f".tunebook/trials/{NAME}/*/checkpoints/step-00000009"))) == 2
    finally:
        cluster.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("cpus", "'cpus' has no amount"),
        ("cpus=two", "cpus = 'two' is not accepted"),
        ("gpus=-1", "gpus = '-1' is not accepted"),
        (["cpus"], "is not accepted; write them as"),
        ({"memory_gib": "nan"}, "memory_gib = 'nan' is not accepted"),
    ],
)
def test_wrong_resources_are_refused(given: object, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        Resources.read(given)


def test_resources_are_read() -> None:
    assert Resources.read("cpus=2, gpus=0.5,tpu=1") == Resources(cpus=2, gpus=0.5, custom={"tpu": 1.0})
    assert Resources.read({"memory_gib": 4}) == Resources(memory_gib=4)
    assert Resources.read(None) == Resources()


def test_an_option_of_another_executor_is_refused() -> None:
    with pytest.raises(InputError, match="'ray' has no option 'partition'; it has: address, resources"):
        check_options("ray", {"partition": "gpu"}, ("address", "resources"))

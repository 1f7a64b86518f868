"""Ray: every trial a task of an existing Ray cluster (E2).

Ray decides where a trial runs and notices when a worker or a node is gone. A trial whose task is lost
becomes another attempt, from its last checkpoint, under another task: a task that Ray itself ran again
would not know of that checkpoint. So tasks are never retried by Ray, and placed anew by it.

The process of a task is an agent: it forks the trial off a preloaded parent, as the local executor does,
and is used again for the next trial. An actor beside the driver, the desk, takes what agents tell and
hands out what the driver asks of them.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunebook._optional import require
from tunebook.errors import InputError, Problem, RunError
from tunebook.run.agent import Asked, Mark, Told
from tunebook.run.executors import ray_worker
from tunebook.run.executors.elsewhere import check_can_be_sent, setup_to_send
from tunebook.run.executors.ray_desk import Desk
from tunebook.run.executors.ray_head import ALIVE_SECONDS, GONE_SECONDS, Head, answers
from tunebook.run.executors.ray_options import task_options
from tunebook.run.jobs import QUEUED, Exit, Job, News, Setup, exit_of
from tunebook.run.options import Resources
from tunebook.run.relay import Change, apply, packed_checkpoint, packed_project

ray = require("ray")
NodeAffinitySchedulingStrategy = require("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy

LOG_LEVEL = "ERROR"
HOST_PORT = re.compile(r"[\w.\-\[\]:]+:\d+")
#: At most this many nodes are asked before a run what they share with the driver.
MOST_PROBED = 64
PROBE_SECONDS = 120.0
#: An agent looks this long for an answer before it goes on.
ANSWER_SECONDS = 0.05
#: A task whose agent was told to kill its trial, and that goes on for this long, is ended by Ray.
FORCE_SECONDS = 5.0
#: What calls raise when the head of the cluster, or the desk, is not there any more.
_GONE = (ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError)


class Ray:
    """Runs jobs as tasks of the cluster at the option ``address`` (default: the one that is found)."""

    runs_here = False

    def __init__(self, setup: Setup) -> None:
        check_can_be_sent(setup)
        self._resources = Resources.read(setup.options.get("resources"))
        self._tasks: dict[Any, int] = {}
        self._jobs: dict[int, _Running] = {}
        self._exits: list[Exit] = []
        self._desk: Any = None
        self._is_gone = False
        self._has_joined = _join(setup.options.get("address"))
        self._mark = Mark.leave(setup.folder, setup.token)
        try:
            self._open(setup)
        except BaseException:
            self.close()
            raise

    def start(self, job: Job) -> None:
        """Hand a task to Ray, which runs it as soon as there is room."""
        resume = job.assignment.resume_from
        changes: Any = ()
        if self._is_shipping and resume is not None:
            changes = ray.put(list(packed_checkpoint(job.assignment.directory.parent, resume)))
        ref = self._work.remote(self._order, self._desk, job, changes)
        self._tasks[ref] = job.key
        self._jobs[job.key] = _Running(job, ref, time.monotonic())

    def poll(self, timeout: float) -> list[Exit]:
        """Wait until a task ends or an agent tells something; ``RunError``, once, when the cluster is gone."""
        if self._is_gone:
            return self._all_lost()
        try:
            return self._poll(timeout)
        except _GONE as error:
            self._is_gone = True
            raise _gone(error) from None

    def _poll(self, timeout: float) -> list[Exit]:
        waiting = [*self._tasks, self._told]
        ready, _ = ray.wait(waiting, num_returns=1, timeout=timeout)
        if ready:
            ready, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
        self._look_after(time.monotonic())
        if self._told in ready:
            self._collect()
        for ref in ready:
            if ref in self._tasks:
                self._end(ref)
        ended, self._exits = self._exits, []
        return ended

    def news(self, key: int) -> News:
        """What its agent told last."""
        return self._jobs[key].news if key in self._jobs else QUEUED

    def stop(self, key: int, *, force: bool) -> None:
        """Ask the agent; a task that has not begun is taken from the queue."""
        running = self._jobs.get(key)
        if running is None or self._is_gone:
            return
        self._desk.ask.remote(key, Asked(stop=True, kill=force))
        if running.news is QUEUED:
            # Should it have begun just now, its agent is interrupted and ends it as well.
            ray.cancel(running.ref, force=False)
        if force and running.forced_at is None:
            running.forced_at = time.monotonic()

    def close(self) -> None:
        """End every task, and leave the cluster if it was joined here."""
        self._mark.file.unlink(missing_ok=True)
        with contextlib.suppress(Exception):
            for ref in () if self._is_gone else self._tasks:
                ray.cancel(ref, force=True)
            if self._desk is not None and not self._is_gone:
                ray.kill(self._desk)
        if self._has_joined:
            ray.shutdown()

    # Before the first trial

    def _open(self, setup: Setup) -> None:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        self._head = Head(str(ray.get_runtime_context().gcs_address), time.monotonic())
        self._is_shipping = not self._all_see(nodes)
        project = packed_project(setup.project) if self._is_shipping else ()
        self._order = ray.put((setup_to_send(setup, self._resources), self._mark, project))
        self._desk = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=_on(_own_node())).remote()
        self._n_collected = 0
        self._told = self._desk.collect.remote(0)
        options = task_options(self._resources, setup, nodes)
        self._check_pipeline()
        # Devices are used by children that end with their trial, so the process that has them may go on (0: no limit).
        self._work = ray.remote(max_calls=0)(_work).options(**options)

    def _all_see(self, nodes: Sequence[Mapping[str, Any]]) -> bool:
        """Whether all nodes see the project's files; one that cannot say is taken not to."""
        see = ray.remote(ray_worker.sees)
        asked = [
            see.options(num_cpus=0, max_retries=1, scheduling_strategy=_on(node["NodeID"])).remote(self._mark)
            for node in nodes[:MOST_PROBED]
        ]
        self._await(asked)
        return all(self._answer(ref) for ref in asked)

    def _answer(self, ref: Any) -> bool:
        try:
            return bool(ray.get(ref, timeout=0.1))
        except ray.exceptions.RayTaskError as error:
            raise InputError(
                f"a node of the Ray cluster cannot run tunebook: {_last_line(error)}; install the same version of it, "
                "and of what the pipeline imports, on every node"
            ) from None
        except ray.exceptions.GetTimeoutError:
            return False
        except ray.exceptions.RayError:
            return True  # that node died meanwhile, and will be asked nothing more

    def _await(self, refs: Sequence[Any]) -> None:
        """Wait for answers before the run begins, as long as there is somebody to give them."""
        deadline = time.monotonic() + PROBE_SECONDS
        while time.monotonic() < deadline:
            _, late = ray.wait(list(refs), num_returns=len(refs), timeout=ALIVE_SECONDS)
            if not late:
                return
            try:
                self._head.check(time.monotonic())
            except ConnectionError as error:
                self._is_gone = True
                raise _gone(error) from None

    def _check_pipeline(self) -> None:
        """Import the pipeline on some node, so that a mistake shows before any trial starts."""
        check = ray.remote(ray_worker.problems_of_pipeline).options(num_cpus=0, max_retries=3)
        asked = check.remote(self._order)
        self._await([asked])
        try:
            problems = ray.get(asked, timeout=0.1)
        except ray.exceptions.RayError as error:
            raise RunError(f"the Ray cluster could not import the pipeline: {_last_line(error)}") from None
        if problems:
            raise InputError(Problem(key=tuple(key), message=message) for key, message in problems)

    # While they run

    def _collect(self) -> None:
        """Take in what agents told since; the desk keeps it until the next time, should it be lost on the way."""
        try:
            n_words, words = ray.get(self._told)
        except ray.exceptions.ActorUnavailableError:
            words, n_words = [], self._n_collected
        self._n_collected = n_words
        self._told = self._desk.collect.remote(n_words)
        for word in words:
            running = self._jobs.get(word.key)
            if running is not None:
                self._take(running, word)

    def _take(self, running: _Running, word: Told) -> None:
        folder = running.job.assignment.directory.parent
        for change in word.changes:
            apply(folder, change)
        if word.changes:
            running.n_words = max(running.n_words, word.serial + 1)
        running.news = word.news
        if running.last is not None and running.n_words >= running.last.serial:
            self._finish(running, running.last)

    def _end(self, ref: Any) -> None:
        running = self._jobs[self._tasks.pop(ref)]
        try:
            word: Told = ray.get(ref)
        except ray.exceptions.RayError as error:
            del self._jobs[running.job.key]
            if isinstance(error, ray.exceptions.RayTaskError) and isinstance(error.cause, InputError):
                raise error.cause from None
            lost = exit_of(running.job, seconds=time.monotonic() - running.began, code=None)
            self._exits.append(replace(lost, tail=f"Ray: {_last_line(error)}"))
            return
        if running.n_words < word.serial:
            running.last = word  # the desk still has words of it
        else:
            self._finish(running, word)

    def _finish(self, running: _Running, word: Told) -> None:
        """All that a job left is here: its last word, and with it its exit."""
        for change in word.changes:
            apply(running.job.assignment.directory.parent, change)
        assert word.ended is not None
        self._exits.append(word.ended)
        del self._jobs[running.job.key]

    def _look_after(self, now: float) -> None:
        """End what does not end by itself, and notice that the cluster is gone."""
        for running in self._jobs.values():
            if running.last is None and running.forced_at is not None and now - running.forced_at > FORCE_SECONDS:
                running.forced_at = now
                ray.cancel(running.ref, force=True)
        self._head.check(now)

    def _all_lost(self) -> list[Exit]:
        now = time.monotonic()
        lost = [exit_of(running.job, seconds=now - running.began, code=None) for running in self._jobs.values()]
        self._jobs.clear()
        self._tasks.clear()
        return lost


@dataclass(slots=True)
class _Running:
    """A job whose task has not ended."""

    job: Job
    ref: Any
    began: float
    news: News = QUEUED
    n_words: int = 0
    last: Told | None = None
    forced_at: float | None = None


class _Line:
    """The line from an agent to the desk. Only changes wait for an answer: a desk that is late holds up no trial."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk
        self._pending: Any = None
        self._asked = Asked()

    def __call__(self, word: Told) -> Asked:
        if word.changes:
            self._asked = self._deliver(word)
            return self._asked
        if self._pending is None:
            self._pending = self._desk.tell.remote(word)
        ready, _ = ray.wait([self._pending], timeout=ANSWER_SECONDS)
        if ready:
            pending, self._pending = self._pending, None
            with contextlib.suppress(ray.exceptions.ActorUnavailableError):
                self._asked = ray.get(pending)
        return self._asked

    def _deliver(self, word: Told) -> Asked:
        """At least once; what arrives twice is there once."""
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            try:
                asked: Asked = ray.get(self._desk.tell.remote(word))
            except ray.exceptions.ActorUnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(ANSWER_SECONDS)
            else:
                return asked


def _work(order: ray_worker.Order, desk: Any, job: Job, changes: Sequence[Change]) -> Told:
    """The task of one trial."""
    return ray_worker.work(order, _Line(desk), job, changes)


def _join(address: str | None) -> bool:
    """Join the cluster, unless this process is a part of one already; whether it did."""
    if ray.is_initialized():
        return False
    try:
        # Ray tries for minutes to join what is not there, and nobody can interrupt it then.
        if address is not None and HOST_PORT.fullmatch(address) and not answers(address):
            raise ConnectionError("nobody listens there")
        ray.init(address=address or "auto", log_to_driver=False, logging_level=LOG_LEVEL, namespace="tunebook")
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "here"
        raise InputError(
            f"there is no Ray cluster {where} ({_last_line(error)}); start one with `ray start --head`, or name one "
            "with --address HOST:PORT"
        ) from None
    return True


def _own_node() -> str:
    return str(ray.get_runtime_context().get_node_id())


def _on(node: str) -> Any:
    return NodeAffinitySchedulingStrategy(node, soft=False)


def _gone(error: BaseException) -> RunError:
    return RunError(
        f"the Ray cluster does not answer any more ({_last_line(error)}); when it is back, the same command goes on "
        "where it was"
    )


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__

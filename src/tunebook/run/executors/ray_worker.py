"""What runs in a worker process of Ray: one agent, which is used again from task to task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tunebook.errors import InputError
from tunebook.run.agent import Agent, Mark, Tell, Told
from tunebook.run.jobs import Job, Setup
from tunebook.run.relay import Change

#: What is the same for all tasks: the setup, the driver's mark, and the project where some node does not see it.
Order: TypeAlias = tuple[Setup, Mark, Sequence[Change]]

#: The agent of the worker process this is imported into.
_agents: dict[str, Agent] = {}


def sees(mark: Mark) -> bool:
    """Whether this node sees the driver's files."""
    return mark.is_seen


def problems_of_pipeline(order: Order) -> list[tuple[tuple[str, ...], str]]:
    """The problems of importing the pipeline."""
    try:
        _agent(order)
    except InputError as error:
        return [(problem.key, problem.message) for problem in error.problems]
    return []


def work(order: Order, tell: Tell, job: Job, changes: Sequence[Change]) -> Told:
    """Run one job, which goes on from ``changes``; the last word about it."""
    agent = _agent(order)
    try:
        return agent.run(job, tell, checkpoint=changes)
    except BaseException:
        _close_agents()
        raise


def _agent(order: Order) -> Agent:
    setup, mark, project = order
    if setup.token not in _agents:
        _close_agents()
        _agents[setup.token] = Agent(setup, mark, project)
    return _agents[setup.token]


def _close_agents() -> None:
    while _agents:
        _agents.popitem()[1].close()

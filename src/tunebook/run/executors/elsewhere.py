"""Elsewhere: what a driver gives to the machines of a cluster of its own setup, and what it cannot give."""

from __future__ import annotations

import os
from dataclasses import replace

from tunebook.errors import InputError
from tunebook.run.devices import thread_environment
from tunebook.run.executors.local import MAIN
from tunebook.run.jobs import Setup
from tunebook.run.options import Resources


def check_can_be_sent(setup: Setup) -> None:
    """``InputError`` for a pipeline that no other process can import."""
    if (setup.pipeline or "").startswith(MAIN):
        raise InputError(
            "a function of the main program cannot be sent to a cluster; put it into a file of the project and "
            "name it, as in pipeline = 'train.py:train'"
        )


def setup_to_send(setup: Setup, resources: Resources) -> Setup:
    """The setup for other machines, where a trial has as many threads as processors were asked for."""
    threads = thread_environment(os.environ, 1, max(int(resources.cpus), 1))
    return replace(setup, function=None, environment={**threads, **setup.environment})

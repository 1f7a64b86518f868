"""Inline: trials in this process, one after the other and without capture, for breakpoints and tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tunebook.errors import InputError
from tunebook.handle.current import running
from tunebook.handle.ending import Ending
from tunebook.handle.trial import Trial
from tunebook.run.folders import BEGUN
from tunebook.run.jobs import HERE, Exit, Job, News, Setup, exit_of
from tunebook.run.pipeline import check_function, load_pipeline

CANNOT_RUN = 127


class Inline:
    """Runs a job within ``start`` and hands out its exit with the next ``poll``."""

    runs_here = True

    def __init__(self, setup: Setup) -> None:
        if setup.workers != 1:
            raise InputError(f"the inline executor has one worker, not {setup.workers}; for more use 'local'")
        self._setup = setup
        self._train = None
        if setup.function is not None:
            self._train = check_function(setup.function, setup.pipeline or "the function")
        elif setup.pipeline:
            self._train = load_pipeline(setup.pipeline, setup.project)
        self._ended: list[Exit] = []

    def start(self, job: Job) -> None:
        """Run the job to its end."""
        began = time.monotonic()
        code: int | None = -signal.SIGINT
        mark = job.assignment.directory / BEGUN
        mark.touch()
        try:
            code = self._call(job) if job.argv is None else self._command(job)
        finally:
            mark.unlink(missing_ok=True)
            self._ended.append(exit_of(job, seconds=time.monotonic() - began, code=code))

    def poll(self, timeout: float) -> list[Exit]:
        """What ended since; waits only when there is nothing."""
        if not self._ended:
            time.sleep(timeout)
        ended, self._ended = self._ended, []
        return ended

    def news(self, key: int) -> News:  # noqa: ARG002
        """Its files tell everything."""
        return HERE

    def stop(self, key: int, *, force: bool) -> None:
        """Nothing: a job that started has ended."""

    def close(self) -> None:
        """Nothing is left."""

    def _call(self, job: Job) -> int:
        assert self._train is not None
        trial = Trial(job.assignment)
        try:
            with _environment({**self._setup.environment, **job.environment}), running(trial):
                self._train(trial)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            return _report(error, trial)
        finally:
            trial.close()
        return 0

    def _command(self, job: Job) -> int:
        assert job.argv is not None
        environment = {**os.environ, **self._setup.environment, **job.environment}
        try:
            return subprocess.run(job.argv, cwd=self._setup.project, env=environment, check=False).returncode
        except OSError as error:
            print(f"{job.argv[0]} cannot be run: {error.strerror}", file=sys.stderr)
            return CANNOT_RUN


def _report(error: BaseException, trial: Trial) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    Ending.of(error).write(trial.directory)
    return 1


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

"""Small rounds in a temporary project, for tests that really run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunebook.core.config import Config
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.core.trial import TrialSpec
from tunebook.evidence import Evidence
from tunebook.run.events import Event
from tunebook.run.run import RunReport, run_round
from tunebook.store.store import Store

NAME = "round"
STEPS = 10


class Project:
    """A folder with a ``train.py``, a store and one round with ``n`` trials that differ in ``x``."""

    def __init__(
        self, folder: Path, code: str = "", *, n: int = 1, steps: int = STEPS, store: str | None = None, **design: Any
    ) -> None:
        self.folder = folder
        self.steps = steps
        if code:
            (folder / "train.py").write_text(textwrap.dedent(code))
        if "command" not in design:
            design.setdefault("pipeline", "train.py:train")
        self.design = Round(
            goal="Does it work?",
            question="minimize",
            max_train_steps=steps,
            objective={"metric": "valid/error"},
            nuisance=design.pop("nuisance", {"x": {"low": 0.0, "high": 1000.0}}),
            **design,
        )
        self.store = Store.open(store or f"sqlite:///{folder}/tunebook.db")
        self.events: list[Event] = []
        self.plan([{"x": float(number)} for number in range(n)])

    def plan(self, configs: list[dict[str, Any]]) -> None:
        specs = [
            TrialSpec(
                study="all",
                config=Config(config),
                seed=number,
                max_train_steps=self.steps,
                way_to_train=self.design.way_to_train,
                index=number,
            )
            for number, config in enumerate(configs)
        ]
        now = datetime.now(UTC)
        self.store.save_round(NAME, self.design, now=now)
        self.store.sync_trials(NAME, specs, now=now)

    def run(
        self,
        executor: str = "local",
        workers: int = 1,
        on_event: Callable[[Event], None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> RunReport:
        def hear(event: Event) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        return run_round(
            self.store,
            NAME,
            self.design,
            project=self.folder,
            workers=workers,
            executor=executor,
            on_event=hear,
            options=options,
        )

    def heard(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def trials(self) -> tuple[Any, ...]:
        return self.store.trials(NAME)

    @property
    def evidence(self) -> Evidence:
        return self.store.snapshot(NAME)

    def count(self, status: Status) -> int:
        return self.store.counts(NAME)[status]

    def curve(self, metric: str = "valid/error", trial: int = 0) -> list[tuple[int, float]]:
        steps, values = self.evidence.curves[metric][trial]
        return list(zip(steps.tolist(), values.tolist(), strict=True))

    def output(self, trial: int = 0, attempt: int = 1) -> str:
        folder = self.attempt(trial, attempt)
        return (folder / "output.log").read_text()

    def attempt(self, trial: int = 0, attempt: int = 1) -> Path:
        return self.folder / ".tunebook" / "trials" / NAME / self.trials[trial].spec.id / f"attempt-{attempt}"

    def in_background(
        self, workers: int = 1, name: str = "runner", executor: str = "local", options: dict[str, Any] | None = None
    ) -> subprocess.Popen[bytes]:
        """The same run from another process; it prints one line a started trial to ``<name>.log``."""
        code = f"""
            import sys
            from pathlib import Path
            from tunebook.run.events import TrialStarted
            from tunebook.run.run import run_round
            from tunebook.store.store import Store

            def hear(event):
                if isinstance(event, TrialStarted):
                    print(event.trial, event.attempt, flush=True)

            if __name__ == "__main__":
                folder = Path({str(self.folder)!r})
                store = Store.open({self.store.url!r})
                run_round(
                    store,
                    {NAME!r},
                    store.design({NAME!r}),
                    project=folder,
                    workers={workers},
                    executor={executor!r},
                    options={options!r},
                    on_event=hear,
                )
        """
        script = self.folder / f"{name}.py"
        script.write_text(textwrap.dedent(code))
        with (self.folder / f"{name}.log").open("ab") as log, (self.folder / f"{name}.err").open("ab") as err:
            return subprocess.Popen([sys.executable, str(script)], stdout=log, stderr=err, start_new_session=True)


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for another process, in small steps; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


#: Trains by the book: logs every step, checkpoints, and goes on from a checkpoint.
HONEST = """
    import json

    def value(x, step):
        return 1.0 / (1 + step) + x

    def train(trial):
        total = 0
        if trial.resume_from is not None:
            total = json.loads(trial.resume_from.read_text())
        for step in range(trial.start_step, trial.max_train_steps):
            total += step
            before_step(trial, step)
            trial.log(step, {"train/loss": float(total), "grad_norm": 1.0})
            if step % 2 == 1:
                trial.log(step, {"valid/error": value(trial["x"], step)})
                trial.checkpoint(step, lambda path: path.write_text(json.dumps(total)))
        print("trained", trial["x"], "with seed", trial.seed)

    def before_step(trial, step):
        pass
"""


def honest_curve(x: float, steps: int = STEPS) -> list[tuple[int, float]]:
    """What ``HONEST`` logs of the objective."""
    return [(step, 1.0 / (1 + step) + x) for step in range(1, steps, 2)]


def honest_loss(steps: int = STEPS) -> list[tuple[int, float]]:
    """What ``HONEST`` logs as training loss."""
    return [(step, step * (step + 1) / 2) for step in range(steps)]

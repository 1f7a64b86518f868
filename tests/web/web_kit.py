"""What the tests of the page share: projects with a finished round, and a client inside of this process."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Outcome
from tunebook.core.round import Round
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.project import Project
from tunebook.store.imports import ImportedTrial
from tunebook.web.app import make_app
from tunebook.web.guard import Guard
from tunebook.web.late import Late

PORT = 8765
ORIGIN = f"http://127.0.0.1:{PORT}"
STEPS = 100
#: A goal, a category, a trial and a detail that want to be markup.
NASTY = "<img src=x onerror=window.hacked=1>"


def design(name: str, n_trials: int) -> Round:
    return Round(
        name=name,
        goal=f"Does dropout help? {NASTY}",
        question="compare",
        pipeline="train.py:train",
        max_train_steps=STEPS,
        objective={"metric": "valid/error", "direction": "minimize", "reduce": "best"},
        scientific={"use_dropout": [False, True]},
        nuisance={"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}, "activation": ["relu", NASTY]},
        fixed={"batch_size": 64},
        search={"algorithm": "halton", "trials": n_trials // 2, "studies": "separate"},
    )


def trial(number: int, config: dict[str, Any], seed: int, purpose: TrialPurpose, random: Any, n_points: int) -> Any:
    rate = float(np.log10(config["learning_rate"]))
    floor = 0.1 + 0.03 * (rate + 2) ** 2 - (0.05 if config["use_dropout"] else 0.0)
    steps = np.linspace(0, STEPS, n_points).astype(np.int64)
    spec = TrialSpec(
        study=f"use_dropout={'true' if config['use_dropout'] else 'false'}",
        config=Config(config),
        seed=seed,
        max_train_steps=STEPS,
        way_to_train="train.py:train",
        purpose=purpose,
    )
    breaks = rate > -0.5
    curve = floor + (0.9 - floor) * np.exp(-6 * steps / STEPS) + random.normal(0, 0.003, n_points)
    train = 0.8 * curve
    if breaks:
        curve, train = np.where(steps > 30, np.nan, curve), np.where(steps > 30, np.nan, train)
    name = NASTY if number == 3 else f"trial-{number:04d}"
    return ImportedTrial(
        name=name,
        spec=spec,
        outcome=Outcome.infeasible(Cause.DIVERGED, NASTY) if breaks else Outcome.complete(),
        curves={"valid/error": (steps, curve), "train/error": (steps, train), "train/loss": (steps, 2 * train)},
        seconds=1.5,
    )


def trials(n_trials: int, n_repeats: int, n_points: int = 30) -> list[Any]:
    """A search of two settings, and repeats of two configurations that differ clearly."""
    random = np.random.default_rng(0)
    found = []
    for number in range(n_trials):
        config = {
            "use_dropout": bool(number % 2),
            "learning_rate": float(10 ** random.uniform(-4, 0)),
            "activation": NASTY if number % 3 else "relu",
            "batch_size": 64,
        }
        if number < 2:  # the bests of the two settings, whatever was drawn
            config["learning_rate"] = 0.01
        found.append(trial(number, config, number, TrialPurpose.SEARCH, random, n_points))
    for number in range(2 * n_repeats):
        config = dict(found[number % 2].spec.config)
        made = trial(n_trials + number, config, 1000 + number, TrialPurpose.REPEAT, random, n_points)
        found.append(made)
    return found


def make_project(root: Path, *, name: str = "01-dropout", n_trials: int = 24, n_repeats: int = 5) -> Project:
    root.mkdir(parents=True, exist_ok=True)
    (root / "tunebook.toml").write_text('name = "paged"\n')
    project = Project.open(root, store=f"sqlite:///{root / 'tunebook.db'}")
    add_round(project, name, n_trials, n_repeats)
    return project


def add_round(project: Project, name: str, n_trials: int = 24, n_repeats: int = 5) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    project.store.import_round(name, design(name, n_trials), trials(n_trials, n_repeats), now=now, origin="synthetic")


def client_of(project: Project, **rules: Any) -> TestClient:
    app = make_app(Late(project, in_process=True), Guard(port=PORT, **rules))
    return TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)


def change(client: TestClient, name: str, fields: dict[str, Any], **headers: str) -> Any:
    return client.post(f"/api/{name}", json=fields, headers={"origin": ORIGIN, **headers})


def unpacked(data: bytes) -> Any:
    """The document of ``pack``, read as the page reads it; written against its description, not its code."""
    import json

    length = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + length])
    raw = [
        np.frombuffer(data, dtype="<u2" if kind == "q2" else f"<{kind}", count=count, offset=4 + length + start)
        for kind, start, count, *_ in head["arrays"]
    ]
    arrays = []
    for (kind, _, _, *more), array in zip(head["arrays"], raw, strict=True):
        if kind == "q2":
            arrays.append(np.where(array == 65535, np.nan, more[0] + more[1] * array))
        else:
            arrays.append(raw[more[0]][array] if more else array)

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        if isinstance(value, dict):
            return arrays[value["$"]] if value.keys() == {"$"} else {key: filled(item) for key, item in value.items()}
        return value

    return filled(head["document"])

"""What is done with bytes and words from elsewhere; each target may answer with an error of ours and nothing else.

The same targets are fed by hypothesis (the tests) and by atheris (``benchmarks/fuzz.py``).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from store_cases import claimed, with_round
from tunebook.bridges import algoperf, files
from tunebook.core.round import Round
from tunebook.errors import TunebookError
from tunebook.plan.lint import lint
from tunebook.plan.trials import plan_trials
from tunebook.run.ingest import Buffer, Ingest
from tunebook.store.store import Store

NOW = datetime(2026, 1, 2, tzinfo=UTC)
#: Designs with more trials than this are accepted or not, but not planned here.
PLANNED = 2_000


def design(data: bytes) -> None:
    """A design file: read, linted and planned."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "design.toml"
        path.write_bytes(data)
        try:
            made = Round.load(path)
            lint(made)
            if made.search.trials <= PLANNED and len(made.scientific) <= 3:
                plan_trials(made)
        except TunebookError:
            return


def json_lines(data: bytes) -> None:
    """A file of metrics that a foreign process wrote: into the store."""
    _metrics("metrics.jsonl", data)


def spool(data: bytes) -> None:
    """A spool file that is none."""
    _metrics("a.spool", data)


@cache
def _template() -> bytes:
    """A store with one round of one trial; making one takes longer than anything done with it here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Store.open(f"sqlite:///{path}") as store:
            with_round(store, 1)
        return path.read_bytes()


def _store(folder: str) -> Store:
    path = Path(folder) / "store.db"
    path.write_bytes(_template())
    return Store.open(f"sqlite:///{path}")


def _metrics(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, _store(folder) as store:
        (claim,) = claimed(store)
        place = Path(folder) / "spool"
        place.mkdir()
        (place / name).write_bytes(data)
        buffer = Buffer(store)
        ingest = Ingest(buffer, claim.attempt_key, place)
        said: list[str] = []
        ingest.on_bad = said.append
        ingest.pump()
        ingest.drain()
        buffer.flush()
        ingest.close()
        store.snapshot("r")
        assert all(len(message) < 500 for message in said)


CSV_DESIGN = """
goal = "g"
question = "minimize"
command = ["x"]
max_train_steps = 10

[objective]
metric = "valid/error"

[nuisance]
learning_rate = { low = 1e-4, high = 1.0, scale = "log" }
width = { low = 1, high = 4, type = "int" }
activation = ["relu", "gelu"]
"""
CSV_HEADER = "trial,study,seed,status,objective,learning_rate,width,activation\n"


def csv_round(trials: bytes, curves: bytes) -> None:
    """A round as CSV: into the store and out of it."""
    with tempfile.TemporaryDirectory() as folder:
        round_folder = Path(folder) / "round"
        round_folder.mkdir()
        (round_folder / "design.toml").write_text(CSV_DESIGN)
        (round_folder / "trials.csv").write_bytes(trials)
        (round_folder / "curves.csv").write_bytes(curves)
        _imported(folder, lambda: files.read(round_folder))


def csv_trials(data: bytes) -> None:
    """Rows of trials under a proper header."""
    csv_round(CSV_HEADER.encode() + data, b"trial,step,metric,value\n")


def csv_curves(data: bytes) -> None:
    """Rows of curves for a proper trial."""
    csv_round(CSV_HEADER.encode() + b"a,s,0,complete,,0.1,2,relu\n", b"trial,step,metric,value\n" + data)


def algoperf_logs(hparams: bytes, measurements: bytes, metadata: bytes = b"{}") -> None:
    """A folder of AlgoPerf logs."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "logs" / "submission" / "study_0" / "mnist_jax" / "trial_1"
        trial.mkdir(parents=True)
        (trial / "hparams.json").write_bytes(hparams)
        (trial / "measurements.csv").write_bytes(measurements)
        (trial / "meta_data_0.json").write_bytes(metadata)
        (trial.parents[2] / "tuning_search_space.json").write_bytes(hparams)
        _imported(folder, lambda: algoperf.read(Path(folder) / "logs"))


def algoperf_hparams(data: bytes) -> None:
    """Hyperparameters from elsewhere beside proper measurements."""
    rows = b"global_step,validation/accuracy,validation/num_examples,loss\n1,0.5,10,\n2,,,0.7\n"
    algoperf_logs(data, rows, b'{"workload.target_metric_name": "accuracy"}')


def algoperf_measurements(data: bytes) -> None:
    """Measurements from elsewhere under a proper header."""
    header = b"global_step,validation/accuracy,validation/num_examples,loss,grad_norm\n"
    algoperf_logs(b'{"learning_rate": 0.1}', header + data, b'{"workload.target_metric_name": "accuracy"}')


def _imported(folder: str, read: Callable[[], object]) -> None:
    try:
        found = read()
        with _store(folder) as store:
            for one in found.rounds:  # type: ignore[attr-defined]
                store.import_round(one.name, one.design, one.trials, now=NOW, origin="csv")
                store.snapshot(one.name)
    except TunebookError as error:
        json.dumps(str(error))  # words that can be shown


TARGETS: dict[str, Callable[[bytes], None]] = {
    "design": design,
    "json_lines": json_lines,
    "spool": spool,
    "csv_trials": csv_trials,
    "csv_curves": csv_curves,
    "algoperf_hparams": algoperf_hparams,
    "algoperf_measurements": algoperf_measurements,
}

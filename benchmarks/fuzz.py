"""What reads files from elsewhere, under atheris (coverage-guided): the targets of ``tests/hostile``.

An answer is an error of ours or none at all; anything else, a hang of ten seconds or 2 GiB of memory ends the run
and leaves the input in ``crash-*``. Each target runs in a process of its own.

Run: ``make fuzz``, or ``python benchmarks/fuzz.py [TARGET …] --seconds 600``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
sys.path.insert(0, str(TESTS))
sys.path.insert(0, str(TESTS / "hostile"))

#: Something to start from: what the file looks like when all is well.
SEEDS: dict[str, bytes] = {
    "design": b"""goal = "g"
question = "compare"
pipeline = "a.py:f"
max_train_steps = 9
[objective]
metric = "v/e"
[scientific]
use = [false, true]
[nuisance]
lr = { low = 1e-4, high = 1.0, scale = "log" }
[search]
trials = 4
""",
    "json_lines": b'{"step": 0, "train/loss": 0.5}\n{"step": 1, "train/loss": "nan", "grad_norm": null}\n',
    "spool": b"TBSPOOL\n",
    "csv_trials": b"a,s,0,complete,0.1,0.1,2,relu\nb,s,1,infeasible,,0.2,3,gelu\n",
    "csv_curves": b"a,1,valid/error,0.5\na,2,valid/error,nan\n",
    "algoperf_hparams": b'{"learning_rate": 0.1, "beta1": {"min": 1}}',
    "algoperf_measurements": b"1,0.5,10,,\n2,,,0.7,1.0\n",
}


def main() -> int:
    """Fuzz every target for its share of time; 1 when one of them broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(SEEDS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        fuzz(chosen.targets[0], chosen.seconds)
    words = [sys.executable, str(Path(__file__)), "--inside", "--seconds", str(chosen.seconds)]
    failed = [name for name in chosen.targets if subprocess.run([*words, name], check=False).returncode]
    print(f"broke: {', '.join(failed)}" if failed else "nothing broke")
    return 1 if failed else 0


def fuzz(target: str, seconds: int) -> None:
    """Fuzz one target; does not return."""
    import atheris

    with atheris.instrument_imports(
        include=["tunebook.plan", "tunebook.core", "tunebook.bridges", "tunebook.run.spools"]
    ):
        import hostile_inputs
    corpus = Path(tempfile.mkdtemp(prefix="tunebook-fuzz-"))
    (corpus / "seed").write_bytes(SEEDS[target])
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], hostile_inputs.TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())

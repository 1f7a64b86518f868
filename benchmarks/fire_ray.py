"""A round of 200 trials on a real Ray cluster of three raylets while its parts are killed, five times each.

    python benchmarks/fire_ray.py [KILLS OF EACH KIND] [TRIALS]

Takes root, for a network namespace. About ten minutes on two cores.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

# In place of this folder, whose run.py has the name of a folder there.
sys.path[0] = str(Path(__file__).resolve().parents[1] / "tests")

from run.fire_kit import RayFire, assert_ended_once

KINDS = ("worker", "node", "driver", "head")


def main() -> None:
    n_kills = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    n_trials = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory(prefix="tunebook-fire-") as folder:
        fire = RayFire(Path(folder), n_trials)
        try:
            report = fire.run([kind for _ in range(n_kills) for kind in KINDS], seconds=3000)
            assert_ended_once(fire.project, n_trials)
        finally:
            fire.close()
            for log in sorted(Path(folder).glob("*.err")):
                lines = [line for line in log.read_text().splitlines() if line.strip()]
                print(f"{log.name}: {lines[-1] if lines else 'nothing'}"[:300])
    print(f"{n_trials} trials, each complete once with the curves it would have had in peace; {report}")
    assert report.n_lost_rows == 0


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")

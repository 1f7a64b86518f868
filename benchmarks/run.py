"""Run every benchmark of speed and size, each in a process of its own: `make bench`, or name some of them."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(prefix: str = "bench_") -> int:
    wanted = sys.argv[1:]
    scripts = [path for path in sorted(FOLDER.glob(f"{prefix}*.py")) if not wanted or path.stem in wanted]
    failed = []
    for script in scripts:
        print(f"\n== {script.stem} ==", flush=True)
        if subprocess.run([sys.executable, script], check=False).returncode:
            failed.append(script.stem)
    if failed:
        print(f"\nended with an error: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

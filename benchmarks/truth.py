"""Run every benchmark of truth (how often a conclusion is right): `make bench-truth`, or name some of them."""

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main("truth_"))

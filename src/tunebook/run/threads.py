"""Threads of OpenMP across a fork: none in the parent, their share in the child.

GNU's OpenMP waits for ever in a forked child for threads that its parent had started, so a training script that
converts its data with PyTorch when it is imported would hang all of its trials. The parent therefore imports it with
one thread, and each child takes its threads afterwards. PyTorch, whose copy reads MKL's variable before its own, and
everything that threadpoolctl knows (scikit-learn loads it) are told; what else was loaded keeps to one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

#: In the order in which PyTorch looks at them, the last one that is set counts.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def hold_threads() -> dict[str, str]:
    """Set the variables to one thread, before anything is imported; what they were is returned."""
    before = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    os.environ.update(dict.fromkeys(before, "1"))
    return before


def release_threads(before: Mapping[str, str]) -> None:
    """In a forked child: as many threads as ``before`` says. A number that the script set itself stays, unless 1."""
    os.environ.update(before)
    wanted = max((int(text) for text in before.values() if text.isdecimal()), default=1)
    if wanted <= 1:
        return
    pools = sys.modules.get("threadpoolctl")
    if pools is not None:
        pools.threadpool_limits(limits=wanted, user_api="openmp")
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() == 1:
        torch.set_num_threads(wanted)

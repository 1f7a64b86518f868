"""Which points of a trial count when several attempts logged it: arrays in, arrays out.

An attempt that goes on from step *s* throws away what earlier ones had trained from *s* on, and takes
their place from ``min(s, first step it logged)``. One that logged nothing has put nothing in their
place: it leaves all points as they are, and the next attempt takes over from its own start.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tunebook.evidence import IntArray

NEVER = np.iinfo(np.int64).max

BoolArray = npt.NDArray[np.bool_]


def first_steps(owners: IntArray, steps: IntArray, n_owners: int) -> IntArray:
    """The smallest of ``steps`` (n,) of every owner 0 … ``n_owners`` - 1; ``NEVER`` for one without any."""
    first = np.full(n_owners, NEVER, dtype=np.int64)
    np.minimum.at(first, owners, steps)
    return first


def limits(trials: IntArray, starts: IntArray, firsts: IntArray) -> IntArray:
    """The step from which each attempt's points are replaced by later ones; ``NEVER`` for the newest.

    ``trials``, ``starts`` and ``firsts`` (attempts,) describe attempts in the order of trial and number:
    the trial, the step resumed from and the first step logged, both ``NEVER`` where there is none.
    """
    found = np.full(len(trials), NEVER, dtype=np.int64)
    takes_over = np.where(firsts == NEVER, NEVER, np.minimum(starts, firsts))
    for attempt in range(len(trials) - 2, -1, -1):
        if trials[attempt] == trials[attempt + 1]:
            found[attempt] = min(found[attempt + 1], takes_over[attempt + 1])
    return found


def in_order(trials: IntArray, steps: IntArray) -> npt.NDArray[np.intp] | None:
    """The places, by trial and ascending step, of the last written point of each; None when all lie so already.

    Points have to come in the order of their writing.
    """
    if ascends(trials, steps):
        return None
    order = np.lexsort((steps, trials))
    trials, steps = trials[order], steps[order]
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = (trials[1:] != trials[:-1]) | (steps[1:] != steps[:-1])
    return order[is_last]


def ascends(trials: IntArray, steps: IntArray) -> bool:
    """Whether trials ascend and, within each, steps ascend strictly."""
    same = trials[1:] == trials[:-1]
    later = steps[1:] > steps[:-1]
    return bool(((trials[1:] > trials[:-1]) | (same & later)).all())

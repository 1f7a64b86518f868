"""Thinning: fewer points than the screen has pixels, and every spike still there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tunebook.evidence import Curves, FloatArray, IntArray


def thin(curves: Curves, n_points: int) -> Curves:
    """Each curve in about ``n_points`` points: its ends, and the least and greatest value of every bucket.

    Buckets are equal stretches of steps between the first and the last step of the curve. A bucket
    with a value that is not finite keeps the first such value too, so that gaps stay gaps. Curves of
    at most ``n_points`` points stay as they are.
    """
    lengths = np.diff(curves.offsets)
    if not len(curves.steps) or lengths.max() <= n_points:
        return curves
    owner = np.repeat(np.arange(len(curves)), lengths)
    n_buckets = max(1, (n_points - 2) // 2)
    keep = _extremes(curves.values, bucket_starts(curves, owner, n_buckets)) | (lengths <= n_points)[owner]
    full = lengths > 0
    keep[curves.offsets[:-1][full]] = True
    keep[curves.offsets[1:][full] - 1] = True
    return _kept(curves, keep, owner)


def bucket_starts(curves: Curves, owner: IntArray, n_buckets: int) -> IntArray:
    """Where each bucket begins in ``curves.values``; buckets without a point do not appear."""
    last = np.maximum(curves.offsets[1:] - 1, 0)
    first = np.minimum(curves.offsets[:-1], len(curves.steps) - 1)
    start, end = curves.steps[first], curves.steps[last]
    bucket = (curves.steps - start[owner]) * n_buckets // (end - start + 1)[owner]
    group = owner * n_buckets + bucket
    return np.flatnonzero(np.diff(group, prepend=-1)).astype(np.int64)


def _extremes(values: FloatArray, starts: IntArray) -> npt.NDArray[np.bool_]:
    finite = np.isfinite(values)
    known = np.where(finite, values, np.nan)
    sizes = np.diff(starts, append=len(values))
    keep = np.zeros(len(values), dtype=bool)
    for extreme in (np.fmin, np.fmax):
        best = np.repeat(extreme.reduceat(known, starts), sizes)
        keep |= _first_of_each(known == best, starts, sizes)
    return keep | _first_of_each(~finite, starts, sizes)


def _first_of_each(hit: npt.NDArray[np.bool_], starts: IntArray, sizes: IntArray) -> npt.NDArray[np.bool_]:
    """``hit`` without all but the first hit of every group."""
    so_far = np.cumsum(hit)
    before: IntArray = np.repeat(so_far[starts] - hit[starts], sizes)
    return np.asarray(hit & (so_far - before == 1), dtype=bool)


def _kept(curves: Curves, keep: npt.NDArray[np.bool_], owner: IntArray) -> Curves:
    offsets = np.zeros(len(curves) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner[keep], minlength=len(curves)), out=offsets[1:])
    return Curves(offsets, curves.steps[keep], curves.values[keep])


def subset(curves: Curves, trials: IntArray) -> Curves:
    """The curves of ``trials`` alone, in that order."""
    lengths = np.diff(curves.offsets)[trials]
    offsets = np.zeros(len(trials) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    places = np.repeat(curves.offsets[trials] - offsets[:-1], lengths) + np.arange(offsets[-1])
    return Curves(offsets, curves.steps[places], curves.values[places])


def joined(parts: Sequence[Curves]) -> Curves:
    """The curves of all ``parts``, one after the other; at least one."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    steps, values = (np.concatenate(arrays) for arrays in zip(*((one.steps, one.values) for one in parts), strict=True))
    return Curves(offsets, steps, values)

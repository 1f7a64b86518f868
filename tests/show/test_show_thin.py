"""Thinning loses points, never spikes."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tunebook.evidence import Curves
from tunebook.show.data.thin import bucket_starts, subset, thin

values = st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf"))


@st.composite
def ragged(draw: st.DrawFn) -> Curves:
    lengths = draw(st.lists(st.integers(0, 120), min_size=1, max_size=4))
    parts = []
    for length in lengths:
        gaps = draw(hnp.arrays(np.int64, length, elements=st.integers(1, 50)))
        parts.append((np.cumsum(gaps), draw(hnp.arrays(np.float64, length, elements=values))))
    return Curves.pack(parts)


@given(ragged(), st.integers(6, 40))
def test_every_bucket_keeps_its_least_and_greatest_value(curves: Curves, n_points: int) -> None:
    thinned = thin(curves, n_points)
    n_buckets = (n_points - 2) // 2
    owner = np.repeat(np.arange(len(curves)), np.diff(curves.offsets))
    starts = bucket_starts(curves, owner, n_buckets) if len(owner) else np.empty(0, np.int64)
    for start, end in itertools.pairwise([*starts.tolist(), len(owner)]):
        own = curves.values[start:end]
        own = own[np.isfinite(own)]
        kept = thinned[int(owner[start])][1]
        assert not len(own) or {own.min(), own.max()} <= set(kept.tolist())


@given(ragged(), st.integers(6, 40))
def test_thinned_points_are_points_of_the_curve_and_few(curves: Curves, n_points: int) -> None:
    thinned = thin(curves, n_points)
    for trial in range(len(curves)):
        steps, own = curves[trial]
        kept_steps, kept = thinned[trial]
        places = np.searchsorted(steps, kept_steps)
        np.testing.assert_array_equal(steps[places], kept_steps)
        np.testing.assert_array_equal(own[places], kept)
        gaps = int((~np.isfinite(kept)).sum())
        assert len(kept) - gaps <= n_points
        assert len(steps) == 0 or (kept_steps[0] == steps[0] and kept_steps[-1] == steps[-1])


def test_one_spike_in_100_000_points_survives() -> None:
    level = np.ones(100_000)
    level[71_234] = 9.0
    steps, kept = thin(Curves.pack([(np.arange(100_000), level)]), 20)[0]
    assert steps[kept == 9.0].tolist() == [71_234]
    assert len(kept) <= 20


def test_a_gap_stays_a_gap() -> None:
    level = np.sin(np.arange(1000.0))
    level[400:405] = np.nan
    assert np.isnan(thin(Curves.pack([(np.arange(1000), level)]), 50)[0][1]).sum() == 1


def test_subset_takes_curves_in_the_order_asked_for() -> None:
    curves = Curves.pack([([1], [10.0]), ([], []), ([1, 2], [30.0, 31.0])])
    chosen = subset(curves, np.array([2, 1, 0]))
    assert chosen[0][1].tolist() == [30.0, 31.0]
    assert chosen[1][1].tolist() == []
    assert chosen[2][1].tolist() == [10.0]

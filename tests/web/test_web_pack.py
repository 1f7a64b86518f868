import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from web_kit import unpacked

from tunebook.web.pack import as_json, pack

FLOATS = arrays.arrays(np.float64, st.integers(0, 200), elements=st.floats(-1e12, 1e12, allow_subnormal=False))
WHOLE = arrays.arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**31), 2**31 - 1))


@given(WHOLE)
def test_whole_numbers_arrive_exactly(numbers: np.ndarray) -> None:
    assert unpacked(pack({"x": numbers}))["x"].tolist() == numbers.tolist()


@given(FLOATS)
def test_numbers_arrive_within_a_pixel(numbers: np.ndarray) -> None:
    found = unpacked(pack({"x": numbers}))["x"].astype(np.float64)
    tiny = np.finfo(np.float32).tiny
    np.testing.assert_allclose(found, numbers, rtol=2e-3, atol=tiny)


@given(arrays.arrays(np.float64, st.integers(300, 400), elements=st.floats(0.01, 2.0)), st.booleans())
def test_long_curves_take_two_bytes_and_arrive_within_a_pixel(numbers: np.ndarray, has_gap: bool) -> None:
    curve = np.append(np.linspace(0.01, 2.0, 400), numbers)
    curve[7] = np.nan if has_gap else 0.5
    data = pack(curve)
    assert len(data) < 2 * len(curve) + 200
    np.testing.assert_allclose(unpacked(data), curve, rtol=2e-3, atol=2.0 / 60_000)


def test_gaps_and_infinities_stay() -> None:
    numbers = np.array([np.nan, 1.0, np.inf, -np.inf, 3e38, 2e300])
    np.testing.assert_array_equal(unpacked(pack([numbers]))[0], numbers)


def test_few_distinct_numbers_take_one_byte_each() -> None:
    steps = np.tile(np.append(np.arange(0.0, 1000, 10), np.nan), 100)
    data = pack(steps)
    assert len(data) < 1.2 * len(steps)
    np.testing.assert_array_equal(unpacked(data), steps)


def test_what_occurs_twice_is_sent_once() -> None:
    numbers = np.random.default_rng(0).normal(size=5000)
    assert len(pack([numbers, numbers.copy(), {"again": numbers}])) < len(pack([numbers])) + 100


def test_arrays_start_at_multiples_of_eight() -> None:
    data = pack({"a": np.arange(3), "b": np.arange(5) * 0.1, "c": np.array([2**40])})
    length = int.from_bytes(data[:4], "little")
    assert (length + 4) % 8 == 0
    assert all(entry[1] % 8 == 0 for entry in json.loads(data[4 : 4 + length])["arrays"])


def test_what_json_has_no_word_for_becomes_null() -> None:
    assert json.loads(as_json({"x": float("nan"), "y": np.float64(0.5), "z": (np.int64(3), None)})) == {
        "x": None,
        "y": 0.5,
        "z": [3, None],
    }


@pytest.mark.parametrize("count", [63, 64, 65])
def test_short_and_long_arrays_read_alike(count: int) -> None:
    numbers = np.tile([0.25, 0.5], 40)[:count]
    np.testing.assert_array_equal(unpacked(pack(numbers)), numbers)

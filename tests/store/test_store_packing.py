"""Packing keeps every bit and is small where there is something to save."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tunebook.evidence import FloatArray, IntArray
from tunebook.store.packing import CurveBlock, Encoding, Packed, pack, unpack_steps, unpack_values

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 4))
BITS = hnp.arrays(np.int64, SHAPES)
ANY_STEPS = hnp.arrays(np.int64, st.integers(1, 60))


def steps_of(packed: Packed) -> IntArray:
    return unpack_steps(packed.first_step, packed.stride, packed.steps, packed.n_rows)


def values_of(packed: Packed, n_metrics: int) -> FloatArray:
    return unpack_values([packed.encoding], [packed.data], n_metrics)


def packed_values(values: FloatArray) -> Packed:
    return pack(np.arange(len(values)), values)


@given(BITS)
def test_any_bits_come_back(bits: IntArray) -> None:
    values = bits.view(np.float64)
    back = values_of(packed_values(values), values.shape[1])
    assert back.tobytes() == values.tobytes()


@given(hnp.arrays(np.float32, SHAPES))
def test_what_a_float32_model_computed_takes_half(narrow: FloatArray) -> None:
    values = narrow.astype(np.float64)
    packed = packed_values(values)
    assert Encoding(packed.encoding).is_narrow
    assert values_of(packed, values.shape[1]).tobytes() == values.tobytes()


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308, 0.1])
def test_every_kind_of_number_comes_back(value: float) -> None:
    values = np.full((3, 2), value)
    assert values_of(packed_values(values), 2).tobytes() == values.tobytes()


@given(ANY_STEPS)
def test_any_steps_come_back(steps: IntArray) -> None:
    assert (steps_of(pack(steps, np.zeros((len(steps), 1)))) == steps).all()


@given(st.integers(-(2**40), 2**40), st.integers(-1000, 1000), st.integers(1, 50))
def test_regular_steps_cost_no_bytes(first: int, stride: int, count: int) -> None:
    steps = first + stride * np.arange(count)
    packed = pack(steps, np.zeros((count, 1)))
    assert packed.steps is None
    assert (steps_of(packed) == steps).all()


def test_noise_is_left_as_it_is_and_repetition_is_not() -> None:
    noise = np.random.default_rng(0).normal(size=(1000, 5))
    counts = np.random.default_rng(0).integers(0, 60, (1000, 5)) / 1797
    assert packed_values(noise).data == noise.tobytes()
    assert len(packed_values(counts).data) < 0.4 * counts.nbytes


def test_the_format_on_disk_stays() -> None:
    """Bytes written by hand from the description: a change of the format would orphan stores."""
    packed = pack(np.array([7, 9, 11]), np.array([[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]]))
    assert (packed.n_rows, packed.first_step, packed.stride, packed.steps, packed.encoding) == (3, 7, 2, None, 0)
    assert packed.data == struct.pack("<6d", 0.1, 1.0, 0.2, 2.0, 0.3, 3.0)
    assert pack(np.array([0]), np.array([[1.5]])).data == struct.pack("<f", 1.5)
    assert [encoding.value for encoding in Encoding] == [0, 1, 2, 3]


def test_chunks_of_different_encodings_are_read_in_one_go() -> None:
    noise = np.random.default_rng(1).normal(size=(200, 2))
    parts = [noise, np.ones((300, 2)), np.round(noise * 4) / 3, noise.astype(np.float32).astype(np.float64)]
    packed = [packed_values(part) for part in parts]
    assert len({item.encoding for item in packed}) >= 3
    back = unpack_values([item.encoding for item in packed], [item.data for item in packed], 2)
    assert back.tobytes() == np.concatenate(parts).tobytes()


@pytest.mark.parametrize(
    ("metrics", "steps", "values"),
    [
        (("a",), [1, 2], [[1.0]]),
        (("a", "b"), [1], [[1.0]]),
        ((), [], np.empty((0, 0))),
        (("a", "a"), [1], [[1.0, 2.0]]),
        (("a",), [1], [1.0]),
    ],
)
def test_a_block_refuses_what_does_not_fit(metrics: tuple[str, ...], steps: list[int], values: object) -> None:
    with pytest.raises(ValueError):
        CurveBlock(metrics, np.array(steps), np.array(values))

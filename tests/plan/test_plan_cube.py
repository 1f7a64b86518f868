"""Laws of the unit cube: round trips, uniform marginals, short decimals, the same on any machine."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from tunebook import Choice, Constant, Range
from tunebook.errors import InputError
from tunebook.plan.cube import from_unit, to_unit

MANY = np.random.default_rng(7).random(20_000)

CONTINUOUS = [
    Range(low=0.0, high=1.0),
    Range(low=-3.0, high=5.0),
    Range(low=100.0, high=101.0),
    Range(low=1e-4, high=1.0, scale="log"),
    Range(low=0.99, high=1.0, scale="log"),
    Range(low=1e-30, high=1e30, scale="log"),
    Range(low=0.0, high=0.999, scale="reverse_log"),
    Range(low=-9.0, high=0.99999, scale="reverse_log"),
]


def measure(domain, x):
    """The scale of a domain, written down independently of the code under test."""
    if domain.scale == "log":
        return math.log(x)
    return -math.log(1 - x) if domain.scale == "reverse_log" else x


@pytest.mark.parametrize("domain", CONTINUOUS, ids=str)
def test_a_continuous_range_is_uniform_on_its_scale(domain):
    low, high = measure(domain, domain.low), measure(domain, domain.high)
    shares = [(measure(domain, x) - low) / (high - low) for x in from_unit(domain, MANY)]
    assert stats.kstest(shares, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    "domain", [Range(low=-3, high=6, type="int"), Choice(*"abcdefg"), Choice(True, 1, "1x", 0.5)], ids=str
)
def test_every_value_of_a_finite_domain_is_equally_likely(domain):
    drawn = [repr(value) for value in from_unit(domain, MANY)]
    _, counts = np.unique(drawn, return_counts=True)
    assert len(counts) == domain.n_values
    assert stats.chisquare(counts).pvalue > 0.01


def test_an_int_range_on_a_log_scale_gives_every_value_the_log_of_its_cell():
    domain = Range(low=1, high=12, scale="log", type="int")
    counts = np.bincount(from_unit(domain, MANY), minlength=13)[1:]
    cells = np.array([math.log((v + 0.5) / (v - 0.5)) for v in range(1, 13)])
    assert stats.chisquare(counts, len(MANY) * cells / cells.sum()).pvalue > 0.01


@pytest.mark.parametrize(
    ("domain", "u", "value"),
    [
        (Range(low=0.0, high=1.0), 0.1234567891, 0.123457),
        (Range(low=0.0, high=1e9), 0.1234567891, 123457000.0),
        (Range(low=1e-4, high=1.0, scale="log"), 0.5, 0.01),
        (Range(low=1e-4, high=1.0, scale="log"), 0.25, 0.001),
        (Range(low=0.0, high=0.999, scale="reverse_log"), 2 / 3, 0.99),
        (Range(low=0.9, high=0.9999, scale="reverse_log"), 1.0, 0.9999),
        (Range(low=1, high=4, type="int"), 0.25, 2),
        (Range(low=1, high=4, type="int"), 1.0, 4),
        (Range(low=1, high=4, type="int"), 0.0, 1),
        (Choice("a", "b", "c"), 2 / 3, "c"),
        (Choice("a", "b", "c"), 1.0, "c"),
        (Constant(7), 0.3, 7),
    ],
    ids=str,
)
def test_known_values(domain, u, value):
    (got,) = from_unit(domain, np.array([u]))
    assert got == value
    assert type(got) is type(value)


@st.composite
def ranges(draw):
    kind = draw(st.sampled_from(["float", "int"]))
    scale = draw(st.sampled_from(["linear", "log"] if kind == "int" else ["linear", "log", "reverse_log"]))
    if kind == "int":
        bounds = st.integers(1 if scale == "log" else -(10**6), 10**6)
    elif scale == "log":
        bounds = st.floats(1e-12, 1e12)
    else:
        bounds = st.floats(-1e6, 0.999999 if scale == "reverse_log" else 1e6)
    low, high = sorted([draw(bounds), draw(bounds)])
    assume(high - low > 1e-6 * max(abs(low), abs(high)))
    try:
        return Range(low=low, high=high, scale=scale, type=kind)
    except InputError:
        assume(False)


domains = st.one_of(
    ranges(),
    st.lists(st.one_of(st.integers(-99, 99), st.text("abcxyz", min_size=1)), min_size=1, max_size=9, unique_by=str).map(
        lambda values: Choice(*values)
    ),
)


@given(domains, st.floats(0, 1))
@example(Range(low=1 / 3, high=2 / 3), 0.0)
@example(Range(low=0.0, high=5e-324), 1.0)
@example(Range(low=1 / 3, high=2 / 3, scale="log"), 1.0)
@example(Range(low=0.1, high=0.9999999, scale="reverse_log"), 1.0)
def test_a_drawn_value_is_inside_and_is_drawn_again_from_where_it_lies(domain, u):
    drawn = from_unit(domain, np.array([u]))
    assert drawn[0] in domain
    back = to_unit(domain, drawn)
    assert 0 <= back[0] <= 1
    assert from_unit(domain, back) == drawn


@given(domains, st.floats(0, 1))
@example(Range(low=0.999, high=1.0, scale="log"), 0.123456789)
@example(Range(low=1000.0, high=1000.01), 0.123456789)
@example(Range(low=0.5, high=0.5001, scale="reverse_log"), 0.123456789)
def test_a_point_moves_by_no_more_than_its_cell(domain, u):
    (back,) = to_unit(domain, from_unit(domain, np.array([u])))
    if isinstance(domain, Range) and domain.scale == "log" and domain.type == "int":
        largest = math.log((domain.low + 0.5) / (domain.low - 0.5)) / math.log((domain.high + 0.5) / (domain.low - 0.5))
    else:
        largest = 1 / domain.n_values
    assert abs(back - u) <= largest / 2 + 1.01e-6


@given(ranges(), st.floats(0, 1), st.sampled_from([-1, 1]))
def test_the_last_bit_of_a_point_does_not_move_what_has_no_cells(domain, u, direction):
    assume(domain.type == "float")
    near = np.nextafter(u, u + direction)
    a, b = from_unit(domain, np.array([u, min(max(near, 0.0), 1.0)]))
    step = abs(measure(domain, domain.high) - measure(domain, domain.low)) * 2.1e-6
    assert a == b or abs(measure(domain, a) - measure(domain, b)) <= step


@given(st.sampled_from(CONTINUOUS[:2] + CONTINUOUS[3:4] + CONTINUOUS[6:7]), st.floats(0, 1))
def test_values_are_short_decimals(domain, u):
    (value,) = from_unit(domain, np.array([u]))
    digits = f"{value:.15g}".split("e")[0].replace(".", "").replace("-", "").strip("0")
    assert len(digits) <= 9
    assert float(f"{value:.15g}") == value


@pytest.mark.parametrize("bad", [None, "x", 9.0, -1.0, True, float("nan")])
def test_what_a_domain_does_not_hold_lies_nowhere(bad):
    assert np.isnan(to_unit(Range(low=0, high=4), [bad])).all()
    assert np.isnan(to_unit(Choice("a", 0), [bad])).all()


def test_extreme_ranges_stay_inside_and_silent():
    u = np.linspace(0, 1, 101)
    for domain in (
        Range(low=5e-324, high=1e-300, scale="log"),
        Range(low=1e-150, high=1e150, scale="log"),
        Range(low=1.0, high=1.0 + 1e-12, scale="log"),
        Range(low=-8e307, high=8e307),
        Range(low=0.0, high=1e-310),
        Range(low=1e15, high=1e15 + 1),
        Range(low=-(2**53), high=2**53, type="int"),
        Range(low=1, high=2**53, type="int", scale="log"),
        Range(low=-1e250, high=1 - 1e-16, scale="reverse_log"),
    ):
        values = from_unit(domain, u)
        assert all(value in domain for value in values), domain
        assert values == sorted(values), domain


def test_columns_of_no_rows_are_empty():
    for domain in (*CONTINUOUS, Choice(1, 2), Range(low=1, high=3, type="int")):
        assert from_unit(domain, np.empty(0)) == []
        assert to_unit(domain, []).shape == (0,)

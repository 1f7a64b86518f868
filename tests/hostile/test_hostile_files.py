"""Files from elsewhere: whatever stands in them, no traceback, no hang, no memory blow-up."""

from __future__ import annotations

import json
import string
import struct
from typing import Any

import hostile_inputs
import pytest
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tunebook.handle.spool import MAGIC, pack_header

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: Words and numbers that have broken programs before.
NASTY_NUMBERS = [
    "0",
    "-0",
    "-1",
    "1e308",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "-inf",
    "9" * 25,
    "9" * 5000,
    "0x10",
    "1_0",
    "²",
    "٣",
    "1.5",
    "",
]
NASTY_WORDS = [
    "",
    " ",
    "\0",
    "\x1b[2J",
    "../../etc/passwd",
    "=1+1",
    "\u202e",
    "ß" * 300,
    "{learning_rate}",
    "%s%n",
    "true",
    "[1, 2]",
    "\ufeff",
]
WORDS = st.one_of(st.sampled_from(NASTY_WORDS), st.text(max_size=20))
NUMBERS = st.one_of(st.sampled_from(NASTY_NUMBERS), st.integers().map(str), st.floats().map(repr))
CELLS = st.one_of(WORDS, NUMBERS, st.sampled_from(["complete", "infeasible", "failed", "a", "relu", "valid/error"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("target", hostile_inputs.TARGETS)
def test_any_bytes(target: str) -> None:
    @QUICK
    @given(st.binary(max_size=400))
    @example(b"")
    @example(b"\xff\xfe\x00")
    @example(b"\0" * 100)
    @example(b"\xed\xa0\x80")
    @example(b"[" * 100_000)
    @example(b'{"a":' * 50_000)
    def check(data: bytes) -> None:
        hostile_inputs.TARGETS[target](data)

    check()


# The design file


KEYS = [
    "goal",
    "question",
    "pipeline",
    "command",
    "max_train_steps",
    "objective",
    "scientific",
    "nuisance",
    "fixed",
    "search",
    "run",
    "name",
    "purpose",
]
DESIGN: dict[str, Any] = {
    "goal": "g",
    "question": "compare",
    "pipeline": "train.py:train",
    "max_train_steps": 10,
    "objective": {"metric": "valid/error"},
    "scientific": {"use": [False, True]},
    "nuisance": {
        "rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
        "when": {"use": {"true": {"drop": {"low": 0.1, "high": 0.2}}}},
    },
    "search": {"trials": 4},
}
#: TOML has no null, and whole numbers of 64 bits.
TOML_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | WORDS.filter(lambda word: "\0" not in word),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)
#: Where something else is put: a path of keys into the design.
PATHS = [
    *((key,) for key in KEYS),
    ("objective", "metric"),
    ("objective", "reduce"),
    ("objective", "material"),
    ("nuisance", "rate"),
    ("nuisance", "rate", "low"),
    ("nuisance", "rate", "high"),
    ("nuisance", "rate", "type"),
    ("nuisance", "when"),
    ("nuisance", "when", "use", "true", "drop"),
    ("scientific", "use"),
    ("search", "trials"),
    ("search", "seed"),
    ("search", "algorithm"),
    ("search", "configurations"),
    ("run", "retries"),
    ("fixed", "x"),
]


@QUICK
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), TOML_VALUES), min_size=1, max_size=3))
@example(changes=[(("search", "trials"), 2**62)])
@example(changes=[(("max_train_steps",), 2**62)])
@example(changes=[(("scientific", "use"), list(range(5000)))])
@example(changes=[(("nuisance", "rate", "high"), 1e308), (("nuisance", "rate", "low"), 1e-308)])
@example(
    changes=[
        (("nuisance", "rate", "low"), -1e308),
        (("nuisance", "rate", "high"), 1e308),
        (("nuisance", "rate", "scale"), "linear"),
    ]
)
@example(changes=[(("name",), "../../x")])
def test_designs_with_something_else_in_some_places(changes: list[tuple[tuple[str, ...], Any]]) -> None:
    table = json.loads(json.dumps(DESIGN))
    for path, value in changes:
        place = table
        for key in path[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[path[-1]] = value
    hostile_inputs.design(tomlkit.dumps(table).encode("utf-8", "surrogatepass"))


# JSON lines


@QUICK
@given(st.lists(st.dictionaries(st.sampled_from(["step", "a", "b"]) | WORDS, VALUES, max_size=5), max_size=8))
@example([{"step": 0, "\ud800": 1.0}])
@example([{"step": 0, "a\0b": 1.0}])
@example([{"step": 2**63, "a": 1}])
@example([{"step": 1, "a": 10**400}])
@example([{"step": 1e300, "a": 1}])
@example([{"step": number, f"m{number}": 1.0} for number in range(1500)])
@example([{"step": 0, **{f"m{number}": 1.0 for number in range(3000)}}])
@example([{"step": 0, "x" * 100_000: 1.0}])
def test_json_lines(lines: list[dict[str, Any]]) -> None:
    hostile_inputs.json_lines("\n".join(json.dumps(line) for line in lines).encode())


@QUICK
@given(body=st.binary(max_size=200), committed=st.integers(0, 2**64 - 1), length=st.integers(0, 2**32 - 1))
@example(body=b"", committed=2**63, length=65536)
@example(body=b'["a"]', committed=1, length=0)
def test_spools_with_a_header_that_lies(body: bytes, committed: int, length: int) -> None:
    names = json.dumps(["a", "b"]).encode()
    head = struct.pack("<8sIIQI", MAGIC, 1, length, committed, len(names))
    hostile_inputs.spool(head + names + body)


@pytest.mark.parametrize(
    "names", [b"[1]", b"[]", b'["a", "a"]', b'{"a": [1]}]', b"]]", b'["\\ud800"]', b'["a\\u0000"]', b'[" "]']
)
def test_spools_whose_names_are_none(names: bytes) -> None:
    whole = bytearray(pack_header(("aaaaaaaaaaaaaaaa",)))
    struct.pack_into("<I", whole, 24, len(names))
    whole[28 : 28 + len(names)] = names
    struct.pack_into("<Q", whole, 16, 3)
    hostile_inputs.spool(bytes(whole) + bytes(range(256)) * 4)


# CSV and AlgoPerf


ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=9), max_size=6)


def as_csv(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")


@QUICK
@given(ROWS)
@example([["a", "s", "9" * 25, "complete", "", "0.1", "2", "relu"]])
@example([["a", "s", "²", "complete", "", "0.1", "2", "relu"]])
@example([["a", "s", "9" * 5000, "complete", "", "0.1", "2", "relu"]])
@example([["a", "s", "--1", "complete", "", "0.1", "2", "relu"]])
@example([["a\0", "s\0", "1", "failed", "", "0.1", "2", "relu"]])
@example([["a", "s", "1", "complete", "1e400", "1e400", "1e30", "gelu"]])
@example([['"' + "x" * 200_000]])
def test_csv_trials(rows: list[list[str]]) -> None:
    hostile_inputs.csv_trials(as_csv(rows))


@QUICK
@given(st.lists(st.tuples(st.just("a") | CELLS, NUMBERS, CELLS, NUMBERS), max_size=6))
@example([("a", "9007199254740993", "m", "1")])
@example([("a", "1e400", "m", "1")])
@example([("a", "nan", "m", "1")])
@example([("a", "1", "m\0", "1")])
def test_csv_curves(rows: list[tuple[str, ...]]) -> None:
    hostile_inputs.csv_curves(as_csv([list(row) for row in rows]))


@QUICK
@given(VALUES)
@example({"learning_rate": 10**400})
@example({"learning_rate": float("nan")})
@example({"\0": 1, "": 2, "when": 3})
@example({"learning_rate": [[[[1]]]]})
@example([{"a": {"min": 1}}])
@example({f"h{n}": n for n in range(500)})
@example({"\ud800": "\ud800"})
def test_algoperf_hyperparameters(value: Any) -> None:
    hostile_inputs.algoperf_hparams(json.dumps(value).encode())


@QUICK
@given(st.lists(st.lists(NUMBERS | WORDS, min_size=1, max_size=5), max_size=6))
@example([["1e300", "0.5", "1", "", ""]])
@example([["-5", "0.5", "1", "", ""]])
@example([["9" * 400, "0.5", "1", "", ""]])
@example([["1", "1e400", "1", "x", ""]])
def test_algoperf_measurements(rows: list[list[str]]) -> None:
    hostile_inputs.algoperf_measurements(as_csv(rows))


@QUICK
@given(VALUES, st.sampled_from(list(string.ascii_letters[:4])))
@example({"workload.target_metric_name": ["x"], "workload.step_hint": 1e400}, "a")
@example({"workload.target_metric_name": "accuracy", "workload.step_hint": -1}, "a")
@example({"workload.step_hint": 10**30, "workload.target_metric_name": "accuracy"}, "a")
def test_algoperf_metadata(value: Any, name: str) -> None:
    rows = b"global_step,validation/accuracy\n1,0.5\n"
    hostile_inputs.algoperf_logs(json.dumps({name: 1}).encode(), rows, json.dumps(value).encode())

"""The page's routes with questions and changes that no page of ours would send: never a 5xx, never a hang."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="the page needs the extra [web]")

sys.path.insert(0, str(Path(__file__).parent.parent / "web"))

from starlette.testclient import TestClient
from web_kit import ORIGIN, client_of, make_project

from tunebook.web.addresses import READS, WRITES

QUICK = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
NASTY = [
    "",
    " ",
    "1",
    "0",
    "-1",
    "9" * 25,
    "9" * 5000,
    "²",
    "٣",
    "1e400",
    "nan",
    "../../etc/passwd",
    "\0",
    "<script>",
    "%00",
    "ß" * 3000,
    "\u202e",
    "01-dropout",
    "axis:learning_rate",
    "valid/error",
    "best of",
    "minimize nothing",
    "trial-0001",
    "some",
]
WORDS = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
KEYS = st.sampled_from(
    [
        "round",
        "objective",
        "trial",
        "id",
        "low",
        "high",
        "complexity",
        "form",
        "diagnosed",
        "token",
        "name",
        "note",
        "candidate",
        "verdict",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("web") / "project"
    with make_project(root, n_trials=8, n_repeats=2) as project, client_of(project) as made:
        yield made


def check(answer: Any) -> None:
    """An answer of ours: no fault of the server, and an error is JSON with words."""
    assert answer.status_code < 500, (answer.status_code, answer.text[:300])
    if answer.status_code >= 400 and answer.status_code not in (404, 405):
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("name", sorted(READS))
def test_questions(client: TestClient, name: str) -> None:
    path = "/report" if name == "report" else f"/api/{name}"

    @QUICK
    @given(st.dictionaries(KEYS, WORDS, max_size=4), st.booleans())
    @example({"round": "9" * 5000}, False)
    @example({"round": "²"}, False)
    @example({"objective": "last:" + "9" * 5000}, True)
    @example({"objective": "at:" + "9" * 25}, True)
    @example({"objective": "at:-1"}, True)
    @example({"id": "axis:learning_rate", "low": "nan", "high": "inf"}, True)
    @example({"id": "curves", "low": "1e400", "high": "-1e400"}, True)
    @example({"form": "../../x"}, False)
    def ask(query: dict[str, str], names_the_round: bool) -> None:
        wanted = {**query, "round": "01-dropout"} if names_the_round else query
        check(client.get(path, params=wanted))

    ask()


@pytest.mark.parametrize("name", sorted(WRITES))
def test_changes(client: TestClient, name: str) -> None:
    @QUICK
    @given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans())
    @example({"trial": ["x"], "note": "n"}, True)
    @example({"trial": {"a": 1}, "note": "n"}, True)
    @example({"trial": 10**30, "note": "n"}, True)
    @example({"note": 5}, True)
    @example({"note": "a\0b"}, True)
    @example({"name": "../../x"}, True)
    @example({"name": "a" * 400}, True)
    @example({"round": 10**400}, False)
    @example({"objective": {"a": 1}}, True)
    @example({"complexity": ["none"]}, True)
    def send(fields: dict[str, Any], names_the_round: bool) -> None:
        wanted = {**fields, "round": "01-dropout"} if names_the_round else fields
        check(client.post(f"/api/{name}", json=wanted, headers={"origin": ORIGIN}))

    send()


@QUICK
@given(st.binary(max_size=300))
@example(b"[" * 50_000)
@example(b'{"round": "\\ud800"}')
@example(b'{"round": "01-dropout", "note": "\\ud800"}')
@example(b'{"round": ' + b"9" * 9000 + b"}")
@example(b"\xff\xfe")
def test_bodies_of_any_bytes(client: TestClient, body: bytes) -> None:
    for name in WRITES:
        headers = {"origin": ORIGIN, "content-type": "application/json"}
        check(client.post(f"/api/{name}", content=body, headers=headers))


@QUICK
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
@example("../../../etc/passwd")
@example("static/../../pyproject.toml")
@example("static/%2e%2e/%2e%2e/tunebook.toml")
@example("api/")
def test_addresses_that_are_none(client: TestClient, path: str) -> None:
    answer = client.get(f"/{path.replace('#', '').replace('?', '')}")
    check(answer)
    assert 'name = "paged"' not in answer.text


def test_nothing_was_written_outside(client: TestClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    """After all of the above: the project holds its own files and designs with safe names."""
    body = json.dumps({"round": "01-dropout", "name": "../../outside"})
    headers = {"origin": ORIGIN, "content-type": "application/json"}
    assert client.post("/api/save-next", content=body, headers=headers).status_code == 400
    folder = tmp_path_factory.getbasetemp()
    assert not list(folder.rglob("outside*"))
    assert not list(folder.rglob("x.toml"))

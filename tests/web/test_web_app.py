"""Requests that the server cuts off, on the app as uvicorn calls it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from web_kit import make_project

from tunebook.web.app import Stoppable
from tunebook.web.late import Late

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
START = {"type": "http.response.start", "status": 200, "headers": []}
PIECE = {"type": "http.response.body", "body": b"data", "more_body": True}


async def cut_off(app: Any) -> list[dict[str, Any]]:
    """What a page gets from a request that is cancelled while it waits."""
    sent: list[dict[str, Any]] = []
    waits = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        waits.set()
        await asyncio.Event().wait()
        raise AssertionError("nothing ever arrives")

    request = asyncio.create_task(app(SCOPE, receive, send))
    await waits.wait()
    request.cancel(msg="the server's patience is over")
    await request
    return sent


async def silent(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()


async def streaming(_scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(PIECE)
    await receive()


@pytest.fixture
def late(tmp_path: Path) -> Any:
    with make_project(tmp_path / "project", n_trials=2, n_repeats=0) as project:
        yield Late(project, in_process=True)


def test_a_request_that_the_stop_cuts_off_is_told_so(late: Late) -> None:
    late.close()
    start, body = asyncio.run(cut_off(Stoppable(silent, late)))
    assert start["status"] == 503
    assert json.loads(body["body"]) == {"error": "the page is closing"}


def test_a_stream_that_the_stop_cuts_off_ends(late: Late) -> None:
    late.close()
    sent = asyncio.run(cut_off(Stoppable(streaming, late)))
    assert sent == [START, PIECE, {"type": "http.response.body", "body": b"", "more_body": False}]


@pytest.mark.parametrize(
    "last",
    [
        [{**START, "headers": [(b"Content-Length", b"9")]}, PIECE],  # an empty end would break the promise
        [START, PIECE, {**PIECE, "more_body": False}],  # nothing may follow the end
    ],
)
def test_an_answer_that_cannot_be_ended_is_left_as_it_is(late: Late, last: list[dict[str, Any]]) -> None:
    async def answering(_scope: Any, receive: Any, send: Any) -> None:
        for message in last:
            await send(message)
        await receive()

    late.close()
    assert asyncio.run(cut_off(Stoppable(answering, late))) == last


def test_a_cancelled_request_of_a_running_page_is_cancelled(late: Late) -> None:
    with pytest.raises(asyncio.CancelledError, match="patience"):
        asyncio.run(cut_off(Stoppable(silent, late)))

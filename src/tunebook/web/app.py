"""The page on the wire: Starlette around ``answers``. The one module that imports it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunebook._optional import require
from tunebook.errors import InputError, StoreError, TunebookError
from tunebook.show.theme import template
from tunebook.web.addresses import CLOSING, READS, WRITES
from tunebook.web.guard import COOKIE, HEADERS, LARGEST_BODY, Guard
from tunebook.web.late import Late

#: Seconds between questions about the version of a round, and between signs of life to a listening page.
POLL, BEAT = 1.0, 15.0
#: Answers of fewer bytes are not worth compressing.
SMALL = 2_000
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PLOTLY = "/static/plotly.min.js"


class Guarded:
    """Asks the guard before anything else and puts its headers on every answer."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        is_first = request.method == "GET" and request.url.path == "/"
        token = request.query_params.get("token", "") if is_first else ""
        refused = self._guard.refusal(request.method, _headers(request), token)
        if refused is not None:
            answer = JSONResponse({"error": refused.words}, status_code=refused.status)
            return await answer(scope, receive, with_headers)
        if self._guard.is_token(token):
            return await _let_in(token)(scope, receive, with_headers)
        return await self._app(scope, receive, with_headers)


class Stoppable:
    """Ends a request that is cut off because the server stops with a word to the page, not with a traceback."""

    def __init__(self, app: ASGIApp, late: Late) -> None:
        self._app = app
        self._late = late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        start: Message | None = None
        last: Message | None = None

        async def noted(message: Message) -> None:
            nonlocal start, last
            await send(message)
            start, last = start or message, message

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if not self._late.is_closed:
                raise
            if start is None or last is None:
                await JSONResponse({"error": CLOSING}, status_code=503)(scope, receive, send)
            elif _is_cut_stream(start, last):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_cut_stream(start: Message, last: Message) -> bool:
    """Whether an answer of no stated length has begun and not ended."""
    has_length = any(name.lower() == b"content-length" for name, _ in start["headers"])
    return not has_length and (last is start or bool(last.get("more_body")))


def make_app(late: Late, guard: Guard) -> ASGIApp:
    """The page of one project under the rules of ``guard``."""
    routes = [Route("/", _static("index.html")), Route("/api/events", _events(late)), Route(PLOTLY, _plotly)]
    folder = files("tunebook.web").joinpath("static")
    # A fixed table: no address is ever turned into a path.
    routes += [Route(f"/static/{file.name}", _static(file.name)) for file in folder.iterdir() if file.is_file()]
    routes += [Route(f"/api/{name}", _read(late, name)) for name in READS if name != "report"]
    routes += [Route(f"/api/{name}", _write(late, name), methods=["POST"]) for name in WRITES]
    routes += [Route("/report", _report(late)), Route("/api/settings", _settings(guard))]
    return Guarded(Stoppable(Starlette(routes=routes), late), guard)


Endpoint = Callable[[Request], Awaitable[Response]]


def _read(late: Late, name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await _told(late, request, name, dict(request.query_params))

    return answer


def _write(late: Late, name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            fields = json.loads(body) if len(body) <= LARGEST_BODY else None
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            return JSONResponse({"error": "a change is one JSON object"}, status_code=400)
        return await _told(late, request, name, fields)

    return answer


async def _told(late: Late, request: Request, name: str, query: dict[str, Any]) -> Response:
    """The answer, made in a thread; an error of ours as its words."""
    try:
        kind, data, file = await run_in_threadpool(late.answer, name, query)
    except InputError as error:
        return JSONResponse({"error": str(error)}, status_code=409 if late.is_conflict(error) else 400)
    except StoreError as error:
        return JSONResponse({"error": str(error)}, status_code=503)
    except TunebookError as error:
        return JSONResponse({"error": str(error)}, status_code=500)
    headers = {"cache-control": "no-store"}
    if file:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(file)}"
    if len(data) > SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        data = await run_in_threadpool(gzip.compress, data, 1)
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(data, media_type=kind, headers=headers)


def _report(late: Late) -> Endpoint:
    """The report has its scripts inside: exactly these may run, in a frame of nowhere."""

    async def answer(request: Request) -> Response:
        response = await _told(late, request, "report", dict(request.query_params))
        if response.status_code == 200:
            allowed = await run_in_threadpool(late.report_scripts)
            hashes = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in allowed)
            response.headers["content-security-policy"] = (
                f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
                "font-src data:; frame-ancestors 'none'; sandbox allow-scripts allow-modals allow-downloads"
            )
            del response.headers["content-disposition"]
        return response

    return answer


def _events(late: Late) -> Endpoint:
    """A line whenever the round of the query (or, without one, anything) has changed."""

    async def answer(request: Request) -> Response:
        name = request.query_params.get("round") or None
        try:
            first = await run_in_threadpool(late.version, name)
        except TunebookError as error:
            return JSONResponse({"error": str(error)}, status_code=400)

        async def lines() -> AsyncIterator[str]:
            known, quiet = first, 0.0
            yield f"retry: 2000\ndata: {json.dumps({'version': known})}\n\n"
            while not late.is_closed:
                await anyio.sleep(POLL)
                try:
                    version = await run_in_threadpool(late.version, name)
                except TunebookError:
                    version = known
                quiet += POLL
                if version != known:
                    known, quiet = version, 0.0
                    yield f"data: {json.dumps({'version': known})}\n\n"
                elif quiet >= BEAT:
                    quiet = 0.0
                    yield ": still here\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    return answer


def _settings(guard: Guard) -> Endpoint:
    chosen = {"is_read_only": guard.is_read_only, "templates": {"light": template("light"), "dark": template("dark")}}

    async def answer(_: Request) -> Response:
        return JSONResponse(chosen)

    return answer


def _static(name: str) -> Endpoint:
    data = files("tunebook.web").joinpath("static", name).read_bytes()
    return _file(data, KINDS[name.rpartition(".")[2]])


async def _plotly(request: Request) -> Response:
    require("plotly")
    data = await run_in_threadpool(files("plotly").joinpath("package_data", "plotly.min.js").read_bytes)
    return await _file(data, KINDS["js"])(request)


def _file(data: bytes, kind: str) -> Endpoint:
    tag = f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'

    async def answer(request: Request) -> Response:
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    return answer


def _let_in(token: str) -> Response:
    """Move the token from the address, which people copy, into a cookie that only this page sends."""
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
    return answer


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}

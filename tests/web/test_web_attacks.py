"""The attacks the page stands against, tried for real: from another site in Chromium, and on the bare socket."""

from __future__ import annotations

import functools
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_web_browser import CHROMIUM, PATIENCE, Served, playwright
from web_kit import make_project

from tunebook.project import Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="these tests need Chromium (Debian: apt-get install chromium)"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

#: Every way in which a foreign page can send a request to another origin, and what it gets to see.
EVIL = Path(__file__).with_name("evil.html")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    make_project(tmp_path / "project").close()
    made = Served(tmp_path / "project")
    yield made
    said = made.close()
    assert "Traceback" not in said, said


@pytest.fixture
def browser() -> Iterator[Any]:
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", rules])
        yield opened
        opened.close()


def notes(root: Path) -> list[str]:
    with Project.open(root) as project:
        return [note.text for note in project.store.notes()]


def test_another_site_reads_and_changes_nothing(browser: Any, served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "index.html").write_text(EVIL.read_text().replace("TARGET", json.dumps(served.url)))
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    try:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(served.url)  # as of somebody who uses both
        page.wait_for_selector("main[data-ready]")
        # localhost is another site than 127.0.0.1; another port of it is the same site and another origin.
        for host in ("127.0.0.1", "localhost", "evil.example"):
            page.goto(f"http://{host}:{other.server_address[1]}/")
            page.wait_for_selector("body#done")
            seen = json.loads(page.title())
            # Unreadable answers are fine: they look like this whether or not the request was refused.
            assert set(seen.values()) <= {"blocked", "opaque "}, (host, seen)
    finally:
        other.shutdown()
        thread.join()
        other.server_close()
    assert notes(tmp_path / "project") == []


def test_a_name_that_points_here_by_rebinding_gets_nothing(browser: Any, served: Served) -> None:
    page = browser.new_page()
    answer = page.goto(served.url.replace("127.0.0.1", "evil.example"))
    assert answer.status == 421
    assert "paged" not in answer.text()
    assert page.evaluate("() => fetch('/api/project').then((answer) => answer.status)") == 421
    changed = (
        "() => fetch('/api/note', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })"
    )
    assert page.evaluate(f"{changed}.then((answer) => answer.status)") == 421


REQUESTS = {
    "a path that climbs": b"GET /static/../../../../etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "an encoded path that climbs": b"GET /static/%2e%2e/%2e%2e/pack.py HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a path of two slashes": b"GET //etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a path with a zero": b"GET /static/app.js%00.py HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a whole address": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an old version without a host": b"GET /api/project HTTP/1.0\r\n\r\n",
    "two hosts": b"GET /api/project HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n",
    "a host with a line break": b"GET /api/project HTTP/1.1\r\nHost: HOST\r\n evil\r\n\r\n",
    "two lengths": b"POST /api/note HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "a length and chunks": b"POST /api/note HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nContent-Length: 4\r\n"
    b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n"
    b'{"round": "01-dropout", "note": "bad"}\r\n0\r\n\r\n',
    "a length that lies": b"POST /api/note HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nContent-Length: -1\r\n"
    b"Content-Type: application/json\r\n\r\n{}",
    "a method of its own": b"HACK /api/note HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a socket of the web": b"GET /api/events HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "not this protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_odd_requests_on_the_socket_are_refused(served: Served, tmp_path: Path, name: str) -> None:
    port = int(served.url.rstrip("/").rpartition(":")[2])
    sent = REQUESTS[name].replace(b"HOST", f"127.0.0.1:{port}".encode())
    with socket.create_connection(("127.0.0.1", port), timeout=20) as made:
        made.sendall(sent)
        made.shutdown(socket.SHUT_WR)
        answer = b""
        while part := made.recv(65536):
            answer += part
    status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/") else b"none"
    assert status in (b"none", b"400", b"403", b"404", b"405", b"413", b"415", b"421", b"426"), answer[:300]
    assert b"root:" not in answer
    assert b"01-dropout" not in answer
    assert notes(tmp_path / "project") == []

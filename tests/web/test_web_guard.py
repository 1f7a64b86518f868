"""The attacks the page stands against, tried on the app itself."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from web_kit import NASTY, ORIGIN, PORT, change, client_of, unpacked

from tunebook.project import Project
from tunebook.web.addresses import READS, WRITES
from tunebook.web.guard import Guard

OWN_HOSTS = (f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}")
FOREIGN_HOSTS = (
    "evil.example",
    f"evil.example:{PORT}",
    "127.0.0.1:1",
    "",
    f"127.0.0.1.evil.example:{PORT}",
    f"a@127.0.0.1:{PORT}",
    f"127.0.0.1:{PORT}/x",
    f"127.0.0.1:{PORT}#",
    "127.0.0.1:99999999",
    "[::1",
)


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_it_answers_to_its_own_names(client: TestClient, host: str) -> None:
    assert client.get("/api/settings", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_name_made_to_point_to_loopback_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", f"https://127.0.0.1:{PORT}",
                                    f"http://localhost:{PORT}", f"{ORIGIN}.evil.example", f"{ORIGIN}/"])  # fmt: skip
def test_requests_from_other_sites_are_refused(client: TestClient, origin: str) -> None:
    headers = {"origin": origin}
    assert client.get("/api/project", headers=headers).status_code == 403
    assert client.post("/api/note", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_the_browsers_word_about_the_site_counts(client: TestClient, site: str) -> None:
    assert client.get("/api/project", headers={"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}).status_code == 403
    visit = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=visit).status_code == 200
    posted = client.post("/api/note", json={}, headers={"origin": ORIGIN, **visit})
    assert posted.status_code == 403


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_change_needs_origin_json_and_post(client: TestClient, paged: Project, name: str) -> None:
    body = '{"round": "01-dropout", "note": "x"}'
    address = f"/api/{name}"
    assert client.get(address).status_code == 405
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, address, content=body, headers={"origin": ORIGIN}).status_code == 405
    assert client.post(address, content=body, headers={"content-type": "application/json"}).status_code == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        headers = {"origin": ORIGIN, "content-type": kind}
        assert client.post(address, content=body, headers=headers).status_code == 415
    for words in ("[]", "3", "not json", '{"a": ', "null"):
        headers = {"origin": ORIGIN, "content-type": "application/json"}
        assert client.post(address, content=words, headers=headers).status_code == 400
    assert paged.store.notes() == ()
    assert paged.launches() == []


def test_a_large_change_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = change(client, "note", {"round": "01-dropout", "note": "x" * 200_000})
    assert answer.status_code == 413

    def stream():  # no content-length
        yield b'{"round": "1"}'

    headers = {"origin": ORIGIN, "content-type": "application/json"}
    assert client.post("/api/note", content=stream(), headers=headers).status_code == 413


@pytest.mark.parametrize("name", sorted(WRITES))
def test_read_only_changes_nothing(paged: Project, name: str) -> None:
    with client_of(paged, is_read_only=True) as client:
        answer = change(client, name, {"round": "01-dropout", "note": "x", "name": "02-next"})
        assert answer.status_code == 403
        assert "--read-only" in answer.json()["error"]
        assert client.get("/api/settings").json()["is_read_only"] is True
    assert paged.store.notes() == ()
    assert not (paged.root / "rounds").exists()


def test_with_a_token_nothing_is_served_without_it(paged: Project) -> None:
    with client_of(paged, token="right") as client:
        for address in (
            "/",
            "/static/app.js",
            "/static/plotly.min.js",
            "/api/project",
            "/api/events",
            "/report?round=1",
        ):
            assert client.get(address, follow_redirects=False).status_code == 401, address
        for word in ("", "wrong", "righ", "rightt", "ä"):
            assert client.get("/", params={"token": word}, follow_redirects=False).status_code == 401
            headers = {"authorization": f"Bearer {word}".encode()}
            assert client.get("/api/settings", headers=headers).status_code == 401
        assert client.get("/api/settings", headers={"authorization": "Bearer right"}).status_code == 200


def test_the_token_moves_from_the_address_into_a_cookie(paged: Project) -> None:
    with client_of(paged, token="right") as client:
        answer = client.get("/", params={"token": "right"}, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/api/settings").status_code == 200
        foreign = client.get("/", params={"token": "right"}, headers={"host": "evil.example"}, follow_redirects=False)
        assert foreign.status_code == 421


@pytest.mark.parametrize("address", ["/", "/api/project", "/static/app.js", "/nothing", "/api/round?round=nope"])
def test_every_answer_carries_the_policy(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    scripts = next(part for part in headers["content-security-policy"].split("; ") if part.startswith("script-src"))
    assert scripts == "script-src 'self'"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_script() -> None:
    import tunebook.web

    folder = Path(tunebook.web.__file__).parent / "static"
    page = (folder / "index.html").read_text()
    assert "<script>" not in page
    assert "onclick=" not in page
    for path in folder.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "innerHTML" not in text, path
        assert "eval(" not in text, path


@pytest.mark.parametrize(
    "address",
    [
        "/static/../pack.py",
        "/static/%2e%2e/pack.py",
        "/static/..%2fpack.py",
        "/static/%2e%2e%5cpack.py",
        "/static/app.js/../../pack.py",
        "/static//etc/passwd",
        "/static/",
        "/../tunebook.toml",
        "/tunebook.toml",
        "/tunebook.db",
        "/.tunebook",
    ],
)
def test_no_address_leads_to_a_file_outside(client: TestClient, address: str) -> None:
    assert client.get(address).status_code in (404, 400), address


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "..", ".hidden", "a/b", "a\\b", "", "x" * 200, "con\x00", "-x"]
)
def test_a_design_is_written_nowhere_else(client: TestClient, paged: Project, name: str) -> None:
    before = sorted(paged.root.parent.rglob("*.toml"))
    answer = change(client, "save-next", {"round": "01-dropout", "name": name})
    assert answer.status_code == 400, answer.text
    assert sorted(paged.root.parent.rglob("*.toml")) == before


def test_a_design_is_not_written_through_a_link(client: TestClient, paged: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (paged.root / "rounds").symlink_to(outside)
    assert change(client, "save-next", {"round": "01-dropout", "name": "02-next"}).status_code == 400
    assert list(outside.iterdir()) == []


def test_markup_in_values_stays_text(client: TestClient) -> None:
    answer = client.get("/api/round", params={"round": "01-dropout"})
    assert answer.headers["content-type"] == "application/octet-stream"
    document = unpacked(answer.content)
    assert NASTY in document["table"]["names"]
    # Plotly reads some markup in labels, so they arrive escaped there.
    labels = str([chapter["drawings"] for chapter in document["chapters"]])
    assert "<img" not in labels.replace("'trial", "").replace(document["chapters"][0]["title"], "")
    for name in ("project", "sheet"):
        assert client.get(f"/api/{name}").headers["content-type"] == "application/json"


def test_the_report_runs_its_own_scripts_only(client: TestClient) -> None:
    answer = client.get("/report", params={"round": "01-dropout"})
    policy = answer.headers["content-security-policy"]
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in scripts
    assert scripts.count("sha256-") == 2
    assert "sandbox" in policy
    assert "allow-same-origin" not in policy
    assert NASTY not in answer.text.replace("\\u003c", "")


def test_the_guard_compares_whole_tokens() -> None:
    guard = Guard(port=1, token="abc")
    assert guard.is_token("abc")
    assert not guard.is_token("ab")
    assert not Guard(port=1).is_token("")


def test_every_answer_is_in_one_of_the_tables(client: TestClient) -> None:
    for name in READS:
        address = "/report" if name == "report" else f"/api/{name}"
        assert client.get(address).status_code in (200, 400), name

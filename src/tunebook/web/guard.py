"""Who may ask what: hosts, origins, the token, and the headers every answer carries.

The attacks this stands against: a page elsewhere that sends requests to loopback (cross-site requests), a
name that is made to point to loopback (DNS rebinding), a page that frames this one, and text from a
training run that wants to be markup.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: A name or an address, and a port; nothing that a lenient reader of addresses could take for something else.
HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
COOKIE = "tunebook_token"
#: The largest request that is read, in bytes: notes and names are short.
LARGEST_BODY = 100_000

#: Scripts, styles and data come from this server and nowhere else. Plotly sets styles from its script, which
#: needs 'unsafe-inline' for styles; scripts never do.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The rules of one server. ``hosts`` are the names it answers to; with ``token`` all else needs it."""

    port: int
    hosts: tuple[str, ...] = LOOPBACK
    token: str | None = None
    is_read_only: bool = False

    def refusal(self, method: str, headers: Mapping[str, str], token: str = "") -> Refusal | None:
        """Why a request with these ``headers`` (names in lower case) is refused; None when it is not.

        ``token`` is the one that stands in the address, where it may stand.
        """
        host = headers.get("host", "")
        if not self._is_own(host):
            return Refusal(status=421, words=f"this server does not answer to the name {host[:100]!r}")
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return Refusal(status=403, words="this request comes from another site")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_visit(method, headers):
            return Refusal(status=403, words="this request comes from another site")
        if self.token is not None and not (self.is_token(token) or self._is_known(headers)):
            return Refusal(status=401, words="a token is needed: open the address that `tunebook serve` printed")
        if method in ("GET", "HEAD"):
            return None
        return self._refused_write(method, headers, origin)

    def _refused_write(self, method: str, headers: Mapping[str, str], origin: str | None) -> Refusal | None:
        if method != "POST":
            return Refusal(status=405, words=f"{method} is not accepted")
        if self.is_read_only:
            return Refusal(status=403, words="this page was started with --read-only")
        if origin is None:
            return Refusal(status=403, words="a change needs the header Origin of this page")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return Refusal(status=415, words="a change is sent as application/json")
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return Refusal(status=413, words=f"a change has at most {LARGEST_BODY} bytes and says how many")
        return None

    def is_token(self, word: str) -> bool:
        """Whether ``word`` is the token; takes as long for every wrong one."""
        return self.token is not None and hmac.compare_digest(word.encode(), self.token.encode())

    def _is_own(self, host: str) -> bool:
        """Whether a host header is exactly one of the own names with the own port."""
        found = HOST.fullmatch(host)
        return found is not None and found[1].strip("[]").lower() in self.hosts and int(found[2] or 80) == self.port

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        scheme, _, word = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(word.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self.is_token(cookie.value)


def _is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody followed a link to the page, which reads and changes nothing."""
    return method == "GET" and headers.get("sec-fetch-mode") == "navigate"

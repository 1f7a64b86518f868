"""The server: the app behind uvicorn, on a socket that is open before the address is printed."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import uvicorn

from tunebook.errors import InputError
from tunebook.project import Project
from tunebook.web.app import make_app
from tunebook.web.guard import LOOPBACK, Guard
from tunebook.web.late import Late
from tunebook.web.memory import keep_little

#: Ports tried after the wanted one, when the user did not ask for exactly that one.
MORE_PORTS = 20
EVERYWHERE = ("0.0.0.0", "::")
#: Seconds that open requests have to end when the server stops.
PATIENCE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the page is, as somebody would type it."""

    url: str
    token: str | None = None

    @property
    def with_token(self) -> str:
        """The address to open first."""
        return self.url if self.token is None else f"{self.url}?token={self.token}"


class _Server(uvicorn.Server):
    """Ends the streams to listening pages as soon as it is told to stop."""

    late: Late

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.late.close()
        super().handle_exit(sig, frame)


def serve(
    project: Project,
    *,
    host: str | None = None,
    port: int | None = None,
    default_port: int = 8765,
    is_read_only: bool = False,
    names: tuple[str, ...] = (),
    on_ready: Callable[[Address], None] = lambda _: None,
) -> None:
    """Serve until interrupted. Without ``host`` on loopback; with one a token is made and needed.

    ``names`` are further host names it answers to. ``InputError`` when the port is taken or not allowed.
    """
    keep_little()
    token = None if host is None or host in LOOPBACK else secrets.token_urlsafe(24)
    listening = _listen(host or LOOPBACK[0], port, default_port)
    number = listening.getsockname()[1]
    guard = Guard(port=number, hosts=_hosts(host, names), token=token, is_read_only=is_read_only)
    late = Late(project)
    config = uvicorn.Config(
        make_app(late, guard),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=PATIENCE,
    )
    server = _Server(config)
    server.late = late
    on_ready(Address(url=f"http://{_shown(host)}:{number}/", token=token))
    late.warm()
    try:
        server.run(sockets=[listening])
    finally:
        late.close()
        listening.close()


def _hosts(host: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
    if host is None:
        return (*LOOPBACK, *names)
    own = (socket.gethostname().lower(), _own_address()) if host in EVERYWHERE else (host.lower(),)
    return (*LOOPBACK, *own, *(name.lower() for name in names))


def _own_address() -> str:
    """The address of this machine towards others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation (RFC 5737)
        except OSError:
            return LOOPBACK[0]
        return str(probe.getsockname()[0])


def _shown(host: str | None) -> str:
    name = LOOPBACK[0] if host is None else _own_address() if host in EVERYWHERE else host
    return f"[{name}]" if ":" in name else name


def _listen(host: str, port: int | None, default_port: int) -> socket.socket:
    wanted = [port] if port is not None else [*range(default_port, default_port + MORE_PORTS), 0]
    for number in wanted:
        try:
            return _bound(host, number)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or number == wanted[-1]:
                raise InputError(f"cannot listen on {host} port {number}: {error.strerror or error}") from error
    raise AssertionError("the last try returns or raises")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(64)
    except OSError:
        made.close()
        raise
    return made

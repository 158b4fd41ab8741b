"""A real HTTP server that speaks the sign-in part of the proxy and plays the identity provider."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, quote, urlsplit

from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    import ssl
    from types import TracebackType


@dataclass
class Answer:
    """What the login endpoint says. *delay* seconds pass before it does, between its *pieces* too."""

    status: int = 200
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain; charset=utf-8"),)
    delay: float = 0.0
    pieces: int = 1


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    redirect_uri: str = field(default="")


class LoginServer:
    """Listens on 127.0.0.1 while it is entered.

    ``GET /.pomerium/api/v1/login`` answers with `answer`, by default the address of ``/idp``; that one sends the
    browser to the redirect address with `token`, as a person who signs in at once would be sent.
    """

    def __init__(self, *, token: str = "", context: ssl.SSLContext | None = None) -> None:
        self.token = token
        self.answer = Answer()
        self.requests: list[Request] = []
        self.logins: list[Request] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._handle(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if context is not None:
            self._scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def origin(self) -> ProxyOrigin:
        return ProxyOrigin("https" if self._scheme == "https" else "http", "127.0.0.1", self.port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        request = Request(
            parts.path,
            {name.lower(): value for name, value in handler.headers.items()},
            query.get("pomerium_redirect_uri", [""])[0],
        )
        self.requests.append(request)
        if parts.path == "/.pomerium/api/v1/login":
            self.logins.append(request)
            self._login(handler, request)
        elif parts.path == "/idp":
            handler.send_response(302)
            handler.send_header("Location", f"{request.redirect_uri}?pomerium_jwt={quote(self.token)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            handler.send_error(404)

    def _login(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        answer = self.answer
        body = answer.body
        if body is None:
            target = quote(request.redirect_uri, safe="")
            body = f"{self._scheme}://127.0.0.1:{self.port}/idp?pomerium_redirect_uri={target}\n".encode()
        time.sleep(answer.delay)
        try:
            handler.send_response(answer.status)
            for name, value in answer.headers:
                handler.send_header(name, value)
            handler.end_headers()
            size = max(1, len(body) // answer.pieces)
            for start in range(0, len(body), size):
                handler.wfile.write(body[start : start + size])
                time.sleep(answer.delay)
        except OSError:
            pass  # the client had enough

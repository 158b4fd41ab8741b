"""The loopback server that the browser ends on.

It answers one address: ``GET /NONCE`` with the ``Host`` of the loopback, once. Everything else is 404, so neither a
page that guesses ports nor another program can slip its own token into a sign-in. After the token the browser is sent
on to an address without it, which keeps it out of the address bar and of the history list.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.auth.tokens import Token, token_in_query
from tunnelui.errors import LocalError, SignInFailed
from tunnelui.transport.listen import accept_loop, close_listeners, open_listener
from tunnelui.wire.address import TCPListen
from tunnelui.wire.answering import RequestParser, render_response
from tunnelui.wire.head import HeadError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType

    from tunnelui.wire.answering import RequestHead

__all__ = ["CallbackServer"]

_MAX_CONNECTIONS: Final = 32
_DEADLINE: Final = 10.0  # seconds for one connection: head and answer
_ADDRESS: Final = TCPListen("127.0.0.1", 0)
_DONE_PATH: Final = "/signed-in"
_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)
_PAGE: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>tunnelui</title></head>'
    "<body><p>{}</p></body></html>\n"
)
_SIGNED_IN: Final = "You are signed in. You may close this page."
_INCOMPLETE: Final = "This address is not complete. Go back to tunnelui and sign in again."


class CallbackServer:
    """Listens on a free port of 127.0.0.1 while it is entered.

    :param on_token: called with the first good token, once.
    """

    def __init__(self, on_token: Callable[[Token], None]) -> None:
        self._on_token = on_token
        self._nonce = secrets.token_urlsafe(32)
        self._port = 0
        self.has_token = False
        self._connections = 0
        self.page_shown = anyio.Event()
        """Set once the browser has got the page that says so."""

    @property
    def url(self) -> str:
        """The address for ``pomerium_redirect_uri``; holds the nonce."""
        return f"http://127.0.0.1:{self._port}/{self._nonce}"

    async def __aenter__(self) -> CallbackServer:
        try:
            self._listeners = open_listener(_ADDRESS)
        except LocalError as error:
            raise SignInFailed(
                f"no local port for the browser's answer: {error}",
                code="callback",
                hint="Use --paste, or a service account.",
            ) from error
        self._port = int(self._listeners[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_listeners(self._listeners)

    async def serve(self) -> None:
        """Answer until cancelled."""
        async with anyio.create_task_group() as tasks:

            def take(sock: socket.socket, _: str) -> None:
                tasks.start_soon(self._handle, sock)

            await accept_loop(self._listeners, take)

    async def _handle(self, sock: socket.socket) -> None:
        # A scanner that opens many or leaves them hanging costs a few sockets for a few seconds, and no more.
        with sock:
            if self._connections >= _MAX_CONNECTIONS:
                return
            self._connections += 1
            try:
                with anyio.move_on_after(_DEADLINE), contextlib.suppress(OSError):
                    await self._answer(sock)
            finally:
                self._connections -= 1

    async def _answer(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        parser = RequestParser()
        try:
            head = None
            while head is None:
                data = await loop.sock_recv(sock, 4096)
                if not data:
                    return
                head = parser.feed(data)
        except HeadError:
            await loop.sock_sendall(sock, _page(404, "Not found."))
            return
        path, _, query = head.target.partition("?")
        if self._is_ours(head) and path == f"/{self._nonce}":
            await loop.sock_sendall(sock, self._take(query))
        elif self._is_ours(head) and path == _DONE_PATH and self.has_token:
            await loop.sock_sendall(sock, _page(200, _SIGNED_IN))
            self.page_shown.set()
        else:
            await loop.sock_sendall(sock, _page(404, "Not found."))

    def _is_ours(self, head: RequestHead) -> bool:
        # The Host stops a page whose name was made to point at 127.0.0.1 (DNS rebinding).
        host = (head.headers.get("host") or "").lower()
        return head.method == "GET" and host in (f"127.0.0.1:{self._port}", f"localhost:{self._port}")

    def _take(self, query: str) -> bytes:
        if self.has_token:
            return _page(404, "Not found.")
        values = token_in_query(query)
        try:
            token = Token(values.pop()) if len(values) == 1 else None
        except SignInFailed:
            token = None
        if token is None:
            return _page(400, _INCOMPLETE)
        self.has_token = True
        self._on_token(token)
        return _page(303, _SIGNED_IN, ("Location", _DONE_PATH))


def _page(status: int, sentence: str, *fields: tuple[str, str]) -> bytes:
    headers = (*_HEADERS, ("Content-Type", "text/html; charset=utf-8"), *fields)
    return render_response(status, headers, _PAGE.format(sentence).encode())

"""The loopback server that the browser ends on.

It answers one address: ``GET /NONCE`` with the ``Host`` of the loopback, once. Everything else is 404, so neither a
page that guesses ports nor another program can slip its own token into a sign-in. After the token the browser is sent
on to an address without it, which keeps it out of the address bar and of the history list.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Final, cast

import anyio
from anyio.abc import SocketAttribute

from tunnelui.auth.tokens import Token, token_in_query
from tunnelui.errors import SignInFailed
from tunnelui.wire.head import HeadError, RequestParser, render_response

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from anyio.abc import SocketListener, SocketStream

    from tunnelui.wire.head import RequestHead

__all__ = ["CallbackServer"]

_MAX_CONNECTIONS: Final = 32
_DEADLINE: Final = 10.0  # seconds for one connection: head and answer
_ACCEPT_PAUSE: Final = 0.2
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
            listeners = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        except OSError as error:
            raise SignInFailed(
                f"no local port for the browser's answer: {error.strerror or error}",
                code="callback",
                hint="Use --paste, or a service account.",
            ) from error
        # One address, so one listener; its accept() can be tried again, which serve() of all of them can't.
        self._listener = cast("SocketListener", listeners.listeners[0])
        self._port = int(self._listener.extra_attributes[SocketAttribute.local_port]())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.aclose()

    async def serve(self) -> None:
        """Answer until cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    stream = await self._listener.accept()
                except OSError:  # out of descriptors, or the peer is gone already: the next one may do better
                    await anyio.sleep(_ACCEPT_PAUSE)
                    continue
                tasks.start_soon(self._handle, stream)

    async def _handle(self, stream: SocketStream) -> None:
        # A scanner that opens many or leaves them hanging costs a few sockets for a few seconds, and no more.
        async with stream:
            if self._connections >= _MAX_CONNECTIONS:
                return
            self._connections += 1
            try:
                with (
                    anyio.move_on_after(_DEADLINE),
                    contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError),
                ):
                    await self._answer(stream)
            finally:
                self._connections -= 1

    async def _answer(self, stream: SocketStream) -> None:
        parser = RequestParser()
        try:
            head = None
            while head is None:
                head = parser.feed(await stream.receive(4096))
        except HeadError:
            await stream.send(_page(404, "Not found."))
            return
        path, _, query = head.target.partition("?")
        if self._is_ours(head) and path == f"/{self._nonce}":
            await stream.send(self._take(query))
        elif self._is_ours(head) and path == _DONE_PATH and self.has_token:
            await stream.send(_page(200, _SIGNED_IN))
            self.page_shown.set()
        else:
            await stream.send(_page(404, "Not found."))

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

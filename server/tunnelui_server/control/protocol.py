"""HTTP as the control plane speaks it: a PROXY line, one strict head, one answer, the end.

The gateway hands over what is no CONNECT, bytes and all. uvicorn's parser is more generous than the gateway's, and two
parsers that read one stream differently are how requests are smuggled. So each head passes the same strict grammar
here, exactly one request goes on to uvicorn, without a byte more than its length says, and the connection ends with the
answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from tunnelui.errors import ProtocolError
from tunnelui.wire.answering import RequestHead, RequestParser, render_response
from tunnelui.wire.proxy_header import ProxyHeaderParser

if TYPE_CHECKING:
    import asyncio

__all__ = ["MAX_BODY", "ControlProtocol"]

MAX_BODY: Final = 16 * 1024
REQUEST_SECONDS: Final = 10.0
_CLOSE: Final = b"Connection: close\r\n\r\n"


class ControlProtocol(H11Protocol):
    """One connection, made by the gateway on behalf of one client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._proxy: ProxyHeaderParser | None = ProxyHeaderParser()
        self._parser: RequestParser | None = RequestParser()
        self._missing = 0  # bytes of the body that have not come
        self._begun = False  # whether uvicorn has a request to answer
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._refuse, 408)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        try:
            self._receive(data)
        except ProtocolError as error:
            self._refuse(error.status_hint)

    def eof_received(self) -> None:
        """The client has sent all it will. Returning nothing closes the connection, unless an answer is under way."""
        if not self._begun or self._missing:
            return None
        # The type in asyncio is bool | None; uvicorn's override says None.
        return cast("None", True)

    def shutdown(self) -> None:
        if self._begun:
            super().shutdown()
        else:
            self.transport.close()

    def _receive(self, data: bytes) -> None:
        if self._proxy is not None:
            header = self._proxy.feed(data)
            if header is None:
                return
            self.client = (header.source.host, header.source.port) if header.source else None
            data, self._proxy = self._proxy.remainder, None
        if self._parser is not None:
            head = self._parser.feed(data)
            if head is None:
                return
            data, self._parser = self._parser.remainder, None
            if not self._begin(head):
                return
        self._pass_on(data)

    def _begin(self, head: RequestHead) -> bool:
        if head.is_connect:
            return self._refuse(404)
        if head.is_chunked:
            return self._refuse(411)
        self._missing = head.content_length or 0
        if self._missing > MAX_BODY:
            return self._refuse(413)
        self._begun = True
        super().data_received(head.raw.removesuffix(b"\r\n") + _CLOSE)
        return True

    def _pass_on(self, data: bytes) -> None:
        """Give uvicorn the body; what comes after it is nobody's."""
        data = data[: self._missing]
        self._missing -= len(data)
        if data:
            super().data_received(data)
        if not self._missing:
            self._end_deadline()

    def _refuse(self, status: int) -> Literal[False]:
        self._end_deadline()
        if not self.transport.is_closing():
            if not self._begun:
                fields = [("Connection", "close"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
                self.transport.write(render_response(status, fields))
            self.transport.close()
        return False

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

"""One HTTP/1.1 head over an endpoint, within a total time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tunnelui.wire.asking import ResponseParser
from tunnelui.wire.head import MAX_HEAD

if TYPE_CHECKING:
    from tunnelui.transport.endpoint import Endpoint
    from tunnelui.wire.answering import RequestHead
    from tunnelui.wire.asking import ResponseHead

__all__ = ["read_request_head", "read_response_head"]

_Head = TypeVar("_Head", covariant=True)


class _Parser(Protocol[_Head]):
    def feed(self, data: bytes) -> _Head | None: ...

    @property
    def remainder(self) -> bytes: ...


async def read_request_head(endpoint: Endpoint, *, timeout: float, old_connect: bool = False) -> RequestHead:
    """Read one request head. What came after it is given back to *endpoint*.

    :param timeout: seconds for the whole head, however slowly its bytes come.
    :param old_connect: as for `RequestParser`.
    :raises HeadError: the bytes are no acceptable request.
    :raises PeerError: ``timeout``, ``closed`` (the stream ended in order before the head was complete), ``reset`` and
        the like.
    """
    from tunnelui.wire.answering import RequestParser  # here: a client needs none, and ssh waits for its start

    return await _read(endpoint, RequestParser(old_connect=old_connect), timeout)


async def read_response_head(endpoint: Endpoint, *, timeout: float | None) -> ResponseHead:
    """Read one response head; otherwise as `read_request_head`.

    :param timeout: ``None`` where the caller has set a limit (`Endpoint.within`); its `TimeoutError` passes through.
    """
    return await _read(endpoint, ResponseParser(), timeout)


async def _read(endpoint: Endpoint, parser: _Parser[_Head], timeout: float | None) -> _Head:
    if timeout is None:
        return await _feed(endpoint, parser)
    try:
        with endpoint.within(timeout):
            return await _feed(endpoint, parser)
    except TimeoutError:
        raise endpoint.failure("timeout", f"no complete head within {timeout:g} s") from None


async def _feed(endpoint: Endpoint, parser: _Parser[_Head]) -> _Head:
    size = 0
    # Never much more than a head: what follows it waits in the kernel until a relay wants it.
    while data := await endpoint.receive(MAX_HEAD):
        size += len(data)
        head = parser.feed(data)
        if head is not None:
            if parser.remainder:
                endpoint.unread(parser.remainder)
            return head
    raise endpoint.failure("closed", "in the middle of a head" if size else "before a head")

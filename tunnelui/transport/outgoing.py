"""The way out of a network that has no other, a company's HTTP or SOCKS proxy; see `tunnelui.transport.way_out`."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from tunnelui.errors import ProtocolError, ProxyError
from tunnelui.transport.contexts import client_context
from tunnelui.transport.dial import Dialed, DialTimeouts, dial
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.exchange import read_response_head
from tunnelui.transport.relay import Relay
from tunnelui.transport.resolver import system_resolver
from tunnelui.transport.tls import start_tls
from tunnelui.transport.way_out import LET_THROUGH_HINT, WHO_HINT
from tunnelui.wire.asking import connect_request

if TYPE_CHECKING:
    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.transport.way_out import OutgoingProxy
    from tunnelui.wire.address import HostPort

__all__ = ["OutgoingError", "dial_out"]

_REPLIES: Final = {
    1: "it failed",
    2: "it does not allow that",
    3: "it can't reach the network",
    4: "it can't reach the host",
    5: "the host refused the connection",
    6: "it gave up waiting",
    7: "it knows no CONNECT",
    8: "it does not know this kind of address",
}
_PASSWORD: Final = 2
_LAST_WORDS: Final = 1.0
"""Seconds without a byte after the tunnel inside has ended, until the connection to an ``https`` proxy ends as well."""


class OutgoingError(ProxyError):
    """The outgoing proxy itself, or what it says of the way beyond it."""

    role = "outgoing proxy"


async def dial_out(
    address: HostPort, way: OutgoingProxy, *, timeouts: DialTimeouts, resolve: Resolver = system_resolver
) -> Dialed:
    """Connect to *address* through *way*; the time of the exchange with it counts as ``tcp``.

    :raises OutgoingError: it can't be reached, or does not let us through.
    """
    dialed = await dial(way.address, timeouts=timeouts, error=OutgoingError, resolve=resolve)
    began = anyio.current_time()
    near = await _reach(dialed, way, timeouts)
    try:
        with anyio.fail_after(timeouts.tcp):
            if way.scheme in ("http", "https"):
                await _connect(near, address, way, timeouts.tcp)
            else:
                await _socks(near, address, way)
        near.unwatch()  # from now on the number is another endpoint's
        sock = dialed.sock if isinstance(near, PlainEndpoint) else _inside(near)
    except TimeoutError:
        near.close()
        raise near.failure("timeout", f"no way through within {timeouts.tcp:g} s") from None
    except ProtocolError as error:
        near.close()
        raise near.failure("answer", error.message) from error
    except BaseException:
        near.close()
        raise
    return Dialed(sock, dialed.peer, dialed.dns, dialed.tcp + anyio.current_time() - began)


async def _reach(dialed: Dialed, way: OutgoingProxy, timeouts: DialTimeouts) -> SocketEndpoint:
    """Return the stream on which the outgoing proxy is asked."""
    address = str(way.address)
    if way.scheme != "https":
        near: SocketEndpoint = PlainEndpoint(dialed.sock, address=address, error=OutgoingError)
    else:
        try:
            # Its certificate is the system's matter, as for every other program behind this proxy.
            context = await anyio.to_thread.run_sync(client_context)
        except BaseException:
            dialed.sock.close()
            raise
        near = await start_tls(
            dialed.sock,
            context,
            server_hostname=way.address.host,
            timeout=timeouts.tcp,
            address=address,
            error=OutgoingError,
        )
    near.stage = "tcp"
    return near


def _inside(outer: SocketEndpoint) -> socket.socket:
    """Return a socket for what is carried inside *outer*: the tunnel's own TLS wants one. It lives as long as that."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    # Our end never ends one direction alone: the TLS inside does that with its own messages.
    relay = Relay(PlainEndpoint(theirs, address=outer.address), outer, half_close_far=False, linger=_LAST_WORDS)
    relay.start(lambda result: None)
    return ours


async def _connect(near: SocketEndpoint, address: HostPort, way: OutgoingProxy, timeout: float) -> None:
    headers: tuple[tuple[str, str], ...] = ()
    if way.user or way.password:
        secret = base64.b64encode(f"{way.user}:{way.password}".encode()).decode("ascii")
        headers = (("Proxy-Authorization", f"Basic {secret}"),)
    await near.send_all(connect_request(address, token=None, headers=headers))
    head = await read_response_head(near, timeout=timeout)
    if not 200 <= head.status < 300:
        words = f"it answered {head.status} to CONNECT {address}"
        hint = WHO_HINT if head.status == 407 else LET_THROUGH_HINT
        raise OutgoingError(
            "answer", address=str(way.address), stage="tcp", detail=words, hint=hint, status=head.status
        )
    if near.buffered:
        raise near.failure("answer", "it spoke before the other side could")


async def _socks(near: SocketEndpoint, address: HostPort, way: OutgoingProxy) -> None:
    """RFC 1928, with a name for the other side to look up, and RFC 1929 where there is a user."""
    with_user = bool(way.user)
    await near.send_all(bytes([5, 1, _PASSWORD if with_user else 0]))
    version, method = await _exactly(near, 2)
    if version != 5 or method != (_PASSWORD if with_user else 0):
        raise near.failure("answer", "it wants another way to say who we are")
    if with_user:
        user, password = way.user.encode()[:255], way.password.encode()[:255]
        await near.send_all(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if (await _exactly(near, 2))[1] != 0:
            raise near.failure("answer", "it does not take the user and password")
    host = address.host.encode("ascii")
    await near.send_all(bytes([5, 1, 0, 3, len(host)]) + host + address.port.to_bytes(2, "big"))
    _, reply, _, kind = await _exactly(near, 4)
    if reply:
        raise near.failure("unreachable", _REPLIES.get(reply, f"it answered {reply}"))
    length = {1: 4, 4: 16}.get(kind)
    await _exactly(near, (length if length else (await _exactly(near, 1))[0]) + 2)


async def _exactly(near: SocketEndpoint, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await near.receive(size - len(data))
        if not more:
            raise near.failure("closed", "in the middle of its answer")
        data += more
    return data

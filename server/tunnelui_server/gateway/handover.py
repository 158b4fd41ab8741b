"""Whatever is no CONNECT, handed to the control plane with a PROXY header that says who the client is."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.errors import LocalError, PeerError
from tunnelui.transport.dial import dial_unix
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.relay import Relay
from tunnelui.wire.address import HostPort
from tunnelui.wire.proxy_header import ProxyHeader, encode_v1

if TYPE_CHECKING:
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.answering import RequestHead

__all__ = ["hand_over"]

# A control plane that restarts is back within moments; its clients need not notice.
_PATIENCE: Final = 5.0
_RETRY: Final = 0.1
# The control plane answers sooner than this, or not at all; and a client that has its answer should leave.
_IDLE: Final = 30.0


async def hand_over(endpoint: SocketEndpoint, head: RequestHead, socket_path: str) -> bool:
    """Give the connection, beginning with *head*, to the control plane, and carry it to its end.

    :returns: False when the control plane can't be reached; *endpoint* is still open then.
    """
    control = await _reach(socket_path)
    if control is None:
        return False
    try:
        endpoint.unread(head.raw)
        await control.send_all(encode_v1(_header(endpoint)))
        await Relay(endpoint, control, idle_timeout=_IDLE).run()
    except PeerError:
        endpoint.abort()
    finally:
        control.close()
    return True


async def _reach(socket_path: str) -> PlainEndpoint | None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            sock = await dial_unix(socket_path, timeout=_PATIENCE, error=PeerError)
        except LocalError:
            return None
        except PeerError:
            if time.monotonic() > deadline:
                return None
            await anyio.sleep(_RETRY)
        else:
            return PlainEndpoint(sock, address="the control plane", error=PeerError)


def _header(endpoint: SocketEndpoint) -> ProxyHeader:
    try:
        return ProxyHeader(_name(endpoint.sock.getpeername()), _name(endpoint.sock.getsockname()))
    except OSError:
        # The client has gone already; the control plane will see that too.
        return ProxyHeader()


def _name(address: tuple[str, int]) -> HostPort:
    host = ipaddress.ip_address(address[0].partition("%")[0])
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:
        host = host.ipv4_mapped
    return HostPort(str(host), address[1])

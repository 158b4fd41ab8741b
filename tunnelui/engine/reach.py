"""From a proxy's origin to a stream on which it can be asked: name look-up, TCP, TLS."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.engine.model import StageTimings
from tunnelui.errors import ProxyError
from tunnelui.frozen import frozen
from tunnelui.transport.dial import DialTimeouts, dial
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.resumption import name_expected
from tunnelui.transport.tls import start_tls
from tunnelui.transport.way_out import outgoing_proxy

if TYPE_CHECKING:
    import socket
    import ssl

    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["DEADLINES", "Deadlines", "Stages", "add_tls", "dial_proxy", "reach"]


@frozen
class Deadlines:
    """Seconds for each stage; *connect* leaves the proxy time to reach a slow service, *body* is for a refusal's."""

    dns: float = 5.0
    tcp: float = 10.0
    tls: float = 10.0
    connect: float = 30.0
    body: float = 1.0

    def with_each(self, seconds: float) -> Deadlines:
        """Return these with *seconds* for each stage of a new tunnel; the same ones for 0."""
        return replace(self, dns=seconds, tcp=seconds, tls=seconds, connect=seconds) if seconds else self


DEADLINES: Final = Deadlines()


class Stages(Protocol):
    """Who keeps the times. Each is set as soon as its stage is over, so a failure leaves those before it."""

    timings: StageTimings
    tls: str


async def reach(
    proxy: ProxyOrigin,
    context: ssl.SSLContext | None,
    stages: Stages,
    *,
    deadlines: Deadlines,
    resolve: Resolver,
    ask_at_once: bool = False,
) -> SocketEndpoint:
    """Dial *proxy*, with TLS where there is a *context*; through the outgoing proxy that the environment names, if any.

    :param ask_at_once: the caller writes a request now; the end of the handshake travels with it.
    :raises tunnelui.errors.ProxyError: it can't be reached, or is not the one that it should be.
    :raises tunnelui.errors.ConfigError: the environment names an outgoing proxy that can't be used.
    """
    sock = await dial_proxy(proxy, stages, deadlines=deadlines, resolve=resolve)
    if context is None:
        stages.tls = ""
        return PlainEndpoint(sock, address=str(proxy.address), error=ProxyError)
    return await add_tls(sock, proxy, context, stages, deadlines=deadlines, ask_at_once=ask_at_once)


async def dial_proxy(proxy: ProxyOrigin, stages: Stages, *, deadlines: Deadlines, resolve: Resolver) -> socket.socket:
    """The first half of `reach`: return a connected socket, the caller's to close."""
    way = outgoing_proxy(proxy.scheme, proxy.host)
    if way is None:
        dialed = await dial(proxy.address, timeouts=deadlines, error=ProxyError, resolve=resolve)
    else:
        from tunnelui.transport.outgoing import dial_out  # here, since most networks need none

        timeouts = DialTimeouts(dns=deadlines.dns, tcp=deadlines.tcp)
        dialed = await dial_out(proxy.address, way, timeouts=timeouts, resolve=resolve)
    stages.timings = StageTimings(stages.timings.queue, dialed.dns, dialed.tcp)
    return dialed.sock


async def add_tls(
    sock: socket.socket,
    proxy: ProxyOrigin,
    context: ssl.SSLContext,
    stages: Stages,
    *,
    deadlines: Deadlines,
    ask_at_once: bool = False,
) -> SocketEndpoint:
    """The second half of `reach`; *sock* is its own from now on."""
    before = stages.timings
    began = time.monotonic()
    far = await start_tls(
        sock,
        context,
        server_hostname=name_expected(context, proxy.host),
        timeout=deadlines.tls,
        address=str(proxy.address),
        error=ProxyError,
        hold_last=ask_at_once,
    )
    stages.timings = StageTimings(before.queue, before.dns, before.tcp, time.monotonic() - began)
    stages.tls = far.version
    return far

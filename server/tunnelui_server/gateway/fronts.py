"""The addresses that the gateway listens on."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tunnelui.errors import PortBusyError
from tunnelui.transport.listen import close_listeners, open_listener
from tunnelui.wire.address import TCPListen, parse_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunnelui_server.config import ServerConfig

__all__ = ["reserved", "web_address"]


def web_address(config: ServerConfig) -> TCPListen | None:
    """The second listener: where ``authenticate_service_url`` is plain HTTP on the loopback and not the first one."""
    url = urlsplit(config.authenticate_url or "")
    if url.scheme != "http" or url.hostname is None:
        return None
    address = TCPListen(parse_host(url.hostname), url.port or 80)
    if config.insecure_server and address.port == config.address.port:
        return None
    return address


@contextlib.contextmanager
def reserved(config: ServerConfig) -> Iterator[TCPListen]:
    """Hold the ports of several workers while the block runs; gives the address with its port chosen.

    Sockets that share a port (SO_REUSEPORT) would share it with any other server of the same user as well, in silence.
    So it is made sure first that nobody listens there. Then the ports are bound, without listening: nobody else gets
    one in the moment in which no worker has it.

    :raises tunnelui.errors.LocalError: an address is taken, not ours, or needs privileges.
    """
    web = web_address(config)
    with contextlib.ExitStack() as stack:
        listeners = open_listener(config.address)
        try:
            others = open_listener(web) if web is not None else []
            names = [(one.family, one.getsockname()) for one in (*listeners, *others)]
            close_listeners(others)
        finally:
            close_listeners(listeners)
        for family, name in names:
            sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            # Without SO_REUSEADDR: with it, a socket that does not listen keeps nobody away.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind(name)
            except OSError as error:  # somebody came in between
                raise PortBusyError(str(replace(config.address, port=name[1]))) from error
        yield replace(config.address, port=names[0][1][1])

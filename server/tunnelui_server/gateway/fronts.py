"""The addresses that the gateway listens on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tunnelui.transport.listen import close_listeners, open_listener
from tunnelui.wire.address import TCPListen, parse_host

if TYPE_CHECKING:
    from tunnelui_server.config import ServerConfig

__all__ = ["free_address", "web_address"]


def web_address(config: ServerConfig) -> TCPListen | None:
    """The second listener: where ``authenticate_service_url`` is plain HTTP on the loopback and not the first one."""
    url = urlsplit(config.authenticate_url or "")
    if url.scheme != "http" or url.hostname is None:
        return None
    address = TCPListen(parse_host(url.hostname), url.port or 80)
    if config.insecure_server and address.port == config.address.port:
        return None
    return address


def free_address(config: ServerConfig) -> TCPListen:
    """Make sure that nobody listens where several workers are about to, and return the address with its port chosen.

    Sockets that share a port (SO_REUSEPORT) would share it with any other server of the same user as well, in silence.

    :raises tunnelui.errors.LocalError: an address is taken, not ours, or needs privileges.
    """
    listeners = open_listener(config.address)
    port = int(listeners[0].getsockname()[1])
    try:
        web = web_address(config)
        if web is not None:
            close_listeners(open_listener(web))
    finally:
        close_listeners(listeners)
    return replace(config.address, port=port)

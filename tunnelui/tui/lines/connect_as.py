"""The ways in which a tunnel's local end can be written down, for copying and for opening."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tunnelui.config.services import service_of
from tunnelui.frozen import frozen
from tunnelui.tui.lines.command_line import equivalent_command
from tunnelui.tui.lines.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["Way", "client_command", "proxy_example", "ways_to_connect"]

_SSH = 22
_WEB = {"80": "http", "443": "https", "3000": "http", "8080": "http", "8443": "https"}
"""Ports that curl is likely to get an answer from, and how."""


@frozen
class Way:
    """One spelling. *key* picks it; *text* is exactly what is copied."""

    key: str
    title: str
    text: str


def ways_to_connect(tunnel: TunnelSnapshot) -> list[Way]:
    """Return every way that *tunnel* has now: few while it has no local address, or one that is no port."""
    local = tunnel.local or tunnel.route.listen
    target = tunnel.target or tunnel.route.destination
    service = service_of(target)
    ways: list[Way] = []
    if local:
        ways.append(Way("a", "address", local))
    if place := _place(local):
        host, port = place
        ways += [Way("p", "port", port), Way("u", "URL", f"{service.scheme}://{local}")]
        if service.dsn:
            ways.append(Way("d", "DSN", _filled(service.dsn, host, port)))
        pairs = service.environment or (("TUNNELUI_HOST", "{host}"), ("TUNNELUI_PORT", "{port}"))
        exports = " ".join(f"{name}={shlex.quote(_filled(value, host, port))}" for name, value in pairs)
        ways.append(Way("e", "environment", f"export {exports}"))
        if words := client_command(tunnel):
            ways.append(Way("o", "client", shlex.join(words)))
    if target.rpartition(":")[2] == str(_SSH):
        proxied = f"tunnelui tcp --listen - {shlex.quote(tunnel.route.destination)}"
        ways.append(Way("s", "ssh option", f"-o {shlex.quote(f'ProxyCommand={proxied}')}"))
    ways.append(Way("c", "command", " ".join(equivalent_command(tunnel.route))))
    return ways


def has_client(tunnel: TunnelSnapshot) -> bool:
    """Whether a program is known for the route."""
    return bool(tunnel.route.command or service_of(tunnel.target or tunnel.route.destination).client)


def client_command(tunnel: TunnelSnapshot) -> list[str]:
    """Return the words of the client command: the route's own, or the usual one for its port; perhaps none.

    No shell reads them: the address is put into words that were split before.
    """
    place = _place(tunnel.local or tunnel.route.listen)
    command = tunnel.route.command or service_of(tunnel.target or tunnel.route.destination).client
    if place is None or not command:
        return []
    return [_filled(word, *place).replace("{name}", tunnel.route.name) for word in shlex.split(command)]


def _place(local: str) -> tuple[str, str] | None:
    """Host and port of *local*, as a program on this machine connects to it; None for a socket file."""
    host, colon, port = local.rpartition(":")
    if not colon or not port.isdecimal():
        return None
    host = host.strip("[]")
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _filled(text: str, host: str, port: str) -> str:
    return text.replace("{host}", host).replace("{port}", port)


def proxy_example(local: str, tunnels: Iterable[TunnelSnapshot]) -> str:
    """Return a command that uses proxy mode at *local*: for a web service of *tunnels*, if there is one."""
    for tunnel in tunnels:
        scheme = _WEB.get(tunnel.target.rpartition(":")[2])
        if scheme is not None:
            return f"curl --proxy socks5h://{local} {scheme}://{safe(tunnel.target, 200)}/"
    return f"curl --proxy socks5h://{local} https://HOST/"

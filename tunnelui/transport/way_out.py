"""Which way leads out of this network, as the environment names it: directly, or through a company's proxy.

The rules are those that httpx has for a sign-in, so that both go the same way: ``HTTPS_PROXY`` (for an ``http`` origin
``HTTP_PROXY``), else ``ALL_PROXY``, small letters first; ``NO_PROXY`` lists hosts, domains (``.corp.example.com``) or
``*``. The loopback is always reached directly. `tunnelui.transport.outgoing` goes through the proxy.
"""

from __future__ import annotations

import functools
import ipaddress
import os
from dataclasses import field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.wire.address import AddressError, HostPort, parse_host

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LET_THROUGH_HINT", "WHO_HINT", "OutgoingProxy", "outgoing_proxy"]

WHO_HINT: Final = "Put user and password into the variable: http://USER:PASSWORD@HOST:PORT."
LET_THROUGH_HINT: Final = (
    "Ask the administrator of the outgoing proxy (HTTPS_PROXY) to let this through, or name the host in NO_PROXY."
)

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@frozen
class OutgoingProxy:
    """*scheme* is ``http``, ``https``, ``socks5`` or ``socks5h``; the name beyond it is always looked up there."""

    scheme: str
    address: HostPort
    user: str = ""
    password: str = field(default="", repr=False)


def outgoing_proxy(scheme: str, host: str, environ: Mapping[str, str] = os.environ) -> OutgoingProxy | None:
    """Return what stands between us and *host*, which is reached by *scheme* (``https`` or ``http``).

    :raises ConfigError: the variable that counts names no proxy that can be used.
    """
    if _is_loopback(host):
        return None
    name, value = _variable(scheme, environ)
    if not value or _is_excepted(host, _get("NO_PROXY", environ)):
        return None
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port
        if parts.scheme not in _PORTS:
            raise ConfigError(
                f"a tunnel can't go through a proxy by {clean(parts.scheme, 20)}://",
                place=name,
                hint="Name an http://, https:// or socks5:// proxy, or put the host into NO_PROXY.",
            )
        address = HostPort(parse_host(parts.hostname or ""), _PORTS[parts.scheme] if port is None else port)
    except (ValueError, AddressError):
        # Not the value: it may hold a password.
        raise ConfigError("this is no address of a proxy", place=name, hint="Write http://HOST:PORT.") from None
    return OutgoingProxy(parts.scheme, address, unquote(parts.username or ""), unquote(parts.password or ""))


def _variable(scheme: str, environ: Mapping[str, str]) -> tuple[str, str]:
    own = f"{scheme.upper()}_PROXY"
    if own == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
        own = "ALL_PROXY"  # in a CGI program that variable comes from a stranger's Proxy header
    return next(((name, value) for name in (own, "ALL_PROXY") if (value := _get(name, environ))), (own, ""))


def _get(name: str, environ: Mapping[str, str]) -> str:
    small = environ.get(name.lower())
    return (environ.get(name, "") if small is None else small).strip()


@functools.lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_excepted(host: str, exceptions: str) -> bool:
    for entry in exceptions.lower().split(","):
        name = entry.strip()
        if name == "*":
            return True
        if name and (host == name or host.endswith(name if name.startswith(".") else f".{name}")):
            return True
    return False

"""What the user asks for, turned into a CONNECT target and the proxy that takes it.

Three spellings, as in pomerium-cli: ``HOST:PORT``, ``tcp+https://HOST:PORT`` and
``tcp+https://PROXY[:PORT]/HOST:PORT``. ``--proxy-url`` replaces the proxy that follows from the text.
"""

from __future__ import annotations

import functools
from typing import Final, Literal, cast

from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.wire.address import AddressError, HostPort, parse_host_port

__all__ = ["Destination", "DestinationError", "ProxyOrigin", "parse_destination", "parse_proxy_url"]

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_EXAMPLES: Final = "Write HOST:PORT, tcp+https://HOST:PORT, or tcp+https://PROXY/HOST:PORT."

_KEPT: Final = 1 << 13
"""Readings that are remembered: with thousands of routes, a change of one reads all of them again."""


class DestinationError(ConfigError):
    """Text that names no destination or no proxy; ``hint`` says how to write one."""

    default_code = "destination"


@frozen
class ProxyOrigin:
    """Scheme, host and port of a proxy (RFC 6454). ``http`` means plain text, for loopback and tests."""

    scheme: Literal["https", "http"]
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"

    @property
    def address(self) -> HostPort:
        return HostPort(self.host, self.port)

    @property
    def url(self) -> str:
        """The origin without a default port: servers that sign URLs see the Host field that a browser would send."""
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return f"{self.scheme}://{str(self.address).rpartition(':')[0]}"
        return str(self)


@frozen
class Destination:
    """*authority* goes into the CONNECT request; *proxy* is dialled."""

    authority: HostPort
    proxy: ProxyOrigin

    @property
    def is_bastion(self) -> bool:
        """Whether the proxy can't be told from the authority alone."""
        return self.proxy != ProxyOrigin("https", self.authority.host, 443)

    def __str__(self) -> str:
        if self.is_bastion:
            return f"tcp+{self.proxy.url}/{self.authority}"
        return str(self.authority)


@functools.lru_cache(maxsize=_KEPT)
def parse_destination(text: str, *, proxy_url: str | None = None) -> Destination:
    """Read a destination; *proxy_url* (``https://PROXY[:PORT]``) overrides the proxy in the text.

    :raises DestinationError: the text is no destination; the sentence gives the reason.
    """
    override = parse_proxy_url(proxy_url) if proxy_url else None
    if "://" not in text:
        authority = _host_port(text, text)
        return Destination(authority, override or ProxyOrigin("https", authority.host, 443))
    scheme, host, path = _split_url(text)
    if not path:
        authority = _host_port(host, text)
        return Destination(authority, override or ProxyOrigin(scheme, authority.host, _DEFAULT_PORTS[scheme]))
    segments = path.split("/")
    if len(segments) > 1:
        raise DestinationError(
            f"“{clean(text)}” has more than one part after the proxy",
            hint="One tunnel has one destination. " + _EXAMPLES,
        )
    proxy = _origin(scheme, host, text)
    return Destination(_host_port(segments[0], text), override or proxy)


@functools.lru_cache(maxsize=_KEPT)
def parse_proxy_url(text: str) -> ProxyOrigin:
    """Read ``https://PROXY[:PORT]`` (or ``http://``); a path is ignored, as pomerium-cli does.

    :raises DestinationError: no scheme, another scheme, or no host.
    """
    if "://" not in text:
        raise DestinationError(f"“{clean(text)}” is no proxy URL", hint=f"Write https://{clean(text)}.")
    scheme, host, _ = _split_url(text)
    return _origin(scheme, host, text)


def _split_url(text: str) -> tuple[Literal["https", "http"], str, str]:
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    base = scheme.removeprefix("tcp+")
    if base not in _DEFAULT_PORTS:
        raise DestinationError(
            f"“{clean(scheme)}://” is no way to a proxy; only tcp+https://, tcp+http://, https:// and http:// are",
            hint="UDP routes are not supported." if scheme.startswith("udp") else _EXAMPLES,
        )
    for mark, name in (
        ("?", "a query"),
        ("#", "a fragment"),
        ("@", "a user name"),
        ("\\", "a backslash"),
    ):
        if mark in rest:
            raise DestinationError(f"“{clean(text)}” has {name}, which means nothing here", hint=_EXAMPLES)
    host, _, path = rest.partition("/")
    return cast('Literal["https", "http"]', base), host, path.rstrip("/")


def _origin(scheme: Literal["https", "http"], host: str, text: str) -> ProxyOrigin:
    address = _host_port(host, text, default_port=_DEFAULT_PORTS[scheme])
    return ProxyOrigin(scheme, address.host, address.port)


def _host_port(part: str, text: str, *, default_port: int | None = None) -> HostPort:
    try:
        return parse_host_port(part, default_port=default_port)
    except AddressError as error:
        where = "" if part == text else f" in “{clean(text)}”"
        raise DestinationError(f"{error.message}{where}", hint=error.hint or _EXAMPLES) from None

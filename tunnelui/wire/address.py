"""Host names, ports and listen addresses as text.

Hosts are kept the way they go on the wire: lower case, IDNA 2008 A-labels (RFC 5891), IPv6 literals compressed and
without brackets (RFC 5952). Brackets come back when an address is printed. Names are compared to decide who may do
what, so no character is ever replaced by one that resembles it: ``straße.de`` and ``strasse.de`` stay two names.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean

__all__ = [
    "AddressError",
    "HostPort",
    "ListenAddress",
    "StdioListen",
    "TCPListen",
    "UnixListen",
    "parse_host",
    "parse_host_port",
    "parse_listen",
]

# RFC 1035 lengths; the underscore is not in RFC 952 but stands in real service names.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_MAX_HOST: Final = 253
# The last label of a DNS name is never all digits (RFC 3696), and resolvers read such names as odd spellings of IPv4
# (decimal, octal, hexadecimal, missing parts), which would let one address hide behind another.
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


class AddressError(ConfigError):
    """Text that is no address. ``place`` is empty: the caller knows where the text came from."""

    default_code = "address"


@frozen
class HostPort:
    """A host and a port, 0 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is a loopback literal or ``localhost``; no name is resolved."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@frozen
class StdioListen:
    """``-``: one connection over standard input and output."""

    def __str__(self) -> str:
        return "-"


@frozen
class TCPListen:
    """A local TCP address. Port 0 asks the system for a free one; an empty host means every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return str(HostPort(self.host, self.port))


@frozen
class UnixListen:
    """A Unix socket, made with mode 0600."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


ListenAddress = StdioListen | TCPListen | UnixListen


def parse_host(text: str) -> str:
    """Return the canonical spelling of a host name or IP literal (IPv6 with or without brackets).

    :raises AddressError: it is empty, too long, or has a character that no host name has.
    """
    if not text:
        raise AddressError("the host is empty")
    if text.startswith("["):
        if not text.endswith("]"):
            raise AddressError(f"“{clean(text)}” has an opening bracket without its end")
        return _parse_ipv6(text[1:-1])
    if ":" in text:
        return _parse_ipv6(text)
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        pass
    return _parse_name(text)


def parse_host_port(text: str, *, default_port: int | None = None) -> HostPort:
    """Read ``HOST:PORT`` or ``[IPV6]:PORT``; without a port, or with an empty one, *default_port* is taken.

    :raises AddressError: no host, no port, or either is wrong.
    """
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        host += bracket
        if rest and not rest.startswith(":"):
            raise AddressError(f"“{clean(text)}” has text between the bracket and the port")
        port_text = rest[1:]
    elif text.count(":") > 1:
        raise AddressError(
            f"“{clean(text)}” has several colons",
            hint="Write an IPv6 address in brackets: [2001:db8::1]:22.",
        )
    else:
        host, _, port_text = text.partition(":")
    if not port_text:
        if default_port is None:
            raise AddressError(f"“{clean(text)}” has no port", hint="Write HOST:PORT.")
        return HostPort(parse_host(host), default_port)
    return HostPort(parse_host(host), parse_port(port_text, lowest=1))


def parse_port(text: str, *, lowest: int = 0) -> int:
    """Read a decimal port number between *lowest* and 65535.

    :raises AddressError: anything else.
    """
    if not _PORT.fullmatch(text) or not lowest <= int(text) <= 65535:
        raise AddressError(f"“{clean(text)}” is no port", hint=f"A port is a number from {lowest} to 65535.")
    return int(text)


def parse_listen(text: str) -> ListenAddress:
    """Read a ``--listen`` value: ``-``, ``HOST:PORT``, ``:PORT``, ``[::1]:22``, ``PORT`` (loopback) or ``unix:/PATH``.

    :raises AddressError: anything else.
    """
    if text == "-":
        return StdioListen()
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise AddressError(f"“{clean(text)}” names no file", hint="Write unix:/path/to/socket.")
        return UnixListen(path)
    if _PORT.fullmatch(text):
        return TCPListen("127.0.0.1", parse_port(text))
    if text.startswith(":") and not text.startswith("::"):
        return TCPListen("", parse_port(text[1:]))
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")) or (host.startswith("[") and not host.endswith("]")):
        raise AddressError(
            f"“{clean(text)}” is no listen address",
            hint="Write HOST:PORT, :PORT, PORT, [::1]:PORT, unix:/path, or - for standard input and output.",
        )
    return TCPListen(parse_host(host), parse_port(port))


def _parse_ipv6(text: str) -> str:
    if "%" in text:
        raise AddressError(f"“{clean(text)}” has a zone, which only one machine understands")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise AddressError(f"“{clean(text)}” is no IPv6 address") from None
    # RFC 5952 section 5; what str() makes of such an address depends on the version of Python.
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


def _parse_name(text: str) -> str:
    if len(text) > _MAX_HOST + 1:  # also keeps long text away from the IDNA tables, which are slow
        raise AddressError(f"“{clean(text)}” is no host name")
    name = (text.lower() if text.isascii() else _to_ascii(text)).removesuffix(".")
    labels = name.split(".")
    if len(name) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError(f"“{clean(text)}” is no host name")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise AddressError(f"“{clean(text)}” is neither a host name nor a full IPv4 address")
    return name


def _to_ascii(text: str) -> str:
    """A-labels in the place of U-labels; mapping of RFC 5895 is left out but for letter case."""
    import unicodedata

    import idna  # here: its tables are large, and nearly every name is ASCII

    # Before lower(), which makes an ASCII k of the Kelvin sign. Every letter of IDNA 2008 passes, in either case.
    if unicodedata.normalize("NFKC", text) != text:
        raise AddressError(f"“{clean(text)}” has a character that stands for another; write that one")
    labels = text.lower().split(".")
    try:
        return ".".join(label if label.isascii() else idna.alabel(label).decode("ascii") for label in labels)
    except UnicodeError:
        raise AddressError(f"“{clean(text)}” is no host name") from None

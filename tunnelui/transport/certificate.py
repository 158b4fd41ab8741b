"""The names in an X.509 certificate, read from its DER bytes.

The standard library shows names only of certificates that it has verified; a message about a certificate that was
refused needs them all the same, and so does the choice of a server's certificate by name (SNI).
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["certificate_names", "certificate_validity", "first_certificate", "matches"]

# X.690 tags.
_SEQUENCE: Final = 0x30
_OID: Final = 0x06
_OCTET_STRING: Final = 0x04
_EXTENSIONS: Final = 0xA3  # [3] EXPLICIT in TBSCertificate, RFC 5280 section 4.1
_DNS_NAME: Final = 0x82  # GeneralName, RFC 5280 section 4.2.1.6
_IP_ADDRESS: Final = 0x87
_VERSION: Final = 0xA0  # [0] EXPLICIT in TBSCertificate
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_SUBJECT_ALT_NAME: Final = bytes.fromhex("551d11")  # 2.5.29.17


def certificate_names(der: bytes) -> tuple[str, ...]:
    """The DNS names and IP addresses of the subjectAltName extension, lower case, in order.

    Bytes that are no certificate, or one without the extension, give no names: this feeds messages and never trust.
    """
    try:
        return tuple(_names(der))
    except (ValueError, IndexError):
        return ()


def certificate_validity(der: bytes) -> tuple[float, float] | None:
    """The Unix times from which and until which the certificate counts (RFC 5280 section 4.1.2.5), for messages."""
    try:
        fields = [value for tag, value in _elements(_value(_value(der, _SEQUENCE), _SEQUENCE)) if tag != _VERSION]
        # serialNumber, signature, issuer, validity
        begin, end = (_time(tag, value) for tag, value in _elements(fields[3]))
    except (ValueError, IndexError):
        return None
    return begin, end


def first_certificate(path: str) -> bytes:
    """The DER bytes of the first certificate in a PEM file.

    :raises OSError: the file can't be read.
    :raises ValueError: it holds no certificate.
    """
    text = Path(path).read_text("ascii", "replace")
    begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER)
    if begin < 0 or end < begin:
        raise ValueError("no certificate in PEM form")
    return ssl.PEM_cert_to_DER_cert(text[begin : end + len(ssl.PEM_FOOTER)])


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a server name is among *patterns*; a wildcard stands for exactly one whole label (RFC 9525)."""
    name = name.lower().removesuffix(".")
    _, _, parent = name.partition(".")
    return name in patterns or (bool(parent) and f"*.{parent}" in patterns)


def _time(tag: int, value: bytes) -> float:
    from datetime import UTC, datetime  # here: seldom wanted, and a start waits for no import that it does not need

    text = value.decode("ascii")
    if tag == _UTC_TIME:  # two digits: 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _names(der: bytes) -> Iterator[str]:
    for tag, value in _elements(_value(_value(der, _SEQUENCE), _SEQUENCE)):
        if tag != _EXTENSIONS:
            continue
        for _, extension in _elements(_value(value, _SEQUENCE)):
            parts = list(_elements(extension))
            if parts[0] != (_OID, _SUBJECT_ALT_NAME) or parts[-1][0] != _OCTET_STRING:
                continue
            for kind, name in _elements(_value(parts[-1][1], _SEQUENCE)):
                if kind == _DNS_NAME:
                    yield name.decode("ascii", "replace").lower()
                elif kind == _IP_ADDRESS:
                    yield str(ipaddress.ip_address(name))


def _value(data: bytes, wanted: int) -> bytes:
    tag, value = next(_elements(data), (0, b""))
    if tag != wanted:
        raise ValueError("not the structure of a certificate")
    return value


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag-length-value elements that follow one another in *data*."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[at : at + length]
        at += length

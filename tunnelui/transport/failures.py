"""What went wrong, for messages alone: why a certificate is not trusted and what to do about it, and what lies beneath
the errors of a library that talks to a peer itself (httpx).
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ProxyError
from tunnelui.text import clean
from tunnelui.transport.certificate import certificate_validity
from tunnelui.transport.contexts import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["outgoing_failure", "proxy_failure", "trust_hint"]

# x509_vfy.h, X509_V_ERR_…
_NOT_YET: Final = 9
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})  # of a host, of an address
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
_RESETS: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


def trust_hint(error: ssl.SSLCertVerificationError, der: bytes | None = None) -> str | None:
    """Return what to do about a certificate that was refused; ``None`` where there is nothing special to say.

    :param der: the certificate, where it is known.
    """
    code = error.verify_code
    begin, end = (der and certificate_validity(der)) or (None, None)
    clock = f"this machine's clock says {_day(time.time())}"
    if code == _NOT_YET:
        since = f"It counts from {_day(begin)} on, and" if begin is not None else "It does not count yet:"
        return f"{since} {clock}. Set the clock right, or ask whoever runs the proxy."
    if code == _EXPIRED:
        until = f"It ended on {_day(end)}, and" if end is not None else "It has ended:"
        return f"{until} {clock}. If that is right, whoever runs the proxy has to renew it."
    if code in _OTHER_NAME:
        return (
            "Use a name that the certificate has, or say which one is right: server_name of the profile, config.toml."
        )
    if code in _UNKNOWN_AUTHORITY:
        return "Name the CA that has signed it (--alternate-ca-path FILE); don't skip the check."
    return None


def proxy_failure(error: BaseException, address: str) -> ProxyError:
    """Return what *error* comes from: the system, OpenSSL, or a peer at *address* that speaks something else."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = trust_hint(cause)
            return ProxyError("certificate", address=address, stage="tls", detail=reason(cause), hint=hint)
        if isinstance(cause, ssl.SSLError):
            return ProxyError("tls", address=address, stage="tls", detail=reason(cause))
        if isinstance(cause, socket.gaierror):
            return ProxyError("dns", address=address, stage="dns", detail=clean(cause.strerror or ""))
        if isinstance(cause, ConnectionRefusedError):
            return ProxyError("refused", address=address, stage="tcp")
        if isinstance(cause, OSError) and cause.errno:
            code = "reset" if cause.errno in _RESETS else "unreachable"
            return ProxyError(code, address=address, stage="connect", detail=os.strerror(cause.errno))
    return ProxyError("unreachable", address=address, stage="connect", detail=clean(str(error)) or type(error).__name__)


def outgoing_failure(error: Exception, address: str) -> ProxyError:
    """Return what the proxy of the environment has said instead of a way to *address*, by what httpx tells of it."""
    from tunnelui.transport.way_out import LET_THROUGH_HINT, WHO_HINT  # here: few have such a proxy

    words = clean(str(error)) or type(error).__name__
    hint = WHO_HINT if words.startswith("407") else LET_THROUGH_HINT
    return ProxyError(
        "unreachable", address=address, stage="tcp", detail=f"the outgoing proxy says “{words}”", hint=hint
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """*error* and all that it was made from, the outermost first."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))

"""Every error that tunnelui raises on purpose.

::

    TunnelError
    ├── ConfigError          a file, a flag or an argument is wrong; names the place
    ├── ProtocolError        bytes from the other side break the grammar (tunnelui.wire)
    ├── LocalError           this machine: a local port, a file, a descriptor
    │   └── PortBusyError    the local port is taken
    ├── PeerError            a machine that we dial or talk to
    │   ├── ProxyError       the identity-aware proxy: unreachable, TLS, reset, odd answer
    │   └── UpstreamError    the service behind the proxy, or a server's own upstream
    └── AuthError            who you are, and what you may do
        ├── SignInNeeded     no usable token, and nobody may be asked for one here
        ├── SignInFailed     a sign-in was tried and did not end with a token
        └── AccessDenied     signed in, and not allowed (403)

Each error carries a stable ``code`` for programs, a sentence for people (``str(error)``), a ``hint`` with the next
step, and the ``request_id`` of the server's answer where there is one. ``OSError`` and ``ssl.SSLError`` are turned into
`PeerError` in `tunnelui.transport` and nowhere else.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessDenied",
    "AuthError",
    "ConfigError",
    "LocalError",
    "PeerError",
    "PortBusyError",
    "ProtocolError",
    "ProxyError",
    "SignInFailed",
    "SignInNeeded",
    "TunnelError",
    "UpstreamError",
]


class TunnelError(Exception):
    """The root. ``message`` is one sentence without the next step; ``hint`` is the next step, or empty."""

    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.hint = hint
        self.request_id = request_id

    @property
    def message(self) -> str:
        return str(self.args[0])


class ConfigError(TunnelError):
    """Wrong input. ``place`` says where: a flag, a file, or ``FILE:LINE``."""

    default_code = "config"

    def __init__(self, message: str, *, place: str = "", code: str | None = None, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class ProtocolError(TunnelError):
    """Bytes that the grammar does not allow. ``status_hint`` is the HTTP status that a server would answer with."""

    default_code = "protocol"

    def __init__(self, message: str, *, code: str | None = None, status_hint: int = 400) -> None:
        super().__init__(message, code=code)
        self.status_hint = status_hint


class LocalError(TunnelError):
    """This machine said no."""

    default_code = "local"


class PortBusyError(LocalError):
    """The local address is taken. ``address`` is what was asked for; ``holder`` names the process where it is known."""

    default_code = "port_busy"

    def __init__(self, address: str, *, holder: str = "") -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"{address} is already in use{by}",
            hint="Stop the other program, or choose another address; port 0 picks a free one.",
        )
        self.address = address
        self.holder = holder


class PeerError(TunnelError):
    """Trouble with a machine on the way.

    :param code: ``dns``, ``refused``, ``unreachable``, ``timeout``, ``certificate``, ``tls``, ``reset``, ``truncated``,
        ``closed``, ``answer`` or ``unavailable``.
    :param address: ``HOST:PORT`` as it was dialled.
    :param stage: ``dns``, ``tcp``, ``tls``, ``connect``, ``first_byte`` or ``relay``: where it happened.
    :param detail: the facts in a few words: the system's message, the certificate's names, the status line.
    :param status: the HTTP status, when the trouble is an answer.
    """

    role: ClassVar[str] = "peer"
    default_code = "peer"

    def __init__(
        self,
        code: str,
        *,
        address: str,
        stage: str,
        detail: str = "",
        hint: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.address = address
        self.stage = stage
        self.detail = detail
        self.status = status
        sentence = _SENTENCES.get(code, "{role} {address} failed")
        text = sentence.format(role=f"the {self.role}", address=address)
        if detail:
            text = f"{text}: {detail}"
        super().__init__(
            text,
            code=code,
            hint=_HINTS.get(code, "").format(role=self.role) if hint is None else hint,
            request_id=request_id,
        )


class ProxyError(PeerError):
    """The identity-aware proxy, or the way to it."""

    role = "proxy"


class UpstreamError(PeerError):
    """The service at the far end."""

    role = "service"


class AuthError(TunnelError):
    """Who you are, or what you may do."""

    default_code = "auth"


class SignInNeeded(AuthError):
    """The proxy wants a sign-in and this run may not start one."""

    default_code = "sign_in_needed"


class SignInFailed(AuthError):
    """A sign-in ended without a token: cancelled, timed out, refused, or the token did not help."""

    default_code = "sign_in_failed"


class AccessDenied(AuthError):
    """Signed in and not allowed here (403). The token is good and stays."""

    default_code = "denied"


_SENTENCES = {
    "dns": "the name of {role} {address} does not resolve",
    "refused": "{role} {address} refused the connection",
    "unreachable": "{role} {address} can't be reached",
    "timeout": "{role} {address} did not answer in time",
    "certificate": "the certificate of {role} {address} is not trusted",
    "tls": "TLS with {role} {address} failed",
    "reset": "{role} {address} reset the connection",
    "truncated": "{role} {address} cut the connection short",
    "closed": "{role} {address} closed the connection",
    "answer": "{role} {address} gave an unexpected answer",
    "unavailable": "{role} {address} is unavailable",
}

_HINTS = {
    "dns": "Check the name, and whether this machine is on the right network or VPN.",
    "refused": "Check that the {role} is running and that the port is right.",
    "unreachable": "Check the network connection, VPN and firewall.",
    "timeout": "Check the network connection, VPN and firewall; the {role} may be overloaded.",
    "certificate": "Name the right CA (--alternate-ca-path FILE) or the right host; don't skip the check.",
    "tls": "Check that the address and port speak TLS, and that a client certificate is given where one is wanted.",
    "reset": "Try again; if it goes on, ask the {role}'s administrator.",
    "truncated": "The data may be incomplete. Try again.",
    "closed": "Try again; if it goes on, ask the {role}'s administrator.",
    "answer": "Check that the address is an identity-aware proxy and not some other web server.",
    "unavailable": "The service behind the proxy is down, or the proxy can't reach it. It is tried again by itself.",
}

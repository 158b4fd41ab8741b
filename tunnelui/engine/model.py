"""What an engine says of its tunnels: frozen values with a JSON form.

Times named ``*_at`` are Unix seconds (wall clock, for people to read); durations are seconds of the monotonic clock.
``in`` is towards the local program, ``out`` is towards the far side. Text that came from elsewhere is already clean.
"""

from __future__ import annotations

import time
from dataclasses import asdict, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from tunnelui.config.route import Route
    from tunnelui.errors import TunnelError

__all__ = [
    "ConnectionSnapshot",
    "ConnectionState",
    "EngineSnapshot",
    "Event",
    "IdentitySnapshot",
    "IdentityStatus",
    "Problem",
    "ProfileSnapshot",
    "ProxyModeSnapshot",
    "SignInSnapshot",
    "StageTimings",
    "State",
    "TunnelSnapshot",
    "to_json",
]


class State(StrEnum):
    """The state of a tunnel; `tunnelui.engine.states` says what leads from one to the other."""

    OFF = "off"
    READY = "ready"
    LIVE = "live"
    AUTH = "auth"
    RETRY = "retry"
    DENIED = "denied"
    PORT_BUSY = "port busy"
    ERROR = "error"


class ConnectionState(StrEnum):
    """Where one connection stands."""

    SIGN_IN = "waiting for sign-in"
    CONNECTING = "connecting"
    OPEN = "open"
    HALF_CLOSED = "half-closed"
    CLOSED = "closed"


@frozen
class StageTimings:
    """How long each stage took, in seconds; ``None`` where it was not reached or not needed."""

    queue: float | None = None
    dns: float | None = None
    tcp: float | None = None
    tls: float | None = None
    connect: float | None = None
    first_byte: float | None = None

    def answered(self, connect: float) -> StageTimings:
        """These, with the time of the proxy's answer. Much cheaper than `dataclasses.replace`."""
        return StageTimings(self.queue, self.dns, self.tcp, self.tls, connect, self.first_byte)

    def spoken(self, first_byte: float) -> StageTimings:
        """These, with the time of the first byte from the far side."""
        return StageTimings(self.queue, self.dns, self.tcp, self.tls, self.connect, first_byte)

    @property
    def handshake(self) -> float | None:
        """From dialling to the proxy's answer."""
        if self.connect is None:
            return None
        return (self.dns or 0.0) + (self.tcp or 0.0) + (self.tls or 0.0) + self.connect


@frozen
class Problem:
    """A `tunnelui.errors.TunnelError` as a value."""

    code: str
    message: str
    hint: str
    at: float
    request_id: str | None = None

    @classmethod
    def from_error(cls, error: TunnelError) -> Problem:
        """Return the error as a value, dated now."""
        return cls(error.code, str(error), error.hint, time.time(), error.request_id)


@frozen
class ConnectionSnapshot:
    """One accepted local socket. ``cause`` says why it closed, in words; ``peer`` is the local program's address."""

    id: int
    peer: str
    state: ConnectionState
    opened_at: float
    closed_at: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    timings: StageTimings = StageTimings()
    tls: str = ""
    cause: str = ""
    request_id: str | None = None


@frozen
class TunnelSnapshot:
    """A route and what became of it.

    :param local: the address that listens, or the one that would; empty while any free port would do and none is open.
    :param proxy: the proxy's origin, ``https://HOST:PORT``; empty when the destination does not parse.
    :param target: the CONNECT authority.
    :param connections: the live ones, then up to 20 closed ones, newest first.
    :param live: how many connections are open.
    :param bytes_in: since the tunnel was last started, closed connections included.
    :param retry_at: when the next try comes, in the states ``retry`` and ``port busy``. In ``retry``, ``None`` means
        that nobody waits and the next local connection tries again.
    """

    route: Route
    state: State
    local: str = ""
    proxy: str = ""
    target: str = ""
    live: int = 0
    connections: tuple[ConnectionSnapshot, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    problem: Problem | None = None
    retry_at: float | None = None
    started_at: float | None = None


class IdentityStatus(StrEnum):
    """What is known of the person at one proxy. Only the proxy can say whether a token still counts."""

    SIGNED_OUT = "signed out"
    SIGNED_IN = "signed in"
    EXPIRED = "expired"
    SERVICE_ACCOUNT = "service account"


@frozen
class SignInSnapshot:
    """A sign-in under way. ``waiting`` are the names of the routes whose connections wait for it.

    :param url: what to open in a browser; empty until the proxy has given it.
    :param note: one line on how it goes: ``the browser did not start``.
    """

    started_at: float
    deadline_at: float
    url: str = ""
    waiting: tuple[str, ...] = ()
    note: str = ""


@frozen
class IdentitySnapshot:
    """One profile at one proxy. ``name`` is an e-mail address or a subject, as far as the token tells.

    :param signed_in_at: when, if that was seen by this engine; *signed_in_by* says how: ``browser`` or ``paste``.
    """

    profile: str
    proxy: str
    status: IdentityStatus
    name: str = ""
    expires_at: float | None = None
    store: str = ""
    sign_in: SignInSnapshot | None = None
    problem: Problem | None = None
    signed_in_at: float | None = None
    signed_in_by: str = ""


@frozen
class ProfileSnapshot:
    """A profile that routes may name. ``proxy_url`` is empty where the destination alone decides.

    :param ca: the file of authorities beside the system's, or where else they come from; empty for the system's alone.
    :param client_cert: a file; empty for none.
    :param verify: whether the proxy's certificate is checked.
    :param service_account: where its token comes from, a file or ``config.toml``; never the token.
    """

    name: str
    proxy_url: str = ""
    ca: str = ""
    client_cert: str = ""
    verify: bool = True
    server_name: str = ""
    service_account: str = ""
    opens_browser: bool = True


@frozen
class ProxyModeSnapshot:
    """Proxy mode: one local port, SOCKS5 and HTTP CONNECT, that leads to every route by its real name.

    :param local: the address that listens, or the last one that was asked for; empty when none was.
    :param since: when it was turned on; ``None`` while it is off.
    :param live: how many local programs it serves.
    :param problem: why it is off although it was asked for.
    """

    on: bool = False
    local: str = ""
    since: float | None = None
    live: int = 0
    problem: Problem | None = None


@frozen
class EngineSnapshot:
    """Everything at one moment. ``version`` grows with every change, byte counters included."""

    version: int = 0
    tunnels: tuple[TunnelSnapshot, ...] = ()
    identities: tuple[IdentitySnapshot, ...] = ()
    profiles: tuple[ProfileSnapshot, ...] = ()
    notes: tuple[str, ...] = ()
    proxy_mode: ProxyModeSnapshot = ProxyModeSnapshot()

    def tunnel(self, name: str) -> TunnelSnapshot | None:
        return next((tunnel for tunnel in self.tunnels if tunnel.route.name == name), None)


@frozen
class Event:
    """Something that happened, for logs and ``--json``.

    :param kind: ``listening``, ``state``, ``accepted``, ``sign_in``, ``signed_in``, ``retry``, ``open``, ``closed``,
        ``failed``, ``stopped``, ``note``. A connection is ``accepted``, ``open`` if it comes to
        that, and in the end ``closed`` or ``failed``.
    :param level: ``debug``, ``info``, ``warning`` or ``error``.
    :param message: one line for people.
    :param data: the facts, JSON types only.
    """

    kind: str
    at: float
    message: str
    level: str = "info"
    route: str = ""
    connection: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


def to_json(
    value: EngineSnapshot | TunnelSnapshot | ConnectionSnapshot | IdentitySnapshot | Event | Problem,
) -> dict[str, Any]:
    """Return a dictionary of JSON types, keys as the field names."""
    return asdict(value)

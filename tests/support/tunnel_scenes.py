"""Snapshots to show: one tunnel in every state, hostile text, many routes."""

from __future__ import annotations

from dataclasses import replace

from tests.support.filled import filled
from tunnelui.config.discovery import Offer
from tunnelui.config.route import Route
from tunnelui.engine.findings import Finding, Outcome
from tunnelui.engine.model import (
    ConnectionSnapshot,
    ConnectionState,
    Event,
    IdentitySnapshot,
    IdentityStatus,
    Problem,
    ProfileSnapshot,
    SignInSnapshot,
    StageTimings,
    State,
    TunnelSnapshot,
)

__all__ = [
    "HOSTILE",
    "IDENTITY",
    "NOW",
    "OFFER",
    "PROFILES",
    "PROXY",
    "diagnosis",
    "events",
    "every_state",
    "hostile_tunnel",
    "identity",
    "many",
]

NOW = 1_790_000_000.0
PROXY = "https://pomerium.corp.example:443"
PROFILES = (ProfileSnapshot("default"), ProfileSnapshot("corp", "https://pomerium.corp.example"))
URL = (
    "https://authenticate.corp.example/.pomerium/sign_in?pomerium_expiry=1790000300&pomerium_issued=1790000000"
    "&pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%3A40001%2F9a8c0f2d7be14c55&pomerium_signature=J2hG8sKq0Zt1vQxN4mRy"
)
HOSTILE = (
    "[/foo] x",
    "db[prod] x",
    'a=[x="y] z',
    "[link=http://x]y[/link]",
    "[@click=app.quit]click[/]",
    "\\[esc]",
    "[1, 2",
    "\x1b[31mred\x1b[0m\x1b]52;c;aGk=\x07",
    "\u202egnp.exe\u2066",
    "日本語のルート名",
    "👩‍👩‍👧 e\u0301\u0301\u0301\u0301\u0301\u0301",
    "x" * 10_000,
)


_USUAL = StageTimings(queue=0.0004, dns=0.0021, tcp=0.011, tls=0.024, connect=0.1469, first_byte=0.012)


def _tunnel(name: str, state: State, target: str, local: str, **fields: object) -> TunnelSnapshot:
    route = Route(
        name,
        target,
        listen=local,
        profile="corp",
        tags=("db", "prod") if "db" in name else ("lab",),
        autostart="db" in name,
    )
    return replace(
        TunnelSnapshot(route, state, local=local, proxy=PROXY, target=target),
        **fields,  # type: ignore[arg-type]  # fields of the snapshot, named by the scene
    )


def _connection(id: int, peer: str, state: ConnectionState, age: float, **fields: object) -> ConnectionSnapshot:
    return replace(
        ConnectionSnapshot(id, peer, state, NOW - age, timings=_USUAL, tls="TLS 1.3"),
        **fields,  # type: ignore[arg-type]  # as above
    )


def every_state() -> tuple[TunnelSnapshot, ...]:
    """The eight routes of the design, one in each state."""
    connections = (
        _connection(1, "127.0.0.1:51220", ConnectionState.OPEN, 2190, bytes_in=1_782_579, bytes_out=307_200),
        _connection(2, "127.0.0.1:51388", ConnectionState.HALF_CLOSED, 41, bytes_in=94_208, bytes_out=12_288),
        _connection(
            3, "127.0.0.1:50911", ConnectionState.CLOSED, 2520, bytes_in=4198, bytes_out=2048, closed_at=NOW - 17,
            cause="closed by peer", request_id="3f1c9d20",
        ),
    )  # fmt: skip
    unavailable = Problem(
        "unavailable",
        "the proxy pomerium.corp.example:443 is unavailable: 503 upstream unavailable",
        "The service behind the proxy is down, or the proxy can't reach it. It is tried again by itself.",
        NOW - 4,
        request_id="7be14c55",
    )
    denied = Problem(
        "denied",
        "alice@corp.example may not use billing.corp:5432",
        "Ask the owner of the route for access.",
        NOW - 60,
        request_id="9a8c0f2d",
    )
    busy = Problem(
        "port_busy",
        "127.0.0.1:3389 is already in use by xrdp (pid 812)",
        "Stop the other program, or choose another local port.",
        NOW - 600,
    )
    untrusted = Problem(
        "certificate",
        "the certificate of the proxy pomerium.lab.example:443 is not trusted: it is for old.lab.example",
        "Name the right CA (--alternate-ca-path FILE) or the right host; don't skip the check.",
        NOW - 8,
    )
    return (
        _tunnel(
            "orders-db", State.LIVE, "db.corp.example:5432", "127.0.0.1:15432", live=2, connections=connections,
            bytes_in=1_880_985, bytes_out=321_536, started_at=NOW - 8040,
        ),
        _tunnel("redis-stage", State.READY, "redis.stage.corp:6379", "127.0.0.1:16379", started_at=NOW - 600),
        _tunnel("jump-ssh", State.AUTH, "ssh.corp.example:22", "127.0.0.1:2222", started_at=NOW - 60),
        _tunnel(
            "grafana", State.RETRY, "grafana.corp:3000", "127.0.0.1:13000", problem=unavailable, retry_at=NOW + 8,
            bytes_in=14_336, bytes_out=9216, started_at=NOW - 900,
        ),
        _tunnel("win-rdp", State.PORT_BUSY, "rdp.corp.example:3389", "127.0.0.1:3389", problem=busy),
        _tunnel("billing-db", State.DENIED, "billing.corp:5432", "127.0.0.1:25432", problem=denied),
        _tunnel("kafka-1", State.OFF, "kafka-1.corp:9092", ""),
        _tunnel("vnc-lab", State.ERROR, "vnc.lab.corp:5900", "127.0.0.1:5901", problem=untrusted),
    )  # fmt: skip


def identity(
    *, sign_in: bool = False, waiting: tuple[str, ...] = ("jump-ssh", "grafana"), url: str = URL
) -> IdentitySnapshot:
    """Alice at the proxy; with *sign_in* one is under way."""
    under_way = SignInSnapshot(NOW - 48, NOW + 252, url, waiting) if sign_in else None
    return IdentitySnapshot(
        "corp",
        PROXY,
        IdentityStatus.SIGNED_OUT if sign_in else IdentityStatus.SIGNED_IN,
        "" if sign_in else "alice@corp.example",
        None if sign_in else NOW + 33_120,
        "keyring",
        under_way,
    )


IDENTITY = identity()


def many(count: int) -> tuple[TunnelSnapshot, ...]:
    """*count* ready routes."""
    return tuple(
        _tunnel(f"route-{number:04}", State.READY, f"host-{number}.corp.example:5432", f"127.0.0.1:{10_000 + number}")
        for number in range(count)
    )


def hostile_tunnel(text: str, state: State) -> tuple[TunnelSnapshot, IdentitySnapshot]:
    """A tunnel and an identity with *text* in every field that holds text."""
    closed = filled(
        ConnectionSnapshot, text, id=1, state=ConnectionState.CLOSED, opened_at=NOW - 5, closed_at=NOW, timings=_USUAL
    )
    open_one = replace(closed, id=2, state=ConnectionState.OPEN, closed_at=None)
    tunnel = filled(
        TunnelSnapshot, text, state=state, live=1, connections=(open_one, closed), bytes_in=5, bytes_out=5,
        retry_at=NOW + 5, started_at=NOW - 5,
    )  # fmt: skip
    sign_in = filled(SignInSnapshot, text, started_at=NOW, deadline_at=NOW + 60)
    who = filled(
        IdentitySnapshot, text, status=IdentityStatus.SIGNED_IN, expires_at=NOW + 60, sign_in=sign_in,
        problem=replace(tunnel.problem, at=NOW) if tunnel.problem else None,
    )  # fmt: skip
    return tunnel, who


def diagnosis(broken: str = "") -> list[Finding]:
    """All stages; without a token the way ends at ``connect``, and any other stage can be *broken*."""
    proxy = "pomerium.corp.example"
    fine = [
        Finding("dns", Outcome.OK, f"{proxy} resolves", seconds=0.0021),
        Finding("tcp", Outcome.OK, f"{proxy}:443 answers", seconds=0.011),
        Finding(
            "tls",
            Outcome.WARNING,
            "TLSv1.3 TLS_AES_128_GCM_SHA256; a certificate for *.corp.example, corp.example, valid until 2026-10-01",
            "Tell the proxy's administrator that the certificate ends soon.",
            0.0243,
        ),
        Finding("proxy", Outcome.OK, "it speaks Pomerium's sign-in protocol", seconds=0.031),
        Finding("token", Outcome.OK, "signed in as alice@corp.example, kept in keyring"),
        Finding("connect", Outcome.OK, "the proxy opened a tunnel to billing.corp:5432", seconds=0.147),
        Finding("first_byte", Outcome.OK, "the service waits for the client to speak first"),
    ]
    bad = {
        "token": Finding("token", Outcome.WARNING, "nobody is signed in", "Run: tunnelui login"),
        "connect": Finding(
            "connect",
            Outcome.FAIL,
            "alice@corp.example may not use billing.corp:5432",
            "Ask the owner of the route for access.",
            facts={"code": "denied", "needs": "permission", "request_id": "9a8c0f2d"},
        ),
        "needs sign-in": Finding(
            "connect",
            Outcome.FAIL,
            "the proxy asks for a sign-in",
            "Run: tunnelui login",
            facts={"code": "sign_in_needed", "needs": "sign-in"},
        ),
        "skip": Finding("first_byte", Outcome.SKIP, "there is no tunnel"),
    }
    if broken == "connect":
        return [*fine[:5], bad["connect"], bad["skip"]]
    if broken == "token":
        return [*fine[:4], bad["token"], bad["needs sign-in"], bad["skip"]]
    return fine


OFFER = Offer(
    (
        Route("wiki-db", "wiki-db.corp.example:5432", profile="corp", note="the wiki's own", source=f"{PROXY} 9"),
        Route("kafka-2", "kafka-2.corp:9092", profile="corp", source=f"{PROXY} 8"),
        Route("kafka-3", "kafka-3.corp:9092", profile="corp", source=f"{PROXY} 7"),
    ),
    ("dns-corp: UDP is not carried",),
)
"""What the proxy offers beyond the eight routes."""


def events() -> list[Event]:
    """A few lines of a log."""
    return [
        Event("accepted", NOW - 65.886, "accepted 127.0.0.1:51388", route="orders-db"),
        Event("open", NOW - 65.825, "tunnel open in 61 ms", route="orders-db"),
        Event("sign_in", NOW - 23.098, "sign-in needed", level="warning", route="jump-ssh"),
        Event("failed", NOW - 4.0, "503 upstream unavailable (request 7be14c55)", level="error", route="grafana"),
        Event("closed", NOW - 17.0, "127.0.0.1:50911 closed by peer, in 4.1 KB out 2.0 KB", route="orders-db"),
    ]

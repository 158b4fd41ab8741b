"""CONNECT: decided, opened, refused."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import ipaddress
import json
import os
import random
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from tests.server.gateway.harness import Upstream, World, connect_head, masked, read_all, status
from tunnelui.errors import PeerError
from tunnelui.transport import race as racing
from tunnelui.transport.dial import AddrInfo, dial
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.exchange import read_response_head
from tunnelui.transport.race import Race
from tunnelui.transport.relay import Relay
from tunnelui.transport.tls import start_tls
from tunnelui.wire.address import HostPort
from tunnelui_server.gateway import live as live_module
from tunnelui_server.gateway.live import LiveTunnels
from tunnelui_server.gateway.open_tunnel import OpenTunnel
from tunnelui_server.gateway.quota import Lease
from tunnelui_server.gateway.tally import LocalTally
from tunnelui_server.sessions import TokenSigner, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROUTES = """- {{name: staff, from: 'tcp+https://staff.example.com:1', to: 'tcp://127.0.0.1:{port}',
   allowed_groups: [staff]}}
- {{name: other, from: 'tcp+https://other.example.com:1', to: 'tcp://127.0.0.1:{port}',
   allowed_groups: [others]}}
- {{name: open, from: 'tcp+https://open.example.com:1', to: 'tcp://127.0.0.1:{port}',
   allow_public_unauthenticated_access: true}}
"""
STAFF, OTHER, OPEN, UNKNOWN = (f"{name}.example.com:1" for name in ("staff", "other", "open", "nowhere"))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as service:
        yield service


@pytest.fixture
def world(tmp_path: Path, upstream: Upstream) -> Iterator[World]:
    with World(tmp_path / "w", ROUTES.format(port=upstream.port)).running() as made:
        yield made


def test_a_tunnel_carries_bytes_both_ways(world: World, upstream: Upstream) -> None:
    _, token = world.sign_in()
    with world.dial() as sock:
        sock.sendall(connect_head(STAFF, token))
        head = sock.recv(4096)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nHalf-Close: ?1\r\n" in head
        assert head.endswith(b"\r\n\r\n")
        # By turns: reading and writing one SSL object from two threads is not safe before Python 3.13.
        blob = os.urandom(300_000)
        back = b""
        for start in range(0, len(blob), 30_000):
            sock.sendall(blob[start : start + 30_000])
            while len(back) < start + 30_000:
                back += sock.recv(65536)
        assert hashlib.sha256(back).digest() == hashlib.sha256(blob).digest()
    assert upstream.connects == 1


def test_bytes_sent_with_the_head_arrive_after_the_200(world: World) -> None:
    _, token = world.sign_in()
    with world.connect(STAFF, token, payload=b"early" * 1000) as sock:
        back = b""
        while len(back) < 5000:
            back += sock.recv(65536)
        assert back == b"early" * 1000


@pytest.mark.parametrize(
    "field", ["Authorization: Pomerium {}", "Authorization: Bearer Pomerium-{}", "X-Pomerium-Authorization: {}"]
)
def test_every_spelling_of_the_credentials(world: World, field: str) -> None:
    _, token = world.sign_in()
    world.connect(STAFF, fields=field.format(token) + "\r\n").close()


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Authorization: pomerium {}\r\n",
        "Authorization: Bearer {}\r\n",
        "Authorization: Basic {}\r\n",
        "Proxy-Authorization: Pomerium {}\r\n",
        "Cookie: _pomerium={}\r\n",
        "Authorization: Pomerium \r\n",
        "Authorization: Pomerium x{}\r\n",
        "Authorization: Pomerium {}x\r\n",
        "Authorization: Pomerium eyJhbGciOiJub25lIn0.e30.\r\n",
    ],
)
def test_without_usable_credentials_the_answer_is_302_with_a_place_to_sign_in(
    world: World, upstream: Upstream, fields: str
) -> None:
    _, token = world.sign_in()
    answer = world.ask(connect_head(STAFF, fields=fields.format(token)))
    assert status(answer) == 302
    assert f"\r\nLocation: https://127.0.0.1:{world.port}/.pomerium/sign_in\r\n".encode() in answer
    assert b"\r\nConnection: close\r\n" in answer
    assert upstream.connects == 0


def test_two_different_tokens_are_a_bad_request(world: World) -> None:
    (_, one), (_, two) = world.sign_in(), world.sign_in()
    both = f"X-Pomerium-Authorization: {one}\r\nAuthorization: Pomerium {{}}\r\n"
    assert status(world.ask(connect_head(STAFF, fields=both.format(two)))) == 400
    world.connect(STAFF, fields=both.format(one)).close()


def test_a_token_signed_with_another_secret_is_no_token(world: World) -> None:
    session_id, _ = world.sign_in()
    session = world.portal.call(world.store.get, session_id)
    forged = TokenSigner(os.urandom(32), "tunnelui-server").issue(session)
    assert status(world.ask(connect_head(STAFF, forged))) == 302
    assert world.event("tunnel decided")["cause"] == "token-signature"


def test_a_revoked_and_an_expired_session_need_a_new_sign_in(world: World) -> None:
    session_id, token = world.sign_in()
    world.portal.call(world.store.revoke, session_id)
    assert status(world.ask(connect_head(STAFF, token))) == 302
    _, short = world.sign_in(life=0.2)
    time.sleep(0.3)
    assert status(world.ask(connect_head(STAFF, short))) == 302


@pytest.mark.parametrize("accept", ["", "Accept: application/json\r\n"])
def test_an_unknown_destination_and_a_forbidden_one_get_the_same_bytes(
    world: World, upstream: Upstream, accept: str
) -> None:
    _, token = world.sign_in()
    forbidden, unknown = (world.ask(connect_head(name, token, fields=accept)) for name in (OTHER, UNKNOWN))
    assert status(forbidden) == 403
    assert masked(forbidden) == masked(unknown)
    known, unknown = (world.ask(connect_head(name, fields=accept)) for name in (STAFF, UNKNOWN))
    assert status(known) == 302
    assert masked(known) == masked(unknown)
    assert upstream.connects == 0


def test_a_refusal_is_json_for_those_who_ask_for_it(world: World) -> None:
    answer = world.ask(connect_head(STAFF, fields="Accept: application/json\r\n"))
    head, _, body = answer.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert told["error"] == "sign_in_needed"
    assert f"X-Request-Id: {told['request_id']}".encode() in head
    assert b"Content-Type: application/json" in head


def test_a_public_route_needs_nobody(world: World) -> None:
    with world.connect(OPEN) as sock:
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"
    world.connect(OPEN, "not-a-token").close()


@pytest.mark.timeout(400)
def test_no_authority_is_ever_dialled_as_such(tmp_path: Path, upstream: Upstream) -> None:
    draw = random.Random(7)
    port = upstream.port
    hosts = [
        "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0",
        "169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "127.0.0.1.nip.io", "0.0.0.0", "[::]",
    ]  # fmt: skip
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-._:[]@%/\\#?\u00e9"
    with World(tmp_path / "w", ROUTES.format(port=upstream.port), tls=False).running() as world:
        _, token = world.sign_in()
        statuses: dict[int, int] = {}
        for number in range(5000):
            kind = number % 3
            if kind == 0:
                host = draw.choice(hosts)
            elif kind == 1:
                host = str(ipaddress.ip_address(draw.getrandbits(32)))
            else:
                host = "".join(draw.choice(letters) for _ in range(draw.randint(1, 20)))
            authority = f"{host}:{draw.choice([port, port, 80, 22, draw.randint(0, 70000)])}"
            answer = world.ask(connect_head(authority, token if number % 2 else None))
            statuses[status(answer)] = statuses.get(status(answer), 0) + 1
        assert set(statuses) == {302, 400, 403}
        assert upstream.connects == 0


class Rebinding:
    """A name server whose answer changes each time."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[AddrInfo]:
        self.asked += 1
        address = self.answers[(self.asked - 1) % len(self.answers)]
        return [AddrInfo(socket.AF_INET, (address, port))]


def test_the_address_that_was_checked_is_the_one_that_is_dialled(tmp_path: Path, upstream: Upstream) -> None:
    resolver = Rebinding("127.0.0.1", "169.254.169.254")
    route = f"- {{from: 'tcp+https://a:1', to: 'tcp://db:{upstream.port}', allow_any_authenticated_user: true}}\n"
    with World(tmp_path / "w", route, resolve=resolver).running() as world:
        _, token = world.sign_in()
        world.connect("a:1", token).close()
        assert (resolver.asked, upstream.connects) == (1, 1)
        assert status(world.ask(connect_head("a:1", token))) == 503
        assert (resolver.asked, upstream.connects) == (2, 1)
        assert world.event("tunnel decided", status=503)["cause"] == "upstream_unreachable"


def test_an_upstream_that_is_down_is_503_and_the_reason_is_for_the_log_alone(world: World, upstream: Upstream) -> None:
    _, token = world.sign_in()
    upstream.__exit__()
    answer = world.ask(connect_head(STAFF, token))
    assert status(answer) == 503
    assert b"\r\nRetry-After: " in answer
    assert str(upstream.port).encode() not in answer
    line = world.event("tunnel decided", status=503)
    assert (line["allow"], line["cause"]) == (True, "upstream_refused")
    assert str(upstream.port) in line["detail"]


def test_a_black_hole_upstream_is_503_after_its_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole:
        port = hole.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        route = (
            f"- {{from: 'tcp+https://a:1', to: 'tcp://127.0.0.1:{port}', allow_public_unauthenticated_access: true}}\n"
        )
        with World(tmp_path / "w", route, limit=1).running() as world:
            began = time.monotonic()
            assert status(world.ask(connect_head("a:1"))) == 503
            assert 0.8 < time.monotonic() - began < 15
            assert world.event("tunnel decided")["cause"] == "upstream_timeout"
        for filler in fillers:
            filler.close()


def test_the_end_of_one_direction_is_passed_on_as_such(tmp_path: Path) -> None:
    def answer_at_end(sock: socket.socket) -> None:
        total = 0
        while data := sock.recv(65536):
            total += len(data)
        sock.sendall(b"%d bytes" % total)

    with (
        Upstream(answer_at_end) as upstream,
        World(tmp_path / "w", ROUTES.format(port=upstream.port), tls=False).running() as world,
    ):
        with world.connect(OPEN) as sock:
            sock.sendall(b"x" * 100_000)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b"100000 bytes"
        assert world.event("tunnel ended")["cause"] == "finished"


async def test_over_tls_too_the_end_of_one_direction_leaves_the_other_open(tmp_path: Path) -> None:
    def answer_at_end(sock: socket.socket) -> None:
        total = 0
        while data := sock.recv(65536):
            total += len(data)
        time.sleep(0.2)
        sock.sendall(b"%d bytes" % total)

    with (
        Upstream(answer_at_end) as upstream,
        World(tmp_path / "w", ROUTES.format(port=upstream.port)).running() as world,
    ):
        dialed = await dial(HostPort("127.0.0.1", world.port))
        client = await start_tls(dialed.sock, world.context, server_hostname="127.0.0.1")
        await client.send_all(connect_head(OPEN))
        assert (await read_response_head(client, timeout=60)).headers.get("half-close") == "?1"
        await client.send_all(b"x" * 100_000)
        client.send_eof()
        await client.drain()
        answer = b""
        while data := await client.receive():
            answer += data
        client.close()
        assert answer == b"100000 bytes"
        assert world.event("tunnel ended")["cause"] == "finished"


def test_an_upstream_reset_reaches_the_client_as_a_cut_and_the_log_with_its_cause(tmp_path: Path) -> None:
    def burst_and_reset(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"x" * 1_000_000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with (
        Upstream(burst_and_reset) as upstream,
        World(tmp_path / "w", ROUTES.format(port=upstream.port), tls=False).running() as world,
    ):
        with world.connect(OPEN, payload=b"go") as sock, pytest.raises(ConnectionResetError):
            read_all(sock)
        assert world.event("tunnel ended")["cause"] == "upstream_reset"


def test_the_audit_trail_tells_the_whole_story(world: World, upstream: Upstream) -> None:
    session_id, token = world.sign_in()
    with world.connect(STAFF, token, payload=b"12345") as sock:
        assert sock.recv(10)
    ended = world.event("tunnel ended")
    decided = world.event("tunnel decided")
    assert decided["request_id"] == ended["request_id"]
    expected = {
        "user": "alice@example.com",
        "route": "staff",
        "authority": STAFF,
        "upstream": f"127.0.0.1:{upstream.port}",
        "session": session_id[:12],
    }
    assert expected.items() <= decided.items()
    assert expected.items() <= ended.items()
    assert decided["client"].startswith("127.0.0.1:")
    assert (decided["allow"], decided["rule"], decided["reasons"]) == (True, "allowed_groups: staff", ["groups-ok"])
    assert (decided["status"], decided["peer"]) == (200, f"127.0.0.1:{upstream.port}")
    assert (ended["bytes_to_client"], ended["bytes_to_upstream"]) == (5, 5)
    assert ended["duration"] > 0
    assert ended["cause"] in ("finished", "client_truncated", "client_reset")


def test_a_denial_is_in_the_audit_trail_with_its_reasons(world: World) -> None:
    _, token = world.sign_in()
    world.ask(connect_head(OTHER, token))
    world.ask(connect_head(UNKNOWN, token))
    known, unknown = world.events("tunnel decided")
    assert (known["rule"], known["reasons"], known["status"]) == ("default-deny", ["groups-unauthorized"], 403)
    assert (unknown["rule"], unknown["reasons"], unknown["status"]) == ("no-route", ["route-not-found"], 403)
    assert "route" not in unknown
    assert not world.events("tunnel ended")


def test_no_token_ever_reaches_a_log_and_no_field_can_forge_a_line(world: World) -> None:
    _, token = world.sign_in()
    canary = "canary-4f2a9c"
    world.connect(STAFF, token).close()
    world.ask(connect_head(OTHER, token, fields=f"User-Agent: {canary}\r\nCookie: a={canary}\r\n"))
    world.ask(connect_head(STAFF, canary))
    world.ask(b"CONNECT \x1b[2J:1 HTTP/1.1\r\n\r\n")
    world.ask(connect_head(STAFF, fields=f'User-Agent: x\r\n{{"forged": 1}}\r\nAuthorization: Pomerium {canary}\r\n'))
    world.event("tunnel ended")
    assert token not in world.log
    assert token.split(".")[2] not in world.log
    assert canary not in world.log
    for line in world.log.splitlines():
        assert "forged" not in json.loads(line)
        assert line.isprintable()


class TestSessionsEnd:
    def test_sessions_are_looked_at_often_enough_to_cut_within_two_seconds(self) -> None:
        for_changes = inspect.signature(open_store).parameters["poll_interval"].default
        assert max(for_changes, live_module._EXPIRY_INTERVAL) <= 1.0

    def test_a_revoked_session_cuts_its_tunnels_and_no_others(self, world: World) -> None:
        session_id, token = world.sign_in()
        _, other = world.sign_in()
        with world.connect(STAFF, token) as mine, world.connect(STAFF, other) as theirs, world.connect(OPEN) as public:
            world.portal.call(world.store.revoke, session_id)
            read_all_or_reset(mine)
            assert world.event("tunnel ended")["cause"] == "session_revoked"
            for sock in (theirs, public):
                sock.sendall(b"still here")
                assert sock.recv(100) == b"still here"

    def test_an_expired_session_cuts_its_tunnels(self, world: World) -> None:
        began = time.time()
        _, token = world.sign_in(life=3.0)  # a busy machine needs some of it to open the tunnel
        with world.connect(STAFF, token) as sock:
            read_all_or_reset(sock)
            assert 2.9 < time.time() - began < 20
        assert world.event("tunnel ended")["cause"] == "session_expired"

    def test_a_session_that_ends_while_the_upstream_is_dialled_opens_nothing(self, tmp_path: Path) -> None:
        asked, gate = threading.Event(), threading.Event()

        async def slow(host: str, port: int) -> Sequence[AddrInfo]:
            asked.set()
            while not gate.is_set():
                await anyio.sleep(0.01)
            return [AddrInfo(socket.AF_INET, ("127.0.0.1", port))]

        with Upstream() as upstream:
            route = (
                f"- {{from: 'tcp+https://a:1', to: 'tcp://db:{upstream.port}', allow_any_authenticated_user: true}}\n"
            )
            with World(tmp_path / "w", route, resolve=slow).running() as world:
                session_id, token = world.sign_in()
                with world.dial() as sock:
                    sock.sendall(connect_head("a:1", token))
                    assert asked.wait(60)
                    world.portal.call(world.store.revoke, session_id)
                    assert status(read_all(sock)) == 302
                gate.set()
                assert upstream.connects == 0
                assert world.event("tunnel decided")["cause"] == "session_revoked"

    def test_one_that_ends_as_the_upstream_answers_opens_nothing_either(
        self, world: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def dial_at_last(*args: Any, **options: Any) -> Any:
            dialed = await dial(*args, **options)
            ((tunnel,),) = world.gateway.live._by_session.values()
            tunnel.cause = "session_revoked"  # too late for its scope
            return dialed

        monkeypatch.setattr("tunnelui_server.gateway.connect.dial", dial_at_last)
        _, token = world.sign_in()
        assert status(world.ask(connect_head(STAFF, token))) == 302
        assert upstream.connects == 1
        assert_nothing_is_counted(world)


def test_time_limits_of_a_route(tmp_path: Path, upstream: Upstream) -> None:
    routes = "".join(
        f"- {{from: 'tcp+https://{name}:1', to: 'tcp://127.0.0.1:{upstream.port}',"
        f" allow_public_unauthenticated_access: true, {key}: 1s}}\n"
        for name, key in (("idle", "idle_timeout"), ("old", "timeout"))
    )
    with World(tmp_path / "w", routes).running() as world:
        for name, cause in (("idle", "idle"), ("old", "max_age")):
            with world.connect(f"{name}:1") as sock:
                began = time.monotonic()
                read_all_or_reset(sock)
                assert 0.8 < time.monotonic() - began < 15
            assert world.event("tunnel ended", authority=f"{name}:1")["cause"] == cause


def test_fault_in_one_tunnel_ends_no_other_and_leaves_nothing_in_the_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = Relay.spoke, [False]

    def spoke(self: Relay, direction: Any, now: float) -> None:
        if broken[0]:
            broken[0] = False
            raise RuntimeError("a fault of ours")
        real(self, direction, now)

    monkeypatch.setattr(Relay, "spoke", spoke)
    with world.connect(OPEN) as good, world.connect(OPEN) as bad:
        broken[0] = True
        bad.sendall(b"x")
        read_all_or_reset(bad)
        good.sendall(b"y")
        assert good.recv(100) == b"y"
        assert world.event("tunnel ended", cause="fault")["detail"] == "RuntimeError"
        assert (len(world.gateway.live), world.gateway._quota.tunnels, world.gateway._quota.connections) == (1, 1, 1)
    world.event("tunnel ended", cause="client_truncated")  # the test hangs up without a word
    assert (len(world.gateway.live), world.gateway._quota.tunnels, world.gateway._quota.connections) == (0, 0, 0)


def test_cut_in_the_moment_when_the_upstream_answers_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = world.sign_in()
    real = Race._tell

    def tell(race: Race) -> None:
        real(race)
        for tunnels in world.gateway.live._by_session.values():
            for tunnel in tunnels:
                tunnel.cut("session_revoked")

    monkeypatch.setattr(racing, "_is_loopback", lambda host: False)  # so that the answer comes a moment later
    monkeypatch.setattr(Race, "_tell", tell)
    assert status(world.ask(connect_head(STAFF, token))) == 302
    assert world.event("tunnel decided", status=302)["cause"] == "session_revoked"
    assert_nothing_is_counted(world)


def test_nothing_stays_in_the_counts_of_what_was_refused(tmp_path: Path, upstream: Upstream) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        down = f"- {{{{from: 'tcp+https://down.example.com:1', to: 'tcp://127.0.0.1:{nobody.getsockname()[1]}',\n"
        down += "   allow_public_unauthenticated_access: true}}\n"
        with World(tmp_path / "w", (ROUTES + down).format(port=upstream.port)).running() as world:
            _, token = world.sign_in()
            asked = [(STAFF, None), (UNKNOWN, None), (OTHER, token), ("down.example.com:1", None)]
            assert [status(world.ask(connect_head(*what))) for what in asked] == [302, 302, 403, 503]
            assert_nothing_is_counted(world)


def test_client_that_leaves_while_the_upstream_is_dialled_is_told_apart_and_uncounted(tmp_path: Path) -> None:
    asked, gate = threading.Event(), threading.Event()

    async def resolve(host: str, port: int) -> list[AddrInfo]:
        asked.set()
        while not gate.is_set():
            await anyio.sleep(0.01)
        return [AddrInfo(socket.AF_INET, ("127.0.0.1", port))]

    with Upstream() as service:
        route = (
            f"- {{from: 'tcp+https://a:1', to: 'tcp://db:{service.port}', allow_public_unauthenticated_access: true}}"
        )
        with World(tmp_path / "w", route + "\n", tls=False, resolve=resolve).running() as world:
            sock = world.dial()
            sock.sendall(connect_head("a:1"))
            assert asked.wait(60)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            gate.set()
            assert world.event("tunnel ended")["cause"] in ("client_lost", "client_reset")
            assert_nothing_is_counted(world)


@pytest.mark.parametrize(("how", "cause"), [("finish", "finished"), ("fault", "fault")])
async def test_cut_that_comes_after_the_end_does_not_change_its_cause(
    monkeypatch: pytest.MonkeyPatch, how: str, cause: str
) -> None:
    said: list[dict[str, Any]] = []
    live = LiveTunnels(cast("Any", None))
    tunnel = live.add("session")
    (near, client), (far, service) = socket.socketpair(), socket.socketpair()
    audit = cast("Any", type("Audit", (), {"ended": lambda self, **facts: said.append(facts)})())
    lease = Lease(LocalTally(), "user", "route")
    carried = OpenTunnel(
        PlainEndpoint(near, error=PeerError),
        PlainEndpoint(far, error=PeerError),
        tunnel=tunnel,
        live=live,
        lease=lease,
        audit=audit,
        leave=lambda: None,
        idle_timeout=None,
        max_age=None,
    )
    carried.start()
    assert tunnel.relay is not None
    if how == "finish":
        client.close()
        service.close()
    else:
        monkeypatch.setattr(tunnel.relay, "spoke", None)
        client.send(b"x")
    while not tunnel.relay.closed:
        await anyio.sleep(0)
    tunnel.cut("session_revoked")
    await anyio.sleep(0.01)
    assert [facts["cause"] for facts in said] == [cause]
    assert len(live) == 0
    client.close()
    service.close()


def assert_nothing_is_counted(world: World) -> None:
    deadline = time.monotonic() + 5
    while world.gateway._quota.connections and time.monotonic() < deadline:
        time.sleep(0.01)
    quota = world.gateway._quota
    assert isinstance(quota.tally, LocalTally)
    assert (len(world.gateway.live), len(quota.tally)) == (0, 0)


def read_all_or_reset(sock: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert read_all(sock) == b""


def test_without_a_working_store_there_is_503_and_after_a_while_the_tunnels_of_sessions_are_cut(world: World) -> None:
    _, token = world.sign_in()
    world.gateway.live._store_grace = 0.5
    with world.connect(STAFF, token) as mine, world.connect(OPEN) as public:
        world.portal.call(world.store.aclose)
        assert status(world.ask(connect_head(STAFF, token))) == 503
        assert world.event("tunnel decided", status=503)["cause"] == "store_unavailable"
        mine.sendall(b"for now")
        assert mine.recv(100) == b"for now"
        read_all_or_reset(mine)
        assert world.event("tunnel ended")["cause"] == "store_unavailable"
        public.sendall(b"still here")
        assert public.recv(100) == b"still here"

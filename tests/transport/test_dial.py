"""Dialling: happy eyeballs, deadlines, the check of addresses, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

import anyio
import pytest

from tests.support.descriptors import no_more_descriptors
from tests.support.sockets import free_port, no_leaked_descriptors
from tunnelui.errors import LocalError, PeerError, ProxyError, UpstreamError
from tunnelui.transport import dial as dial_module
from tunnelui.transport import race as race_module
from tunnelui.transport.dial import AddrInfo, DialTimeouts, dial, dial_unix, system_resolver
from tunnelui.transport.race import Lost, Race
from tunnelui.transport.resolver import RecentAnswers
from tunnelui.wire.address import HostPort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tunnelui.transport.dial import Resolver

linux = pytest.mark.skipif(sys.platform != "linux", reason="a full backlog drops connections on Linux only")


@contextlib.contextmanager
def listening(host: str = "127.0.0.1", port: int = 0) -> Iterator[AddrInfo]:
    """A listener that accepts as far as its backlog goes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(50)
        yield AddrInfo(family, listener.getsockname())


@contextlib.contextmanager
def black_hole() -> Iterator[AddrInfo]:
    """An address that answers nothing: its backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield AddrInfo(socket.AF_INET, listener.getsockname())


def refusing() -> AddrInfo:
    return AddrInfo(socket.AF_INET, ("127.0.0.1", free_port()))


def answers(*addresses: AddrInfo) -> Resolver:
    async def resolve(host: str, port: int) -> Sequence[AddrInfo]:
        return addresses

    return resolve


NAME = HostPort("service.example", 1)


def target(info: AddrInfo) -> HostPort:
    return HostPort(info.sockaddr[0], info.sockaddr[1])


async def test_a_literal_is_dialled_without_a_lookup() -> None:
    async def resolve(host: str, port: int) -> NoReturn:
        pytest.fail("looked up")

    with listening() as there:
        dialed = await dial(target(there), resolve=resolve)
        with dialed.sock as sock:
            assert dialed.peer == target(there)
            assert dialed.dns == 0.0
            assert 0.0 < dialed.tcp < 5.0
            assert sock.getpeername() == there.sockaddr


async def test_a_dialled_socket_is_ready_for_use() -> None:
    with listening() as there, (await dial(target(there))).sock as sock:
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15


async def test_a_name_is_looked_up_and_the_time_is_told() -> None:
    asked = []

    async def resolve(host: str, port: int) -> Sequence[AddrInfo]:
        asked.append((host, port))
        await anyio.sleep(0.05)
        return [there]

    with listening() as there:
        dialed = await dial(HostPort("service.example", 7), resolve=resolve)
        dialed.sock.close()
    assert asked == [("service.example", 7)]
    assert dialed.dns >= 0.04
    assert dialed.peer == target(there)


async def test_the_system_resolves_localhost() -> None:
    with listening() as there:
        dialed = await dial(HostPort("localhost", target(there).port))
        dialed.sock.close()
    assert dialed.peer == target(there)


async def test_ipv6() -> None:
    with contextlib.suppress(OSError), listening("::1") as there:
        dialed = await dial(target(there))
        dialed.sock.close()
        assert dialed.peer.host == "::1"


@pytest.mark.parametrize("role", [ProxyError, UpstreamError])
async def test_a_refusal_is_told_as_the_error_that_was_asked_for(role: type[PeerError]) -> None:
    there = refusing()
    with no_leaked_descriptors(), pytest.raises(role) as caught:
        await dial(target(there), error=role)
    error = caught.value
    assert (error.code, error.stage, error.address) == ("refused", "tcp", str(target(there)))
    assert error.hint
    assert error.detail == ""


async def test_a_refused_name_tells_what_was_tried() -> None:
    there = refusing()
    with pytest.raises(ProxyError) as caught:
        await dial(NAME, resolve=answers(there))
    assert caught.value.code == "refused"
    assert caught.value.address == str(NAME)
    assert "127.0.0.1" in caught.value.detail


@linux
async def test_silence_ends_at_the_deadline() -> None:
    with black_hole() as there, no_leaked_descriptors():
        started = time.monotonic()
        with pytest.raises(ProxyError) as caught:
            await dial(target(there), timeouts=DialTimeouts(tcp=0.3))
        assert 0.25 < time.monotonic() - started < 5.0
    assert (caught.value.code, caught.value.stage) == ("timeout", "tcp")
    assert "0.3 s" in caught.value.detail


async def test_an_address_without_a_way_is_unreachable() -> None:
    # TCP has no broadcast: the kernel says so and sends nothing.
    with pytest.raises(PeerError) as caught:
        await dial(HostPort("255.255.255.255", 9), timeouts=DialTimeouts(tcp=2.0))
    assert caught.value.code == "unreachable"
    assert caught.value.detail


async def test_the_next_address_follows_a_failure_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race_module, "ATTEMPT_DELAY", 30.0)
    with listening() as good, no_leaked_descriptors():
        started = time.monotonic()
        dialed = await dial(NAME, resolve=answers(refusing(), good))
        dialed.sock.close()
        assert dialed.peer == target(good)
        assert time.monotonic() - started < 15


@linux
async def test_the_next_address_follows_silence_after_the_attempt_delay() -> None:
    with black_hole() as silent, listening() as good, no_leaked_descriptors():
        dialed = await dial(NAME, resolve=answers(silent, good))
        dialed.sock.close()
        assert dialed.peer == target(good)
        assert dialed.tcp >= race_module.ATTEMPT_DELAY * 0.9
        await asyncio.sleep(0)  # the loser's callback


async def test_of_two_that_connect_at_the_same_moment_one_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race_module, "_is_loopback", lambda host: False)  # as with an address that takes a moment
    with listening() as one, listening() as two, no_leaked_descriptors():
        race = Race([one, two])
        running = asyncio.ensure_future(race.run(5.0))
        await asyncio.sleep(0)
        race._begin()  # before the loop has looked at the first, as a timer may
        sock, info = await running
        with sock:
            assert info in (one, two)
            assert sock.getpeername() == info.sockaddr


async def test_a_cancellation_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race_module, "_is_loopback", lambda host: False)
    with listening() as good, no_leaked_descriptors():
        running = asyncio.ensure_future(Race([good]).run(5.0))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    tell = Race._tell

    def tell_and_cancel(race: Race) -> None:
        tell(race)
        running.cancel()

    monkeypatch.setattr(Race, "_tell", tell_and_cancel)
    with listening() as good, no_leaked_descriptors():
        running = asyncio.ensure_future(Race([good]).run(5.0))
        with pytest.raises(asyncio.CancelledError):  # in the moment of success
            await running


async def test_a_connection_within_this_machine_waits_for_nothing() -> None:
    with listening() as good, no_leaked_descriptors():
        race = Race([good])
        run = race.run(5.0)
        if sys.platform == "linux":
            with pytest.raises(StopIteration) as ended:
                run.send(None)
            sock = ended.value.value[0]
        else:
            sock = (await run)[0]
        with sock:
            assert sock.getpeername() == good.sockaddr


async def test_a_refusal_within_this_machine_lets_the_next_address_begin() -> None:
    with listening() as good, no_leaked_descriptors():
        sock, info = await Race([refusing(), refusing(), good]).run(5.0)
        sock.close()
        assert info == good
        with pytest.raises(Lost) as caught:
            await Race([refusing(), refusing()]).run(5.0)
        assert [type(failure) for failure in caught.value.failures] == [ConnectionRefusedError] * 2


async def test_when_all_fail_a_refusal_is_told_before_a_missing_way() -> None:
    nowhere = AddrInfo(socket.AF_INET, ("255.255.255.255", 9))
    for order in ((nowhere, refusing()), (refusing(), nowhere)):
        with pytest.raises(ProxyError) as caught:
            await dial(NAME, resolve=answers(*order), timeouts=DialTimeouts(tcp=2.0))
        assert caught.value.code == "refused"
        assert "255.255.255.255" in caught.value.detail


def test_families_take_turns_in_the_order_of_the_resolver() -> None:
    six = [AddrInfo(socket.AF_INET6, (f"2001:db8::{n}", 1, 0, 0)) for n in range(1, 4)]
    four = [AddrInfo(socket.AF_INET, (f"192.0.2.{n}", 1)) for n in range(1, 3)]
    assert dial_module._allowed([*six, *four, six[0]], None) == [six[0], four[0], six[1], four[1], six[2]]
    assert dial_module._allowed([*four, *six], None) == [four[0], six[0], four[1], six[1], six[2]]
    many = [AddrInfo(socket.AF_INET, (f"192.0.2.{n}", 1)) for n in range(200)]
    assert len(dial_module._allowed(many, None)) == 16


# --- the check of addresses


async def test_only_the_checked_address_is_dialled_when_the_answer_changes() -> None:
    """A name server that alternates gets nothing: one lookup, and the address dialled is the one that was checked."""
    lookups = 0

    async def resolve(host: str, port: int) -> Sequence[AddrInfo]:
        nonlocal lookups
        lookups += 1
        return [good if lookups % 2 else forbidden]

    with listening() as good, listening("127.0.0.2") as forbidden:
        outcomes = []
        for _ in range(6):
            checked: list[str] = []

            def allow(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, checked: list[str] = checked) -> bool:
                checked.append(str(ip))
                return str(ip) == "127.0.0.1"

            try:
                dialed = await dial(NAME, resolve=resolve, allow=allow)
            except PeerError as error:
                outcomes.append(error.code)
                assert error.stage == "dns"
                assert checked == ["127.0.0.2"]
            else:
                outcomes.append(dialed.sock.getpeername()[0])
                dialed.sock.close()
                assert checked == ["127.0.0.1"]
    assert outcomes == ["127.0.0.1", "unreachable"] * 3
    assert lookups == 6


async def test_forbidden_addresses_are_left_out_and_get_no_connection() -> None:
    with socket.socket() as forbidden, listening() as good:
        forbidden.bind(("127.0.0.3", 0))
        forbidden.listen(5)
        forbidden.setblocking(False)
        bad = AddrInfo(socket.AF_INET, forbidden.getsockname())
        dialed = await dial(NAME, resolve=answers(bad, good), allow=lambda ip: str(ip) == "127.0.0.1")
        dialed.sock.close()
        assert dialed.peer == target(good)
        with pytest.raises(BlockingIOError):
            forbidden.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1"])
async def test_a_literal_is_checked_too_and_ipv4_in_ipv6_counts_as_ipv4(host: str) -> None:
    asked = []

    def deny(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        asked.append(ip)
        return False

    with listening() as there:
        with pytest.raises(PeerError):
            await dial(HostPort(host, target(there).port), allow=deny)
        assert asked == [ipaddress.IPv4Address("127.0.0.1")]
        dialed = await dial(HostPort(host, target(there).port), allow=lambda ip: ip.is_loopback)
        with dialed.sock as sock:
            assert sock.family == socket.AF_INET
            assert dialed.peer == target(there)


# --- names


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary\x1b failure"), "Temporary\ufffd failure"),
        (OSError("odd"), "odd"),
    ],
)
async def test_a_name_that_does_not_resolve(reason: OSError, detail: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[AddrInfo]:
        raise reason

    with pytest.raises(ProxyError) as caught:
        await dial(NAME, resolve=resolve)
    assert (caught.value.code, caught.value.stage, caught.value.detail) == ("dns", "dns", detail)


async def test_a_name_without_addresses_does_not_resolve() -> None:
    with pytest.raises(ProxyError) as caught:
        await dial(NAME, resolve=answers())
    assert caught.value.code == "dns"


async def test_a_hanging_lookup_ends_at_its_deadline() -> None:
    async def resolve(host: str, port: int) -> NoReturn:
        await anyio.sleep_forever()
        pytest.fail("woke up")

    with pytest.raises(ProxyError) as caught:
        await dial(NAME, resolve=resolve, timeouts=DialTimeouts(dns=0.1))
    assert caught.value.code == "dns"
    assert "0.1 s" in caught.value.detail


async def test_the_system_resolver_hands_on_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: object, **kwargs: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(socket.gaierror):
        await system_resolver("service.example", 1)
    with pytest.raises(ProxyError) as caught:
        await dial(NAME)
    assert caught.value.code == "dns"


async def test_lookups_use_few_threads_and_cancelled_ones_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    calls: list[bytes] = []

    def getaddrinfo(host: bytes, port: int, **kwargs: object) -> list[object]:
        calls.append(host)
        release.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    results = []

    async def look_up(host: str) -> None:
        results.append(await system_resolver(host, 1))

    try:
        async with anyio.create_task_group() as group:
            for number in range(400):
                group.start_soon(look_up, f"lost{number}")
            await anyio.sleep(0.1)
            assert len(threading.enumerate()) < 30
            group.cancel_scope.cancel()
        assert len(calls) == 16
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(look_up, f"wanted{number}")
            await anyio.sleep(0.05)
            assert len(calls) == 16
            release.set()
    finally:
        release.set()
    assert results == [[AddrInfo(socket.AF_INET, ("127.0.0.1", 1))]] * 20
    assert sorted(host for host in calls if host.startswith(b"wanted")) == sorted(
        f"wanted{number}".encode() for number in range(20)
    )
    assert len(calls) == 36


def test_a_hanging_lookup_does_not_hold_up_the_end_of_the_process() -> None:
    program = """
import asyncio, socket, time
from tunnelui.errors import ProxyError
from tunnelui.transport.dial import DialTimeouts, dial
from tunnelui.wire.address import HostPort
socket.getaddrinfo = lambda *args, **kwargs: time.sleep(60)
try:
    asyncio.run(dial(HostPort("service.example", 1), timeouts=DialTimeouts(dns=0.2)))
except ProxyError as error:
    print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True, text=True)
    assert done.stdout == "dns\n"
    assert done.stderr == ""


def test_a_lookup_may_end_after_its_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    release, returned = threading.Event(), threading.Event()

    def getaddrinfo(*args: object, **kwargs: object) -> list[object]:
        release.wait(20)
        returned.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ProxyError):
        asyncio.run(_dial_briefly())
    release.set()
    assert returned.wait(5)
    for thread in threading.enumerate():
        if thread.name == "tunnelui-resolver":
            thread.join(20)  # it waits five seconds for more to do
            assert not thread.is_alive()


async def _dial_briefly() -> None:
    await dial(NAME, timeouts=DialTimeouts(dns=0.05))


# --- cancellation and shortage


@linux
async def test_cancellation_leaves_no_descriptor() -> None:
    with black_hole() as silent, no_leaked_descriptors():
        with anyio.move_on_after(0.4) as scope:
            await dial(NAME, resolve=answers(silent, silent._replace(sockaddr=("127.0.0.1", silent.sockaddr[1]))))
        assert scope.cancelled_caught
        await asyncio.sleep(0)


async def test_cancellation_at_any_moment_leaves_no_descriptor() -> None:
    """Cancelled after 0, 1, 2 ... turns of the loop: either the caller gets the socket or nobody has it."""
    with listening() as there, no_leaked_descriptors():
        finished = 0
        for turns in range(25):
            task = asyncio.ensure_future(dial(NAME, resolve=answers(refusing(), there)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                dialed = await task
            except asyncio.CancelledError:
                pass
            else:
                finished += 1
                dialed.sock.close()
            await asyncio.sleep(0)
        assert finished < 25


async def test_a_machine_without_descriptors_is_a_local_error() -> None:
    with listening() as there:
        address = target(there)
        with no_more_descriptors():
            with pytest.raises(LocalError) as caught:
                await dial(address)
            with pytest.raises(LocalError):
                await dial_unix("/nowhere", timeout=1)
    assert caught.value.code == "resources"
    assert "ulimit" in caught.value.hint


# --- Unix sockets


@pytest.fixture
def unix_listener(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        yield path, listener


async def test_a_unix_socket_is_dialled(unix_listener: tuple[str, socket.socket]) -> None:
    path, listener = unix_listener
    with await dial_unix(path, timeout=1) as sock:
        assert not sock.getblocking()
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"x")
        assert await asyncio.get_running_loop().sock_recv(sock, 1) == b"x"


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda path: None, "refused"),
        (lambda path: _stale(path), "refused"),
        (lambda path: path.write_text(""), "refused"),
    ],
)
async def test_a_unix_socket_without_listener(tmp_path: Path, prepare: Callable[[Path], object], code: str) -> None:
    path = tmp_path / "s"
    prepare(path)
    with no_leaked_descriptors(), pytest.raises(UpstreamError) as caught:
        await dial_unix(str(path), timeout=1, error=UpstreamError)
    assert (caught.value.code, caught.value.stage) == (code, "tcp")


def _stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


async def test_a_path_too_long_for_a_unix_socket(tmp_path: Path) -> None:
    with no_leaked_descriptors(), pytest.raises(ProxyError) as caught:
        await dial_unix(str(tmp_path / ("a" * 200)), timeout=1)
    assert "too long" in str(caught.value)


@linux
async def test_a_full_unix_backlog_is_waited_for(unix_listener: tuple[str, socket.socket]) -> None:
    path, listener = unix_listener
    with await dial_unix(path, timeout=1), no_leaked_descriptors():
        with pytest.raises(ProxyError) as caught:
            await dial_unix(path, timeout=0.1)
        assert caught.value.code == "timeout"
        with anyio.move_on_after(0.05) as scope:
            await dial_unix(path, timeout=5)
        assert scope.cancelled_caught

        async with anyio.create_task_group() as group:

            async def connect() -> None:
                (await dial_unix(path, timeout=5)).close()

            group.start_soon(connect)
            await anyio.sleep(0.05)
            listener.accept()[0].close()


async def test_look_ups_one_after_another_share_a_thread() -> None:
    await system_resolver("localhost", 80)
    before = {thread for thread in threading.enumerate() if thread.name == "tunnelui-resolver"}
    assert before, "the thread waits for more"
    for _ in range(20):
        await asyncio.sleep(0.005)  # the thread is free again a moment after its answer
        await system_resolver("localhost", 80)
    after = {thread for thread in threading.enumerate() if thread.name == "tunnelui-resolver"}
    assert len(after - before) <= 3, "few may have started before the first one was free again"


async def test_an_answer_is_given_again_for_a_moment_and_an_error_never() -> None:
    now, asked = 100.0, []

    async def resolve(host: str, port: int) -> list[AddrInfo]:
        asked.append((host, port))
        if host == "none":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [AddrInfo(socket.AF_INET, (f"192.0.2.{len(asked)}", port))]

    recent = RecentAnswers(resolve, seconds=1.0, clock=lambda: now)
    first = await recent("a", 1)
    assert await recent("a", 1) is first
    now += 0.99
    assert await recent("a", 1) is first
    assert (await recent("a", 2))[0].sockaddr[1] == 2
    now += 0.02
    assert await recent("a", 1) != first
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await recent("none", 1)
    assert asked == [("a", 1), ("a", 2), ("a", 1), ("none", 1), ("none", 1)]
    for number in range(200):
        await recent(f"n{number}", 1)
    assert len(recent._answers) <= 64

"""Local listeners: both families, busy ports, Unix sockets, and accepting through trouble."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.descriptors import no_more_descriptors
from tests.support.sockets import free_port, no_leaked_descriptors
from tunnelui.errors import LocalError, PortBusyError
from tunnelui.transport import listen as listen_module
from tunnelui.transport import unix_listener
from tunnelui.transport.listen import accept_loop, close_listeners, local_address, open_listener
from tunnelui.transport.port_holder import process_name
from tunnelui.wire.address import TCPListen, UnixListen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and SO_PEERCRED are Linux's")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Opened listeners go in here and are closed in the end."""
    opened: list[socket.socket] = []
    yield opened
    close_listeners(opened)


def ports(sockets: list[socket.socket]) -> set[int]:
    return {sock.getsockname()[1] for sock in sockets}


def test_a_listener_is_non_blocking_and_made_with_its_protocol(listeners: list[socket.socket]) -> None:
    listeners += open_listener(TCPListen("127.0.0.1", 0))
    (sock,) = listeners
    assert not sock.getblocking()
    assert sock.proto == socket.IPPROTO_TCP
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert local_address(listeners) == f"127.0.0.1:{sock.getsockname()[1]}"


@ipv6
@pytest.mark.parametrize(
    ("host", "hosts", "printed"),
    [
        ("", {"0.0.0.0", "::"}, ":{}"),
        ("localhost", {"127.0.0.1", "::1"}, "localhost:{}"),
        ("::1", {"::1"}, "[::1]:{}"),
        ("::", {"::"}, "[::]:{}"),
        ("0.0.0.0", {"0.0.0.0"}, "0.0.0.0:{}"),
    ],
)
def test_families_share_the_port(listeners: list[socket.socket], host: str, hosts: set[str], printed: str) -> None:
    listeners += open_listener(TCPListen(host, 0))
    assert {sock.getsockname()[0] for sock in listeners} == hosts
    (port,) = ports(listeners)
    assert local_address(listeners) == printed.format(port)
    for sock in listeners:
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(sock.getsockname()[0], sock.getsockname()[0])
        socket.create_connection((address, port), timeout=30).close()
        sock.accept()[0].close()


@ipv6
def test_another_free_port_is_drawn_when_one_family_has_it_taken(
    listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = listen_module._listen_tcp
    refused: list[int] = []

    def listen_tcp(bind: Any, port: int, reuse_port: bool) -> socket.socket:
        if bind.family == socket.AF_INET6 and len(refused) < 3:
            refused.append(port)
            raise OSError(errno.EADDRINUSE, "taken")
        return real(bind, port, reuse_port)

    monkeypatch.setattr(listen_module, "_listen_tcp", listen_tcp)
    with no_leaked_descriptors():
        opened = open_listener(TCPListen("", 0))
        assert len(opened) == 2
        assert len(ports(opened)) == 1
        close_listeners(opened)
    assert len(refused) == 3

    refused_always = TCPListen("", 0)
    monkeypatch.setattr(listen_module, "_listen_tcp", lambda bind, port, reuse: _take(bind, port, real))
    with no_leaked_descriptors(), pytest.raises(LocalError, match="no port is free"):
        open_listener(refused_always)


def _take(bind: Any, port: int, real: Any) -> socket.socket:
    if bind.family == socket.AF_INET6:
        raise OSError(errno.EADDRINUSE, "taken")
    sock: socket.socket = real(bind, port, False)
    return sock


def test_a_machine_without_ipv6_listens_on_ipv4_alone(
    listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = listen_module._listen_tcp

    def listen_tcp(bind: Any, port: int, reuse_port: bool) -> socket.socket:
        if bind.family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(bind, port, reuse_port)

    monkeypatch.setattr(listen_module, "_listen_tcp", listen_tcp)
    listeners += open_listener(TCPListen("localhost", 0))
    assert [sock.getsockname()[0] for sock in listeners] == ["127.0.0.1"]
    with pytest.raises(LocalError) as caught:
        open_listener(TCPListen("::1", 0))
    assert caught.value.code == "no_such_address"
    monkeypatch.setattr(listen_module, "_listen_tcp", lambda bind, port, reuse: _no_family())
    with pytest.raises(LocalError) as caught:
        open_listener(TCPListen("", 0))
    assert caught.value.code == "no_such_address"


def _no_family() -> socket.socket:
    raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")


@pytest.mark.parametrize("host", ["127.0.0.1", "", "localhost"])
def test_a_busy_port_is_told_with_its_holder(host: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        with no_leaked_descriptors(), pytest.raises(PortBusyError) as caught:
            open_listener(TCPListen(host, port))
    assert caught.value.address == str(TCPListen(host, port))
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in caught.value.holder
        assert caught.value.holder in str(caught.value)


@linux
@ipv6
def test_the_holder_of_an_ipv6_port_is_found_in_another_process() -> None:
    port = free_port("::1")
    program = (
        "import socket,sys;s=socket.socket(socket.AF_INET6);s.bind(('::1',int(sys.argv[1])));s.listen();"
        "print(flush=True);sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(PortBusyError) as caught:
            open_listener(TCPListen("::1", port))
        child.communicate(b"")
    assert f"(pid {child.pid})" in caught.value.holder
    assert "python" in caught.value.holder


@linux
def test_names_of_processes() -> None:
    assert process_name(None) == ""
    assert process_name(0) == ""
    assert process_name(os.getpid()).endswith(f" (pid {os.getpid()})")
    assert process_name(2**22 + 1) == f"pid {2**22 + 1}"  # beyond the highest pid


@pytest.mark.parametrize(
    ("comm", "arguments", "name"),
    [
        ("python3", ["/usr/bin/python3", "-P", "-m", "tunnelui", "agent", "run"], "python3 -m tunnelui"),
        ("python", ["python", "/srv/app/serve.py", "--password", "secret"], "python serve.py"),
        ("python", ["python", "-c", "secret()"], "python"),
        ("java", ["java", "-Xmx1g", "-jar", "/opt/db.jar", "secret"], "java -jar db.jar"),
        ("python", ["python", "-m"], "python"),
        ("redis-server", ["redis-server", "secret"], "redis-server"),
        ("node", [""], "node"),
    ],
)
def test_an_interpreter_is_named_with_what_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comm: str, arguments: list[str], name: str
) -> None:
    monkeypatch.setattr("tunnelui.transport.port_holder._PROC", tmp_path)
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "comm").write_text(f"{comm}\n")
    (tmp_path / "7" / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in arguments))
    assert process_name(7) == f"{name} (pid 7)"


def test_a_busy_port_without_proc_has_no_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunnelui.transport.port_holder._PROC", tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        with pytest.raises(PortBusyError) as caught:
            open_listener(TCPListen("127.0.0.1", other.getsockname()[1]))
    assert caught.value.holder == ""


def test_a_port_can_be_taken_again_at_once() -> None:
    """Connections in TIME_WAIT do not keep it busy."""
    first = open_listener(TCPListen("127.0.0.1", 0))
    port = first[0].getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    accepted = first[0].accept()[0]
    accepted.close()  # closes first: TIME_WAIT stays on this side
    assert client.recv(1) == b""
    client.close()
    close_listeners(first)
    close_listeners(open_listener(TCPListen("127.0.0.1", port)))


def test_processes_may_share_a_port_when_asked_to(listeners: list[socket.socket]) -> None:
    listeners += open_listener(TCPListen("127.0.0.1", 0), reuse_port=True)
    port = listeners[0].getsockname()[1]
    listeners += open_listener(TCPListen("127.0.0.1", port), reuse_port=True)
    with pytest.raises(PortBusyError):
        open_listener(TCPListen("127.0.0.1", port))


def test_addresses_that_are_not_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_leaked_descriptors(), pytest.raises(LocalError) as caught:
        open_listener(TCPListen("192.0.2.1", 0))
    assert caught.value.code == "no_such_address"

    def getaddrinfo(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(LocalError, match="Name or service not known"):
        open_listener(TCPListen("no-such-name.example", 0))


def test_a_port_that_needs_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    def listen_tcp(bind: Any, port: int, reuse_port: bool) -> socket.socket:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(listen_module, "_listen_tcp", listen_tcp)
    with pytest.raises(LocalError) as caught:
        open_listener(TCPListen("127.0.0.1", 80))
    assert caught.value.code == "privileged_port"
    assert "1024" in caught.value.hint


def test_a_machine_without_descriptors_is_a_local_error(tmp_path: Path) -> None:
    with no_more_descriptors():
        with pytest.raises(LocalError):
            open_listener(TCPListen("127.0.0.1", 0))
        with pytest.raises(LocalError):
            open_listener(UnixListen(str(tmp_path / "s")))


# --- Unix sockets


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("fchmod_works", [True, False])
def test_a_unix_socket_is_private_before_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fchmod_works: bool
) -> None:
    if not fchmod_works:

        def fchmod(descriptor: int, mode: int) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(os, "fchmod", fchmod)
    path = tmp_path / "s"
    previous = os.umask(0)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            unix_listener._bind_private(sock, str(path))
            assert mode(path) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(previous)


def test_a_unix_listener_comes_and_goes_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with no_leaked_descriptors():
        opened = open_listener(UnixListen(str(path)))
        assert mode(path) == 0o600
        assert local_address(opened) == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        close_listeners(opened)
    assert not path.exists()


def test_a_stale_socket_file_is_replaced(tmp_path: Path, listeners: list[socket.socket]) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
        gone.listen(1)
    assert path.exists()
    listeners += open_listener(UnixListen(str(path)))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("fill", [False, True])
def test_a_live_unix_socket_is_busy_and_stays(tmp_path: Path, fill: bool) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as client:
        live.bind(str(path))
        live.listen(0)
        if fill:
            client.connect(str(path))
        with no_leaked_descriptors(), pytest.raises(PortBusyError) as caught:
            open_listener(UnixListen(str(path)))
        assert path.exists()
    if sys.platform == "linux" and not fill:
        assert f"(pid {os.getpid()})" in caught.value.holder


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_never_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(tmp_path / "target"))
        path.symlink_to(tmp_path / "target")
    before = path.lstat().st_ino
    with no_leaked_descriptors(), pytest.raises(LocalError) as caught:
        open_listener(UnixListen(str(path)))
    assert not isinstance(caught.value, PortBusyError)
    assert path.lstat().st_ino == before


def test_paths_that_can_not_be(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "folder", tmp_path / ("a" * 200)):
        with no_leaked_descriptors(), pytest.raises(LocalError, match="can't listen on unix:"):
            open_listener(UnixListen(str(path)))


def test_losing_the_race_for_a_unix_path_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        monkeypatch.setattr(unix_listener, "make_way", lambda address: None)
        with pytest.raises(PortBusyError):
            open_listener(UnixListen(str(path)))


def test_closing_leaves_a_socket_that_somebody_else_took_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    opened = open_listener(UnixListen(str(path)))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        close_listeners(opened)
        assert path.exists()


# --- accepting


class Accepted:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.peers: list[str] = []
        self.sockets: list[socket.socket] = []
        self.event = asyncio.Event()

    def __call__(self, sock: socket.socket, peer: str) -> None:
        self.sockets.append(sock)
        self.peers.append(peer)
        self.event.set()

    async def wait_for(self, count: int) -> None:
        with anyio.fail_after(60):
            while len(self.sockets) < count:
                self.event.clear()
                await self.event.wait()

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


@ipv6
async def test_connections_come_ready_for_use_with_their_peer(listeners: list[socket.socket]) -> None:
    listeners += open_listener(TCPListen("localhost", 0))
    (port,) = ports(listeners)
    accepted = Accepted()
    clients = [socket.create_connection((host, port), timeout=30) for host in ("127.0.0.1", "::1")]
    async with anyio.create_task_group() as group:
        group.start_soon(accept_loop, listeners, accepted)
        await accepted.wait_for(2)
        group.cancel_scope.cancel()
    assert sorted(accepted.peers) == sorted(
        [f"127.0.0.1:{clients[0].getsockname()[1]}", f"[::1]:{clients[1].getsockname()[1]}"]
    )
    for sock in accepted.sockets:
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
    accepted.close()
    for client in clients:
        client.close()


async def test_connections_of_somebody_elses_listener_come_ready_for_use_too() -> None:
    accepted = Accepted()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(False)
        async with anyio.create_task_group() as group:
            group.start_soon(accept_loop, [listener], accepted)
            await accepted.wait_for(1)
            group.cancel_scope.cancel()
    assert accepted.sockets[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert accepted.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    accepted.close()


async def test_unix_peers_have_no_address(tmp_path: Path, listeners: list[socket.socket]) -> None:
    listeners += open_listener(UnixListen(str(tmp_path / "s")))
    accepted = Accepted()
    async with anyio.create_task_group() as group:
        group.start_soon(accept_loop, listeners, accepted)
        with await _unix_client(tmp_path / "s"):
            await accepted.wait_for(1)
        group.cancel_scope.cancel()
    assert accepted.peers == [""]
    accepted.close()


async def _unix_client(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    return sock


async def test_many_connections_are_accepted_in_batches_and_nothing_is_left_behind() -> None:
    with no_leaked_descriptors():
        opened = open_listener(TCPListen("127.0.0.1", 0))
        clients = [socket.create_connection(opened[0].getsockname(), timeout=30) for _ in range(200)]
        accepted = Accepted()
        async with anyio.create_task_group() as group:
            group.start_soon(accept_loop, opened, accepted)
            await accepted.wait_for(200)
            group.cancel_scope.cancel()
        accepted.close()
        for client in clients:
            client.close()
        close_listeners(opened)


async def test_cancellation_stops_accepting_and_leaves_the_listener_open(listeners: list[socket.socket]) -> None:
    listeners += open_listener(TCPListen("127.0.0.1", 0))
    accepted = Accepted()
    with anyio.move_on_after(0.05):
        await accept_loop(listeners, accepted)
    with socket.create_connection(listeners[0].getsockname(), timeout=30):
        await asyncio.sleep(0.05)
        assert accepted.sockets == []
        # and it can be taken up again
        async with anyio.create_task_group() as group:
            group.start_soon(accept_loop, listeners, accepted)
            await accepted.wait_for(1)
            group.cancel_scope.cancel()
    accepted.close()


async def test_accepting_goes_on_after_descriptors_ran_out(
    listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen_module, "_PAUSE", 0.05)
    listeners += open_listener(TCPListen("127.0.0.1", 0))
    accepted, warnings = Accepted(), list[str]()
    with socket.socket() as client:
        async with anyio.create_task_group() as group:

            async def accept() -> None:
                await accept_loop(listeners, accepted, on_warning=warnings.append)

            group.start_soon(accept)
            await asyncio.sleep(0.01)
            with no_more_descriptors():
                client.connect(listeners[0].getsockname())
                await asyncio.sleep(0.2)
                assert accepted.sockets == []
                assert len(warnings) == 1  # several pauses, one warning
                assert "open files" in warnings[0]
            await accepted.wait_for(1)
            group.cancel_scope.cancel()
    accepted.close()


async def test_cancellation_during_a_pause_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_module, "_PAUSE", 0.05)
    opened = open_listener(TCPListen("127.0.0.1", 0))
    accepted, warned = Accepted(), list[str]()
    with socket.socket() as client:
        with no_more_descriptors(), anyio.move_on_after(0.02):
            client.connect(opened[0].getsockname())
            await accept_loop(opened, accepted, on_warning=warned.append)
        assert warned
        close_listeners(opened)
        await asyncio.sleep(0.1)  # a timer left behind would now meet a closed listener
    assert accepted.sockets == []


class Failing(socket.socket):
    """A listener whose next accepts fail as told."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


def failing(*failures: int) -> Failing:
    listener = Failing()
    listener.failures = list(failures)
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    listener.setblocking(False)
    return listener


async def test_a_connection_that_is_gone_before_it_is_accepted_does_no_harm() -> None:
    accepted = Accepted()
    with failing(errno.ECONNABORTED, errno.EPROTO, errno.EINTR, errno.ENETDOWN) as listener:
        with socket.create_connection(listener.getsockname(), timeout=30):
            async with anyio.create_task_group() as group:
                group.start_soon(accept_loop, [listener], accepted)
                await accepted.wait_for(1)
                group.cancel_scope.cancel()
        assert listener.failures == []
    accepted.close()


async def test_a_broken_listener_ends_the_loop_with_a_local_error() -> None:
    with failing(errno.EINVAL) as listener, socket.create_connection(listener.getsockname(), timeout=30):
        with anyio.fail_after(60), pytest.raises(LocalError, match="Invalid argument"):
            await accept_loop([listener], Accepted())
        assert not asyncio.get_running_loop().remove_reader(listener)


async def test_what_the_handler_raises_ends_the_loop_and_the_connection(listeners: list[socket.socket]) -> None:
    listeners += open_listener(TCPListen("127.0.0.1", 0))

    def broken(sock: socket.socket, peer: str) -> None:
        raise ZeroDivisionError

    with socket.create_connection(listeners[0].getsockname(), timeout=30) as client:
        with anyio.fail_after(60), pytest.raises(ZeroDivisionError):
            await accept_loop(listeners, broken)
        assert client.recv(1) == b""
        assert not asyncio.get_running_loop().remove_reader(listeners[0])

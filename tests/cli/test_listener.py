"""``tunnelui tcp``: addresses on standard output, words on standard error, and an end that loses nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import Program, Tunnels, jwt, login_url_in
from tests.peers.process import eventually, free_port, is_open
from tests.support.connect_proxy import ConnectProxy, answer, say_nothing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pki import Pki

A, B = "a.example.com:1", "b.example.com:2"
EVENT_KEYS = {"v", "kind", "at", "message", "level", "route", "connection", "data"}


def talk(port: int, data: bytes = b"hello") -> bytes:
    """Send *data*, end our side, and read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def waiting(tunnels: Tunnels) -> socket.socket:
    return socket.create_connection(("127.0.0.1", tunnels.port), timeout=30)


def connected(tunnels: Tunnels) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", tunnels.port), timeout=30)
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"
    return sock


def is_reset(sock: socket.socket) -> bool:
    sock.settimeout(30)
    try:
        sock.recv(1)
    except ConnectionResetError:
        return True
    return False


# What is printed.


def test_the_local_address_stands_alone_on_standard_output(program: Program, proxy: ConnectProxy) -> None:
    with program.tcp(proxy.destination(A)) as tunnels:
        assert talk(tunnels.port) == b"hello"
        assert tunnels.process.stdout == f"127.0.0.1:{tunnels.port}\n"
        assert f"{tunnels.locals[0]} leads to {A} through {proxy.origin}\n" in tunnels.process.stderr


def test_several_destinations_take_the_addresses_in_their_order(
    program: Program, proxy: ConnectProxy, tmp_path: Path
) -> None:
    port, path = free_port(), tmp_path / "s.sock"
    destinations = [proxy.destination(A), proxy.destination(B), proxy.destination(A)]
    flags = ["--listen", str(port), f"--listen=unix:{path}"]
    with program.tcp(*destinations[:2], *flags, destinations[2], listeners=3) as tunnels:
        assert tunnels.locals[:2] == [f"127.0.0.1:{port}", f"unix:{path}"]
        assert path.stat().st_mode & 0o777 == 0o600
        assert talk(port) == b"hello"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        assert talk(int(tunnels.locals[2].rpartition(":")[2])) == b"hello"
        assert [seen.target for seen in proxy.connects] == [A, B, A]
        assert tunnels.process.stop() == 0, tunnels.process.output
    assert not path.exists()


def test_each_flag_has_a_variable_and_the_flag_wins(program: Program, proxy: ConnectProxy) -> None:
    program.env |= {"TUNNELUI_PROXY_URL": proxy.origin, "TUNNELUI_LISTEN": "127.0.0.1:0, unix:/nowhere/x"}
    program.env |= {"TUNNELUI_JSON": "true", "TUNNELUI_GRACE": "0"}
    with program.tcp("--listen", ":0", "--json=false", A) as tunnels:
        assert talk(tunnels.port) == b"hello"
        assert tunnels.locals[0].startswith(":"), "of the flag"
        assert not tunnels.process.stdout.startswith("{"), "of the flag"
        with connected(tunnels):
            assert tunnels.process.stop() == 0
            assert "to end" not in tunnels.process.output, "the grace of the variable"


def test_events_are_one_json_object_a_line(program: Program, tls_proxy: ConnectProxy, pki: Pki) -> None:
    with program.tcp("--json", "--alternate-ca-path", pki.ca_file, tls_proxy.destination(A)) as tunnels:
        assert talk(tunnels.port) == b"hello"
        tls_proxy.script.append(answer(403, b"not you", X_Request_Id="r-9"))
        assert talk_refused(tunnels.port)
        eventually(lambda: "failed" in tunnels.kinds())
        assert tunnels.process.stop(signal.SIGINT) == 0
        events = tunnels.events
    assert tunnels.process.stderr == ""
    assert all(set(event) == EVENT_KEYS for event in events)
    listening = next(event for event in events if event["kind"] == "listening")
    assert listening["data"] == {
        "local": tunnels.locals[0],
        "destination": tls_proxy.destination(A),
        "proxy": tls_proxy.origin,
        "target": A,
    }
    first, second = (event["connection"] for event in events if event["kind"] == "accepted")
    assert tunnels.kinds(first) == ["accepted", "open", "closed"]
    assert tunnels.kinds(second) == ["accepted", "failed"]
    closed = next(event for event in events if event["kind"] == "closed")
    assert (closed["data"]["bytes_in"], closed["data"]["bytes_out"]) == (5, 5)
    assert {"dns", "tcp", "tls", "connect", "first_byte"} <= set(closed["data"]["timings"])
    failed = next(event for event in events if event["kind"] == "failed")
    assert (failed["data"]["code"], failed["data"]["request_id"]) == ("denied", "r-9")
    assert "stopped" in tunnels.kinds()


def talk_refused(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        return is_reset(sock)


def test_trouble_is_told_in_words_with_the_next_step(program: Program, proxy: ConnectProxy) -> None:
    proxy.script.append(answer(403, b"not you", X_Request_Id="r-9"))
    with program.tcp(proxy.destination(A)) as tunnels:
        assert talk_refused(tunnels.port)
        tunnels.process.wait_for(r"may not reach a\.example\.com:1: not you \(request r-9\)\n  Ask the administrator")


# Ports and files that can't be had.


def test_a_busy_port_ends_it_and_names_the_holder(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = program.run("tcp", "--listen", str(port), A)
    text = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"tunnelui: 127.0.0.1:{port} is already in use by " in text
    assert f"{os.getpid()}" in text
    assert text.count("already in use") == 1, "told once"


def test_an_address_of_another_machine_ends_it_and_is_told_once(program: Program) -> None:
    done = program.run("tcp", "--listen", "203.0.113.1:1", A)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().count("203.0.113.1:1") == 1


def test_one_busy_port_among_several_ends_all(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        done = program.run("tcp", "--json", A, B, "--listen", "0", "--listen", str(held.getsockname()[1]))
    assert done.returncode == 1
    assert b"already in use" in done.stderr


# Signals.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_0_and_the_last_events_are_told(
    program: Program, proxy: ConnectProxy, number: signal.Signals
) -> None:
    with program.tcp("--json", "--grace", "0", proxy.destination(A)) as tunnels, connected(tunnels) as sock:
        assert tunnels.process.stop(number) == 0
        assert is_reset(sock)
        assert {"closed", "stopped"} <= set(tunnels.kinds())
        assert tunnels.process.stderr == ""


def test_a_signal_right_after_the_address_ends_it_with_0(program: Program) -> None:
    with subprocess.Popen(
        program.argv("tcp", A), env=program.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def test_open_connections_may_end_within_the_grace_period(program: Program, proxy: ConnectProxy) -> None:
    with program.tcp("--grace", "90", proxy.destination(A)) as tunnels, connected(tunnels) as sock:
        tunnels.process.send(signal.SIGTERM)
        tunnels.process.wait_for("have 90 s to end; a second signal cuts")
        assert not is_open(tunnels.port)
        sock.sendall(b"more")
        assert sock.recv(4) == b"more"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
        assert tunnels.process.wait(60) == 0


def test_a_second_signal_cuts_at_once(program: Program, proxy: ConnectProxy) -> None:
    with program.tcp("--grace", "90", proxy.destination(A)) as tunnels, connected(tunnels) as sock:
        tunnels.process.send(signal.SIGINT)
        tunnels.process.wait_for("a second signal cuts")
        tunnels.process.send(signal.SIGINT)
        assert tunnels.process.wait(60) == 0
        assert is_reset(sock)
        assert "Traceback" not in tunnels.process.stderr


def test_a_signal_ends_a_sign_in_that_is_waited_for(program: Program, proxy: ConnectProxy) -> None:
    proxy.tokens = set()
    with program.tcp("--no-browser", proxy.destination(A)) as tunnels, waiting(tunnels) as sock:
        eventually(lambda: login_url_in(tunnels.process.stderr))
        assert tunnels.process.stop(timeout=60) == 0
        assert is_reset(sock)


def test_a_signal_ends_a_proxy_that_never_answers(program: Program, proxy: ConnectProxy) -> None:
    proxy.default = say_nothing
    with program.tcp("--grace", "50", proxy.destination(A)) as tunnels, waiting(tunnels) as sock:
        eventually(lambda: proxy.connects)
        began = time.monotonic()
        assert tunnels.process.stop(timeout=60) == 0
        assert time.monotonic() - began < 20, "nothing is open, so there is nothing to wait for"
        assert is_reset(sock)


# A reader that is gone or does not read.


def test_a_closed_standard_output_ends_no_tunnel(program: Program, proxy: ConnectProxy) -> None:
    port = free_port()
    with subprocess.Popen(
        program.argv("tcp", "--json", "--listen", str(port), proxy.destination(A)),
        env=program.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        for _ in range(3):
            assert talk(port) == b"hello"
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_full_disk_ends_no_tunnel(program: Program, proxy: ConnectProxy) -> None:
    port = free_port()
    command = program.argv("tcp", "--listen", str(port), proxy.destination(A))
    with open("/dev/full", "wb") as full, subprocess.Popen(command, env=program.env, stdout=full) as process:
        eventually(lambda: is_open(port))
        assert talk(port) == b"hello"
        process.terminate()
        assert process.wait(60) == 0


def test_a_reader_that_does_not_read_holds_up_no_tunnel_and_not_the_end(program: Program, proxy: ConnectProxy) -> None:
    port = free_port()
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        while True:  # as if an earlier line had filled it
            try:
                os.write(writer, b" " * 4096)
            except BlockingIOError:
                break
        os.set_blocking(writer, True)
        with subprocess.Popen(
            program.argv("tcp", "--json", "--listen", str(port), proxy.destination(A)), env=program.env, stdout=writer
        ) as process:
            eventually(lambda: is_open(port))
            for _ in range(3):
                assert talk(port) == b"hello"
            process.terminate()
            assert process.wait(60) == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_no_standard_streams_at_all(program: Program, proxy: ConnectProxy) -> None:
    port = free_port()
    shell = f'exec "$@" --listen {port} <&- >&- 2>&-'
    with subprocess.Popen(
        ["sh", "-c", shell, "sh", *program.argv("tcp", proxy.destination(A))], env=program.env
    ) as process:
        eventually(lambda: is_open(port))
        assert talk(port) == b"hello"
        process.terminate()
        assert process.wait(60) == 0


# Who signs in.


def test_the_address_to_sign_in_is_shown_and_the_connection_is_served_after_it(
    program: Program, proxy: ConnectProxy
) -> None:
    proxy.tokens = set()
    token = jwt(email="alice@example.com")
    with program.tcp("--no-browser", proxy.destination(A)) as tunnels:
        with socket.create_connection(("127.0.0.1", tunnels.port), timeout=30) as sock:
            sock.sendall(b"ping")
            eventually(lambda: login_url_in(tunnels.process.stderr))
            assert proxy.sign_in(token) == 200
            assert sock.recv(4) == b"ping"
        tunnels.process.wait_for("as alice@example.com")
        assert tunnels.process.stop() == 0
    assert program.tokens() == [token]
    assert token not in tunnels.process.output


@pytest.mark.parametrize("way", ["flag", "file flag", "variable", "file variable", "profile"])
def test_a_service_account_is_used_first_and_never_stored(
    program: Program, proxy: ConnectProxy, tmp_path: Path, way: str
) -> None:
    proxy.tokens = {"service"}
    file = tmp_path / "account"
    file.write_text("service\n")
    flags: list[str] = []
    if way == "profile":
        program.write_config(f'[profiles.default]\nservice_account_file = "{file}"\n')
    elif way == "variable":
        program.env["TUNNELUI_SERVICE_ACCOUNT"] = "service"
    elif way == "file variable":
        program.env["TUNNELUI_SERVICE_ACCOUNT_FILE"] = str(file)
    else:
        # What the environment says is for other tunnels: the command line goes before it, whichever flag it is.
        program.env["TUNNELUI_SERVICE_ACCOUNT"] = "another"
        flags = ["--service-account", "service"] if way == "flag" else ["--service-account-file", str(file)]
    with program.tcp(*flags, proxy.destination(A)) as tunnels:
        assert talk(tunnels.port) == b"hello"
    assert [seen.token for seen in proxy.connects] == ["service"]
    assert program.tokens() == []

"""``--listen -``: standard output is the tunnel's alone, and the end of the process tells how it went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import Program, jwt, login_url_in
from tests.peers.process import eventually, free_port
from tests.support.connect_proxy import ConnectProxy, answer, answer_at_end, greet_then, reset_at_once, say_nothing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import Peer

DB = "db.example.com:5432"


def run(
    program: Program, proxy: ConnectProxy, *flags: str, input: bytes = b"hello"
) -> subprocess.CompletedProcess[bytes]:
    return program.run("tcp", "--listen", "-", *flags, proxy.destination(DB), input=input)


def test_what_is_piped_in_comes_back(program: Program, proxy: ConnectProxy) -> None:
    done = run(program, proxy)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_a_file_is_delivered_to_its_end(program: Program, proxy: ConnectProxy, tmp_path: Path, size: int) -> None:
    proxy.default = answer_at_end
    file = tmp_path / "file"
    file.write_bytes(bytes(size))
    with file.open("rb") as source:
        done = subprocess.run(
            program.argv("tcp", "--listen=-", proxy.destination(DB)),
            env=program.env,
            stdin=source,
            capture_output=True,
            timeout=20,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"%d bytes" % size), done.stderr


def test_the_variable_asks_for_it_too(program: Program, proxy: ConnectProxy) -> None:
    program.env["TUNNELUI_LISTEN"] = "-"
    done = program.run("tcp", proxy.destination(DB), input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr


def test_events_go_to_standard_error(program: Program, proxy: ConnectProxy) -> None:
    done = run(program, proxy, "--json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, done.stdout) == (0, b"hello")
    assert [event["kind"] for event in events] == ["open", "closed"]
    assert (events[1]["data"]["bytes_in"], events[1]["data"]["bytes_out"]) == (5, 5)


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        (answer(403, b"not you", X_Request_Id="r-7"), 4, "may not reach db.example.com:5432: not you (request r-7)"),
        (answer(503, b"no healthy upstream"), 5, "is unavailable: no healthy upstream"),
        (answer(503, b"the service behind the proxy is unavailable"), 5, "db.example.com:5432 is unavailable\n"),
        (answer(404), 5, "404 Not Found"),
        (reset_at_once, 5, "reset the connection"),
    ],
    ids=["denied", "unavailable", "unavailable, said twice", "odd", "reset"],
)
def test_the_exit_code_tells_what_was_wrong(
    program: Program, proxy: ConnectProxy, behaviour: object, code: int, words: str
) -> None:
    proxy.default = behaviour  # type: ignore[assignment]  # each is one
    done = run(program, proxy)
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr.decode()
    assert len(done.stderr.splitlines()) >= 2, "the next step is there"


def test_a_proxy_that_is_not_there_is_exit_code_5(program: Program) -> None:
    done = program.run("tcp", "--listen", "-", f"tcp+http://127.0.0.1:{free_port()}/{DB}")
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"refused the connection" in done.stderr


def test_a_sign_in_that_fails_is_exit_code_3(program: Program, proxy: ConnectProxy) -> None:
    proxy.tokens = set()
    program.write_config("[profiles.default]\nsign_in_timeout = 8\n")
    done = run(program, proxy, "--no-browser")
    assert (done.returncode, done.stdout) == (3, b"")
    assert login_url_in(done.stderr.decode())
    assert done.stderr.count(b"nobody signed in within") == 1


def test_a_sign_in_serves_the_tunnel_that_wanted_it(program: Program, proxy: ConnectProxy) -> None:
    proxy.tokens = set()
    with program.spawn("tcp", "--listen", "-", "--no-browser", proxy.destination(DB), stdin=subprocess.PIPE) as process:
        eventually(lambda: login_url_in(process.stderr))
        assert proxy.sign_in(jwt(email="alice@example.com")) == 200
        process.popen.communicate(b"hello", timeout=60)
        assert (process.popen.returncode, process.stdout) == (0, "hello")
    assert len(program.tokens()) == 1


def open_first(peer: Peer) -> None:
    greet_then(say_nothing)(peer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["open", "no answer", "sign-in"])
def test_a_signal_ends_it_with_1_wherever_it_stands(
    program: Program, proxy: ConnectProxy, moment: str, number: signal.Signals
) -> None:
    proxy.default = open_first if moment == "open" else say_nothing
    proxy.tokens = set() if moment == "sign-in" else None
    flags = ("tcp", "--listen", "-", "--no-browser", proxy.destination(DB))
    with program.spawn(*flags, stdin=subprocess.PIPE) as process:
        if moment == "open":
            process.wait_for("hello")
        elif moment == "sign-in":
            eventually(lambda: login_url_in(process.stderr))
        else:
            eventually(lambda: proxy.connects)
        began = time.monotonic()
        process.send(number)
        assert process.wait(40) == 1
        assert time.monotonic() - began < 20
        assert "Traceback" not in process.output
        assert f"ended by {number.name}" in process.stderr
        assert process.popen.stdin is not None
        process.popen.stdin.close()


def test_a_signal_is_told_as_json(program: Program, proxy: ConnectProxy) -> None:
    proxy.default = say_nothing
    with program.spawn("tcp", "--listen", "-", "--json", proxy.destination(DB)) as process:
        eventually(lambda: proxy.connects)
        assert process.stop() == 1
        lines = process.stderr.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["stopped"]


def test_a_failure_is_told_as_json(program: Program, proxy: ConnectProxy) -> None:
    proxy.default = answer(403, b"not you")
    done = run(program, proxy, "--json")
    assert done.returncode == 4
    assert [json.loads(line)["data"]["code"] for line in done.stderr.splitlines()] == ["denied"]
    done = run(program, proxy, "--json", "--service-account-file", "/nowhere/account")
    assert done.returncode == 2
    assert [json.loads(line)["data"]["code"] for line in done.stderr.splitlines()] == ["config"]


def test_a_name_that_hangs_in_the_resolver_does_not_hold_up_the_end(program: Program) -> None:
    """The look-up runs in a thread that nothing can stop; the process ends without it."""
    slow = (
        "import signal, socket, sys, time\n"
        "def hang(*_, **__):\n"
        "    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL: time.sleep(0.01)\n"
        "    print('ready', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "socket.getaddrinfo = hang\n"
        "from tunnelui.cli.main import main\n"
        "sys.argv = ['tunnelui', 'tcp', '--listen', '-', 'tcp+http://slow.example.com/db.example.com:1']\n"
        "sys.exit(main())\n"
    )
    with subprocess.Popen(
        [program.argv()[0], "-c", slow], env=program.env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        began = time.monotonic()
        process.terminate()
        assert process.wait(40) == 1
        assert time.monotonic() - began < 30


def test_a_closed_standard_error_does_not_matter(program: Program, proxy: ConnectProxy) -> None:
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *program.argv("tcp", "--listen", "-", "--json")]
    done = subprocess.run(
        [*command, proxy.destination(DB)], env=program.env, input=b"hello", capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_the_terminal_of_the_caller_is_left_as_it_was(program: Program, proxy: ConnectProxy) -> None:
    proxy.default = greet_then(lambda peer: peer.end())
    with program.terminal("tcp", "--listen", "-", proxy.destination(DB)) as terminal:
        flags = os.get_blocking(terminal.side)
        terminal.wait_for("hello")
        terminal.type("x\n\x04")
        assert terminal.wait() == 0
        assert os.get_blocking(terminal.side) == flags

"""The client and its agent without what Windows lacks: Unix sockets, poll, fcntl, termios, users, most signals, and an
event loop that watches pipes and catches signals.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import jwt
from tests.cli.test_agent import kill_agent, use
from tests.peers.process import eventually
from tests.support.less import LIKE_WINDOWS, python_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy
    from tests.support.pki import Pki


@pytest.fixture(autouse=True)
def like_windows(program: Program, tmp_path: Path) -> None:
    program.env["PYTHONPATH"] = python_path(tmp_path / "less", LIKE_WINDOWS)


def test_it_is_all_taken_away(program: Program) -> None:
    """What the other tests stand on."""
    code = (
        "import asyncio, os, select, signal, socket\n"
        "assert not hasattr(socket, 'AF_UNIX') and not hasattr(select, 'poll') and not hasattr(os, 'getuid')\n"
        "assert not hasattr(signal, 'SIGHUP')\n"
        "try: import fcntl\n"
        "except ImportError: print('gone')"
    )
    done = subprocess.run(
        [program.argv()[0], "-c", code], env=program.env, capture_output=True, timeout=20, check=False
    )
    assert done.stdout == b"gone\n", done.stderr


@pytest.mark.timeout(400)
def test_a_day_with_the_agent(program: Program, tls_proxy: ConnectProxy, pki: Pki) -> None:
    program.write_config(f'[profiles.default]\nca_file = "{pki.ca_file}"\n')
    assert program.run("routes", "add", "db", tls_proxy.destination("db.example.com:5432")).returncode == 0
    with program.agent():
        for words in (["agent", "start"], ["up", "db"], ["wait", "db"]):
            done = program.run(*words)
            assert done.returncode == 0, done.stderr
        local = program.status()["db"]["local"]
        use(local).close()
        assert b"this system has no Unix sockets" in program.run("agent").stdout
        assert b"postgresql://" in program.run("exec", "db", "--", "sh", "-c", "echo $TUNNELUI_URL").stdout
        done = program.run("tcp", "--listen", "-", tls_proxy.destination(), input=b"x" * 300_000)
        assert (done.returncode, done.stdout) == (0, b"x" * 300_000), done.stderr
        old = kill_agent(program)
        assert program.run("wait", "db").returncode == 0
        assert program.agent_pid() not in (0, old)
        with use(local) as going_on:
            done = program.run("agent", "restart")
            assert done.returncode == 0, done.stderr
            going_on.sendall(b"again")
            assert going_on.recv(100) == b"again"
        assert program.status()["db"]["local"] == local
        assert program.run("down", "db").returncode == 0
        assert program.status()["db"]["state"] == "off"
        assert program.run("agent", "stop").returncode == 0
        assert program.run("agent").returncode == 1
    log = program.state / "tunnelui.log"
    assert not log.exists() or "Traceback" not in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_in_order(program: Program, proxy: ConnectProxy, number: signal.Signals) -> None:
    with program.tcp(proxy.destination()) as tunnels, use(tunnels.locals[0]) as connection:
        programs = program.runtime / "programs"
        assert eventually(lambda: any(programs.glob("*.json")))
        tunnels.process.popen.send_signal(number)
        assert eventually(lambda: "have 2 s to end" in tunnels.process.output), "an idle loop wakes up for it"
        connection.shutdown(socket.SHUT_WR)
        assert tunnels.process.popen.wait(60) == 0
        assert not any(programs.glob("*.json"))


def test_other_commands_see_it_and_can_stop_it(program: Program, proxy: ConnectProxy) -> None:
    with program.tcp(proxy.destination()) as tunnels:
        pid = tunnels.process.popen.pid
        assert str(pid) in program.run("status", "--json").stdout.decode()
        os.kill(pid, signal.SIGKILL)
        tunnels.process.popen.wait(60)
        assert str(pid) not in program.run("status", "--json").stdout.decode()
        assert not any((program.runtime / "programs").iterdir()), "what it left behind is removed"


def test_a_descriptor_that_select_can_not_watch_is_refused_and_the_loop_goes_on(program: Program) -> None:
    code = (
        "import asyncio, os, socket\n"
        "from tunnelui.system import choose_event_loop\n"
        "choose_event_loop()\n"
        "async def main():\n"
        "    sock = socket.socket()\n"
        "    os.dup2(sock.fileno(), 1024)\n"
        "    high, loop = socket.socket(fileno=1024), asyncio.get_running_loop()\n"
        "    for watch in (loop.add_reader, loop.add_writer):\n"
        "        try: watch(high, print)\n"
        "        except OSError as error: print(error.strerror)\n"
        "    await asyncio.sleep(0.01)\n"
        "asyncio.run(main())\n"
    )
    limited = ["sh", "-c", 'ulimit -n 2048; exec "$0" "$@"', program.argv()[0], "-c", code]
    done = subprocess.run(limited, env=program.env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["Too many open files"] * 2, "")


@pytest.mark.timeout(400)
def test_more_sockets_than_select_takes_harm_nobody(program: Program, proxy: ConnectProxy) -> None:
    with program.tcp(proxy.destination()) as tunnels:
        host, _, port = tunnels.locals[0].rpartition(":")
        with use(tunnels.locals[0]) as first, ExitStack() as open_ones:
            for _ in range(600):
                open_ones.enter_context(socket.create_connection((host, int(port)), timeout=30))
            first.sendall(b"still here")
            assert first.recv(100) == b"still here"
        assert tunnels.process.popen.poll() is None

        def works() -> bool:
            try:
                use(tunnels.locals[0]).close()
            except (OSError, AssertionError):
                return False
            return True

        assert eventually(works)


def test_a_token_is_taken_from_a_pipe(program: Program, proxy: ConnectProxy) -> None:
    program.sign_in(proxy, jwt(sub="alice"))

"""``tcp --listen -`` while an agent runs: the agent carries the bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.program import jwt, login_url_in
from tests.peers.process import eventually
from tunnelui.cli.handoff import simple_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy


@pytest.fixture
def agent(program: Program) -> Iterator[Program]:
    assert program.run("agent", "start").returncode == 0
    yield program


def modules_of(
    program: Program, *arguments: str, **options: Any
) -> tuple[subprocess.CompletedProcess[bytes], set[str]]:
    """Run the program; return also what it had loaded when it ended. *options* go to `subprocess.run`."""
    program.folder.mkdir(exist_ok=True)
    file = program.folder / "modules"
    code = (
        "import atexit, sys\n"
        "from pathlib import Path\n"
        f"atexit.register(lambda: Path({str(file)!r}).write_text(' '.join(sys.modules)))\n"
        "from tunnelui.cli.main import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=program.env,
        capture_output=True,
        timeout=20,
        check=False,
        **options,
    )
    return done, set(file.read_text().split())


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--listen", "-", "db:1"], {"destination": "db:1"}),
        (["db:1", "--listen=-"], {"destination": "db:1"}),
        (
            ["--listen", "-", "--profile", "corp", "--pomerium-url", "https://p", "db:1"],
            {"destination": "db:1", "profile": "corp", "proxy_url": "https://p"},
        ),
        (["db:1"], None),
        (["--listen", "-"], None),
        (["--listen", ":1", "db:1"], None),
        (["--listen", "-", "db:1", "db:2"], None),
        (["--listen", "-", "--listen", ":1", "db:1"], None),
        (["--listen", "-", "db:1", "--json"], None),
        (["--listen", "-", "db:1", "--service-account", "x"], None),
        (["--listen", "-", "db:1", "--profile"], None),
        (["--listen", "-", "db:1", "--", "x"], None),
    ],
)
def test_only_the_plain_case_is_handed_over(arguments: list[str], asked: dict[str, str] | None) -> None:
    assert simple_request(arguments) == asked


@pytest.mark.parametrize("name", ["TUNNELUI_JSON", "TUNNELUI_PROFILE"])
def test_a_variable_of_the_command_keeps_it_here(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert simple_request(["--listen", "-", "db:1"]) is None


def test_the_agent_carries_the_bytes_and_little_is_loaded(agent: Program, proxy: ConnectProxy) -> None:
    data = os.urandom(300_000)
    done, modules = modules_of(agent, "tcp", "--listen", "-", proxy.destination(), input=data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data
    assert {"anyio", "asyncio", "ssl", "dataclasses"} & modules == set()
    assert len(proxy.connects) == 1


def test_without_an_agent_the_process_does_it(program: Program, proxy: ConnectProxy) -> None:
    done, modules = modules_of(program, "tcp", "--listen", "-", proxy.destination(), input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello")
    assert "asyncio" in modules


@pytest.mark.parametrize("change", ["environment", "config"])
def test_an_agent_that_would_do_otherwise_is_not_used(agent: Program, proxy: ConnectProxy, change: str) -> None:
    if change == "environment":
        agent.env["TUNNELUI_NO_BROWSER"] = "1"
    else:
        agent.write_config("warm = 0\n")
    done, modules = modules_of(agent, "tcp", "--listen", "-", proxy.destination(), input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello")
    assert "asyncio" in modules


def test_a_file_is_not_given_away(agent: Program, proxy: ConnectProxy) -> None:
    """It could hold up the tunnels of everybody else; nothing of it is seen by the agent."""
    file = agent.folder / "input"
    file.write_bytes(b"from a file")
    with file.open("rb") as stream:
        done, modules = modules_of(agent, "tcp", "--listen", "-", proxy.destination(), stdin=stream)
    assert (done.returncode, done.stdout) == (0, b"from a file")
    assert "asyncio" in modules


def test_a_mute_agent_does_not_keep_ssh_waiting(agent: Program, proxy: ConnectProxy) -> None:
    pid = agent.agent_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        done = agent.run("tcp", "--listen", "-", proxy.destination(), input=b"hello")
        assert (done.returncode, done.stdout) == (0, b"hello")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_an_error_comes_back_in_words_and_code(agent: Program, proxy: ConnectProxy) -> None:
    from tests.support.connect_proxy import answer

    proxy.script.append(answer(403))
    done = agent.run("tcp", "--listen", "-", proxy.destination(), input=b"")
    assert done.returncode == 4
    assert done.stdout == b""
    assert b"tunnelui: " in done.stderr
    done = agent.run("tcp", "--listen", "-", "no destination")
    assert done.returncode == 2


def test_the_address_of_a_sign_in_is_shown_to_all_who_wait_for_it(agent: Program, proxy: ConnectProxy) -> None:
    proxy.tokens = {jwt(email="alice@example.com")}

    @contextmanager
    def waiting(name: str) -> Iterator[str | None]:
        """A program that waits for the sign-in; gives the address that it was told."""
        told = agent.folder / name
        with (
            told.open("wb") as stream,
            subprocess.Popen(
                agent.argv("tcp", "--listen", "-", proxy.destination()),
                env=agent.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
            ) as process,
        ):
            try:
                yield eventually(lambda: login_url_in(told.read_text()))
            finally:
                process.kill()

    # The second one joins the sign-in under way.
    with waiting("first") as first, waiting("second") as second:
        assert first
        assert first == second


def test_killing_the_program_cuts_its_tunnel_and_no_other(agent: Program, proxy: ConnectProxy) -> None:
    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            agent.argv("tcp", "--listen", "-", proxy.destination()),
            env=agent.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"hello")
        assert process.stdout.read(5) == b"hello"
        return process

    with begin() as first, begin() as second:
        first.kill()
        first.wait(60)
        assert eventually(lambda: proxy.open_connections <= 2)
        assert second.stdin is not None and second.stdout is not None
        second.stdin.write(b"still")
        assert second.stdout.read(5) == b"still"
        os.kill(agent.agent_pid(), signal.SIGKILL)
        assert second.wait(60) == 1


def test_output_that_nobody_reads_any_more_ends_the_tunnel(agent: Program, proxy: ConnectProxy) -> None:
    with subprocess.Popen(
        agent.argv("tcp", "--listen", "-", proxy.destination()),
        env=agent.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"hello")
        assert process.stdout.read(5) == b"hello"
        process.stdout.close()
        process.stdin.write(b"more")
        assert process.wait(60) != 0

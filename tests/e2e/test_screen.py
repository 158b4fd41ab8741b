"""The screen in a real terminal, by its keys and the mouse, with a real server behind it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.e2e.harness import ALICE, DOMAIN, Client, Server, password_of
from tests.e2e.on_screen import select, sign_in_address, start
from tests.e2e.terminal import Terminal, run_terminal
from tests.e2e.visitor import visit
from tests.peers.parts import require
from tests.peers.process import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = [(80, 24), (120, 36)]
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def screen_client(tmp_path: Path, server: Server) -> Iterator[Client]:
    """A client with three saved routes and nobody signed in; no browser is opened. Its agent ends with the test."""
    client = Client(tmp_path / "client", server, store="memory")
    client.config.mkdir(parents=True)
    del client.env["TUNNELUI_PROXY_URL"]
    (client.config / "config.toml").write_text(
        f'[profiles.default]\nproxy_url = "{server.url}"\nca_file = "{server.ca_file}"\nopen_browser = false\n'
    )
    for name, port in (("billing", 5432), ("down", 5432), ("echo", 7)):
        done = client.run("routes", "add", name, f"{name}.{DOMAIN}:{port}")
        assert done.returncode == 0, done.stderr
    yield client
    client.run("agent", "stop")


@contextmanager
def screen(client: Client, size: tuple[int, int], *arguments: str) -> Iterator[Terminal]:
    env = client.env | {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    with run_terminal(client.argv(*arguments), client.folder, env, width=size[0], height=size[1]) as terminal:
        yield terminal


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_from_the_first_row_to_moved_bytes_and_back(
    screen_client: Client, server: Server, size: tuple[int, int]
) -> None:
    with screen(screen_client, size) as terminal:
        terminal.wait_for("echo +off")
        terminal.wait_for(r"\A tunnelui .* 0 up")
        assert all(len(line) <= size[0] for line in terminal.lines)
        port = start(terminal, "echo")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b"hello")
            terminal.wait_for("echo +auth")
            terminal.keys("i")
            url = sign_in_address(terminal)
            visit(url, name=ALICE, password=password_of(ALICE), ca_file=server.ca_file)
            assert sock.recv(5) == b"hello", "the connection that was held is served"
            terminal.wait_for("echo +live +1")
            terminal.wait_for(rf"\A tunnelui .*{ALICE.partition('@')[0]}")
            sock.sendall(b"x" * 100_000)
            received = 0
            while received < 100_000:
                received += len(sock.recv(65536))
            terminal.keys("Enter")
            terminal.wait_for(r"127\.0\.0\.1:\d+ .*open")
            terminal.wait_for("(?i)stages|handshake")
            terminal.keys("Escape")
        terminal.wait_for("echo +ready")
        select(terminal, "echo")
        terminal.keys("Space")
        terminal.wait_for("echo +off")
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=2)
        terminal.keys("q")
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code == 0


def test_a_refusal_and_a_dead_service_say_what_to_do(screen_client: Client, server: Server) -> None:
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("billing +off")
        port = start(terminal, "billing")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            terminal.wait_for("billing +auth")
            terminal.keys("i")
            visit(sign_in_address(terminal), name=ALICE, password=password_of(ALICE), ca_file=server.ca_file)
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        terminal.wait_for("billing +denied")
        terminal.wait_for("Ask the administrator")
        port = start(terminal, "down")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock, pytest.raises(ConnectionResetError):
            sock.recv(1)
        terminal.wait_for("down +retry")
        terminal.wait_for("(?i)r retry")


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_help_filter_add_edit_delete_and_undo(screen_client: Client, size: tuple[int, int]) -> None:
    with screen(screen_client, size) as terminal:
        terminal.wait_for("echo +off")
        terminal.keys("?")
        terminal.wait_for("start/stop")
        terminal.wait_for("sign in")
        terminal.keys("Escape")
        terminal.wait_for("echo +off")

        terminal.keys("/")
        terminal.wait_for("enter keep")
        terminal.type("ech")
        terminal.wait_gone("billing +off")
        assert "echo" in terminal.text
        terminal.keys("Escape")
        terminal.wait_for("billing +off")

        terminal.keys("a")
        terminal.wait_for("Add a route")
        terminal.type("new.example.com:5432")
        terminal.keys("C-s")
        terminal.wait_for(r"new\S* +off")
        assert len(saved(screen_client)) == 4
        select(terminal, "new")
        terminal.keys("d")
        terminal.wait_for("Delete the route new")
        terminal.keys("y")
        terminal.wait_gone(r"new\S* +off")
        assert len(saved(screen_client)) == 3
        terminal.keys("u")
        terminal.wait_for(r"new\S* +off")
        assert len(saved(screen_client)) == 4

        terminal.keys("q")
        eventually(lambda: terminal.is_over)


def test_keys_that_arrive_together_go_where_the_first_of_them_leads(screen_client: Client) -> None:
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("echo +off")
        terminal.type("/ech")
        terminal.wait_for("/  ech ")
        terminal.wait_gone("billing +off")
        terminal.keys("C-u", "b", "i", "Enter", "Enter")
        terminal.wait_for(r"\A . billing ")
        terminal.type("l/nothing")
        terminal.wait_for("/  nothing")
        terminal.keys("Enter")
        terminal.wait_for(r"/nothing not here")
        terminal.keys("q")
        eventually(lambda: terminal.is_over)


@pytest.mark.parametrize("term", ["screen", "screen-256color"])
def test_in_gnu_screen_colours_are_what_it_can_draw(screen_client: Client, tmp_path: Path, term: str) -> None:
    """The terminal around it may promise more by COLORTERM; screen takes that for blinking and dim."""
    (program,) = require("screen")
    (tmp_path / "screens").mkdir(mode=0o700)
    (tmp_path / "screenrc").write_text("startup_message off\n")
    env = screen_client.env | {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", "SCREENDIR": str(tmp_path / "screens")}
    argv = [program, "-c", str(tmp_path / "screenrc"), "-T", term, "-U", *screen_client.argv()]
    with run_terminal(argv, tmp_path, env, width=120, height=36) as terminal:
        terminal.wait_for("^▌○ billing +off")
        terminal.keys("j")
        terminal.wait_for("^▌○ down +off")
        painted = terminal.command("capture-pane", "-p", "-e")
        codes = {tuple(found.split(";")) for found in re.findall(r"\x1b\[([\d;]+)m", painted)}
        assert any(code[:2] in {("38", "5"), ("48", "5")} for code in codes) == (term != "screen")
        assert not any(part in {"2", "5"} for code in codes if "38" not in code and "48" not in code for part in code)
        start(terminal, "echo")
        terminal.keys("C-q")
        eventually(lambda: terminal.is_over)


def test_the_mouse_selects_a_row(screen_client: Client) -> None:
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("echo +off")
        row = next(number for number, line in enumerate(terminal.lines, 1) if re.search("echo +off", line))
        terminal.click(20, row)
        terminal.wait_for("▌\\S? ?echo ")


def test_the_first_run_says_how_to_begin(tmp_path: Path) -> None:
    client = Client(tmp_path / "client", store="memory")
    with screen(client, (80, 24)) as terminal:
        terminal.wait_for("No routes yet")
        terminal.wait_for("add one by hand")
    client.run("agent", "stop")


def test_names_from_elsewhere_drive_no_terminal(screen_client: Client) -> None:
    """Even where somebody has put them into routes.toml by hand, escapes and markup are text."""
    file = screen_client.config / "routes.toml"
    text = file.read_text().replace('name = "down"', 'name = "\\u001b]0;pwn\\u0007[bold]x"')
    file.write_text(text)
    with screen(screen_client, (80, 24)) as terminal:
        eventually(lambda: terminal.is_over or "echo" in terminal.text)
        assert terminal.title != "pwn"
        assert terminal.is_over or "[bold]x" in terminal.text


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_the_demo_runs_in_a_terminal_and_leaves_nothing_behind(tmp_path: Path, size: tuple[int, int]) -> None:
    client = Client(tmp_path / "client")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    client.env["TMPDIR"] = str(temporary)
    with screen(client, size, "demo") as terminal:
        terminal.wait_for("echo +off", 40)
        for name in ("web", "slow", "down", "billing"):
            assert re.search(rf"{name} +off", terminal.text)
        everybody = [terminal.process, *terminal.process.children(recursive=True)]
        assert len(everybody) >= 4
        port = start(terminal, "echo")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b"hello")
            terminal.wait_for("echo +auth")
        terminal.keys("C-q")
        eventually(lambda: terminal.is_over)
        eventually(lambda: not any(is_alive(process) for process in everybody), 20, "the end of all processes")
        assert os.listdir(temporary) == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_gives_the_terminal_back(screen_client: Client, name: str) -> None:
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("echo +off")
        terminal.process.send_signal(signal.Signals[name])
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code in (0, 128 + signal.Signals[name])


def saved(client: Client) -> list[str]:
    return client.run("routes", "list", "--json").stdout.decode().splitlines()


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_agent_killed_under_the_screen_is_said_and_heals(screen_client: Client) -> None:
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("echo +off")
        port = start(terminal, "echo")
        config = screen_client.config / "config.toml"
        good = config.read_text()
        config.write_text("colour = 1\n")  # so that the next one can't begin, and there is time to look
        pid = json.loads(screen_client.run("agent", "--json").stdout)["pid"]
        os.kill(pid, signal.SIGKILL)
        terminal.wait_for("the tunnels can.t be asked")
        config.write_text(good)
        eventually(lambda: "be asked" not in terminal.text)
        terminal.wait_for(rf"echo +ready .*127\.0\.0\.1:{port}")
        select(terminal, "billing")
        terminal.keys("Space")
        terminal.wait_for("billing +ready")
        terminal.keys("q")
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code == 0
        assert "tunnelui down --all stops it" in terminal.text
    socket.create_connection(("127.0.0.1", port), timeout=30).close()


def test_an_agent_that_hangs_is_said_and_heals(screen_client: Client) -> None:
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("echo +off")
        port = start(terminal, "echo")
        pid = json.loads(screen_client.run("agent", "--json").stdout)["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            terminal.wait_for("can.t be asked: the agent does not answer", 40)
            terminal.keys("Space")
            terminal.wait_for("▌.*[Tt]he agent does not answer")
        finally:
            os.kill(pid, signal.SIGCONT)
        terminal.wait_gone("be asked: ")
        terminal.wait_for(rf"echo +ready .*127\.0\.0\.1:{port}")
        terminal.keys("q")
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code == 0


def test_the_way_to_the_shell_and_back_brings_the_whole_picture(screen_client: Client) -> None:
    env = screen_client.env | {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", "PS1": "shell> "}
    with run_terminal(["bash", "--norc", "-i"], screen_client.folder, env, width=80, height=24) as terminal:
        terminal.wait_for("shell>")
        terminal.type(shlex.join(screen_client.argv()) + "\r")
        terminal.wait_for("echo +off")
        start(terminal, "echo")
        before = terminal.text
        terminal.keys("C-z")
        terminal.wait_for("Stopped")
        terminal.type("fg\r")
        eventually(lambda: terminal.text == before, 10, f"the picture as before: {before}")
        terminal.keys("C-z")
        terminal.wait_for("Stopped")
        terminal.command("resize-window", "-x", "100", "-y", "30")
        terminal.type("fg\r")
        terminal.wait_for(r"┤ Log: echo ├")
        terminal.keys("q")
        terminal.wait_for("tunnelui down --all stops it")
        terminal.type("exit\r")
        eventually(lambda: terminal.is_over)


def test_a_program_gets_the_terminal_and_gives_it_back(screen_client: Client) -> None:
    script = 'echo "here {host}:{port}"; trap "echo caught; exit 3" INT; read line; echo "got $line"; sleep 20'
    done = screen_client.run("routes", "edit", "echo", "--command", f"sh -c '{script}'")
    assert done.returncode == 0, done.stderr
    with screen(screen_client, (80, 24)) as terminal:
        terminal.wait_for("echo +off")
        select(terminal, "echo")
        terminal.keys("o")
        terminal.wait_for(r"^here 127\.0\.0\.1:\d+")
        terminal.type("hello\r")
        terminal.wait_for(r"^got hello")
        terminal.keys("C-c")
        terminal.wait_for(r"\^Ccaught")
        terminal.wait_for("It ended with status 3")
        terminal.keys("Enter")
        terminal.wait_for(r"^▌\S echo +ready")
        terminal.wait_for("sh ended with status 3")
        terminal.keys("q")
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code == 0


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_the_way_to_a_service_is_tested_and_copied_in_another_spelling(
    screen_client: Client, size: tuple[int, int]
) -> None:
    done = screen_client.run("routes", "add", "open", f"open.{DOMAIN}:7")
    assert done.returncode == 0, done.stderr
    with screen(screen_client, size) as terminal:
        terminal.wait_for("open +off")
        select(terminal, "open")
        terminal.keys("T")
        terminal.wait_for(r"The far side took a connection, after [\d.]+ m?s")
        terminal.keys("Escape")
        terminal.wait_gone("The far side")
        start(terminal, "open")
        terminal.keys("Y")
        port = terminal.wait_for(r"export TUNNELUI_HOST=127\.0\.0\.1 TUNNELUI_PORT=(\d+)")[1]
        terminal.keys("p")
        terminal.wait_for(rf"Copied the port.*: {port}")
        terminal.keys("q")
        eventually(lambda: terminal.is_over)


def test_a_day_in_one_session(screen_client: Client, server: Server) -> None:
    """Start, sign in, open, copy over ssh, traffic, the agent killed in the middle, and all of it well again."""
    screen_client.env["SSH_TTY"] = "/dev/pts/0"  # so that the terminal has to copy (OSC 52)
    with screen(screen_client, (120, 36)) as terminal:
        terminal.command("set", "-g", "set-clipboard", "on")
        terminal.wait_for("echo +off")
        port = start(terminal, "echo")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b"hello")
            terminal.wait_for("echo +auth")
            terminal.keys("i")
            visit(sign_in_address(terminal), name=ALICE, password=password_of(ALICE), ca_file=server.ca_file)
            assert sock.recv(5) == b"hello"
            terminal.wait_for("echo +live +1")

            terminal.keys("y")
            terminal.wait_for(rf"Copied the local address by the terminal: 127\.0\.0\.1:{port}")
            eventually(lambda: terminal.command("show-buffer").strip() == f"127.0.0.1:{port}")

            sock.sendall(b"x" * 300_000)
            received = 0
            while received < 300_000:
                received += len(sock.recv(65536))
            terminal.keys("Enter")
            terminal.wait_for(r"127\.0\.0\.1:\d+ .*293 KB .*open")
            terminal.keys("]")
            terminal.wait_for(r"TOTAL *$")
            terminal.wait_for(r"1 connection; most of it \w+")
            terminal.keys("]", "Enter")
            terminal.wait_for(r"^ . Log  echo  info\+  follow")
            terminal.wait_for("tunnel open in")
            terminal.keys("Escape")  # alone: with a bracket behind it, it would be the start of another key
            terminal.wait_for("┤ Log ├")
            terminal.keys("[", "x")
            terminal.wait_for("Close 127")
            terminal.keys("y")
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
            terminal.keys("[")
            terminal.wait_for("closed on request")
            terminal.keys("Escape")

        pid = json.loads(screen_client.run("agent", "--json").stdout)["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: json.loads(screen_client.run("agent", "--json").stdout or b"{}").get("pid") not in (None, pid)
        )
        terminal.wait_gone("be asked")
        terminal.wait_for(rf"echo +ready .*127\.0\.0\.1:{port}")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b"again")
            terminal.wait_for("echo +auth")  # its tokens were in memory
            terminal.keys("i")
            visit(sign_in_address(terminal), name=ALICE, password=password_of(ALICE), ca_file=server.ca_file)
            assert sock.recv(5) == b"again"
        terminal.keys("q")
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code == 0

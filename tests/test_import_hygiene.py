"""What a command loads decides how fast it starts: the headless path loads no screen, web client or keyring."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

import tunnelui
from tests.support.pki import Pki

HEAVY = ("textual", "rich", "httpx", "keyring")
# What the way of ``tcp --listen -`` loads of the standard library beside asyncio and ssl, and of our own. Whoever adds
# to it makes every start of ssh slower: is it needed before the tunnel is open?
LIBRARY = frozenset(
    [
        "argparse",
        "copy",
        "dataclasses",
        "encodings",
        "fnmatch",
        "gc",
        "gettext",
        "glob",
        "grp",
        "ipaddress",
        "locale",
        "ntpath",
        "pathlib",
        "pwd",
        "unicodedata",
        "urllib",
    ]
)
OWN_MODULES = 70
REPORT = """
import atexit, sys

compiled = []

@sys.addaudithook
def count(event, arguments):
    if event == "exec" and getattr(arguments[0], "co_filename", "") == "<string>":
        compiled.append(sys._getframe(1).f_code.co_filename)

@atexit.register
def report():
    modules = sorted(sys.modules)
    import json
    with open({report!r}, "w") as file:
        json.dump([modules, compiled], file)

from tunnelui.cli.main import main

sys.exit(main({arguments!r}))
"""


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "package",
    [
        "tunnelui",
        "tunnelui.errors",
        "tunnelui.text",
        "tunnelui.wire",
        "tunnelui.transport",
        "tunnelui.auth",
        "tunnelui.config",
        "tunnelui.engine",
        "tunnelui.engine.local",
        "tunnelui.auth.credentials",
        "tunnelui.auth.stores",
        "tunnelui.cli",
        "tunnelui.cli.main",
        "tunnelui.cli.tcp",
    ],
)
def test_the_headless_packages_load_nothing_heavy(package: str) -> None:
    assert not modules_after(f"import {package}") & set(HEAVY)


def test_the_screen_on_an_agent_loads_no_engine() -> None:
    assert not modules_after("import tunnelui.cli.ui") & {
        "tunnelui.engine.local",
        "tunnelui.auth.credentials",
        "tunnelui.tui.app",
        *HEAVY,
    }


def test_the_screen_on_an_agent_needs_no_event_library_but_asyncio() -> None:
    assert "anyio" not in modules_after("import tunnelui.cli.main, tunnelui.cli.ui, tunnelui.agent.lifecycle")


PICTURE = """
import asyncio

from tunnelui.config.route import Route
from tunnelui.engine.model import EngineSnapshot, State, TunnelSnapshot
from tunnelui.tui.app import TunnelApp

class Engine:
    def snapshot(self):
        return EngineSnapshot(1, (TunnelSnapshot(Route("db", "db.example.com:5432"), State.READY),))

    async def history(self):
        return ()

    async def events(self):
        await asyncio.Event().wait()
        yield

async def draw():
    async with TunnelApp(Engine()).run_test(size={size}) as pilot:
        await pilot.pause()

asyncio.run(draw())
"""
ON_SCREEN = {
    *("screens.base", "screens.list_actions", "screens.route_actions", "screens.route_parts", "screens.routes"),
    *("widgets.key_footer", "widgets.line_view", "widgets.route_list", "widgets.row_list", "widgets.rules"),
    *("widgets.plain_lines", "widgets.status_bar", "widgets.strip"),
}
IN_PANES = {"widgets.connection_list", "widgets.detail_panel", "widgets.event_log"}


@pytest.mark.parametrize(("size", "parts"), [((80, 24), ON_SCREEN), ((120, 36), ON_SCREEN | IN_PANES)])
def test_the_first_picture_loads_what_is_in_sight(size: tuple[int, int], parts: set[str]) -> None:
    """Each module takes about a millisecond of it, and anyio twenty."""
    loaded = modules_after(PICTURE.format(size=size))
    own = {name.removeprefix("tunnelui.tui.") for name in loaded if name.startswith("tunnelui.tui.")}
    assert {name for name in own if name.startswith(("screens.", "widgets."))} == parts
    late = {"verbs", "changing", "options", "surroundings", "connect_as", "palette", "keymap", "clipboard", "tags"}
    assert not own & (late | {"foreground", "new_terminal", "plain_bar", "fault_report", "route_config"})
    assert not loaded & {"anyio", "httpx", "keyring", "tunnelui.config.config_edit", "tunnelui.config.routes"}


@pytest.mark.parametrize("package", ["tunnelui.wire", "tunnelui.errors", "tunnelui.text"])
def test_the_lowest_layers_load_no_event_loop(package: str) -> None:
    assert not modules_after(f"import {package}") & {"asyncio", "anyio", "ssl"}


def test_a_whole_stdio_tunnel_loads_nothing_heavy_where_no_token_is_needed(tmp_path: Path) -> None:
    """Through a CONNECT proxy with TLS that wants no sign-in, to the end."""
    report = tmp_path / "modules.json"
    pki = Pki(tmp_path / "pki")
    files = pki.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        destination = f"tcp+https://localhost:{listener.getsockname()[1]}/echo.example.com:7"
        arguments = ["tcp", "--listen", "-", "--token-store", "memory", "--alternate-ca-path", pki.ca_file, destination]
        with subprocess.Popen(
            [sys.executable, "-c", REPORT.format(report=str(report), arguments=arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TUNNELUI_TOKEN_STORE": ""},
        ) as process:
            accepted, _ = listener.accept()
            accepted.settimeout(30)
            with context.wrap_socket(accepted, server_side=True) as proxy:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += proxy.recv(65536)
                assert head.startswith(b"CONNECT echo.example.com:7 HTTP/1.1\r\n")
                assert process.stdin is not None
                process.stdin.close()
                process.stdin = None
                proxy.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
                proxy.unwrap()
                output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, b"hello"), errors
    modules, compiled = json.loads(report.read_text())
    added = set(modules) - modules_after("import asyncio, ssl")
    assert {name.partition(".")[0] for name in added if not name.startswith("_")} <= LIBRARY | {"tunnelui"}
    assert len([name for name in added if name.startswith("tunnelui")]) <= OWN_MODULES
    assert not [file for file in compiled if file.endswith("dataclasses.py")], "tunnelui.frozen needs no compiler"


def test_a_listener_loads_nothing_heavy_before_a_token_is_needed(tmp_path: Path) -> None:
    report = tmp_path / "modules.json"
    arguments = ["tcp", "--json", "--listen", "127.0.0.1:0", "echo.example.com:7"]
    with subprocess.Popen(
        [sys.executable, "-c", REPORT.format(report=str(report), arguments=arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TUNNELUI_TOKEN_STORE": "memory"},
    ) as process:
        assert process.stdout is not None
        try:
            assert any(b'"listening"' in line for line in process.stdout)
        finally:
            process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    modules, _ = json.loads(report.read_text())
    assert not set(modules) & set(HEAVY)


def test_the_servers_data_plane_loads_no_web_framework() -> None:
    loaded = modules_after(
        "import pkgutil, importlib, tunnelui_server.gateway as g\n"
        "for m in pkgutil.iter_modules(g.__path__): importlib.import_module(f'{g.__name__}.{m.name}')"
    )
    assert not loaded & {"starlette", "uvicorn", "jinja2"}


def test_what_only_unix_has_is_asked_for_in_one_place() -> None:
    package = Path(tunnelui.__file__).parent
    wanted = re.compile(r"^\s*(?:import|from) (?:fcntl|msvcrt|pwd|grp|resource)\b", re.M)
    users = {str(path.relative_to(package)) for path in package.rglob("*.py") if wanted.search(path.read_text("utf-8"))}
    # The second one asks Linux for its own, the third one for a limit that nobody else has.
    assert users == {"system.py", "transport/socket_options.py", "transport/descriptors.py"}

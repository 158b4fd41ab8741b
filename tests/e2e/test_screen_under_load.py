"""The screen while hundreds of connections a second come and go on one route, and two thousand routes are scrolled."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN, Client, Server
from tests.e2e.terminal import Terminal, run_terminal
from tests.e2e.visits import SAID
from tests.peers.process import eventually
from tunnelui.tui.lines.format import bytes_long

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUTES = 2000
PROCESSES = 3
VISITS = 300
"""By each process, within a second where the machine is that fast."""
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def crowded(tmp_path: Path, server: Server) -> Iterator[Client]:
    """A client with a route that needs no sign-in, and 1999 others."""
    client = Client(tmp_path / "client", server, store="memory")
    client.config.mkdir(parents=True)
    del client.env["TUNNELUI_PROXY_URL"]
    profile = f'[profiles.default]\nproxy_url = "{server.url}"\nca_file = "{server.ca_file}"\nopen_browser = false\n'
    (client.config / "config.toml").write_text(profile)
    names = ["open", *(f"r-{number:04}" for number in range(1, ROUTES))]
    routes = "\n".join(f'[[routes]]\nname = "{name}"\ndestination = "{name}.{DOMAIN}:7"\n' for name in names)
    (client.config / "routes.toml").write_text(routes)
    yield client
    client.run("agent", "stop")


def go(terminal: Terminal, key: str, row: str) -> None:
    """Press *key*; the cursor comes to *row*."""
    terminal.keys(key)
    terminal.wait_for(rf"^▌\S {row} ")


def test_the_screen_follows_the_keys_while_connections_come_and_go(crowded: Client, tmp_path: Path) -> None:
    env = crowded.env | {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    with run_terminal(crowded.argv(), tmp_path, env, width=120, height=36) as terminal:
        terminal.wait_for("open +off", 30)
        terminal.keys("Space")
        port = int(terminal.wait_for(r"open +ready .*127\.0\.0\.1:(\d+)")[1])
        load = [sys.executable, "-m", "tests.e2e.visits", str(port), str(VISITS), str(VISITS)]
        loads = [subprocess.Popen(load, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
        try:
            terminal.wait_for("open +live")
            for _ in range(4):
                go(terminal, "G", f"r-{ROUTES - 1:04}")
                go(terminal, "k", f"r-{ROUTES - 2:04}")
                go(terminal, "g", "open")
                go(terminal, "j", "r-0001")
            terminal.keys("g", "Enter")
            terminal.wait_for(r"\A . open ")
            terminal.keys("l")
            terminal.wait_for(r"\A . Log  open ")
            terminal.type("/1234")
            terminal.wait_for("^ /  1234 ")
            terminal.keys("Escape")
            terminal.wait_gone("^ /  ")
            terminal.keys("Escape")
            terminal.wait_for(r"\A . open ")
            terminal.keys("Escape")
            reports = [json.loads(one.communicate(timeout=120)[0]) for one in loads]
        finally:
            for one in loads:
                one.kill()
                one.wait()
        assert sum(report["served"] for report in reports) == PROCESSES * VISITS
        moved = PROCESSES * VISITS * len(SAID)
        (status,) = (
            each
            for each in map(json.loads, crowded.run("status", "--json").stdout.splitlines())
            if each["name"] == "open"
        )
        assert (status["bytes_in"], status["bytes_out"]) == (moved, moved)
        terminal.wait_for(rf"^▌\S open +ready (?s:.*)In +{bytes_long(moved)} (?s:.*)Out +{bytes_long(moved)} ")
        terminal.wait_for(r"┤ Connections 0, \d+ closed ├")
        terminal.keys("q")
        eventually(lambda: terminal.is_over)
        assert terminal.exit_code == 0

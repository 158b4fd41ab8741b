"""``tunnelui demo --check``: the whole product on one machine, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.e2e.harness import Client
from tests.peers.process import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.process import Process


@pytest.fixture
def demo(tmp_path: Path) -> Client:
    """A client whose temporary files can be looked at."""
    client = Client(tmp_path / "client")
    (tmp_path / "tmp").mkdir()
    client.env["TMPDIR"] = str(tmp_path / "tmp")
    return client


def left_over(demo: Client) -> list[str]:
    return os.listdir(demo.env["TMPDIR"])


def family(process: Process) -> list[psutil.Process]:
    """The process with all its descendants."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_check_signs_in_moves_bytes_and_shows_every_state(demo: Client) -> None:
    done = demo.run("demo", "--check", timeout=50)
    text = done.stdout.decode()
    assert done.returncode == 0, text + done.stderr.decode()
    for name, state in (
        ("echo", "ready"),
        ("web", "ready"),
        ("slow", "ready"),
        ("down", "retry"),
        ("billing", "denied"),
    ):
        (line,) = [line for line in text.splitlines() if f" {name} " in line]
        assert state in line, text
    assert left_over(demo) == []


def test_the_check_as_json(demo: Client) -> None:
    done = demo.run("demo", "--check", "--json", timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    routes = {route["name"]: route for route in report["routes"]}
    assert {"echo", "web", "slow", "down", "billing"} <= routes.keys()
    assert routes["echo"]["bytes_in"] == routes["echo"]["bytes_out"] > 0
    assert routes["down"]["bytes_in"] == routes["billing"]["bytes_in"] == 0
    for route in routes.values():
        assert {"name", "state", "local", "bytes_in", "bytes_out"} <= route.keys()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_process_and_no_file(demo: Client, number: signal.Signals) -> None:
    with demo.spawn("demo", "--check") as process:
        # The server, its two planes and its services: the demo is under way, and not over.
        eventually(lambda: len(family(process)) >= 4, 30, "the processes of the demo")
        everybody = family(process)
        process.send(number)
        process.wait(60)
        assert "Traceback" not in process.output
        eventually(lambda: all(is_gone(one) for one in everybody), 10, "the end of all processes")
        assert left_over(demo) == []


def test_without_a_terminal_the_screen_says_what_to_do_instead(demo: Client) -> None:
    done = demo.run("demo")
    assert done.returncode == 2, done.stderr
    assert b"--check" in done.stderr
    assert left_over(demo) == []


def test_killed_it_leaves_no_process(demo: Client) -> None:
    """Nobody can clean up after SIGKILL but the children themselves: they notice that their parent is gone."""
    with demo.spawn("demo", "--check") as process:
        eventually(lambda: len(family(process)) >= 4, 30, "the processes of the demo")
        everybody = family(process)
        os.kill(process.pid, signal.SIGKILL)
        process.popen.wait(60)
        eventually(lambda: all(is_gone(one) for one in everybody), 20, "the end of all processes")


def test_it_does_not_touch_the_folders_of_the_user(demo: Client) -> None:
    before = sorted(demo.folder.rglob("*"))
    subprocess.run(demo.argv("demo", "--check"), env=demo.env, capture_output=True, timeout=50, check=True)
    assert sorted(demo.folder.rglob("*")) == before

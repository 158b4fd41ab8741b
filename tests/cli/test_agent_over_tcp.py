"""The agent without Unix sockets: the variable says so, the system has none, or its folder takes none."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_agent import kill_agent, use
from tests.peers.parts import missing, require
from tests.support.less import NO_BIND, NO_SOCKETS, python_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy


@pytest.fixture
def fat(tmp_path: Path) -> Iterator[Path]:
    """A folder on a FAT file system, which is ours alone and takes neither sockets nor modes."""
    make_image, mount = require("mkfs.vfat", "fusefat")
    if os.geteuid() != 0:
        missing("only root can mount here")
    image, folder = tmp_path / "fat.img", tmp_path / "fat"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(4 * 1024 * 1024)
    subprocess.run([make_image, str(image)], check=True, capture_output=True)
    command = [mount, "-o", "rw+", "-o", "umask=077", str(image), str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        missing("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def live(program: Program, proxy: ConnectProxy) -> None:
    """What everybody does with an agent. It is reached by a port."""
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    with program.agent():
        done = program.run("up", "db")
        assert done.returncode == 0, done.stderr
        local = program.status()["db"]["local"]
        use(local).close()
        assert sorted(os.listdir(program.runtime)) == ["agent.json", "agent.lock"]
        old = kill_agent(program)
        assert program.run("agent").returncode == 1
        assert program.run("wait", "db").returncode == 0
        assert program.agent_pid() not in (0, old)
        assert program.status()["db"]["local"] == local
        # Descriptors can't be handed over there: the program does the work itself.
        done = program.run("tcp", "--listen", "-", proxy.destination(), input=b"sent")
        assert (done.returncode, done.stdout) == (0, b"sent")
        before = program.agent_pid()
        assert program.run("agent", "restart").returncode == 0
        assert program.agent_pid() not in (0, before)
        use(local).close()
    assert sorted(os.listdir(program.runtime)) == ["agent.lock"]


def test_where_the_variable_says_so(program: Program, proxy: ConnectProxy) -> None:
    program.env["TUNNELUI_AGENT_TRANSPORT"] = "tcp"
    live(program, proxy)


def test_who_has_set_no_variable_finds_it(program: Program) -> None:
    program.env["TUNNELUI_AGENT_TRANSPORT"] = "tcp"
    with program.agent():
        assert program.run("agent", "start").returncode == 0
        pid = program.agent_pid()
        del program.env["TUNNELUI_AGENT_TRANSPORT"]
        assert program.agent_pid() == pid
        done = program.run("agent")
        assert b"not by a Unix socket: TUNNELUI_AGENT_TRANSPORT says so." in done.stdout
        program.env["TUNNELUI_AGENT_TRANSPORT"] = "unix"
        done = program.run("agent", "start")
        assert done.returncode == 1
        assert b"in another way than TUNNELUI_AGENT_TRANSPORT says here" in done.stderr
        del program.env["TUNNELUI_AGENT_TRANSPORT"]


def test_without_unix_sockets_at_all(program: Program, proxy: ConnectProxy, tmp_path: Path) -> None:
    program.env["PYTHONPATH"] = python_path(tmp_path / "less", NO_SOCKETS)
    live(program, proxy)
    with program.agent():
        assert program.run("agent", "start").returncode == 0
        done = program.run("agent")
        assert b"this system has no Unix sockets" in done.stdout
    done = program.run("tcp", "--listen", f"unix:{tmp_path}/s", proxy.destination())
    assert done.returncode == 1
    assert b"this system has no Unix sockets" in done.stderr
    assert b"Traceback" not in done.stderr


def test_where_no_socket_may_be_bound(program: Program, proxy: ConnectProxy, tmp_path: Path) -> None:
    program.env["PYTHONPATH"] = python_path(tmp_path / "less", NO_BIND)
    live(program, proxy)
    with program.agent():
        assert program.run("agent", "start").returncode == 0
        del program.env["PYTHONPATH"]  # a program outside of the sandbox finds it, too
        done = program.run("agent")
        assert done.returncode == 0, done.stderr
        assert b"Operation not permitted" in done.stdout


def test_in_a_folder_of_a_fat_file_system(program: Program, proxy: ConnectProxy, fat: Path) -> None:
    program.runtime = fat / "run"
    program.env["TUNNELUI_RUNTIME_DIR"] = str(program.runtime)
    live(program, proxy)


def test_in_a_folder_with_a_long_path(program: Program, proxy: ConnectProxy, tmp_path: Path) -> None:
    program.runtime = tmp_path / ("long" * 30) / "run"
    program.env["TUNNELUI_RUNTIME_DIR"] = str(program.runtime)
    live(program, proxy)


def test_a_way_that_has_changed_between_two_agents(program: Program, tmp_path: Path) -> None:
    """Killed at one place, started at the other: nobody runs into what was left behind."""
    with program.agent():
        program.env["TUNNELUI_AGENT_TRANSPORT"] = "tcp"
        assert program.run("agent", "start").returncode == 0
        kill_agent(program)
        del program.env["TUNNELUI_AGENT_TRANSPORT"]
        assert program.run("agent", "start").returncode == 0
        assert sorted(os.listdir(program.runtime)) == ["agent.lock", "agent.sock"]
        kill_agent(program)
        program.env["PYTHONPATH"] = python_path(tmp_path / "less", NO_BIND)
        assert program.run("agent", "start").returncode == 0
        assert sorted(os.listdir(program.runtime)) == ["agent.json", "agent.lock"]
        assert program.agent_pid() > 0

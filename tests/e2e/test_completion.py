"""The Tab key in real shells."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import Client
from tests.e2e.terminal import run_terminal
from tests.peers.parts import require

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = {
    "bash": (["--norc", "--noprofile"], 'eval "$(tunnelui completion bash)"; echo is ready'),
    "zsh": (["-f"], 'autoload -U compinit; compinit -u -D; eval "$(tunnelui completion zsh)"; echo is ready'),
    "fish": (["--no-config"], "tunnelui completion fish | source; echo is ready"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_finishes_commands_and_names_of_routes(tmp_path: Path, shell: str) -> None:
    (path,) = require(shell)
    client = Client(tmp_path / "c")
    for name, tag in (("orders-db", "prod"), ("old db", "lab")):
        assert client.run("routes", "add", name, "db.example.com:5432", "--tag", tag).returncode == 0
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "tunnelui"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(client.argv())} "$@"\n')
    program.chmod(0o755)
    env = client.env | {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    flags, prepare = SHELLS[shell]
    with run_terminal([path, *flags], tmp_path, env, width=100, height=24) as terminal:
        terminal.type(prepare)
        terminal.keys("Enter")
        terminal.wait_for("^is ready")
        for typed, whole in (("up ord", "up orders-db"), ("up ol", r"up old\\ db"), ("routes sh", "routes show")):
            terminal.type(f"tunnelui {typed}")
            terminal.keys("Tab")
            terminal.wait_for(f"tunnelui {whole}")
            terminal.keys("C-u")
        terminal.type("exit")
        terminal.keys("Enter")

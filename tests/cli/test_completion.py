"""Completion: what may follow, and the shells that ask."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import require
from tunnelui.cli.completion import candidates
from tunnelui.cli.main import COMMANDS, main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program


@pytest.fixture
def routes() -> None:
    assert main(["routes", "add", "orders-db", "db.example.com:5432", "--tag", "prod"]) == 0
    assert main(["routes", "add", "old db", "old.example.com:5432"]) == 0


def words(*given: str) -> list[str]:
    return [word for word, _ in candidates(given, COMMANDS)]


@pytest.mark.usefixtures("routes")
@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("sta",), ["status"]),
        (("--v",), ["--version"]),
        (("up", ""), ["orders-db", "old db", "#prod"]),
        (("up", "o"), ["orders-db", "old db"]),
        (("up", "orders-db", ""), ["old db", "#prod"]),
        (("up", "#"), ["#prod"]),
        (("down", "--a"), ["--all"]),
        (("routes", "s"), ["show"]),
        (("routes", "edit", "or"), ["orders-db"]),
        (("routes", "edit", "orders-db", "--auto"), ["--autostart"]),
        (("routes", "edit", "orders-db", "--autostart", ""), ["yes", "no"]),
        (("tcp", "--token-store", "f"), ["file"]),
        (("tcp", "--profile", ""), ["default"]),
        (("profiles", ""), ["list", "unlock", "lock"]),
        (("profiles", "unlock", "d"), ["default"]),
        (("agent", "st"), ["start", "stop", "status"]),
        (("exec", "orders-db", "--", "o"), []),
        (("nothing", ""), []),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_what_may_follow(given: tuple[str, ...], found: list[str]) -> None:
    assert words(*given) == found


def test_every_command_can_be_completed() -> None:
    for command in COMMANDS:
        assert "--help" in words(command, "--h")


def test_a_broken_file_breaks_no_completion(tmp_path: Path, own_folders: None) -> None:
    assert words("up", "") == []


def shell_words(program: Program, folder: Path) -> dict[str, str]:
    """An environment where ``tunnelui`` is this program."""
    folder.mkdir()
    script = folder / "tunnelui"
    script.write_text("#!/bin/sh\nexec " + " ".join(program.argv()) + ' "$@"\n')
    script.chmod(0o755)
    return {**program.env, "PATH": f"{folder}:{program.env['PATH']}"}


@pytest.mark.parametrize(("typed", "found"), [("up or", ["orders-db"]), ("sta", ["status"]), ("up ol", ["old\\ db"])])
def test_bash(program: Program, tmp_path: Path, typed: str, found: list[str]) -> None:
    (bash,) = require("bash")
    for name in ("orders-db", "old db"):
        program.run("routes", "add", name, "db.example.com:5432")
    code = (
        'eval "$(tunnelui completion bash)"\n'
        f"COMP_WORDS=(tunnelui {typed}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))\n"
        '_tunnelui; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", code],
        env=shell_words(program, tmp_path / "bin"),
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.stdout.decode().split("\n")[:-1] == found, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_scripts(program: Program, shell: str) -> None:
    script = program.run("completion", shell).stdout
    assert b"completion words" in script
    (interpreter,) = require(shell)
    done = subprocess.run([interpreter, "-n"], input=script, capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr

"""Completion: what may follow, and the shells that ask."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import require
from tunnelui.cli.completion import candidates
from tunnelui.cli.main import ACTIONS, COMMANDS, main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program


@pytest.fixture
def routes() -> None:
    assert main(["routes", "add", "orders-db", "db.example.com:5432", "--tag", "prod"]) == 0
    assert main(["routes", "add", "old db", "old.example.com:5432"]) == 0


def words(*given: str) -> list[str]:
    return [word for word, _ in candidates(given, COMMANDS, ACTIONS)]


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
        (("tcp", "--token-store=f"), ["--token-store=file"]),
        (("routes", "discover", "--y"), ["--yes"]),
        (("routes", "discover", "--tag", ""), ["prod"]),
        (("login", "or"), ["orders-db"]),
        (("man", "dia"), ["diagnose"]),
        (("man", "diagnose", ""), []),
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


CASES = {
    ("up", "or"): ["orders-db"],
    ("sta",): ["status"],
    ("up", "ol"): ["old\\ db"],
    ("up", "old\\ d"): ["old\\ db"],
    ("up", '"old d'): ["old db"],
    # A person has to quote a tag, since # begins a comment.
    ("up", "'#p"): ["#prod"],
    ("up", "\\#p"): ["\\#prod"],
    ("up", "'#prod'", "or"): ["orders-db"],
    ("login", "--token-store", "=", "f"): ["file"],
    ("login", "--token-store", "="): ["file", "keyring", "memory"],
}
"""What bash has of a line, as it takes it apart, and what it is offered."""


def test_bash(program: Program, tmp_path: Path) -> None:
    (bash,) = require("bash")
    for name in ("orders-db", "old db"):
        program.run("routes", "add", name, "db.example.com:5432", "--tag", "prod")
    code = 'eval "$(tunnelui completion bash)"\n' + "".join(
        f"COMP_WORDS=(tunnelui {shlex.join(typed)}); COMP_CWORD={len(typed)}\n"
        '_tunnelui; printf "%s\\n" "${COMPREPLY[@]}" --\n'
        for typed in CASES
    )
    done = subprocess.run(
        [bash, "--norc", "-c", code],
        env=shell_words(program, tmp_path / "bin"),
        capture_output=True,
        timeout=20,
        check=False,
    )
    found = [part.split("\n")[:-1] for part in done.stdout.decode().split("--\n")[:-1]]
    assert dict(zip(CASES, map(sorted, found), strict=True)) == CASES, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_scripts(program: Program, shell: str) -> None:
    script = program.run("completion", shell).stdout
    assert b"completion words" in script
    (interpreter,) = require(shell)
    done = subprocess.run([interpreter, "-n"], input=script, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

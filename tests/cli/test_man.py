"""The manual pages."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import require
from tunnelui.cli.main import ACTIONS, COMMANDS
from tunnelui.cli.man import page

if TYPE_CHECKING:
    from tests.cli.program import Program


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_a_page(command: str) -> None:
    text = page(command, COMMANDS)
    assert text.startswith('.TH "TUNNELUI')
    for section in ("NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"):
        assert f"\n.SH {section}\n" in text
    assert not [line for line in text.splitlines() if line.startswith("'") or not line]


def test_flags_and_variables_are_on_the_page(program: Program) -> None:
    text = program.run("man", "tcp").stdout.decode()
    assert "\\-\\-listen ADDRESS" in text
    assert "TUNNELUI_LISTEN" in text
    assert program.run("man", "nothing").returncode == 2


def test_actions_are_on_the_page_with_their_flags() -> None:
    text = page("routes", COMMANDS, ACTIONS)
    assert "\n.B add name destination [flags]\n" in text
    assert "\n.B discover [PROXY|ROUTE|DESTINATION] [flags]\n" in text
    discover = text.partition("\n.B discover ")[2].partition("\n.RE\n")[0]
    assert "\n.B \\-\\-keep\n" in discover
    assert "TUNNELUI_KEEP" in discover
    assert "\n.B \\-\\-autostart yes|no\n" in text


@pytest.mark.parametrize("command", ["", "routes", "exec"])
def test_groff_has_nothing_to_say(command: str) -> None:
    (groff,) = require("groff")
    done = subprocess.run(
        [groff, "-man", "-Tascii", "-ww", "-z"],
        input=page(command, COMMANDS, ACTIONS).encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")

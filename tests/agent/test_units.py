"""The agent as a service: what systemd and launchd read is what was meant."""

from __future__ import annotations

import plistlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import find
from tunnelui.agent.units import LAUNCHD_LABEL, launchd_plist, systemd_unit

if TYPE_CHECKING:
    from pathlib import Path

ODD = ['/opt/my "tools"/100%/$HOME/tunnelui', "agent", "run"]


@pytest.mark.parametrize("command", [["/usr/bin/tunnelui", "agent", "run"], ODD], ids=["plain", "odd"])
def test_a_property_list_reads_as_it_was_written(command: list[str]) -> None:
    values = plistlib.loads(launchd_plist(command).encode())
    assert values["ProgramArguments"] == command
    assert values["Label"] == LAUNCHD_LABEL
    assert values["RunAtLoad"] is True
    assert values["KeepAlive"] == {"SuccessfulExit": False}, "stopped by hand, it stays so"


def test_a_systemd_unit_quotes_what_has_a_meaning_there() -> None:
    assert 'ExecStart="/opt/my \\"tools\\"/100%%/$$HOME/tunnelui" agent run\n' in systemd_unit(ODD)
    assert "ExecStart=/usr/bin/tunnelui agent run\n" in systemd_unit(["/usr/bin/tunnelui", "agent", "run"])


def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    """Where there is a systemd that can be asked; the test before this one holds everywhere."""
    program = tmp_path / "my tools" / "100%" / "tunnelui"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = systemd_unit([str(program), "agent", "run"])
    assert text.count("\n[") == 3
    analyze = find("systemd-analyze")
    if analyze is None:
        return
    unit = tmp_path / "tunnelui-agent.service"
    unit.write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=20, check=False
    )
    mine = [line for line in done.stderr.splitlines() if "tunnelui" in line]
    assert (done.returncode, mine) == (0, []), done.stderr

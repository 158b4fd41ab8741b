"""A disk without room: what was there stays, and the place is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import REPOSITORY
from tests.peers.process import eventually
from tunnelui.config.state_file import StateFile

if TYPE_CHECKING:
    from tests.cli.program import Program

# Runs with a file system of its own, which nobody else sees and which ends with it.
INSIDE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.cli.test_full_disk import inside
inside(Path(sys.argv[1]), sys.argv[2])
"""


def mounting() -> list[str]:
    """How a program gets mounts of its own here; skips the test where it can't."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    probe = subprocess.run([*command, "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mounts of one's own here: {probe.stderr.decode().strip()}")
    return command


def fill(folder: Path) -> None:
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def inside(folder: Path, destination: str) -> None:
    from tests.cli.program import Program

    program = Program(folder)
    for place in (program.config, program.state):
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tunnelui-test", str(place)], check=True)
    assert program.run("routes", "add", "db", destination).returncode == 0
    with program.agent():
        local = json.loads(program.run("up", "db", "--json").stdout)["local"]
        files = [program.config / "routes.toml", program.state / "up.json", program.state / "ports.json"]
        before = [file.read_bytes() for file in files]
        fill(program.config)
        done = program.run("routes", "add", "web", destination)
        told = done.stderr.decode()
        assert done.returncode == 1, told
        assert f"{files[0]} can't be written: No space left on device" in told
        assert "as it was before" in told
        fill(program.state)
        done = program.run("routes", "add", "web", destination)
        told = done.stderr.decode()
        assert done.returncode == 1, told
        assert "can't be written: No space left on device" in told
        assert "Nothing was changed." in told
        done = program.run("routes", "edit", "db", "--tag", "x")
        assert done.returncode == 1
        # The agent does what it is asked, and says what it can't remember.
        assert program.run("down", "db").returncode == 0
        assert program.status()["db"]["state"] == "off"
        words = f"{files[1]} can't be written: No space left on device"
        assert eventually(lambda: words in program.run("logs").stdout.decode())
        assert [file.read_bytes() for file in files] == before
        assert not [name for name in os.listdir(program.state) if name.startswith(".")], "nothing half written is left"

        for place in (program.config, program.state):
            (place / "filler").unlink()
        assert eventually(lambda: json.loads(files[1].read_text()) == {"up": []}), "written once there is room"
        assert program.run("routes", "add", "web", destination).returncode == 0
        assert len(tomllib.loads(files[0].read_text())["routes"]) == 2
        assert json.loads(program.run("up", "db", "--json").stdout)["local"] == local


@pytest.mark.timeout(400)
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*mounting(), sys.executable, "-c", INSIDE, str(tmp_path / "home"), "db.example.com:5432", str(REPOSITORY)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_of_state_that_can_not_be_written_says_so_once(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    program.folder.mkdir(parents=True)
    (program.folder / "state").write_text("no folder")
    file = StateFile(program.folder / "state" / "up.json")
    for _ in range(3):
        file.save({"up": []})
    assert [record.message for record in caplog.records] == [file.trouble]
    assert str(file.path) in file.trouble
    Path(program.folder / "state").unlink()
    file.save({"up": []})
    assert file.trouble == ""
    assert file.load() == {"up": []}

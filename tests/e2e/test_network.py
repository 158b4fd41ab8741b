"""What becomes of tunnels when the network does: two machines in namespaces of their own, and a cable between them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.network import SCENES
from tests.peers.parts import REPOSITORY
from tests.peers.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

APART = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--"]


def why_not() -> str:
    """Why this machine makes no namespaces; empty where it does."""
    probe = "ip link add a0 type veth peer name b0 && mount --bind /etc/hosts /etc/hosts"
    try:
        done = subprocess.run([*APART, "sh", "-c", probe], capture_output=True, timeout=10, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.decode().strip() or f"exit code {done.returncode}" if done.returncode else ""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Process]]:
    """All of them at once: they wait for time-outs and need little of the machine."""
    reason = why_not()
    if reason:
        pytest.skip(f"no network namespaces here: {reason}")
    running: dict[str, Process] = {}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "server")])}
    try:
        for name in SCENES:
            folder = tmp_path_factory.mktemp(name)
            command = [*APART, sys.executable, "-m", "tests.e2e.network", name, str(folder)]
            running[name] = Process(name, command, folder, env=environment, cwd=Path(REPOSITORY))
        yield running
    finally:
        for process in running.values():
            process.stop()


@pytest.mark.slow
@pytest.mark.timeout(170)
@pytest.mark.parametrize("name", SCENES)
def test_scene(scenes: dict[str, Process], name: str) -> None:
    assert scenes[name].popen.wait(160) == 0, scenes[name].output[-6000:]

"""What becomes of tunnels when the network does: two machines in namespaces of their own, and a cable between them."""

from __future__ import annotations

import pytest

from tests.e2e.network import SCENES, Running


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", SCENES)
def test_scene(network_scenes: Running, name: str) -> None:
    """All are under way at once, and perhaps have been for a while: see tests/e2e/conftest.py."""
    if network_scenes.reason:
        pytest.skip(f"no network namespaces here: {network_scenes.reason}")
    process = network_scenes.processes[name]
    assert process.popen.wait(160) == 0, process.output[-6000:]

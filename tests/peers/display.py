"""An X server without a screen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.peers.parts import require
from tests.peers.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["run_x_server"]


@contextmanager
def run_x_server(folder: Path) -> Iterator[int]:
    """Run Xvfb, whose one screen has 640x480 pixels, and yield its port. It admits this machine alone."""
    (xvfb,) = require("Xvfb")
    port = free_port()
    command = [xvfb, f":{port - 6000}", "-screen", "0", "640x480x8", "-listen", "tcp", "-nolisten", "unix"]
    with Process("xvfb", command, folder) as server:
        server.wait_port(port)
        yield port

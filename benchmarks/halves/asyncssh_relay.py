"""One side of a port forwarding with asyncssh; run by the interpreter of ``.peers/bench-venv`` in a folder with keys.

``server PORT``, or ``client SERVER_PORT PORT UPSTREAM_PORT``.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

asyncssh: Any = importlib.import_module("asyncssh")  # not among this project's dependencies


async def serve(port: int) -> None:
    """Admit the one key and dial what it asks for."""
    # Made by hand, since a class statement would need to know the base's type.
    server = type("Server", (asyncssh.SSHServer,), {"connection_requested": lambda *_: True})
    keys = asyncssh.read_authorized_keys("authorized_keys")
    await asyncssh.create_server(server, "127.0.0.1", port, server_host_keys=["host_key"], authorized_client_keys=keys)
    await asyncio.Event().wait()


async def forward(server_port: int, port: int, upstream: int) -> None:
    """Listen on *port* and forward to *upstream* beyond the server."""
    host_key = asyncssh.import_public_key(Path("host_key.pub").read_bytes())
    connection = await asyncssh.connect(
        "127.0.0.1",
        server_port,
        username="bench",
        client_keys=["user_key"],
        known_hosts=([host_key], [], []),
        config=None,
        agent_path=None,
    )
    listener = await connection.forward_local_port("127.0.0.1", port, "127.0.0.1", upstream)
    await listener.wait_closed()


if __name__ == "__main__":
    mode, *ports = sys.argv[1:]
    asyncio.run(serve(*map(int, ports)) if mode == "server" else forward(*map(int, ports)))

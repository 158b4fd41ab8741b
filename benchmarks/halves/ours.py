"""tunnelui: the headless command as the client half, the bundled server as the server half."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.halves.half import Half, Onward
from benchmarks.lab import BANNER, ECHO, REPOSITORY, Lab, free_port
from benchmarks.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["client", "client_command", "environment", "server"]


def environment(folder: Path) -> dict[str, str]:
    """The environment of our own halves: nothing of the user's reaches them, and this checkout is what runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUNNELUI_", "PYTHON"))}
    return kept | {
        "TUNNELUI_CONFIG_DIR": str(folder),
        "TUNNELUI_STATE_DIR": str(folder),
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'server'}",
    }


def client_command(lab: Lab, python: str, onward: Onward, listen: str) -> list[str]:
    """Return the command line of ``tunnelui tcp``."""
    return [
        python,
        *("-m", "tunnelui", "tcp", onward.authority),
        *("--proxy-url", f"https://localhost:{onward.port}", "--listen", listen),
        *("--alternate-ca-path", str(lab.ca_file), "--token-store", "memory", "--no-browser"),
    ]


@contextmanager
def client(lab: Lab, name: str, onward: Onward, cores: frozenset[int], python: str) -> Iterator[Half]:
    """Run ``tunnelui tcp``."""
    port, folder = free_port(), _folder(lab, name)
    command = client_command(lab, python, onward, f"127.0.0.1:{port}")
    with Child(name, command, folder, cores=cores, env=environment(folder)) as child:
        child.wait_listening(port)
        yield Half(port, child.pid)


@contextmanager
def server(lab: Lab, name: str, cores: frozenset[int], python: str) -> Iterator[Half]:
    """Run ``tunnelui-server`` with two public routes and caps that no measurement reaches."""
    port, folder = free_port(), _folder(lab, name)
    most = 100_000
    routes = {ECHO: lab.plain, BANNER: lab.banner}
    values = {
        "address": f"127.0.0.1:{port}",
        "certificate_file": str(lab.cert_file),
        "certificate_key_file": str(lab.key_file),
        "databroker_storage_type": "memory",
        "state_dir": str(folder),
        "max_connections": most,
        "max_pending_per_address": most,
        "max_tunnels_per_user": most,
        "max_tunnels_per_route": most,
        "shutdown_grace": 0,
        "workers": 1,  # it has one core
        "routes": [
            {
                "from": f"tcp+https://{authority}",
                "to": f"tcp://127.0.0.1:{upstream}",
                "allow_public_unauthenticated_access": True,
            }
            for authority, upstream in routes.items()
        ],
    }
    config = folder / "config.yaml"
    config.touch(0o600)
    config.write_text(json.dumps(values))  # JSON is YAML
    command = [python, "-m", "tunnelui_server", "run", "--config", str(config)]
    with Child(name, command, folder, cores=cores, env=environment(folder)) as child:
        child.wait_listening(port)
        yield Half(port, child.pid)


def _folder(lab: Lab, name: str) -> Path:
    folder = lab.folder / f"{name}-{free_port()}"
    folder.mkdir(mode=0o700)
    return folder

"""tunnelui: the headless command as the client half, the bundled server as the server half."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.halves.half import Half, Onward
from benchmarks.lab import BANNER, ECHO, REPOSITORY, Lab, free_port
from benchmarks.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["agent", "agent_command", "client", "client_command", "environment", "screen_command", "server"]


def environment(folder: Path) -> dict[str, str]:
    """The environment of our own halves: nothing of the user's reaches them, and this checkout is what runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUNNELUI_", "PYTHON"))}
    return kept | {
        "TUNNELUI_CONFIG_DIR": str(folder),
        "TUNNELUI_STATE_DIR": str(folder),
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'server'}",
    }


@contextmanager
def agent(
    lab: Lab, python: str, *, name: str = "agent", routes: str = "", settings: str = "warm = 0\n"
) -> Iterator[dict[str, str]]:
    """Run an agent and give the environment of the programs that reach it.

    :param name: of its folder; *routes* is its ``routes.toml``.
    :param settings: its ``config.toml``. Without warm connections what is measured has its TLS handshake in it.
    """
    folder = lab.folder / name
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(settings)
    (folder / "routes.toml").write_text(routes)
    env = environment(folder) | {
        "TUNNELUI_RUNTIME_DIR": str(folder / "run"),
        "TUNNELUI_ALTERNATE_CA_PATH": str(lab.ca_file),
        "TUNNELUI_TOKEN_STORE": "memory",
        "TUNNELUI_NO_BROWSER": "true",
    }
    command = [python, "-m", "tunnelui", "agent"]
    subprocess.run([*command, "start"], env=env, cwd=folder, check=True, capture_output=True, timeout=30)
    try:
        yield env
    finally:
        subprocess.run([*command, "stop"], env=env, cwd=folder, check=True, capture_output=True, timeout=30)


def agent_command(python: str, onward: Onward) -> list[str]:
    """Return a command line of ``tunnelui tcp`` that an agent takes over."""
    proxy = f"https://localhost:{onward.port}"
    return [*_installed(python), "tcp", "--listen", "-", "--proxy-url", proxy, onward.authority]


def screen_command(python: str) -> list[str]:
    """Return the command line of ``tunnelui``, which draws an agent's tunnels."""
    return [*_installed(python)]


def client_command(lab: Lab, python: str, onward: Onward, listen: str) -> list[str]:
    """Return the command line of ``tunnelui tcp``."""
    return [
        *_installed(python),
        *("tcp", onward.authority),
        *("--proxy-url", f"https://localhost:{onward.port}", "--listen", listen),
        *("--alternate-ca-path", str(lab.ca_file), "--token-store", "memory", "--no-browser"),
    ]


def _installed(python: str) -> tuple[str, ...]:
    """Return what the installed command is, for this checkout; ``python -m`` would load more."""
    return python, "-c", "import sys; from tunnelui.cli.main import main; sys.exit(main())"


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

"""``ssh -L`` through an OpenSSH server, and the same with asyncssh on both sides. Each port is one SSH connection."""

from __future__ import annotations

import getpass
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.halves.half import Half, Missing, program
from benchmarks.lab import PEERS, Lab, free_port
from benchmarks.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["asyncssh", "openssh"]

_RELAY: Final = Path(__file__).parent / "asyncssh_relay.py"
_KEYS: Final = ("host_key", "user_key")


@contextmanager
def openssh(lab: Lab, name: str, cipher: str | None) -> Iterator[tuple[Half, Half]]:
    """Run sshd and ``ssh -N -L``; yield the client and the server.

    :param cipher: for ``-c``; the programs agree on their default without.
    """
    ssh, sshd = program("ssh"), program("sshd")
    folder = _keys(lab)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # made at boot where a service manager runs sshd
    server_port, port = free_port(), free_port()
    options = {
        "Port": server_port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host_key",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UseDNS": "no",
        "MaxSessions": 1000,
    }
    config = folder / f"sshd-{server_port}.conf"
    config.write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    client_options = {
        "UserKnownHostsFile": folder / "known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": "bench",
        "IdentityFile": folder / "user_key",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "BatchMode": "yes",
        "ExitOnForwardFailure": "yes",
    }
    command = [ssh, "-F", "/dev/null", "-N", "-p", str(server_port), "-L", f"127.0.0.1:{port}:127.0.0.1:{lab.plain}"]
    command += [part for key, value in client_options.items() for part in ("-o", f"{key}={value}")]
    command += ["-c", cipher] if cipher else []
    command += [f"{getpass.getuser()}@127.0.0.1"]
    with Child(f"sshd-{server_port}", [sshd, "-D", "-e", "-f", str(config)], folder, cores=lab.cores.far) as server:
        server.wait_listening(server_port)
        with Child(f"{name}-{port}", command, folder, cores=lab.cores.near) as client:
            client.wait_listening(port)
            yield Half(port, client.pid), Half(server_port, server.pid)


@contextmanager
def asyncssh(lab: Lab, name: str) -> Iterator[tuple[Half, Half]]:
    """Run an asyncssh server and client that forward one port; yield the client and the server."""
    python = PEERS / "bench-venv" / "bin" / "python"
    if not python.exists():
        raise Missing("asyncssh is not installed (benchmarks/peers.sh)")
    folder = _keys(lab)
    server_port, port = free_port(), free_port()
    command = [str(python), str(_RELAY)]
    with Child(
        f"{name}-server-{server_port}", [*command, "server", str(server_port)], folder, cores=lab.cores.far
    ) as server:
        server.wait_listening(server_port)
        arguments = ["client", str(server_port), str(port), str(lab.plain)]
        with Child(f"{name}-client-{port}", [*command, *arguments], folder, cores=lab.cores.near) as client:
            client.wait_listening(port)
            yield Half(port, client.pid), Half(server_port, server.pid)


def _keys(lab: Lab) -> Path:
    """Return a folder with keys, made once."""
    folder = lab.folder / "ssh"
    if folder.exists():
        return folder
    keygen = program("ssh-keygen")
    folder.mkdir(mode=0o700)
    for name in _KEYS:
        subprocess.run(
            [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(folder / name)], check=True, timeout=20
        )
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    (folder / "known_hosts").write_text(f"bench {(folder / 'host_key.pub').read_text()}")
    return folder

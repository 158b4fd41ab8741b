"""An OpenSSH server with keys of its own, for this user."""

from __future__ import annotations

import getpass
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.parts import require
from tests.peers.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SSHServer", "run_sshd"]


@dataclass(frozen=True)
class SSHServer:
    """Where it listens, and what ``ssh`` needs to get in."""

    port: int
    user: str
    key: Path
    host_key: Path

    def options(self, host: str, folder: Path) -> list[str]:
        """Return the ``-o`` options for a client that knows this server as *host* and reads no file of the user's."""
        known = folder / "known_hosts"
        known.write_text(f"{host} {self.host_key.with_suffix('.pub').read_text()}")
        values = {
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlias": host,
            "IdentityFile": str(self.key),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "ConnectTimeout": "20",
        }
        return ["-F", "/dev/null", *(part for name, value in values.items() for part in ("-o", f"{name}={value}"))]


@contextmanager
def run_sshd(folder: Path) -> Iterator[SSHServer]:
    """Run sshd in the foreground; it admits the key that it yields and nothing else."""
    sshd, keygen = require("sshd", "ssh-keygen")
    require("ssh", "scp")
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # made at boot where a service manager runs sshd
    for name in ("host_key", "user_key"):
        subprocess.run(
            [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", folder / name], check=True, timeout=20
        )
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    port = free_port()
    options = {
        "Port": str(port),
        "ListenAddress": "127.0.0.1",
        "HostKey": str(folder / "host_key"),
        "AuthorizedKeysFile": str(folder / "authorized_keys"),
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UseDNS": "no",
        "Subsystem": "sftp internal-sftp",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    with Process("sshd", [sshd, "-D", "-e", "-f", config], folder) as server:
        server.wait_port(port)
        yield SSHServer(port, getpass.getuser(), folder / "user_key", folder / "host_key")

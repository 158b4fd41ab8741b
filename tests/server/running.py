"""A real ``tunnelui-server run`` and what tests do with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.server.gateway.harness import Upstream, connect_head, read_all, status
from tests.support.hashes import PASSWORD_HASH
from tests.support.pki import Pki
from tunnelui_server.config import load_config
from tunnelui_server.identity import Person
from tunnelui_server.sessions import Session, TokenSigner, new_session_id, open_store, token_issuer

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = """address: 127.0.0.1:0
certificate_file: 1.pem
certificate_key_file: 1-key.pem
state_dir: state
shutdown_grace: 1s
{extra}
idp_provider: local
local_users:
- {{email: alice@example.com, password_hash: "HASH"}}
routes:
- name: echo
  from: tcp+https://echo.example.com:1
  to: tcp://127.0.0.1:{port}
  allow_any_authenticated_user: true
"""


def write_config(folder: Path, upstream: Upstream, extra: str) -> Path:
    """Write a configuration with one route to *upstream*, and with the lines *extra*."""
    pki = Pki(folder)
    os.chmod(pki.issue().key_file, 0o600)
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(port=upstream.port, extra=extra).replace("HASH", PASSWORD_HASH))
    path.chmod(0o600)
    return path


class Server:
    """A running ``tunnelui-server run``."""

    def __init__(self, config: Path) -> None:
        self.config = config
        # The paths of Unix sockets are short, and those of tests are not.
        self.runtime = Path(tempfile.mkdtemp(prefix="tunnelui-test-", dir="/tmp"))
        self.errors = config.parent / "stderr"
        reader, writer = os.pipe()
        with self.errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tunnelui_server", "run", "--config", str(config), "--ready-fd", str(writer)],
                pass_fds=[writer],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | {"XDG_RUNTIME_DIR": str(self.runtime), "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        os.close(writer)
        with os.fdopen(reader) as ready:
            line = ready.readline()
        if not line:
            self.stop()
            raise AssertionError(self.errors.read_text())
        self.ready: dict[str, Any] = json.loads(line)
        self.port = int(self.ready["proxy"].rpartition(":")[2])
        self.context = ssl.create_default_context(cafile=str(config.parent / "ca.pem"))

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            # Between fork and exec, and as a zombie, a child has no arguments of its own.
            with contextlib.suppress(psutil.Error, ValueError):
                arguments = child.cmdline()
                found[arguments[arguments.index("tunnelui_server.child") + 1]] = child
        return found

    def gateways(self) -> dict[int, psutil.Process]:
        """The workers by their number."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error, ValueError):
                arguments = child.cmdline()
                found[int(arguments[arguments.index("--worker") + 1])] = child
        return found

    def dial(self) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.context.wrap_socket(sock, server_hostname="127.0.0.1")

    def ask(self, data: bytes) -> bytes:
        with self.dial() as sock:
            sock.sendall(data)
            return read_all(sock)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines()]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        shutil.rmtree(self.runtime)


async def sign_in(config_path: Path) -> str:
    config = load_config(config_path, {})
    store = await open_store(
        "sqlite", config.databroker_storage_connection_string, shared_secret=config.shared_secret_bytes
    )
    now = time.time()
    person = Person("alice@example.com", "alice@example.com", "Alice", frozenset())
    session = Session(new_session_id(), person, now, now + 3600, "local")
    await store.create(session)
    await store.aclose()
    return TokenSigner(config.shared_secret_bytes, token_issuer(config.authenticate_url)).issue(session)


def tunnel(server: Server, token: str) -> ssl.SSLSocket:
    sock = server.dial()
    sock.sendall(connect_head("echo.example.com:1", token))
    assert status(sock.recv(4096)) == 200
    return sock


def read_to_cut(sock: ssl.SSLSocket) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert read_all(sock) == b""


def alive(sock: ssl.SSLSocket) -> bool:
    sock.sendall(b"ping")
    return sock.recv(10) == b"ping"


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)

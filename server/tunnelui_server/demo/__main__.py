"""``python -m tunnelui_server.demo --folder DIR``: see the package's docstring."""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio
import yaml

from tunnelui_server.config import load_config
from tunnelui_server.config.keys import REFUSED_GLOBAL_KEYS, SCALAR_KEYS
from tunnelui_server.demo.certificates import make_certificates
from tunnelui_server.demo.upstreams import Upstreams, run_upstreams
from tunnelui_server.identity.passwords import hash_password
from tunnelui_server.observe import configure_logging
from tunnelui_server.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunnelui_server.demo.certificates import DemoCertificates

_DOMAIN: Final = "corp.example.com"
_LAST_WORDS: Final = 2000  # characters of the log that are told when the server does not start


def main() -> int:
    parser = argparse.ArgumentParser(prog="tunnelui-server demo")
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder of one's own")
    parser.add_argument("--remove-folder", action="store_true", help="remove it at the end, whatever the end is")
    options = parser.parse_args()

    def clean_up() -> None:
        if options.remove_folder:
            shutil.rmtree(options.folder, ignore_errors=True)

    def leave(*_: object) -> NoReturn:
        clean_up()
        os._exit(0)

    # Until the supervisor takes them, there is nothing else to stop.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)
    _forget_environment()
    threading.Thread(target=_follow_parent, name="lifeline", daemon=True).start()
    try:
        return _run(options.folder)
    finally:
        clean_up()


def _forget_environment() -> None:
    """The demo is the same everywhere: variables that configure a server mean another one."""
    ours = {key.upper() for key in SCALAR_KEYS | REFUSED_GLOBAL_KEYS.keys()}
    ours |= {"IDP_SCOPES", "ROUTES", "POLICY", "STATE_DIRECTORY", "TUNNELUI_STATE_DIR"}
    for name in [name for name in os.environ if name in ours or name.startswith("DOWNSTREAM_MTLS_")]:
        del os.environ[name]


def _follow_parent() -> None:
    """Stop in order when standard input ends, also because whoever holds its other end was killed."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _run(folder: Path) -> int:
    log_file = folder / "server.log"
    with _output_to(log_file) as (out, err):
        try:
            code = anyio.run(_serve, folder, out)
        except Exception:
            code = 1
            sys.excepthook(*sys.exc_info())
        if code:
            words = log_file.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:]
            os.write(err, words.encode("utf-8", "replace"))
    return code


@contextmanager
def _output_to(log_file: Path) -> Iterator[tuple[int, int]]:
    """Send what this process and its children print to a file; yields the standard output and error as they were."""
    before = os.dup(1), os.dup(2)
    with log_file.open("ab") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    try:
        yield before
    finally:
        sys.stdout.flush()
        for number, old in zip((1, 2), before, strict=True):
            os.dup2(old, number)
            os.close(old)


async def _serve(folder: Path, out: int) -> int:
    """Run the server in this process, its planes as children that end with it."""
    async with run_upstreams() as upstreams:
        people = {f"{name}@example.com": secrets.token_urlsafe(9) for name in ("alice", "bob")}
        certificates = make_certificates(folder)
        port, web_port = _free_ports(2)
        config_file = folder / "config.yaml"
        values = _configuration(port, web_port, certificates, people, upstreams)
        await anyio.Path(config_file).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        config_file.chmod(0o600)
        config = load_config(config_file)
        configure_logging(config.log_level)
        ready, ready_writer = os.pipe()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_announce, ready, out, _description(port, certificates, people))
                code = await Supervisor(config, ready_fd=ready_writer).run()
                tasks.cancel_scope.cancel()
        finally:
            os.close(ready)
    return code


async def _announce(ready: int, out: int, description: dict[str, Any]) -> None:
    await anyio.wait_readable(ready)
    if os.read(ready, 4096):
        os.write(out, json.dumps(description).encode() + b"\n")


def _configuration(
    port: int, web_port: int, certificates: DemoCertificates, people: dict[str, str], upstreams: Upstreams
) -> dict[str, Any]:
    staff = {"allowed_groups": ["staff"]}

    def route(name: str, service_port: int, to: int, description: str, who: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "description": description,
            "from": f"tcp+https://127.0.0.1:{port}/{name}.{_DOMAIN}:{service_port}",
            "to": f"tcp://127.0.0.1:{to}",
            **who,
        }

    return {
        "address": f"127.0.0.1:{port}",
        "certificate_file": str(certificates.certificate_file),
        "certificate_key_file": str(certificates.key_file),
        # The browser signs in over plain HTTP on the loopback, so that no throw-away certificate frightens anybody.
        "authenticate_service_url": f"http://127.0.0.1:{web_port}",
        "idp_provider": "local",
        "databroker_storage_type": "sqlite",
        "workers": 1,
        "databroker_storage_connection_string": str(certificates.ca_file.parent / "sessions.sqlite3"),
        "shared_secret_file": str(_secret_file(certificates.ca_file.parent)),
        "local_users": [
            {"email": email, "password_hash": hash_password(password)} for email, password in people.items()
        ],
        "groups": {"staff": ["alice@example.com"], "finance": ["bob@example.com"]},
        "routes": [
            route("echo", 7, upstreams.echo, "says back what it hears", staff),
            route("web", 80, upstreams.web, "a small page", staff),
            route("slow", 13, upstreams.slow, "one line each second", staff),
            route("down", 5432, upstreams.down, "the service behind it is down", staff),
            route("billing", 5432, upstreams.echo, "for the finance department alone", {"allowed_groups": ["finance"]}),
        ],
    }


def _description(port: int, certificates: DemoCertificates, people: dict[str, str]) -> dict[str, Any]:
    email, password = next(iter(people.items()))
    services = {"echo": 7, "web": 80, "slow": 13, "down": 5432, "billing": 5432}
    return {
        "proxy_url": f"https://127.0.0.1:{port}",
        "ca_file": str(certificates.ca_file),
        "user": email,
        "password": password,
        "routes": [{"name": name, "destination": f"{name}.{_DOMAIN}:{number}"} for name, number in services.items()],
    }


def _secret_file(folder: Path) -> Path:
    path = folder / "shared-secret"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(base64.b64encode(secrets.token_bytes(32)))
    return path


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago; all are held until the last one is known."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


if __name__ == "__main__":
    sys.exit(main())

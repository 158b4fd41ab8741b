"""The real `tunnelui-server` and the real `tunnelui`, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from tests.e2e.visitor import visit
from tests.peers.process import Process, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.pki import CertificateFiles, Pki

__all__ = [
    "ALICE",
    "BOB",
    "DOMAIN",
    "Client",
    "Server",
    "Tunnel",
    "events_of",
    "password_of",
    "route_to",
    "run_server",
    "sign_in",
]

DOMAIN = "corp.example.com"
ALICE = "alice@example.com"
BOB = "bob@example.com"


def password_of(email: str) -> str:
    return f"the password of {email}"


def route_to(name: str, service_port: int, to: int, **who: Any) -> dict[str, Any]:
    """A route of the server's configuration, for the people of the group ``staff`` where nothing else is said."""
    return {
        "name": name,
        "from": f"tcp+https://{name}.{DOMAIN}:{service_port}",
        "to": f"tcp://127.0.0.1:{to}",
        **(who or {"allowed_groups": ["staff"]}),
    }


@dataclass
class Server:
    """A `tunnelui-server` that can be killed and started again on the same port, with the same state."""

    folder: Path
    pki: Pki
    port: int
    config: Mapping[str, Any]
    process: Process | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> str:
        return self.pki.ca_file

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def logs(self) -> str:
        """All that it wrote, over all its starts."""
        return "".join(file.read_text("utf-8", "replace") for file in sorted(self.folder.glob("server-*.*")))

    def audit(self) -> list[dict[str, Any]]:
        """The lines of the log that are JSON objects."""
        return [json.loads(line) for line in self.logs.splitlines() if line.startswith("{")]

    def start(self) -> None:
        self.starts += 1
        command = [sys.executable, "-m", "tunnelui_server", "run", "--config", str(self.config_file)]
        self.process = Process(f"server-{self.starts}", command, self.folder)
        self.process.wait_port(self.port)
        # The gateway listens before the control plane behind it has come up.
        probe = ["curl", "-sS", "--noproxy", "*", "--cacert", self.ca_file, f"{self.url}/ping"]
        eventually(lambda: subprocess.run(probe, capture_output=True, timeout=60, check=False).stdout == b"OK\n")

    def stop(self) -> int:
        return self.process.stop() if self.process else 0

    def kill(self) -> None:
        """Kill the processes as a crash would."""
        assert self.process is not None
        self.process.kill()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another subcommand of `tunnelui-server` on the same configuration."""
        return subprocess.run(
            [sys.executable, "-m", "tunnelui_server", *arguments, "--config", str(self.config_file)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@contextmanager
def run_server(
    folder: Path,
    pki: Pki,
    routes: Sequence[Mapping[str, Any]],
    *,
    files: CertificateFiles | None = None,
    **config: Any,
) -> Iterator[Server]:
    """Run `tunnelui-server` over TLS; *config* are further keys of the file, by default two local people."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    files = files or pki.issue("127.0.0.1", "localhost", "proxy.example.com", f"*.{DOMAIN}")
    Path(files.key_file).chmod(0o600)
    if "idp_provider" not in config:
        config |= {"idp_provider": "local", "local_users": local_users()}
    whole = {
        "address": f"127.0.0.1:{port}",
        "certificate_file": files.cert_file,
        "certificate_key_file": files.key_file,
        "state_dir": str(folder / "state"),
        "groups": {"staff": [ALICE], "finance": [BOB]},
        **config,
        "routes": list(routes),
    }
    server = Server(folder, pki, port, whole)
    server.config_file.write_text(yaml.safe_dump(whole, sort_keys=False))
    server.config_file.chmod(0o600)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def sign_in(server: Server, email: str = ALICE) -> str:
    """Sign in over HTTP as a program without a listener would, and return the token."""
    redirect = f"http://127.0.0.1:{free_port()}/nonce"
    answer = httpx.get(
        f"{server.url}/.pomerium/api/v1/login",
        params={"pomerium_redirect_uri": redirect},
        verify=server.pki.client_context(),
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    end = visit(answer.text, name=email, password=password_of(email), ca_file=server.ca_file, deliver=False)
    assert end.startswith(redirect)
    return str(httpx.URL(end).params["pomerium_jwt"])


def local_users() -> list[dict[str, Any]]:
    from tunnelui_server.identity.passwords import PasswordCost, hash_password

    cheap = PasswordCost(time=1, memory=1024, lanes=1)
    return [{"email": email, "password_hash": hash_password(password_of(email), cost=cheap)} for email in (ALICE, BOB)]


@dataclass
class Tunnel:
    """A running `tunnelui tcp --json`."""

    process: Process
    locals: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.locals[0].rpartition(":")[2])

    @property
    def events(self) -> list[dict[str, Any]]:
        return events_of(self.process.output)

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]

    def wait_event(self, kind: str, count: int = 1, timeout: float = 60.0, **data: Any) -> dict[str, Any]:
        """Wait for the *count*-th event of *kind* whose data hold *data*, and return it."""

        def look() -> dict[str, Any] | None:
            found = [
                event
                for event in self.events
                if event["kind"] == kind and all(event["data"].get(key) == value for key, value in data.items())
            ]
            return found[count - 1] if len(found) >= count else None

        try:
            event = eventually(look, timeout, f"event {count} of the kind {kind!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.process.output[-4000:]}") from None
        assert event is not None
        return event

    def wait_problem(self, *texts: str, timeout: float = 60.0) -> None:
        """Wait until the warnings and errors, hints included, have said every one of *texts*."""

        def said() -> bool:
            problems = [event for event in self.events if event["level"] in ("warning", "error")]
            whole = "\n".join(f"{event['message']} {event['data']}" for event in problems)
            return all(text in whole for text in texts)

        try:
            eventually(said, timeout, f"a warning that says {texts}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.process.output[-4000:]}") from None


def events_of(output: str) -> list[dict[str, Any]]:
    """Return the JSON events in *output*; a last line that is not complete is left out."""
    lines = output.split("\n")[:-1]
    return [json.loads(line) for line in lines if line.startswith("{")]


class Client:
    """`tunnelui` with folders of its own.

    :param server: whose CA is trusted and whose address is given as the proxy; None for neither.
    :param store: the token store, ``file`` so that tests can look at it.
    """

    def __init__(self, folder: Path, server: Server | None = None, *, store: str = "file") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.server = server
        self.state = folder / "state"
        self.config = folder / "config"
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TUNNELUI_")},
            "TUNNELUI_CONFIG_DIR": str(self.config),
            "TUNNELUI_STATE_DIR": str(self.state),
            "TUNNELUI_RUNTIME_DIR": str(folder / "run"),
            "TUNNELUI_TOKEN_STORE": store,
            "HOME": str(folder),
            "BROWSER": "/bin/false",
            "PYTHONUNBUFFERED": "1",
        }
        if server is not None:
            self.env |= {"TUNNELUI_PROXY_URL": server.url, "TUNNELUI_ALTERNATE_CA_PATH": server.ca_file}
        self._count = 0

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tunnelui", *arguments]

    def run(self, *arguments: str, input: bytes = b"", timeout: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        return subprocess.run(
            self.argv(*arguments), input=input, env=self.env, capture_output=True, timeout=timeout, check=False
        )

    def spawn(self, *arguments: str, name: str = "tunnelui", stdin: int | None = subprocess.DEVNULL) -> Process:
        """Start a command and leave it running."""
        self._count += 1
        return Process(f"{name}-{self._count}", self.argv(*arguments), self.folder, env=self.env, stdin=stdin)

    @contextmanager
    def tcp(self, *arguments: str, listeners: int = 1) -> Iterator[Tunnel]:
        """Run ``tunnelui tcp --json`` until the block ends; *listeners* addresses are waited for."""
        with self.spawn("tcp", "--json", *arguments) as process:
            tunnel = Tunnel(process)
            for number in range(1, listeners + 1):
                tunnel.locals.append(tunnel.wait_event("listening", number)["data"]["local"])
            yield tunnel

    def paste(self, token: str) -> None:
        """Put *token* into the store, as somebody without a browser does."""
        assert self.server is not None
        done = self.run("login", "--paste", self.server.url, input=f"{token}\n".encode())
        assert done.returncode == 0, done.stderr.decode()
        assert self.stored_tokens() == [token]

    def stored_tokens(self) -> list[str]:
        """What the ``file`` store holds."""
        return [json.loads(file.read_text())["token"] for file in sorted((self.state / "tokens").glob("*"))]

"""A control plane as it runs: uvicorn on a Unix socket, and in front of it what the gateway does."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from tests.server.identity.idp import CLIENT_ID, CLIENT_SECRET
from tunnelui_server.config import ServerConfig, load_config
from tunnelui_server.control.app import make_app
from tunnelui_server.control.provider import make_provider
from tunnelui_server.control.serve import Server, listen
from tunnelui_server.control.services import Services
from tunnelui_server.identity.local import LocalProvider
from tunnelui_server.identity.passwords import PasswordCost, hash_password
from tunnelui_server.identity.throttle import AttemptThrottle
from tunnelui_server.sessions import SessionStore, TokenSigner, open_store, token_issuer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PASSWORD = "password-canary"
SECRET = "c2hhcmVkLXNlY3JldC1jYW5hcnktMDEyMzQ1Njc4OWE="
REDIRECT = "http://127.0.0.1:45123/nonce"
CLIENT_ADDRESS = "203.0.113.7"
CHEAP = PasswordCost(time=1, memory=64, lanes=1)

LOCAL = f"""\
idp_provider: local
local_users:
- email: alice@example.com
  display_name: Alice <b>Example</b>
  password_hash: {hash_password(PASSWORD, cost=CHEAP)}
  groups: [eng]
- name: bob
  password_hash: {hash_password("builder", cost=CHEAP)}
"""
ROUTES = """\
policy:
- from: tcp+https://redis.corp.example.com:6379
  to: tcp://127.0.0.1:6379
  name: redis
  description: The <i>cache</i>
  allowed_users: [alice@example.com]
- from: tcp+https://proxy.example.com:8443/db.internal:5432
  to: tcp://127.0.0.1:5432
  allowed_groups: [eng]
- from: tcp+https://secret.corp.example.com:22
  to: tcp://127.0.0.1:22
  allowed_users: [root@example.com]
"""


class Clock:
    """Unix time that a test can move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Control:
    """A running control plane."""

    config: ServerConfig
    store: SessionStore
    clock: Clock
    socket: Path
    origin: str
    context: ssl.SSLContext | None = None
    services: Services = field(kw_only=True)

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A browser, or a program, with cookies of its own."""
        return httpx.AsyncClient(base_url=self.origin, headers=headers, verify=self.context or False, timeout=60)

    def browser(self) -> httpx.AsyncClient:
        return self.client(Accept="text/html,application/xhtml+xml", **{"User-Agent": "Browser"})

    @property
    def signer(self) -> TokenSigner:
        return TokenSigner(self.config.shared_secret_bytes, token_issuer(self.config.authenticate_url))

    async def raw(self, data: bytes, *, proxy_line: bytes = b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n") -> bytes:
        """What comes back over the Unix socket for these very bytes."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(proxy_line + data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await asyncio.wait_for(reader.read(-1), 15)
        writer.close()
        return received


@contextlib.asynccontextmanager
async def run_control(
    folder: Path,
    *,
    identity: str = LOCAL,
    extra: str = "",
    server_tls: ssl.SSLContext | None = None,
    client_tls: ssl.SSLContext | None = None,
    throttle: AttemptThrottle | None = None,
    **changes: Any,
) -> AsyncIterator[Control]:
    """Run a control plane, and a bridge that stands for the gateway on ``127.0.0.1`` (TLS with *server_tls*)."""
    file = folder / "config.yaml"
    file.write_text(
        f"address: 127.0.0.1:8000\ninsecure_server: true\nshared_secret: {SECRET}\n{identity}{extra}{ROUTES}"
    )
    file.chmod(0o600)
    config = replace(load_config(file, {}), insecure_server=server_tls is None, **changes)
    clock = Clock()
    store = await open_store(
        "sqlite", folder / "state" / "s.sqlite", shared_secret=config.shared_secret_bytes, clock=clock
    )
    provider = make_provider(config)
    if isinstance(provider, LocalProvider):
        free = AttemptThrottle(per_pair=100, per_address=1000)
        provider = LocalProvider(config.local_users, throttle=free if throttle is None else throttle)
    services = Services(config, store, provider, clock)
    path = folder / "control.sock"
    server = Server(make_app(services))
    with listen(path) as listener:
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        bridge = await asyncio.start_server(lambda r, w: _bridge(path, r, w), "127.0.0.1", 0, ssl=server_tls)
        port = bridge.sockets[0].getsockname()[1]
        scheme = "https" if server_tls else "http"
        try:
            origin = f"{scheme}://{'localhost' if server_tls else '127.0.0.1'}:{port}"
            yield Control(config, store, clock, path, origin, client_tls, services=services)
        finally:
            bridge.close()
            server.should_exit = True
            await serving
            if provider is not None:
                await provider.aclose()
            await store.aclose()


async def _bridge(path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    control_reader, control_writer = await asyncio.open_unix_connection(str(path))
    control_writer.write(f"PROXY TCP4 {CLIENT_ADDRESS} 192.0.2.1 5000 443\r\n".encode())

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()

    async with anyio.create_task_group() as group:
        group.start_soon(copy, reader, control_writer)
        await copy(control_reader, writer)
        group.cancel_scope.cancel()
    for each in (writer, control_writer):
        each.close()


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    match = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)
    assert match is not None, f"no hidden field {name}"
    return html.unescape(match[1])


async def login_url(browser: httpx.AsyncClient, redirect: str = REDIRECT) -> str:
    answer = await browser.get("/.pomerium/api/v1/login", params={"pomerium_redirect_uri": redirect})
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


async def enter_password(
    browser: httpx.AsyncClient,
    url: str = "/.pomerium/sign_in",
    user: str = "alice@example.com",
    password: str = PASSWORD,
) -> httpx.Response:
    page = await browser.get(url)
    assert page.status_code == 200
    form = {name: hidden(page.text, name) for name in ("csrf", "request")}
    return await browser.post("/.pomerium/sign_in", data=form | {"user": user, "password": password})


async def confirm(browser: httpx.AsyncClient, url: str) -> httpx.Response:
    """From the confirm page to the answer that carries the token."""
    page = await browser.get(url)
    assert page.status_code == 200, page.text
    form = {name: hidden(page.text, name) for name in ("csrf", "request")}
    answer = await browser.post("/.pomerium/confirm", data=form)
    assert answer.status_code == 303
    return await browser.get(answer.headers["location"])


async def get_token(browser: httpx.AsyncClient, redirect: str = REDIRECT) -> str:
    """The whole way of a program."""
    answer = await enter_password(browser, await login_url(browser, redirect))
    assert answer.status_code == 303
    done = await confirm(browser, answer.headers["location"])
    assert done.status_code == 302
    return str(httpx.URL(done.headers["location"]).params["pomerium_jwt"])


def oidc_identity(issuer: str) -> str:
    return (
        f"idp_provider: oidc\nidp_provider_url: {issuer}\n"
        f"idp_client_id: {CLIENT_ID}\nidp_client_secret: {CLIENT_SECRET}\n"
    )

"""Signing in: a real OpenID provider and a real browser, and what happens when many or nobody sign in."""

from __future__ import annotations

import concurrent.futures
import os
import shlex
import socket
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.harness import ALICE, BOB, DOMAIN, Client, Server, events_of, password_of, route_to, run_server, sign_in
from tests.e2e.visitor import VisitorCommand, visit
from tests.peers.browser import BrowserCommand, run_browser
from tests.peers.parts import require
from tests.peers.process import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peers.openid import OpenIDProvider
    from tests.support.pki import Pki

ECHO = f"echo.{DOMAIN}:7"


@pytest.fixture(scope="module")
def openid_server(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, openid: OpenIDProvider, services: dict[str, int]
) -> Iterator[Server]:
    """A server whose people come from the OpenID provider, their groups from a claim."""
    routes = [
        route_to("echo", 7, services["echo"]),
        route_to("billing", 5432, services["echo"], allowed_groups=["finance"]),
    ]
    with run_server(
        tmp_path_factory.mktemp("openid-server"),
        pki,
        routes,
        idp_provider="oidc",
        idp_provider_url=openid.issuer,
        idp_client_id=openid.client_id,
        idp_client_secret=openid.client_secret,
        idp_scopes=["openid", "profile", "email", "groups"],
        groups={},
    ) as server:
        yield server


def ask(port: int, data: bytes = b"hello") -> bytes:
    """One local connection: send, half-close, read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=50) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while more := sock.recv(65536):
            answer += more
    return answer


def test_chromium_signs_in_at_the_openid_provider_and_the_waiting_connection_is_served(
    tmp_path: Path, openid_server: Server, openid: OpenIDProvider
) -> None:
    client = Client(tmp_path / "client", openid_server)
    browser = BrowserCommand(
        tmp_path / "browser", name="alice", password="any", known=[openid_server.url, openid.issuer]
    )
    with client.tcp("--browser-cmd", str(browser.path), ECHO) as tunnel:
        assert ask(tunnel.port) == b"hello"
        assert "signed_in" in tunnel.kinds()
    (run,) = eventually(lambda: browser.runs)
    assert "error" not in run, run
    pages = [urlsplit(page) for page in run["pages"]]
    assert any(page.path.startswith("/interaction/") for page in pages), (
        "the provider's own page asked for the password"
    )
    assert any(page.path.startswith("/.pomerium/confirm") for page in pages), "a person lets the program in"
    assert "pomerium_jwt" not in openid_server.logs
    (token,) = client.stored_tokens()
    assert token not in openid_server.logs

    who = client.run("whoami", "--json")
    assert who.returncode == 0, who.stderr
    (person,) = events_of(who.stdout.decode())
    assert person["name"] == ALICE
    assert person["status"] == "signed in"

    # Her groups came with the sign-in: another route stays closed to her, and the token stays.
    denied = client.run("tcp", "--listen", "-", f"billing.{DOMAIN}:5432", input=b"x")
    assert denied.returncode == 4, denied.stderr
    assert client.stored_tokens() == [token]


def test_chromium_signs_in_with_a_local_account(tmp_path: Path, client: Client, server: Server) -> None:
    browser = BrowserCommand(tmp_path / "browser", name=BOB, password=password_of(BOB), known=[server.url])
    done = client.run("login", "--browser-cmd", str(browser.path), server.url, timeout=50)
    assert done.returncode == 0, done.stderr.decode() + str(browser.runs)
    assert BOB in done.stdout.decode()
    assert client.run("tcp", "--listen", "-", f"billing.{DOMAIN}:5432", input=b"hello").stdout == b"hello"

    assert client.run("logout", server.url).returncode == 0
    assert client.stored_tokens() == []
    assert client.run("whoami", server.url).returncode == 3


def test_a_page_of_another_site_can_not_finish_the_sign_in_of_a_victim(tmp_path: Path, server: Server) -> None:
    """Login CSRF: a link made by an attacker ends at the question who is let in, never at the loopback."""
    from tests.e2e.upstreams import upstream

    seen: list[bytes] = []

    def note(sock: socket.socket) -> None:
        seen.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with upstream(note) as port, run_browser(tmp_path / "browser") as browser:
        browser.sign_in(
            login_url(server, f"http://127.0.0.1:{port}/first"),
            name=ALICE,
            password=password_of(ALICE),
            known=[server.url],
        )
        assert len([request for request in seen if b"GET /first?pomerium_jwt=" in request]) == 1
        seen.clear()
        # She is signed in now; a new address alone must not get a token out.
        browser.go(login_url(server, f"http://127.0.0.1:{port}/second"))
        assert "/.pomerium/confirm" in browser.url
        assert ALICE in browser.text
        assert f"127.0.0.1:{port}" in browser.text
        assert "<script" not in browser.source
        assert not any(b"/second" in request for request in seen)
        for cookie in browser.cookies:
            assert cookie["httpOnly"], cookie
            assert cookie["secure"], cookie
            assert cookie["sameSite"] in ("Lax", "Strict"), cookie


def test_fifty_connections_without_a_token_share_one_sign_in(tmp_path: Path, client: Client, server: Server) -> None:
    visitor = VisitorCommand(
        tmp_path / "visitor", name=ALICE, password=password_of(ALICE), ca_file=server.ca_file, delay=1.5
    )
    with client.tcp("--browser-cmd", str(visitor.path), ECHO) as tunnel:
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            texts = [f"connection {number}".encode() for number in range(50)]
            answers = list(pool.map(lambda text: ask(tunnel.port, text), texts))
        assert answers == texts
        assert len(visitor.runs) == 1
        assert tunnel.kinds().count("signed_in") == 1
    assert len(client.stored_tokens()) == 1


def test_the_pasted_address_finishes_the_sign_in(client: Client, server: Server) -> None:
    process = subprocess.Popen(
        client.argv("login", "--paste", server.url),
        env=client.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin and process.stderr and process.stdout
        url = next(line.strip() for line in process.stderr if "/.pomerium/sign_in" in line)
        end = visit(url, name=ALICE, password=password_of(ALICE), ca_file=server.ca_file, deliver=False)
        token = parse_qs(urlsplit(end).query)["pomerium_jwt"][0]
        process.stdin.write(f"https://example.com/nothing-here\n{end}\n")
        process.stdin.flush()
        assert process.wait(60) == 0, process.stderr.read()
        assert token not in process.stdout.read() + process.stderr.read()
    assert client.stored_tokens() == [token]


def test_a_browser_that_does_not_start_is_no_error(client: Client, server: Server) -> None:
    with client.spawn("login", "--browser-cmd", "/nowhere/browser", server.url) as process:
        url = process.wait_for(r"https://\S+/\.pomerium/sign_in\S*").group()
        visit(url, name=ALICE, password=password_of(ALICE), ca_file=server.ca_file)
        assert process.wait() == 0, process.output


def test_only_the_path_with_the_nonce_on_a_loopback_host_is_taken(client: Client, server: Server) -> None:
    import http.client

    with client.spawn("login", "--no-browser", server.url) as process:
        url = process.wait_for(r"https://\S+/\.pomerium/sign_in\S*").group()
        end = urlsplit(visit(url, name=ALICE, password=password_of(ALICE), ca_file=server.ca_file, deliver=False))
        assert end.hostname
        assert len(end.path) > 16, "the nonce can't be guessed"

        def get(target: str, host: str = "", method: str = "GET") -> int:
            connection = http.client.HTTPConnection(end.hostname or "", end.port, timeout=10)
            connection.request(method, target, headers={"Host": host or end.netloc})
            status = connection.getresponse().status
            connection.close()
            return status

        assert get(f"/?{end.query}") == 404
        assert get("/favicon.ico") == 404
        assert get(f"{end.path}?{end.query}", host=f"evil.example.com:{end.port}") == 404
        assert get(f"{end.path}?{end.query}", method="POST") in (404, 405, 501)
        assert get(end.path) >= 400
        assert process.popen.poll() is None, "it still waits"
        assert get(f"{end.path}?{end.query}") < 400
        assert process.wait() == 0, process.output


def test_a_revoked_session_leads_to_one_new_sign_in(tmp_path: Path, pki: Pki, services: dict[str, int]) -> None:
    with run_server(tmp_path / "server", pki, [route_to("echo", 7, services["echo"])]) as server:
        client = Client(tmp_path / "client", server)
        visitor = VisitorCommand(tmp_path / "visitor", name=ALICE, password=password_of(ALICE), ca_file=server.ca_file)
        with client.tcp("--browser-cmd", str(visitor.path), ECHO) as tunnel:
            assert ask(tunnel.port) == b"hello"
            (first,) = client.stored_tokens()
            listed = server.command("sessions", "list")
            assert ALICE in listed.stdout, listed.stderr
            revoked = server.command("sessions", "revoke", ALICE)
            assert revoked.returncode == 0, revoked.stderr
            assert ask(tunnel.port, b"again") == b"again"
            assert len(visitor.runs) == 2
            (second,) = client.stored_tokens()
            assert second != first


def test_the_keyring_keeps_the_token_and_no_file_does(tmp_path: Path, server: Server) -> None:
    token = sign_in(server)  # its own: logout ends the session for everybody
    (dbus,) = require("dbus-run-session")
    require("gnome-keyring-daemon")
    client = Client(tmp_path / "client", server, store="keyring")
    login = shlex.join(client.argv("login", "--paste", server.url))
    who = shlex.join(client.argv("whoami", "--json", server.url))
    logout = shlex.join(client.argv("logout", server.url))
    script = (
        "set -e; eval \"$(printf 'password\\n' | gnome-keyring-daemon --unlock --components=secrets)\" >/dev/null; "
        f'printf \'%s\\n\' "$TEST_TOKEN" | {login}; {who}; {logout}; {who} || echo "ended with $?"'
    )
    done = run_in_session(dbus, script, client, token)
    assert done.returncode == 0, done.stderr
    people = events_of(done.stdout)
    assert [person["status"] for person in people] == ["signed in", "signed out"]
    assert people[0]["store"] == "keyring"
    assert "ended with 3" in done.stdout
    assert token not in done.stdout + done.stderr
    assert not any(token.encode() in file.read_bytes() for file in client.folder.rglob("*") if file.is_file())


def test_without_a_keyring_the_token_stays_in_memory_and_one_line_says_so(
    tmp_path: Path, server: Server, token: str
) -> None:
    client = Client(tmp_path / "client", server, store="keyring")
    del client.env["TUNNELUI_TOKEN_STORE"]
    client.env |= {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "XDG_RUNTIME_DIR": str(tmp_path)}
    done = client.run("login", "--paste", server.url, input=f"{token}\n".encode())
    text = (done.stdout + done.stderr).decode()
    assert "memory" in text
    assert "file" in text, "it says how to keep the token"
    assert client.stored_tokens() == []


def test_a_plain_text_keyring_is_refused(tmp_path: Path, server: Server, token: str) -> None:
    client = Client(tmp_path / "client", server, store="keyring")
    client.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    done = client.run("login", "--paste", server.url, input=f"{token}\n".encode())
    text = (done.stdout + done.stderr).decode()
    assert "keyring" in text.lower()
    assert "Traceback" not in text
    assert done.returncode in (1, 2, 3), text


def run_in_session(dbus: str, script: str, client: Client, token: str) -> subprocess.CompletedProcess[str]:
    env: dict[str, Any] = {
        **{key: value for key, value in client.env.items() if not key.startswith(("DBUS_", "XDG_"))},
        "XDG_DATA_HOME": str(client.folder / "data"),
        "XDG_RUNTIME_DIR": str(client.folder / "runtime"),
        "TEST_TOKEN": token,
    }
    os.makedirs(env["XDG_RUNTIME_DIR"], mode=0o700, exist_ok=True)
    return subprocess.run(
        [dbus, "--", "sh", "-c", script], env=env, capture_output=True, text=True, timeout=50, check=False
    )


def login_url(server: Server, redirect: str) -> str:
    import httpx

    answer = httpx.get(
        f"{server.url}/.pomerium/api/v1/login",
        params={"pomerium_redirect_uri": redirect},
        verify=server.pki.client_context(),
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def test_logout_ends_the_session_at_the_server(server: Server, tmp_path: Path) -> None:
    token = sign_in(server)
    first, second = Client(tmp_path / "one", server), Client(tmp_path / "two", server)
    for client in (first, second):
        client.paste(token)
    done = first.run("logout", server.url)
    assert done.returncode == 0
    assert b"Signed out" in done.stdout
    assert done.stderr == b""
    assert first.stored_tokens() == []
    # The same token in another place is worth nothing any more.
    assert second.run("routes", "discover").returncode == 3
    again = second.run("logout", server.url)
    assert b"goes on until" in again.stderr or again.stderr == b""

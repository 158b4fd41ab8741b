"""Broken in many ways: heads, redirect addresses, files, keyrings. A clear error, nothing lost, nothing let through."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from tests.e2e.harness import DOMAIN, Client, Server
from tests.e2e.upstreams import upstream
from tests.peers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ECHO = f"echo.{DOMAIN}:7"
HOST = f"Host: {ECHO}\r\n"

BROKEN_HEADS = {
    "bare line feeds": f"CONNECT {ECHO} HTTP/1.1\nHost: {ECHO}\n\n",
    "folded field": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}X: a\r\n b\r\n\r\n",
    "NUL in a value": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}X: a\0b\r\n\r\n",
    "escape in a value": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}X: a\x1bb\r\n\r\n",
    "space before the colon": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}X : a\r\n\r\n",
    "no host": f"CONNECT {ECHO} HTTP/1.1\r\nX: a\r\n\r\n",
    "two hosts": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}{HOST}\r\n",
    "another host": f"CONNECT {ECHO} HTTP/1.1\r\nHost: open.{DOMAIN}:7\r\n\r\n",
    "absolute form": f"CONNECT http://{ECHO}/ HTTP/1.1\r\n{HOST}\r\n",
    "no port": f"CONNECT echo.{DOMAIN} HTTP/1.1\r\nHost: echo.{DOMAIN}\r\n\r\n",
    "impossible port": f"CONNECT echo.{DOMAIN}:99999 HTTP/1.1\r\nHost: echo.{DOMAIN}:99999\r\n\r\n",
    "user": f"CONNECT me@{ECHO} HTTP/1.1\r\nHost: me@{ECHO}\r\n\r\n",
    "escaped": f"CONNECT %65cho.{DOMAIN}:7 HTTP/1.1\r\nHost: %65cho.{DOMAIN}:7\r\n\r\n",
    "length on CONNECT": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}Content-Length: 4\r\n\r\nabcd",
    "chunks on CONNECT": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0": f"CONNECT {ECHO} HTTP/1.0\r\n{HOST}\r\n",
    "HTTP/2.0": f"CONNECT {ECHO} HTTP/2.0\r\n{HOST}\r\n",
    "lower case": f"connect {ECHO} HTTP/1.1\r\n{HOST}\r\n",
    "two spaces": f"CONNECT  {ECHO} HTTP/1.1\r\n{HOST}\r\n",
    "two authorizations": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}" + "Authorization: Pomerium a\r\n" * 2 + "\r\n",
    "a thousand fields": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}" + "X: a\r\n" * 1000 + "\r\n",
    "20 kB in one field": f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}X: {'a' * 20_000}\r\n\r\n",
    "length and chunks": (
        "POST /.pomerium/sign_in HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"0\r\n\r\nCONNECT {ECHO} HTTP/1.1\r\n{HOST}\r\n"
    ),
    "not HTTP at all": "SSH-2.0-OpenSSH_9.2\r\n\r\n",
}


def exchange(server: Server, data: bytes, *, timeout: float = 60.0) -> bytes:
    """Send *data* over TLS and return all that comes back until the server closes."""
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
    answer = b""
    with server.pki.client_context().wrap_socket(raw, server_hostname="127.0.0.1") as sock:
        try:
            sock.sendall(data)
            while more := sock.recv(65536):
                answer += more
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


@pytest.mark.parametrize("name", BROKEN_HEADS)
def test_a_broken_head_is_refused_and_the_connection_closed(server: Server, token: str, name: str) -> None:
    head = BROKEN_HEADS[name]
    if "Authorization" not in head and f"{HOST}" in head:
        # With a good token, so that only the head can be the reason.
        head = head.replace(HOST, f"{HOST}Authorization: Pomerium {token}\r\n", 1)
    answer = exchange(server, head.encode("latin-1"))
    status = int(answer.split(b" ", 2)[1])
    assert status in (400, 405, 408, 414, 431, 505), answer
    assert answer.count(b"HTTP/1.1 ") == 1, "exactly one answer, whatever was hidden behind"
    assert token.encode() not in answer


def test_what_follows_a_refused_head_is_never_answered(server: Server, token: str) -> None:
    refused = f"CONNECT billing.{DOMAIN}:5432 HTTP/1.1\r\nHost: billing.{DOMAIN}:5432\r\n"
    good = f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}"
    authorization = f"Authorization: Pomerium {token}\r\n\r\n"
    answer = exchange(server, f"{refused}{authorization}payload{good}{authorization}".encode())
    assert answer.startswith(b"HTTP/1.1 403")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_early_data_arrives_once_the_tunnel_is_open(server: Server, token: str) -> None:
    head = f"CONNECT {ECHO} HTTP/1.1\r\n{HOST}Authorization: Pomerium {token}\r\n\r\n"
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    with server.pki.client_context().wrap_socket(raw, server_hostname="127.0.0.1") as sock:
        sock.sendall(f"{head}early".encode())
        answer = b""
        while not answer.endswith(b"early"):
            more = sock.recv(65536)
            assert more, answer
            answer += more
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "authority",
    [
        "127.0.0.1:22",
        "localhost:22",
        "169.254.169.254:80",
        "[::1]:22",
        "2130706433:22",
        "0x7f000001:22",
        "017700000001:22",
        "127.1:22",
    ],
)
def test_the_target_is_looked_up_and_never_dialled(server: Server, token: str, authority: str) -> None:
    touched: list[int] = []
    with upstream(lambda sock: touched.append(1)) as port:
        authority = authority.rpartition(":")[0] + f":{port}"
        head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Pomerium {token}\r\n\r\n"
        answer = exchange(server, head.encode())
    assert int(answer.split(b" ", 2)[1]) in (400, 403)
    assert not touched


BAD_REDIRECTS = [
    "",
    "http://evil.example.com/",
    "https://127.0.0.1:5000/",
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1@evil.example.com:5000/",
    "http://127.0.0.1.evil.example.com:5000/",
    "http://evil.example.com\\@127.0.0.1:5000/",
    "/\\evil.example.com",
    "//evil.example.com:5000/",
    "/\t/evil.example.com",
    "http://[::ffff:1.2.3.4]:5000/",
    "http://0.0.0.0:5000/",
    "http://127.0.0.1:5000/#fragment",
    "http://127.0.0.1:5000/\r\nSet-Cookie: a=b",
    "http://user:password@127.0.0.1:5000/",
    "javascript:alert(1)",
    "http://127.0.0.1:5000/" + "a" * 600,
    "http://127.0.0.1:5000/?pomerium_jwt=mine",
    "HTTP://127.0.0.1:5000/",
    "http://127.0.0.2:5000/",
    " http://127.0.0.1:5000/",
]


@pytest.mark.parametrize("redirect", BAD_REDIRECTS, ids=range(len(BAD_REDIRECTS)))
def test_a_token_is_promised_to_no_other_place_than_the_loopback(server: Server, redirect: str) -> None:
    answer = httpx.get(
        f"{server.url}/.pomerium/api/v1/login",
        params={"pomerium_redirect_uri": redirect},
        verify=server.pki.client_context(),
        trust_env=False,
        headers={"Accept": "text/plain"},
    )
    assert answer.status_code in (400, 404)
    assert "sign_in" not in answer.text
    if redirect:
        assert redirect not in answer.text, "errors repeat nothing of the request"


BROKEN_CONFIGS = {
    "no TOML": ("this is = = not toml\n", 1),
    "an unknown key": ('token_stoer = "file"\n', 1),
    "a wrong type": ('# one\ntoken_store = "file"\n\n[profiles.default]\nverify = "yes"\n', 5),
    "a wrong value": ('token_store = "plaintext"\n', 1),
    "no UTF-8": ("token_store = \udcff\n", None),
}


@pytest.mark.parametrize("name", BROKEN_CONFIGS)
def test_a_broken_config_toml_is_named_with_its_line(client: Client, name: str) -> None:
    text, line = BROKEN_CONFIGS[name]
    client.config.mkdir(parents=True)
    file = client.config / "config.toml"
    content = text.encode("utf-8", "surrogateescape")
    file.write_bytes(content)
    done = client.run("tcp", "--listen", "-", ECHO, input=b"x")
    assert done.returncode == 2, done.stderr
    message = done.stderr.decode()
    assert f"{file}:{line}" in message if line else str(file) in message
    assert "Traceback" not in message
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "text",
    [
        "[[routes]]\nname = ",
        '[[routes]]\nname = "a"\ndestination = "h:1"\nunknown = 1\n',
        "\0",
        "[[routes]]\nname = 5\n",
    ],
    ids=["cut off", "unknown key", "no text", "wrong type"],
)
def test_a_broken_routes_toml_is_never_overwritten(client: Client, text: str) -> None:
    client.config.mkdir(parents=True)
    file = client.config / "routes.toml"
    file.write_text(text)
    for arguments in (("list",), ("add", "new", "db.example.com:5432"), ("remove", "a")):
        done = client.run("routes", *arguments)
        assert done.returncode == 2, done.stderr
        assert str(file) in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
    assert file.read_text() == text


def test_saved_routes_are_private_and_survive_a_round_trip(client: Client) -> None:
    assert client.run("routes", "add", "db", "db.example.com:5432", "--listen", "15432").returncode == 0
    assert client.run("routes", "add", "db", "other.example.com:5432").returncode == 2, "the name is taken"
    assert client.run("routes", "edit", "db", "--listen", "15433").returncode == 0
    listed = client.run("routes", "list", "--json")
    (route,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (route["name"], route["destination"], route["listen"]) == ("db", "db.example.com:5432", "15433")
    file = client.config / "routes.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert client.run("routes", "remove", "db").returncode == 0
    assert client.run("routes", "list", "--json").stdout == b""
    assert client.run("routes", "remove", "db").returncode == 2


def test_a_token_file_that_others_can_read_is_refused(alice: Client, token: str) -> None:
    (file,) = (alice.state / "tokens").glob("*")
    file.chmod(0o644)
    done = alice.run("whoami", alice.server.url if alice.server else "")
    text = (done.stdout + done.stderr).decode()
    assert token not in text
    assert "signed in " not in text
    assert "Traceback" not in text


@pytest.fixture
def good_config(server: Server) -> Iterator[dict[str, object]]:
    yield yaml.safe_load(server.config_file.read_text()) | {"address": f"127.0.0.1:{free_port()}"}


def check(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "check.yaml"
    file.write_text(text)
    file.chmod(0o600)
    return subprocess.run(
        [sys.executable, "-m", "tunnelui_server", "check", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_check_accepts_what_runs(tmp_path: Path, good_config: dict[str, object]) -> None:
    done = check(tmp_path, yaml.safe_dump(good_config))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_says_everything_at_once_with_lines(tmp_path: Path) -> None:
    done = check(
        tmp_path,
        "adress: 127.0.0.1:8443\n"
        "insecure_server: true\n"
        "address: 127.0.0.1:8000\n"
        "idp_provider: local\n"
        "local_users: []\n"
        "log_level: loud\n"
        "routes:\n"
        "- from: tcp+https://a.example.com:5432\n"
        "  to: tcp://127.0.0.1:1\n"
        "  alowed_users: [alice@example.com]\n"
        "- from: tcp+https://b.example.com\n"
        "  to: nonsense\n",
    )
    text = done.stdout + done.stderr
    assert done.returncode == 2, text
    for line in (1, 6, 10, 11, 12):
        assert f"check.yaml:{line}" in text, text
    assert "address" in text
    assert "allowed_users" in text


def test_the_file_of_the_issue_works_word_for_word(tmp_path: Path, good_config: dict[str, object]) -> None:
    policy = (
        "policy:\n"
        "- from: tcp+https://redis.corp.example.com:6379\n"
        "  to: tcp://redis.internal.example.com:6379\n"
        "  allowed_users:\n"
        "  - contractor@not-example.com\n"
        "  allowed_groups:\n"
        "  - datascience@example.com\n"
    )
    rest = {key: value for key, value in good_config.items() if key != "routes"}
    done = check(tmp_path, policy + yaml.safe_dump(rest))
    assert done.returncode == 0, done.stdout + done.stderr


def test_http_only_settings_are_one_warning(tmp_path: Path, good_config: dict[str, object]) -> None:
    routes = good_config["routes"]
    assert isinstance(routes, list)
    good_config["routes"] = [routes[0] | {"set_request_headers": {"X-A": "b"}, "cors_allow_preflight": True}]
    done = check(tmp_path, yaml.safe_dump(good_config))
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    (line,) = [line for line in text.splitlines() if "set_request_headers" in line]
    assert "cors_allow_preflight" in line

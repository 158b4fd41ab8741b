from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.auth.login_server import Answer, LoginServer
from tunnelui.auth.login_url import check_login_url, fetch_login_url
from tunnelui.errors import SignInFailed
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator

REDIRECT = "http://127.0.0.1:4711/nonce-with_strange~chars?no&no"
HTTPS = ProxyOrigin("https", "proxy.example.com", 443)
HTTP = ProxyOrigin("http", "proxy.example.com", 80)


@pytest.fixture
def server() -> Iterator[LoginServer]:
    with LoginServer() as server:
        yield server


async def test_the_address_comes_back_as_it_was_given(server: LoginServer) -> None:
    url = await fetch_login_url(server.origin, REDIRECT)
    assert url.startswith(f"http://127.0.0.1:{server.port}/idp?")
    (request,) = server.logins
    assert request.redirect_uri == REDIRECT
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["user-agent"] == "tunnelui"
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[LoginServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with LoginServer(context=context) as server:
        yield server


async def test_the_tls_settings_of_the_tunnel_are_used(tls_server: LoginServer, authority: trustme.CA) -> None:
    def trusting() -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    url = await fetch_login_url(tls_server.origin, REDIRECT, ssl_context=trusting)
    assert url.startswith("https://127.0.0.1:")


async def test_an_untrusted_certificate_is_refused(tls_server: LoginServer) -> None:
    with pytest.raises(SignInFailed, match=r"is not trusted: unable to get local issuer") as caught:
        await fetch_login_url(tls_server.origin, REDIRECT)
    assert caught.value.code == "login_unreachable"
    assert "--alternate-ca-path" in caught.value.hint
    assert tls_server.logins == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 500, 502, 503])
async def test_a_refusal_names_its_status_and_asks_whether_this_is_the_right_machine(
    server: LoginServer, status: int
) -> None:
    server.answer = Answer(status=status, body=b"no")
    with pytest.raises(SignInFailed, match=str(status)) as caught:
        await fetch_login_url(server.origin, REDIRECT)
    code, hint = (
        ("login_trouble", "The proxy has trouble of its own.")
        if status >= 500
        else ("login_answer", "Is this an identity-aware proxy?")
    )
    assert (caught.value.code, hint in caught.value.hint) == (code, True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"<!doctype html><html>welcome</html>", "welcome"),
        (b"/relative", "/relative"),
        (b"javascript:alert(1)", "javascript"),
        (b"file:///etc/passwd", "file"),
        (b"https://", "no sign-in address"),
        (b"https:///path", "no sign-in address"),
        (b"https://a@evil.example.com/", "no sign-in address"),
        (b"https://a:b@evil.example.com/", "no sign-in address"),
        (b"https://idp.example.com/\x1b[31m", "no sign-in address"),
        (b"https://idp.example.com/ --flag", "no sign-in address"),
        (b"https://idp.example.com/\r\nhttps://other.example.com/", "no sign-in address"),
        (b"https://idp.example.com\\@evil.example.com/", "no sign-in address"),
        (b"https://idp.example.com:99999/", "no sign-in address"),
        (b"https://[::1/", "no sign-in address"),
        ("https://idp.exämple.com/".encode(), "no sign-in address"),
        (b"\xff\xfe", "no sign-in address"),
        (b"https://idp.example.com/" + b"a" * 9000, "no sign-in address"),
        (b"x" * 17000, "longer than"),
    ],
)
async def test_an_answer_that_is_no_address_is_refused_by_what_it_was(
    server: LoginServer, body: bytes, words: str
) -> None:
    server.answer = Answer(body=body)
    with pytest.raises(SignInFailed, match=words) as caught:
        await fetch_login_url(server.origin, REDIRECT)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "proxy", "good"),
    [
        ("https://idp.example.com/x?y=z", HTTPS, True),
        ("http://idp.example.com/", HTTPS, False),
        ("http://idp.example.com/", HTTP, True),
        ("http://127.0.0.1:5555/", HTTPS, True),
        ("http://localhost:5555/", HTTPS, True),
        ("http://[::1]:5555/", HTTPS, True),
        ("http://127.0.0.1.evil.example.com/", HTTPS, False),
        ("HTTPS://idp.example.com/", HTTPS, True),
    ],
)
def test_plain_http_is_for_the_loopback_and_for_plain_proxies(text: str, proxy: ProxyOrigin, good: bool) -> None:
    if good:
        assert check_login_url(text, proxy) == text
    else:
        with pytest.raises(SignInFailed, match="without TLS"):
            check_login_url(text, proxy)


async def test_a_redirect_within_the_origin_is_followed(server: LoginServer) -> None:
    # /idp sends on once more, to another place, and there it ends.
    location = "/idp?pomerium_redirect_uri=https://evil.example.com/"
    server.answer = Answer(status=302, body=b"", headers=(("Location", location),))
    with pytest.raises(SignInFailed, match=r"redirects to another place, evil"):
        await fetch_login_url(server.origin, REDIRECT)
    assert [request.path for request in server.requests] == ["/.pomerium/api/v1/login", "/idp"]


@pytest.mark.parametrize(
    "location", ["https://evil.example.com/", "//evil.example.com/", "https://127.0.0.1/", "http://localhost:{port}/"]
)
async def test_a_redirect_to_another_origin_is_not(server: LoginServer, location: str) -> None:
    server.answer = Answer(status=302, body=b"", headers=(("Location", location.format(port=server.port)),))
    with pytest.raises(SignInFailed, match="redirects to another place"):
        await fetch_login_url(server.origin, REDIRECT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("headers", [(("Location", "/.pomerium/api/v1/login"),), ()])
async def test_redirects_in_circles_end(server: LoginServer, headers: tuple[tuple[str, str], ...]) -> None:
    server.answer = Answer(status=307, body=b"", headers=headers)
    with pytest.raises(SignInFailed, match="circles"):
        await fetch_login_url(server.origin, REDIRECT)
    assert len(server.requests) == 4


async def test_a_compressed_answer_is_refused(server: LoginServer) -> None:
    server.answer = Answer(headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(SignInFailed, match="compressed"):
        await fetch_login_url(server.origin, REDIRECT)


async def test_an_answer_without_end_is_cut(server: LoginServer) -> None:
    server.answer = Answer(body=b"x" * 10_000_000)
    with pytest.raises(SignInFailed, match="longer than 16384"):
        await fetch_login_url(server.origin, REDIRECT)


async def test_the_time_limit_covers_an_answer_that_trickles(server: LoginServer) -> None:
    server.answer = Answer(delay=0.1, pieces=50)
    before = time.monotonic()
    with pytest.raises(SignInFailed, match=r"within 0\.5 s") as caught:
        await fetch_login_url(server.origin, REDIRECT, timeout=0.5)
    assert time.monotonic() - before < 4
    assert caught.value.code == "login_unreachable"


async def test_a_proxy_that_is_down_is_said_to_be_unreachable() -> None:
    with LoginServer() as server:
        origin = server.origin
    with pytest.raises(SignInFailed) as caught:
        await fetch_login_url(origin, REDIRECT)
    assert caught.value.code == "login_unreachable"
    assert str(caught.value) == f"no sign-in can start: the proxy {origin.address} refused the connection"
    assert "the port is right" in caught.value.hint


async def test_an_answer_that_is_no_http_is_none(tls_server: LoginServer) -> None:
    with pytest.raises(SignInFailed, match=r"closed the connection without|speaks no HTTP|reset the connection"):
        await fetch_login_url(ProxyOrigin("http", "127.0.0.1", tls_server.port), REDIRECT)


async def test_a_server_without_tls_is_told_as_one(server: LoginServer) -> None:
    with pytest.raises(SignInFailed, match=r"TLS with the proxy .* failed: wrong version number$") as caught:
        await fetch_login_url(ProxyOrigin("https", "127.0.0.1", server.port), REDIRECT)
    assert "speak TLS" in caught.value.hint


async def test_the_loopback_is_never_reached_through_a_proxy_of_the_environment(
    server: LoginServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert await fetch_login_url(server.origin, REDIRECT)


async def test_other_hosts_are_reached_through_it(server: LoginServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    assert await fetch_login_url(ProxyOrigin("http", "proxy.example.com", 80), REDIRECT)
    (request,) = server.logins
    assert request.headers["host"] == "proxy.example.com"


@pytest.mark.parametrize(("status", "hint"), [(403, "NO_PROXY"), (407, "user and password")])
async def test_one_that_does_not_let_us_through_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, status: int, hint: str
) -> None:
    def refuse() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(SignInFailed, match=f"the outgoing proxy says “{status} No”") as caught:
            await fetch_login_url(HTTPS, REDIRECT)
        thread.join(10)
    assert hint in caught.value.hint


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "nonsense://x", "http://[::1"])
async def test_an_unusable_proxy_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", value)
    with pytest.raises(SignInFailed) as caught:
        await fetch_login_url(ProxyOrigin("http", "proxy.example.com", 80), REDIRECT)
    assert caught.value.code == "login_unreachable"

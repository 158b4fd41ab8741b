"""The strict head grammar, for requests and answers."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunnelui.wire.address import HostPort
from tunnelui.wire.answering import RequestHead, RequestParser, render_response
from tunnelui.wire.asking import ResponseHead, ResponseParser, connect_request
from tunnelui.wire.head import MAX_FIELDS, MAX_HEAD, MAX_START_LINE, HeadError, Headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CONNECT = b"CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n"


def request(data: bytes) -> RequestHead:
    head = RequestParser().feed(data)
    assert head is not None
    return head


def response(data: bytes) -> ResponseHead:
    head = ResponseParser().feed(data)
    assert head is not None
    return head


def with_fields(*lines: bytes, start: bytes = b"CONNECT a.example:1 HTTP/1.1", host: bytes = b"a.example:1") -> bytes:
    return b"\r\n".join([start, b"Host: " + host, *lines, b"", b""])


def test_connect_gives_its_authority_fields_and_raw_bytes() -> None:
    raw = with_fields(b"User-Agent:curl/8", b"X-A: \t one  two\t ", b"x-a: three", b"Empty:")
    head = request(raw)
    assert head.is_connect
    assert head.method == "CONNECT"
    assert head.target == "a.example:1"
    assert head.authority == HostPort("a.example", 1)
    assert head.raw == raw
    assert head.headers.items == (
        ("host", "a.example:1"),
        ("user-agent", "curl/8"),
        ("x-a", "one  two"),
        ("x-a", "three"),
        ("empty", ""),
    )
    assert head.headers.get("X-A") == "one  two"
    assert head.headers.get_all("X-a") == ("one  two", "three")
    assert head.headers.get("absent") is None
    assert head.content_length is None
    assert not head.is_chunked


@pytest.mark.parametrize(
    ("target", "host", "authority"),
    [
        ("db.example.com:5432", "db.example.com:5432", HostPort("db.example.com", 5432)),
        ("DB.Example.com:5432", "db.eXample.com:5432", HostPort("db.example.com", 5432)),
        ("db.example.com:5432", "db.example.com", HostPort("db.example.com", 5432)),
        ("under_score:1", "under_score:1", HostPort("under_score", 1)),
        ("127.0.0.1:65535", "127.0.0.1:65535", HostPort("127.0.0.1", 65535)),
        ("[::1]:22", "[::1]:22", HostPort("::1", 22)),
        ("[::1]:22", "[::1]", HostPort("::1", 22)),
        ("[2001:DB8:0:0::1]:22", "[2001:db8::1]:22", HostPort("2001:db8::1", 22)),
        ("[::ffff:102:304]:22", "[::FFFF:1.2.3.4]:22", HostPort("::ffff:1.2.3.4", 22)),
    ],
)
def test_connect_targets_that_are_taken(target: str, host: str, authority: HostPort) -> None:
    head = request(f"CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert head.authority == authority
    assert head.target == target


@pytest.mark.parametrize(
    "target",
    [
        "a.example",
        "a.example:",
        ":1",
        "a.example:0",
        "a.example:01",
        "a.example:99999",
        "a.example:+1",
        "a.example:1/",
        "a.example:1?x",
        "a.example:1#x",
        "a.example.:1",
        "a..example:1",
        "user@a.example:1",
        "user:pass@a.example:1",
        "a%2eexample:1",
        "a%00:1",
        "http://a.example:1/",
        "//a.example:1",
        "/",
        "*",
        "2130706433:1",
        "0x7f000001:1",
        "127.1:1",
        "0177.0.0.1:1",
        "127.0.0.01:1",
        "a.example:1:1",
        "::1:22",
        "[::1]",
        "[::1]22",
        "[::1]:022",
        "[::1%25eth0]:22",
        "[a.example]:1",
        "[127.0.0.1]:1",
        "a\\b:1",
        "-a.example:1",
        "a,b:1",
        "a" * 64 + ":1",
    ],
)
def test_connect_targets_that_are_rejected(target: str) -> None:
    with pytest.raises(HeadError) as caught:
        RequestParser().feed(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert caught.value.status_hint == 400
    assert str(caught.value)


def test_non_ascii_target_is_rejected() -> None:
    with pytest.raises(HeadError):
        RequestParser().feed("CONNECT bücher.example:1 HTTP/1.1\r\nHost: bücher.example:1\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        # the first line
        (b"connect a.example:1 HTTP/1.1\r\n", 400),
        (b"Connect a.example:1 HTTP/1.1\r\n", 400),
        (b"\r\nCONNECT a.example:1 HTTP/1.1\r\n", 400),
        (b"\nCONNECT a.example:1 HTTP/1.1\r\n", 400),
        (b" CONNECT a.example:1 HTTP/1.1\r\n", 400),
        (b"CONNECT  a.example:1 HTTP/1.1\r\n", 400),
        (b"CONNECT a.example:1  HTTP/1.1\r\n", 400),
        (b"CONNECT a.example:1 HTTP/1.1 \r\n", 400),
        (b"CONNECT\ta.example:1\tHTTP/1.1\r\n", 400),
        (b"CONNECT a.example:1\r\n", 400),
        (b"CONNECT\r\n", 400),
        (b"CONNECT a.example:1 HTTP/1.1\n", 400),
        (b"CONNECT a.example:1 HTTP/1.1\r\r\n", 400),
        (b"CONNECT a.ex\xe9mple:1 HTTP/1.1\r\n", 400),
        (b"CONNECT a.example:1 HTTP/1.0\r\n", 505),
        (b"CONNECT a.example:1 HTTP/2.0\r\n", 505),
        (b"GET / HTTP/1.0\r\n", 505),
        (b"PRI * HTTP/2.0\r\n", 505),
        (b"CONNECT a.example:1 HTTP/1.1x\r\n", 400),
        (b"CONNECT a.example:1 http/1.1\r\n", 400),
        (b"CONNECT a.example:1 HTTP/1.10\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
        (b"GET /" + b"a" * MAX_START_LINE, 414),
        # lines and values
        (b"GET / HTTP/1.1\r\nHost: a\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\rb\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\rx", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n", 400),
        (b"GET / HTTP/1.1\r\n Host: a\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n", 400),
        (b"GET / HTTP/1.1\r\n: a\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost\r\n", 400),
        (b"GET / HTTP/1.1\r\nHo st: a\r\n", 400),
        (b"GET / HTTP/1.1\r\nH\xc3\xb6st: a\r\n", 400),
        (b"GET / HTTP/1.1\r\n\xffHost: a\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\x00\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\x1b[31m\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\x0b\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\x7f\r\n", 400),
        (b"GET / HTTP/1.1\r\nX\x00: a\r\n", 400),
        # sizes
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * MAX_FIELDS + b"Y", 431),
        # rules between fields
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (with_fields(b"Host: a.example:1"), 400),
        (with_fields(b"host: b.example:1"), 400),
        (with_fields(host=b"b.example:1"), 400),
        (with_fields(host=b"a.example:2"), 400),
        (with_fields(host=b""), 400),
        (with_fields(host=b"a.example.:1"), 400),
        (with_fields(host=b"a.example:01"), 400),
        (with_fields(host=b"user@a.example:1"), 400),
        (with_fields(b"Authorization: Pomerium a", b"authorization: Pomerium b"), 400),
        (with_fields(b"Authorization: Pomerium a", b"Authorization: Pomerium a"), 400),
        (with_fields(b"Proxy-Authorization: a", b"Proxy-Authorization: b"), 400),
        (with_fields(b"Content-Length: 0"), 400),
        (with_fields(b"Content-Length: 5"), 400),
        (with_fields(b"Transfer-Encoding: chunked"), 400),
        (with_fields(b"Content-Length: 4", b"Transfer-Encoding: chunked"), 400),
    ],
)
def test_rejected_requests(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        RequestParser().feed(data)
    assert caught.value.status_hint == status
    assert caught.value.code == "head"


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 4", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 4", b"Content-Length: 4"),
        (b"Content-Length: 4, 4",),
        (b"Content-Length: +4",),
        (b"Content-Length: -1",),
        (b"Content-Length: 0x4",),
        (b"Content-Length: 4 4",),
        (b"Content-Length: 1" + b"0" * 15,),
        (b"Content-Length:",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: \x0bchunked",),
        (b"Transfer-Encoding:",),
    ],
)
def test_unclear_framing_is_rejected(fields: tuple[bytes, ...]) -> None:
    with pytest.raises(HeadError) as caught:
        RequestParser().feed(with_fields(*fields, start=b"POST / HTTP/1.1", host=b"a.example"))
    assert caught.value.status_hint == 400


def test_framing_is_told() -> None:
    post = b"POST / HTTP/1.1"
    assert request(with_fields(b"Content-Length: 0042", start=post)).content_length == 42
    chunked = request(with_fields(b"Transfer-Encoding: Chunked", start=post))
    assert chunked.is_chunked
    assert chunked.content_length is None


@pytest.mark.parametrize("path", ["/", "/a/b?c=d&e=%2F", "//a", "/~a/(b);c=d:e@f", "/?q=[a]|{b}^`c`", "/:1"])
def test_paths_that_are_taken(path: str) -> None:
    head = request(f"GET {path} HTTP/1.1\r\nHost: proxy.example:8443\r\n\r\n".encode())
    assert head.target == path
    assert not head.is_connect
    assert head.authority is None


@pytest.mark.parametrize(
    "path",
    ["*", "a", "http://a.example/", "a.example:1", "/a#b", "/a\\b", '/"', "/<", "/%", "/%0", "/%zz", "?a"],
)
def test_paths_that_are_rejected(path: str) -> None:
    with pytest.raises(HeadError):
        RequestParser().feed(f"GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())


@pytest.mark.parametrize(
    "data",
    [
        b"c",
        b"\r",
        b"\n",
        b"\x16",
        b"GET\t",
        b"GET /\n",
        b"GET / HTTP/1.0\r\n",
        b"GET / HTTP/1.1\r\n ",
        b"GET / HTTP/1.1\r\n:",
        b"GET / HTTP/1.1\r\nHost ",
        b"GET / HTTP/1.1\r\nHost: a\x00",
    ],
)
def test_requests_are_rejected_at_the_first_wrong_byte(data: bytes) -> None:
    parser = RequestParser()
    assert parser.feed(data[:-1]) is None
    with pytest.raises(HeadError):
        parser.feed(data[-1:])


@pytest.mark.parametrize("fields", [b"", b"Host: a.example:1\r\n", b"Proxy-Connection: keep-alive\r\n"])
def test_an_old_connect_is_taken_where_that_is_asked_for(fields: bytes) -> None:
    head = RequestParser(old_connect=True).feed(b"CONNECT A.example:1 HTTP/1.0\r\n" + fields + b"\r\n")
    assert head is not None
    assert head.authority == HostPort("a.example", 1)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"CONNECT a.example:1 HTTP/0.9\r\n\r\n",
        b"CONNECT a.example:1 HTTP/1.1\r\n\r\n",
        b"CONNECT a.example HTTP/1.0\r\n\r\n",
        b"CONNECT a.example:1 HTTP/1.0\r\nHost: b.example:1\r\n\r\n",
        b"CONNECT a.example:1 HTTP/1.0\r\nHost:\r\n\r\n",
        b"CONNECT a.example:1 HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
    ],
)
def test_nothing_else_becomes_lenient_with_it(data: bytes) -> None:
    with pytest.raises(HeadError):
        RequestParser(old_connect=True).feed(data)


def test_a_broken_parser_stays_broken() -> None:
    parser = RequestParser()
    with pytest.raises(HeadError):
        parser.feed(b"get")
    with pytest.raises(HeadError):
        parser.feed(CONNECT)
    assert parser.remainder == b""


def test_limits_are_exact() -> None:
    start = b"GET /%s HTTP/1.1\r\n"
    path = b"a" * (MAX_START_LINE - len(start % b""))
    assert request(start % path + b"Host: a\r\n\r\n").target == "/" + path.decode()
    with pytest.raises(HeadError) as caught:
        RequestParser().feed(start % (path + b"a") + b"Host: a\r\n\r\n")
    assert caught.value.status_hint == 414

    most = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * (MAX_FIELDS - 1)
    assert len(request(most + b"\r\n").headers.items) == MAX_FIELDS
    with pytest.raises(HeadError) as caught:
        RequestParser().feed(most + b"X: a\r\n\r\n")
    assert caught.value.status_hint == 431

    frame = b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n"
    value = b"a" * (MAX_HEAD - len(frame % b""))
    assert len(request(frame % value).raw) == MAX_HEAD
    with pytest.raises(HeadError) as caught:
        RequestParser().feed(frame % (value + b"a"))
    assert caught.value.status_hint == 431


def test_errors_and_representations_never_repeat_what_was_received() -> None:
    secret = "SECRETSECRET"
    data = with_fields(b"Authorization: Pomerium " + secret.encode(), start=b"GET /?code=SECRETSECRET HTTP/1.1")
    assert secret not in repr(request(data))
    assert "authorization" in repr(request(data))
    for broken in (
        with_fields(f"{secret}: {secret}\x00".encode()),
        with_fields(f"{secret} : x".encode()),
        f"CONNECT {secret}@a:1 HTTP/1.1\r\nHost: {secret}\r\n\r\n".encode(),
        f"GET /{secret} {secret}\r\n".encode(),
    ):
        with pytest.raises(HeadError) as caught:
            RequestParser().feed(broken)
        assert secret not in repr(caught.value)


def test_what_follows_the_head_is_kept() -> None:
    assert not RequestParser().started
    parser = RequestParser()
    assert parser.feed(CONNECT[:-1]) is None
    assert parser.started
    assert parser.remainder == b""
    head = parser.feed(CONNECT[-1:] + b"early\r\n\r\n")
    assert head == request(CONNECT)
    assert parser.remainder == b"early\r\n\r\n"
    assert parser.feed(b"\x00more") is head
    assert parser.remainder == b"early\r\n\r\n\x00more"


# --- answers


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, "OK"),
        (b"HTTP/1.1 200 \r\n\r\n", 200, ""),
        (b"HTTP/1.1 200\r\n\r\n", 200, ""),
        (b"HTTP/1.0 200 Connection established\r\n\r\n", 200, "Connection established"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 100, "Continue"),
        (b"HTTP/1.1 599 x\xe9\ty\r\n\r\n", 599, "xé\ty"),
        (b"HTTP/1.1 503 Service  Unavailable \r\n\r\n", 503, "Service  Unavailable"),
    ],
)
def test_answers_that_are_taken(data: bytes, status: int, reason: str) -> None:
    assert response(data) == ResponseHead(status, reason, Headers())


def test_an_answer_gives_its_fields_and_keeps_what_follows() -> None:
    parser = ResponseParser()
    head = parser.feed(b"HTTP/1.1 302 Found\r\nLocation: https://a/\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nbody")
    assert head is not None
    assert head.headers.get("location") == "https://a/"
    assert head.headers.get_all("set-cookie") == ("a", "b")
    assert parser.remainder == b"body"


@pytest.mark.parametrize(
    "data",
    [
        b"S",
        b"HTTP/2",
        b"HTTP/1.2 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n",
        b"HTTP/1.1 600 OK\r\n",
        b"HTTP/1.1 2x0 OK\r\n",
        b"HTTP/1.1 200OK\r\n",
        b"HTTP/1.1 200 OK\n",
        b"HTTP/1.1 200 O\x1bK\r\n",
        b"HTTP/1.1 200 O\rK\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n",
        b"HTTP/1.1 200 OK\r\nA\r\n",
        b"HTTP/1.1 200 " + b"a" * MAX_START_LINE,
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * MAX_HEAD,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (MAX_FIELDS + 1),
    ],
)
def test_answers_that_are_rejected(data: bytes) -> None:
    with pytest.raises(HeadError):
        ResponseParser().feed(data)


# --- what we send


def test_connect_request_is_what_pomerium_expects() -> None:
    assert connect_request(HostPort("redis.example.com", 6379), token="a.b-c_d", user_agent="x/1") == (
        b"CONNECT redis.example.com:6379 HTTP/1.1\r\n"
        b"Host: redis.example.com:6379\r\n"
        b"User-Agent: x/1\r\n"
        b"Authorization: Pomerium a.b-c_d\r\n"
        b"\r\n"
    )
    plain = connect_request(HostPort("::1", 22), headers=[("X-Trace", "1")])
    assert plain.startswith(b"CONNECT [::1]:22 HTTP/1.1\r\nHost: [::1]:22\r\nUser-Agent: ")
    assert b"Authorization" not in plain
    assert request(plain).headers.get("x-trace") == "1"
    accepting = request(connect_request(HostPort("a.example", 1), token="t", accept="text/plain, */*;q=0.1"))
    assert accepting.headers.get_all("accept") == ("text/plain, */*;q=0.1",)
    assert b"Accept" not in plain
    with pytest.raises(HeadError):
        connect_request(HostPort("a.example", 1), accept="a\r\nAuthorization: b")


def test_connect_request_keeps_no_further_field_since_it_may_be_a_secret() -> None:
    class Value(str):
        pass

    value = Value("Basic YWxpY2U6czNjcmV0")
    kept = weakref.ref(value)
    fields = (("Proxy-Authorization", value),)
    assert b"Proxy-Authorization: Basic YWxpY2U6czNjcmV0" in connect_request(
        HostPort("a.example.com", 443), headers=fields
    )
    del value, fields
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "a\n", "a\x00", "é", "a" * 8193])
def test_connect_request_refuses_tokens_that_break_out(token: str) -> None:
    with pytest.raises(HeadError) as caught:
        connect_request(HostPort("a.example", 1), token=token)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "authority",
    [
        HostPort("a.example\r\nX: y", 1),
        HostPort("", 1),
        HostPort("A.example", 1),
        HostPort("a.example.", 1),
        HostPort("a.example", 0),
        HostPort("a.example", 65536),
        HostPort("a b", 1),
    ],
)
def test_connect_request_refuses_authorities_that_are_none(authority: HostPort) -> None:
    with pytest.raises(HeadError):
        connect_request(authority)


def test_connect_request_refuses_a_user_agent_that_breaks_out() -> None:
    with pytest.raises(HeadError):
        connect_request(HostPort("a.example", 1), user_agent="x\r\nAuthorization: y")


def test_render_response_frames_the_body() -> None:
    assert render_response(200, [("Half-Close", "?1")]) == b"HTTP/1.1 200 OK\r\nHalf-Close: ?1\r\n\r\n"
    assert render_response(200, body=b"hi") == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert render_response(403) == b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    assert render_response(503, body=b"x").endswith(b"Content-Length: 1\r\n\r\nx")
    assert render_response(204) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert render_response(304) == b"HTTP/1.1 304 Not Modified\r\n\r\n"
    assert render_response(599).startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (99, [], b""),
        (600, [], b""),
        (204, [], b"x"),
        (101, [], b"x"),
        (302, [("Location", "https://a/\r\nSet-Cookie: b")], b""),
        (302, [("Location", "a\n")], b""),
        (302, [("Location", "a\r")], b""),
        (302, [("Location", "a\x00")], b""),
        (302, [("Location", "a\u2028")], b""),
        (302, [("Loc ation", "a")], b""),
        (302, [("", "a")], b""),
        (302, [("Ä", "a")], b""),
        (200, [("Content-Length", "0")], b""),
        (200, [("transfer-encoding", "chunked")], b""),
    ],
)
def test_render_response_refuses_what_breaks_out(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
    with pytest.raises(HeadError):
        render_response(status, headers, body)


# --- properties


def outcome(parser: RequestParser | ResponseParser, pieces: Iterable[bytes]) -> object:
    """The head and what follows it, or the error, or None while more is wanted."""
    head = None
    try:
        for piece in pieces:
            head = parser.feed(piece)
    except HeadError as error:
        return str(error), error.status_hint
    return None if head is None else (head, parser.remainder)


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


# Bytes that matter to the grammar turn up often enough to build heads that are nearly right.
PIECES = st.sampled_from(
    [
        b"CONNECT",
        b"GET",
        b"get",
        b" ",
        b"\t",
        b"\r\n",
        b"\r",
        b"\n",
        b":",
        b"/",
        b"a.example:1",
        b"a.example",
        b"[::1]:1",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/1.1 200 OK",
        b"Host: a.example:1\r\n",
        b"host:",
        b"Content-Length: 1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Authorization: x\r\n",
        b"\x00",
        b"\x1b",
        b"\xff",
        b"%00",
        b"@",
        b"\r\n\r\n",
        b"CONNECT a.example:1 HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"X: y\r\n" * 40,
        b"z" * 5000,
    ]
)
SOUP = st.lists(PIECES | st.binary(max_size=8), max_size=14).map(b"".join)
CUTS = st.lists(st.integers(0, 1 << 16), max_size=12)


@given(SOUP, CUTS)
@example(CONNECT + b"rest", list(range(len(CONNECT))))
@example(b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", list(range(40)))
def test_any_split_of_a_request_gives_the_same_result(data: bytes, at: list[int]) -> None:
    assert outcome(RequestParser(), cut(data, at)) == outcome(RequestParser(), [data])


@given(SOUP, CUTS)
@example(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest", list(range(30)))
def test_any_split_of_an_answer_gives_the_same_result(data: bytes, at: list[int]) -> None:
    assert outcome(ResponseParser(), cut(data, at)) == outcome(ResponseParser(), [data])


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_the_own_error(data: bytes) -> None:
    outcome(RequestParser(), [data])
    outcome(ResponseParser(), [data])


ANSWER = b"HTTP/1.1 200 OK\r\nHalf-Close: ?1\r\nX-Request-Id: 12-ab\r\n\r\n"


@pytest.mark.parametrize(("parser", "data"), [(RequestParser, CONNECT), (ResponseParser, ANSWER)])
@given(st.integers(0, 200), st.binary(max_size=3), st.integers(1, 200))
def test_a_damaged_head_is_the_same_in_one_piece_and_byte_by_byte(
    parser: type[RequestParser | ResponseParser], data: bytes, place: int, piece: bytes, at: int
) -> None:
    place %= len(data)
    damaged = data[:place] + piece + data[place + 1 :] + b"rest"
    bytewise = outcome(parser(), cut(damaged, range(len(damaged))))
    assert outcome(parser(), [damaged]) == bytewise
    assert outcome(parser(), cut(damaged, [at])) == bytewise


@pytest.mark.parametrize("fields", [MAX_FIELDS, MAX_FIELDS + 1])
@pytest.mark.parametrize("length", [MAX_START_LINE, MAX_START_LINE + 1])
@pytest.mark.parametrize("size", [MAX_HEAD, MAX_HEAD + 1])
def test_limits_are_the_same_in_one_piece_and_byte_by_byte(fields: int, length: int, size: int) -> None:
    first = b"GET /%s HTTP/1.1\r\n" % (b"a" * (length - 16))
    assert len(first) == length
    head = first + b"Host: a\r\n" + b"X: y\r\n" * (fields - 2)
    head += b"Long: %s\r\n\r\n" % (b"z" * (size - len(head) - 10))
    assert len(head) == size
    whole = outcome(RequestParser(), [head])
    assert whole == outcome(RequestParser(), cut(head, range(len(head))))
    assert isinstance(whole, tuple)
    assert isinstance(whole[0], RequestHead) is ((fields, length, size) == (MAX_FIELDS, MAX_START_LINE, MAX_HEAD))


def test_a_head_in_one_piece_is_not_taken_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RequestParser, "_take_line", None)
    monkeypatch.setattr(ResponseParser, "_take_line", None)
    assert isinstance(RequestParser().feed(CONNECT + b"rest"), RequestHead)
    assert isinstance(ResponseParser().feed(ANSWER), ResponseHead)


@given(st.integers(0, len(CONNECT) - 1), st.binary(max_size=3))
def test_a_damaged_connect_is_never_read_as_another_target(place: int, piece: bytes) -> None:
    """Whatever replaces one byte, an accepted CONNECT names in target and Host the same thing."""
    data = CONNECT[:place] + piece + CONNECT[place + 1 :]
    result = outcome(RequestParser(), [data])
    if isinstance(result, tuple) and isinstance(result[0], RequestHead) and result[0].is_connect:
        head = result[0]
        assert str(head.authority) == head.target.lower()
        assert (head.headers.get("host") or "").lower() in (str(head.authority), head.target.rpartition(":")[0].lower())


LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
HOSTS = st.lists(LABEL, min_size=1, max_size=4).map(".".join) | st.ip_addresses().map(str)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=30)
NAMES = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True)


@given(
    LABEL.filter(lambda label: not label.startswith("xn-")),
    st.integers(1, 65535),
    st.none() | st.from_regex(r"[!-~]{1,40}", fullmatch=True),
)
def test_a_rendered_connect_reads_back(host: str, port: int, token: str | None) -> None:
    authority = HostPort(host, port)
    head = request(connect_request(authority, token=token))
    assert head.authority == authority
    assert head.headers.get("authorization") == (None if token is None else f"Pomerium {token}")


@given(
    st.integers(100, 599),
    st.lists(st.tuples(NAMES, VALUES), max_size=10).filter(
        lambda fields: not {"content-length", "transfer-encoding"} & {name.lower() for name, _ in fields}
    ),
    st.binary(max_size=50),
)
def test_a_rendered_answer_reads_back(status: int, fields: list[tuple[str, str]], body: bytes) -> None:
    if status < 200 or status in (204, 304):
        body = b""
    parser = ResponseParser()
    head = parser.feed(render_response(status, fields, body))
    assert head is not None
    assert head.status == status
    assert parser.remainder == body
    framing = ("content-length", str(len(body)))
    got = [item for item in head.headers.items if item != framing]
    assert got == [(name.lower(), value.strip(" \t")) for name, value in fields]


@given(st.text(max_size=30), st.text(max_size=30))
def test_rendering_raises_only_the_own_error_and_never_adds_a_line(name: str, value: str) -> None:
    try:
        rendered = render_response(200, [(name, value)])
    except HeadError:
        return
    assert rendered.count(b"\r\n") == 3
    assert rendered.count(b"\n") == 3

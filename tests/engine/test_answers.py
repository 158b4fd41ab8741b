from __future__ import annotations

import pytest

from tunnelui.engine.answers import Meaning, half_close, meaning, reason, refusal, request_id
from tunnelui.errors import AccessDenied, ProxyError, UpstreamError
from tunnelui.wire.asking import ResponseHead
from tunnelui.wire.destination import parse_destination
from tunnelui.wire.head import Headers

TO = parse_destination("tcp+https://proxy.example.com:8443/db.example.com:5432")


def head(status: int, reason: str = "", **fields: str) -> ResponseHead:
    return ResponseHead(status, reason, Headers(tuple((k.replace("_", "-").lower(), v) for k, v in fields.items())))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Meaning.OPEN),
        *((s, Meaning.SIGN_IN) for s in (301, 302, 307, 308, 401)),
        (403, Meaning.DENIED),
        (503, Meaning.UNAVAILABLE),
        *((s, Meaning.SKIP) for s in (100, 102, 103, 199)),
        *((s, Meaning.ODD) for s in (101, 201, 204, 299, 300, 303, 304, 400, 404, 407, 421, 429, 500, 502, 504, 599)),
    ],
)
def test_meaning_of_each_status(status: int, expected: Meaning) -> None:
    assert meaning(status) is expected


def test_only_these_statuses_ask_for_a_sign_in() -> None:
    assert [s for s in range(100, 600) if meaning(s) is Meaning.SIGN_IN] == [301, 302, 307, 308, 401]


@pytest.mark.parametrize(("value", "expected"), [("?1", True), ("?0", False), ("1", False), ("?1;a", False)])
def test_half_close_field(value: str, expected: bool) -> None:
    assert half_close(head(200, Half_Close=value)) is expected
    assert half_close(head(200)) is False


def test_request_id_is_cleaned() -> None:
    assert request_id(head(403, X_Request_Id="ab\x1b[2Jc")) == "ab\ufffd[2Jc"
    assert request_id(head(403)) is None
    assert request_id(head(403, X_Request_Id="")) is None


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text/plain; charset=utf-8", b"upstream connect error\r\nsecond line", "upstream connect error"),
        (None, b"plain words", "plain words"),
        (None, b"<html>no", ""),
        ("text/html", b"<h1>Forbidden</h1>", ""),
        ("application/json", b'{"error": "short", "message": "long words"}', "long words"),
        ("application/problem+json", b'{"title": "Not here"}', "Not here"),
        ("application/json", b'{"error": {"a": 1}}', ""),
        ("application/json", b'["error"]', ""),
        ("application/json", b'{"error": "cut', ""),
        ("application/json", b"[" * 4000, ""),
        ("text/plain", b"\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("text/plain", b"", ""),
        ("text/plain", b"x" * 1000, "x" * 159 + "…"),
    ],
)
def test_reason_from_the_body(kind: str | None, body: bytes, expected: str) -> None:
    assert reason(head(403, **({"Content_Type": kind} if kind else {})), body) == expected


def test_reason_reads_a_chunked_body_even_when_cut() -> None:
    chunked = {"Transfer_Encoding": "chunked"}
    assert reason(head(502, **chunked), b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n") == "hello, world"
    assert reason(head(502, **chunked), b"f\r\nhello") == "hello"


def test_compressed_body_is_not_shown() -> None:
    assert reason(head(502, Content_Encoding="gzip"), b"\x1f\x8b") == ""


def test_denied_names_identity_destination_and_request() -> None:
    error = refusal(head(403, X_Request_Id="r-1"), b"not in the group", TO, "alice@example.com")
    assert isinstance(error, AccessDenied)
    assert str(error) == "alice@example.com may not reach db.example.com:5432: not in the group"
    assert error.request_id == "r-1"
    assert error.code == "denied"
    assert "proxy.example.com" in error.hint
    assert str(refusal(head(403), b"", TO, "")) == "this identity may not reach db.example.com:5432"


def test_unavailable_blames_the_service() -> None:
    error = refusal(head(503, X_Request_Id="r-2"), b"no healthy upstream", TO, "")
    assert isinstance(error, UpstreamError)
    assert (error.code, error.status, error.request_id) == ("unavailable", 503, "r-2")
    assert str(error) == "the service db.example.com:5432 is unavailable: no healthy upstream"


@pytest.mark.parametrize(
    ("status", "word"), [(400, "--proxy-url"), (404, "route for"), (407, "password"), (429, "Wait"), (502, "Try again")]
)
def test_odd_answer_carries_status_and_a_next_step(status: int, word: str) -> None:
    error = refusal(head(status, "Odd\x1b", X_Request_Id="r-3"), b"why", TO, "")
    assert isinstance(error, ProxyError)
    assert (error.code, error.status, error.request_id) == ("answer", status, "r-3")
    assert f"{status} Odd\ufffd (why)" in str(error)
    assert word in error.hint


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_repeats_the_request_puts_no_token_into_our_words(status: int) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    echo = f"no route for: Authorization: Pomerium {token}".encode()
    error = refusal(head(status, f"Bad {token}"), echo, TO, "alice@example.com", token=token)
    assert "c2lnbmF0dXJl" not in str(error) and "[token]" in str(error)
    chunked = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (60, echo[:60], len(echo) - 60, echo[60:])
    error = refusal(head(status, "Bad", Transfer_Encoding="chunked"), chunked, TO, "", token=token)
    assert "c2lnbmF0dXJl" not in str(error)

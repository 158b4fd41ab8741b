"""Refusals as bytes, and the choice of their form."""

from __future__ import annotations

import json

import pytest

from tunnelui.wire.head import Headers
from tunnelui_server.gateway.answers import Refusal, opened, prefers_json


@pytest.mark.parametrize(
    ("accept", "json_wanted"),
    [
        ([], False),
        (["application/json"], True),
        (["application/json, text/plain"], False),
        (["application/json, text/html;q=0.9, */*;q=0.8"], True),
        (["application/json;q=0.5, text/html"], False),
        (["text/html,application/xhtml+xml,*/*;q=0.8"], False),
        (["*/*"], False),
        (["*/*", "application/json"], True),
        (["application/json;q=0"], False),
        (["application/json;q=x"], False),
        ([";;;,,="], False),
    ],
)
def test_json_is_for_those_who_prefer_it(accept: list[str], json_wanted: bool) -> None:
    assert prefers_json(accept) is json_wanted


def test_a_refusal_in_full() -> None:
    answer = Refusal(503, "busy", retry_after=5).render("id-1", Headers((("accept", "application/json"),)))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 503 Service Unavailable"
    assert {b"Connection: close", b"Retry-After: 5", b"X-Request-Id: id-1", b"Cache-Control: no-store"} <= set(
        head.split(b"\r\n")
    )
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {
        "error": "busy",
        "message": "too many connections; try again soon",
        "request_id": "id-1",
    }


def test_the_answer_that_opens_has_no_length() -> None:
    assert opened("id-1") == b"HTTP/1.1 200 OK\r\nHalf-Close: ?1\r\nX-Request-Id: id-1\r\n\r\n"

"""The token of a request, as both planes read it."""

from __future__ import annotations

import pytest

from tunnelui.errors import ProtocolError
from tunnelui.wire.head import Headers
from tunnelui_server.sessions import find_token


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        ([], None),
        ([("authorization", "Pomerium abc")], "abc"),
        ([("authorization", "Bearer Pomerium-abc")], "abc"),
        ([("x-pomerium-authorization", "abc")], "abc"),
        ([("x-pomerium-authorization", "abc"), ("authorization", "Pomerium abc")], "abc"),
        ([("x-pomerium-authorization", "abc"), ("authorization", "Basic eDp5")], "abc"),
        ([("x-pomerium-authorization", ""), ("authorization", "Pomerium abc")], "abc"),
        ([("authorization", "pomerium abc")], None),
        ([("authorization", "Bearer abc")], None),
        ([("authorization", "Pomerium ")], None),
    ],
)
def test_the_token_is_found(fields: list[tuple[str, str]], token: str | None) -> None:
    assert find_token(Headers(tuple(fields)).get_all) == token


@pytest.mark.parametrize(
    "fields",
    [
        [("x-pomerium-authorization", "a"), ("authorization", "Pomerium b")],
        [("x-pomerium-authorization", "a"), ("x-pomerium-authorization", "b")],
    ],
)
def test_two_different_tokens_are_an_error(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(ProtocolError):
        find_token(Headers(tuple(fields)).get_all)

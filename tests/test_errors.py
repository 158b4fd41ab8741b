"""The error tree: sentences, codes and hints."""

from __future__ import annotations

import pytest

from tunnelui import errors
from tunnelui.errors import (
    AccessDenied,
    AuthError,
    ConfigError,
    LocalError,
    PeerError,
    PortBusyError,
    ProtocolError,
    ProxyError,
    SignInFailed,
    SignInNeeded,
    TunnelError,
    UpstreamError,
)

PEER_CODES = [
    "dns",
    "refused",
    "unreachable",
    "timeout",
    "certificate",
    "tls",
    "reset",
    "truncated",
    "closed",
    "answer",
    "unavailable",
]


def test_every_public_error_is_in_the_tree_and_in_its_drawing() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, TunnelError)
        assert name in errors.__doc__


@pytest.mark.parametrize("role", [ProxyError, UpstreamError])
@pytest.mark.parametrize("code", PEER_CODES)
def test_a_peer_error_makes_a_sentence_and_a_next_step(role: type[PeerError], code: str) -> None:
    error = role(code, address="a.example:1", stage="tcp", detail="the facts", status=502, request_id="r-1")
    assert error.code == code
    assert "a.example:1" in str(error)
    assert f"the {role.role}" in str(error)
    assert str(error).endswith(": the facts")
    assert error.hint
    assert "{" not in str(error) + error.hint
    assert (error.address, error.stage, error.detail, error.status, error.request_id) == (
        "a.example:1",
        "tcp",
        "the facts",
        502,
        "r-1",
    )


def test_an_unknown_code_still_makes_a_sentence() -> None:
    error = ProxyError("odd", address="a:1", stage="relay")
    assert str(error) == "the proxy a:1 failed"
    assert error.hint == ""


def test_braces_from_elsewhere_are_not_filled_in() -> None:
    error = ProxyError("tls", address="a:1", stage="tls", detail="{role} {0}", hint="{x}")
    assert "{role} {0}" in str(error)
    assert error.hint == "{x}"


def test_the_place_of_a_configuration_error_comes_first() -> None:
    assert str(ConfigError("is wrong", place="routes.toml:3")) == "routes.toml:3: is wrong"
    assert ConfigError("is wrong", place="routes.toml:3").message == "is wrong"
    assert str(ConfigError("is wrong")) == "is wrong"


def test_a_busy_port_names_its_holder() -> None:
    error = PortBusyError("127.0.0.1:1", holder="redis-server (pid 7)")
    assert str(error) == "127.0.0.1:1 is already in use by redis-server (pid 7)"
    assert error.code == "port_busy"
    assert error.hint
    assert str(PortBusyError("127.0.0.1:1")) == "127.0.0.1:1 is already in use"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TunnelError("x"), "error"),
        (ConfigError("x"), "config"),
        (ProtocolError("x"), "protocol"),
        (LocalError("x"), "local"),
        (AuthError("x"), "auth"),
        (SignInNeeded("x"), "sign_in_needed"),
        (SignInFailed("x"), "sign_in_failed"),
        (AccessDenied("x"), "denied"),
        (TunnelError("x", code="own"), "own"),
        (ProtocolError("x", code="own"), "own"),
    ],
)
def test_codes(error: TunnelError, code: str) -> None:
    assert error.code == code
    assert error.message == str(error) == "x"


def test_a_protocol_error_suggests_a_status() -> None:
    assert ProtocolError("x").status_hint == 400
    assert ProtocolError("x", status_hint=431).status_hint == 431

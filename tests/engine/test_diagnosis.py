"""What a diagnosis asks of the proxy."""

from __future__ import annotations

from tunnelui.engine.diagnosis import _NOBODY_LISTENS
from tunnelui_server.control.redirects import parse_redirect


def test_the_bundled_server_takes_the_address_that_it_is_asked_with() -> None:
    assert parse_redirect(_NOBODY_LISTENS).text == _NOBODY_LISTENS

"""The system's authorities, loaded ahead or when they are needed."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from tunnelui.transport import authorities
from tunnelui.transport.authorities import context_with_authorities, load_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The system trusts one authority, and nothing is loaded yet."""
    file = tmp_path / "system.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    context_with_authorities()
    yield file
    context_with_authorities()


def test_what_was_loaded_ahead_is_handed_out_once() -> None:
    load_ahead()
    ahead = context_with_authorities()
    later = context_with_authorities()
    assert ahead is not later
    for context in (ahead, later):
        assert len(context.get_ca_certs()) == 1
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_loading_ahead_twice_loads_once() -> None:
    load_ahead()
    load_ahead()
    context_with_authorities()
    assert authorities._loaded == []
    assert authorities._loading is None


def test_a_file_that_is_none_is_an_error_of_whoever_needs_it_or_of_nobody(system_file: Path) -> None:
    system_file.write_text("no certificate")
    load_ahead()
    assert context_with_authorities().get_ca_certs() == []

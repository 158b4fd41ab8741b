"""The names in a certificate, and which of them a server name matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.transport.certificate import certificate_names, first_certificate, matches

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pki import Pki


def test_all_names_and_addresses_are_read_in_order(pki: Pki) -> None:
    names = ("a.example.com", "*.b.example.com", "192.0.2.1", "2001:db8::1")
    assert certificate_names(first_certificate(pki.issue(*names).cert_file)) == names


def test_long_lists_of_names_are_read(pki: Pki) -> None:
    names = tuple(f"host{number}.example.com" for number in range(300))
    assert certificate_names(first_certificate(pki.issue(*names).cert_file)) == names


def test_a_certificate_without_the_extension_has_no_names(pki: Pki) -> None:
    assert certificate_names(first_certificate(pki.ca_file)) == ()


def test_a_damaged_certificate_has_no_names_and_raises_nothing(pki: Pki) -> None:
    der = first_certificate(pki.issue("a.example.com").cert_file)
    for cut in range(len(der)):
        assert certificate_names(der[:cut]) == ()
    for at in range(len(der)):
        damaged = bytearray(der)
        damaged[at] ^= 0xFF
        certificate_names(bytes(damaged))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(data: bytes) -> None:
    assert isinstance(certificate_names(data), tuple)


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_text("-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="no certificate"):
        first_certificate(str(path))


@pytest.mark.parametrize(
    ("name", "patterns", "answer"),
    [
        ("a.example.com", ("a.example.com",), True),
        ("A.EXAMPLE.com.", ("a.example.com",), True),
        ("b.example.com", ("a.example.com",), False),
        ("x.example.com", ("*.example.com",), True),
        ("example.com", ("*.example.com",), False),
        ("x.y.example.com", ("*.example.com",), False),
        ("localhost", ("*.",), False),
        ("x.example.com", (), False),
    ],
)
def test_names_match_whole_or_by_one_wild_label(name: str, patterns: tuple[str, ...], answer: bool) -> None:
    assert matches(name, patterns) is answer

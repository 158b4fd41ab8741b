"""Client certificates in PKCS#12 files."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.transport.test_contexts import shake_hands
from tunnelui.errors import ConfigError
from tunnelui.transport.certificate import certificate_names
from tunnelui.transport.contexts import client_context
from tunnelui.transport.pkcs12 import WRONG_PASSWORD, is_pkcs12

if TYPE_CHECKING:
    from tests.support.pki import Pki


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; nothing may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("password", ["", "s3cret “ü”"])
def test_a_certificate_is_shown_and_its_key_left_nowhere(
    pki: Pki, password: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pki.issue_pkcs12("me.example.com", password)
    load, seen = ssl.SSLContext.load_cert_chain, []

    def look(context: ssl.SSLContext, file: str, *, password: str) -> None:
        seen.append((os.stat(file).st_mode & 0o777, Path(file).read_text()))
        load(context, file, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", look)
    context = client_context(ca_files=[pki.ca_file], client_cert=path, client_password=password)
    monkeypatch.undo()
    server = pki.server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(pki.ca_file)
    _, end = shake_hands(context, server)
    assert certificate_names(end.getpeercert(binary_form=True) or b"") == ("me.example.com",)
    ((mode, text),) = seen
    assert mode == 0o600
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert "BEGIN PRIVATE KEY" not in text
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("password", "words"), [("", "a password is needed"), ("wrong", "the password is wrong")])
def test_a_wrong_password_is_told(pki: Pki, password: str, words: str) -> None:
    path = pki.issue_pkcs12("me.example.com", "right")
    with pytest.raises(ConfigError) as caught:
        client_context(client_cert=path, client_password=password)
    assert (caught.value.place, caught.value.code) == (path, WRONG_PASSWORD)
    assert words in str(caught.value)
    assert "client_cert_password_file" in caught.value.hint
    assert "wrong" not in str(caught.value).replace("is wrong", "")


def test_something_else_in_der_is_no_pkcs12_file(pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "me.p12"
    path.write_bytes(b"\x30\x03\x02\x01\x03")
    with pytest.raises(ConfigError, match="can't be opened"):
        client_context(client_cert=str(path))
    assert not is_pkcs12(pki.ca_file)
    assert not is_pkcs12(str(tmp_path / "missing"))


def test_an_old_file_of_openssl_opens(pki: Pki, tmp_path: Path) -> None:
    """RC2 and 3DES, as old programs export them: they open, or the way out is told."""
    files = pki.issue("me.example.com")
    path = tmp_path / "old.p12"
    command = (
        f"openssl pkcs12 -export -legacy -in {files.cert_file} -inkey {files.key_file} -out {path} -passout pass:x"
    )
    made = subprocess.run(command.split(), capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this openssl makes no such files")
    try:
        client_context(client_cert=str(path), client_password="x")
    except ConfigError as error:
        assert "Export it again" in error.hint


def test_an_encrypted_key_in_pem_opens_with_the_password(pki: Pki, tmp_path: Path) -> None:
    files = pki.issue("me.example.com")
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", files.key_file, "-out", str(locked), "-passout", "pass:x"],
        capture_output=True,
        check=True,
    )
    client_context(client_cert=files.cert_file, client_key=str(locked), client_password="x")
    with pytest.raises(ConfigError):
        client_context(client_cert=files.cert_file, client_key=str(locked), client_password="y")


def test_a_full_disk_is_told_with_the_file(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pki.issue_pkcs12("me.example.com")
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with pytest.raises(ConfigError) as caught:
        client_context(client_cert=path)
    assert caught.value.place == path


def test_without_cryptography_the_next_step_is_told(pki: Pki, tmp_path: Path) -> None:
    path = pki.issue_pkcs12("me.example.com")
    (tmp_path / "cryptography.py").write_text("raise ImportError\n")
    program = (
        "import sys\n"
        "from tunnelui.errors import ConfigError\n"
        "from tunnelui.transport.contexts import client_context\n"
        "try:\n    client_context(client_cert=sys.argv[1])\n"
        "except ConfigError as error:\n    print(error, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "needs the package “cryptography”" in done.stdout
    assert "pip install 'tunnelui[pkcs12]'" in done.stdout

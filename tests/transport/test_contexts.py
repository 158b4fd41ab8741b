"""TLS settings: what is trusted, which certificate answers, what is refused, and errors that name the file."""

from __future__ import annotations

import base64
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tunnelui.errors import ConfigError
from tunnelui.transport.certificate import certificate_names
from tunnelui.transport.contexts import client_context, server_context

if TYPE_CHECKING:
    from tests.support.pki import CertificateFiles, Pki


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = "localhost"
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A handshake in memory; the two ends."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends


def pairs(*files: CertificateFiles) -> list[tuple[str, str]]:
    return [(file.cert_file, file.key_file) for file in files]


def test_named_authorities_are_added_to_those_of_the_system(pki: Pki) -> None:
    server = pki.server_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client_context(), server)
    system = client_context().cert_store_stats()["x509_ca"]
    by_file = client_context(ca_files=[pki.ca_file])
    by_data = client_context(ca_data=base64.b64encode(Path(pki.ca_file).read_bytes()).decode())
    for context in (by_file, by_data):
        assert context.cert_store_stats()["x509_ca"] == system + 1
        client, _ = shake_hands(context, server)
        assert client.version() == "TLSv1.3"


def test_text_around_the_certificates_does_not_matter(pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes("Unsere Prüfstelle\r\n".encode("latin-1") + Path(pki.ca_file).read_bytes() + b"\n# end\n")
    shake_hands(client_context(ca_files=[str(path)]), pki.server_context())


def test_without_verification_any_certificate_will_do(pki: Pki) -> None:
    context = client_context(verify=False)
    assert context.verify_mode is ssl.CERT_NONE
    shake_hands(context, pki.server_context("elsewhere.example.com"))


def test_verification_is_the_default_and_checks_the_name(pki: Pki) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client_context(ca_files=[pki.ca_file]), pki.server_context("elsewhere.example.com"))


@pytest.mark.parametrize("together", [True, False])
def test_a_client_certificate_is_shown_to_the_server(pki: Pki, tmp_path: Path, together: bool) -> None:
    files = pki.issue("someone.example.com")
    if together:
        both = tmp_path / "both.pem"
        both.write_bytes(Path(files.key_file).read_bytes() + Path(files.cert_file).read_bytes())
        client = client_context(ca_files=[pki.ca_file], client_cert=str(both))
    else:
        client = client_context(ca_files=[pki.ca_file], client_cert=files.cert_file, client_key=files.key_file)
    server = pki.server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(pki.ca_file)
    _, end = shake_hands(client, server)
    assert certificate_names(end.getpeercert(binary_form=True) or b"") == ("someone.example.com",)


def test_both_roles_offer_http_1_1_and_nothing_else(pki: Pki) -> None:
    client, server = shake_hands(client_context(ca_files=[pki.ca_file]), server_context(pairs(pki.issue())))
    assert client.selected_alpn_protocol() == server.selected_alpn_protocol() == "http/1.1"
    other = pki.client_context()
    other.set_alpn_protocols(["h2"])
    client, _ = shake_hands(other, server_context(pairs(pki.issue())))
    assert client.selected_alpn_protocol() is None


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("a.example.com", "a.example.com"),
        ("A.Example.COM", "a.example.com"),
        ("b.example.com", "b.example.com"),
        ("x.wild.example.com", "*.wild.example.com"),
        ("x.y.wild.example.com", "a.example.com"),
        ("wild.example.com", "a.example.com"),
        ("unknown.example.org", "a.example.com"),
        (None, "a.example.com"),
    ],
)
def test_the_clients_sni_chooses_the_certificate(pki: Pki, asked: str | None, answered: str) -> None:
    server = server_context(
        pairs(pki.issue("a.example.com"), pki.issue("b.example.com"), pki.issue("*.wild.example.com"))
    )
    client, _ = shake_hands(client_context(verify=False), server, asked)
    assert certificate_names(client.getpeercert(binary_form=True) or b"") == (answered,)


def test_the_server_takes_tls_1_2_with_aead_suites_only(pki: Pki) -> None:
    server = server_context(pairs(pki.issue()))
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2
    suites = server.get_ciphers()
    assert {suite["protocol"] for suite in suites} == {"TLSv1.2", "TLSv1.3"}
    assert all("GCM" in suite["name"] or "POLY1305" in suite["name"] for suite in suites)
    assert server.options & ssl.OP_NO_COMPRESSION
    assert server.options & ssl.OP_NO_RENEGOTIATION
    old = pki.client_context(version=ssl.TLSVersion.TLSv1_2)
    client, _ = shake_hands(old, server)
    assert client.version() == "TLSv1.2"
    old.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
    with pytest.raises(ssl.SSLError):
        shake_hands(old, server)


@pytest.mark.parametrize("first", ["AES128-GCM-SHA256", "AES256-GCM-SHA384"])
def test_the_client_chooses_among_the_suites(pki: Pki, first: str) -> None:
    client = pki.client_context(version=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(f"ECDHE-ECDSA-{first}:ECDHE-RSA-{first}:ECDHE+AESGCM")
    connection, _ = shake_hands(client, server_context(pairs(pki.issue())))
    suite = connection.cipher()
    assert suite is not None
    assert suite[0].endswith(first)


def test_the_client_speaks_tls_1_2_or_later() -> None:
    context = client_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


class Wrong:
    """Files that are not what they should be."""

    def __init__(self, pki: Pki, folder: Path) -> None:
        self.good = pki.issue()
        self.other = pki.issue()
        self.missing = str(folder / "missing.pem")
        self.folder = str(folder)
        self.text = self._file(folder, "text.pem", b"hello\n")
        self.broken = self._file(
            folder, "broken.pem", b"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
        )
        self.der = self._file(
            folder,
            "ca.der",
            ssl.PEM_cert_to_DER_cert(
                Path(self.good.cert_file).read_text().partition("-----END")[0] + "-----END CERTIFICATE-----"
            ),
        )
        key = load_pem_private_key(Path(self.good.key_file).read_bytes(), None)
        self.locked = self._file(
            folder,
            "locked.pem",
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        )

    @staticmethod
    def _file(folder: Path, name: str, data: bytes) -> str:
        path = folder / name
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def wrong(pki: Pki, tmp_path: Path) -> Wrong:
    return Wrong(pki, tmp_path)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "broken", "der"])
def test_a_wrong_ca_file_is_named(wrong: Wrong, kind: str) -> None:
    path = getattr(wrong, kind)
    with pytest.raises(ConfigError) as caught:
        client_context(ca_files=[path])
    assert caught.value.place == path
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("data", ["???", "aGVsbG8=", "", "YWJj\u00e9"])
def test_wrong_ca_data_is_refused(data: str) -> None:
    with pytest.raises(ConfigError) as caught:
        client_context(ca_data=data)
    assert caught.value.place == "the CA data"


@pytest.mark.parametrize(
    ("cert", "key", "blamed", "says"),
    [
        ("missing", "good", "cert", "No such file"),
        ("good", "missing", "key", "No such file"),
        ("text", "good", "cert", "no certificate"),
        ("broken", "good", "cert", "not usable"),
        ("good", "text", "key", "not usable"),
        ("good", "other", "key", "does not belong"),
    ],
)
def test_a_wrong_certificate_or_key_is_named(wrong: Wrong, cert: str, key: str, blamed: str, says: str) -> None:
    def path(name: str, part: str) -> str:
        value = getattr(wrong, name)
        return value if isinstance(value, str) else str(getattr(value, part))

    cert_file, key_file = path(cert, "cert_file"), path(key, "key_file")
    with pytest.raises(ConfigError) as by_client:
        client_context(client_cert=cert_file, client_key=key_file)
    with pytest.raises(ConfigError) as by_server:
        server_context([(cert_file, key_file)])
    for caught in (by_client, by_server):
        assert caught.value.place == (cert_file if blamed == "cert" else key_file)
        assert says in str(caught.value)


def test_a_key_with_a_password_is_told_to_each_as_it_helps(wrong: Wrong) -> None:
    with pytest.raises(ConfigError, match="the client key can't be opened: a password is needed") as caught:
        client_context(client_cert=wrong.good.cert_file, client_key=wrong.locked)
    assert "client_cert_password_file" in caught.value.hint
    with pytest.raises(ConfigError, match="the key is not usable") as caught:
        server_context([(wrong.good.cert_file, wrong.locked)])
    assert "must not be encrypted" in caught.value.hint


def test_a_key_without_its_certificate_is_refused(wrong: Wrong) -> None:
    with pytest.raises(ConfigError) as caught:
        client_context(client_key=wrong.good.key_file)
    assert caught.value.place == wrong.good.key_file


def test_a_certificate_without_its_key_is_told_the_flag(wrong: Wrong) -> None:
    with pytest.raises(ConfigError, match="has no key beside it") as caught:
        client_context(client_cert=wrong.good.cert_file)
    assert (caught.value.place, "--client-key" in caught.value.hint) == (wrong.good.cert_file, True)


def test_a_server_without_certificates_is_refused() -> None:
    with pytest.raises(ConfigError):
        server_context([])

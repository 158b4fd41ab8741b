"""A throw-away certificate authority, and TLS contexts that owe nothing to the code under test."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    KeySerializationEncryption,
    NoEncryption,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["CertificateFiles", "Pki"]


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Paths of one certificate (with its chain) and its key, both PEM."""

    cert_file: str
    key_file: str


class Pki:
    """A certificate authority whose files live in *folder*.

    ``ca_file`` is the authority's own certificate. Every name may be a host name, a wildcard or an IP literal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.ca_file)
        self._count = 0

    def issue(
        self, *names: str, not_before: datetime | None = None, not_after: datetime | None = None
    ) -> CertificateFiles:
        """A certificate for *names* (by default the loopback addresses and ``localhost``)."""
        issued = self.ca.issue_cert(
            *(names or ("localhost", "127.0.0.1", "::1")), not_before=not_before, not_after=not_after
        )
        self._count += 1
        files = CertificateFiles(str(self.folder / f"{self._count}.pem"), str(self.folder / f"{self._count}-key.pem"))
        with open(files.cert_file, "wb") as out:
            for blob in issued.cert_chain_pems:
                out.write(blob.bytes())
        issued.private_key_pem.write_to_path(files.key_file)
        return files

    def issue_pkcs12(self, name: str, password: str = "") -> str:
        """A certificate for *name* with its key and chain in one PKCS#12 file; return its path."""
        files = self.issue(name)
        with open(files.key_file, "rb") as file:
            key = load_pem_private_key(file.read(), None)
        with open(files.cert_file, "rb") as file:
            own, *others = x509.load_pem_x509_certificates(file.read())
        assert isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey))
        locked: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        path = f"{files.cert_file.removesuffix('.pem')}.p12"
        with open(path, "wb") as out:
            out.write(serialize_key_and_certificates(b"me", key, own, others, locked))
        return path

    def server_context(self, *names: str, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A plain server context for *names*, held to one TLS *version* where that is given."""
        files = self.issue(*names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert_file, files.key_file)
        return _pinned(context, version)

    def client_context(self, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A plain client context that trusts this authority and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca_file)
        return _pinned(context, version)


def _pinned(context: ssl.SSLContext, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    # A cut must look like a cut: without this, OpenSSL 3 under Python reports a bare FIN as an orderly end.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context

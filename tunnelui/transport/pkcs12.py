"""Client certificates in PKCS#12 files (``.p12``, ``.pfx``): what browsers and companies hand out.

Reading them needs the package ``cryptography`` (``pip install 'tunnelui[pkcs12]'``), which is loaded when there is such
a file. Python's `ssl` takes a key from a file only: it gets one that is closed to others, encrypted with a password
that lives for a moment in this process alone, and gone before this returns.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    import ssl

__all__ = ["LOCKED_HINT", "WRONG_PASSWORD", "is_pkcs12", "load_pkcs12"]

WRONG_PASSWORD: Final = "client_certificate_locked"  # noqa: S105  (a code)
_DER_SEQUENCE: Final = b"\x30"
_LARGEST: Final = 1024 * 1024


def is_pkcs12(path: str) -> bool:
    """Whether the file *path* looks like PKCS#12 rather than PEM."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(1) == _DER_SEQUENCE
    except OSError:
        return False


def load_pkcs12(context: ssl.SSLContext, path: str, password: str | None) -> None:
    """Show the certificate of *path* to servers that ask for one.

    :raises ConfigError: it can't be read or used; the code is `WRONG_PASSWORD` when another password may help.
    """
    one_time = secrets.token_hex(32)
    pem = _to_pem(path, password, one_time.encode())
    try:
        descriptor, name = tempfile.mkstemp(prefix="tunnelui-")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(pem)
            context.load_cert_chain(name, password=one_time)
        finally:
            Path(name).unlink()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"the client certificate is not usable: {clean(error.strerror or str(error))}", place=path
        ) from error


def _to_pem(path: str, password: str | None, new_password: bytes) -> bytes:
    """Return key and certificates of *path* as PEM, the key encrypted with *new_password*."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
        from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates
    except ImportError:
        raise ConfigError(
            "a PKCS#12 file needs the package “cryptography”",
            place=path,
            code="no_cryptography",
            hint="Run: pip install 'tunnelui[pkcs12]'",
        ) from None
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_LARGEST)
    except OSError as error:
        raise ConfigError(
            f"the client certificate can't be read: {clean(error.strerror or str(error))}", place=path
        ) from error
    # A file without a password may have none, or an empty one.
    tries = (password.encode(),) if password else (None, b"")
    failure: Exception | None = None
    for one in tries:
        try:
            key, certificate, others = load_key_and_certificates(data, one)
            break
        except ValueError as error:
            failure = error
        except UnsupportedAlgorithm as error:
            raise ConfigError(
                "the client certificate is encrypted in a way that is not supported any more",
                place=path,
                hint="Export it again with AES.",
            ) from error
    else:
        words = "the password is wrong, or this is no PKCS#12 file" if password else "a password is needed"
        raise ConfigError(
            f"the client certificate can't be opened: {words}", place=path, code=WRONG_PASSWORD, hint=LOCKED_HINT
        ) from failure
    if key is None or certificate is None:
        missing = "key" if key is None else "certificate"
        raise ConfigError(f"the file holds no {missing}", place=path, hint="Export certificate and key together.")
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, *others))
    return chain + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(new_password))


LOCKED_HINT: Final = (
    "Put it into a file that only you can read, and name that: client_cert_password_file in config.toml, or "
    "--client-cert-password-file."
)

"""One key per purpose, all from the shared secret."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tunnelui.errors import ConfigError

__all__ = ["derive_key"]

_MIN_SECRET: Final = 16


def derive_key(shared_secret: bytes, purpose: str) -> bytes:
    """Return 32 bytes by HKDF-SHA256 (RFC 5869) that nothing but *purpose* uses.

    A value made for one purpose can then never pass for another's, and a leaked key tells nothing about the others.

    :raises ConfigError: the secret is shorter than 128 bits.
    """
    if len(shared_secret) < _MIN_SECRET:
        raise ConfigError(
            f"the shared secret has {len(shared_secret)} bytes and needs at least {_MIN_SECRET}",
            hint="Make one with: head -c32 /dev/urandom | base64",
        )
    info = b"tunnelui-server/1/" + purpose.encode("ascii")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared_secret)

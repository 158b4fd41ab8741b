"""Values that leave the server and come back: in cookies, in a sign-in address, as a one-time code.

They are encrypted and authenticated (AES-256-GCM), each purpose under a key of its own, and carry their end. So the
control plane keeps nothing in memory between two requests and may restart in the middle of a sign-in.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tunnelui_server.sessions.keys import derive_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Purpose", "Sealer"]

Purpose = Literal[
    "session-cookie",
    "flow-cookie",
    "login-url",
    "login-pending",
    "login-code",
    "device-code",
    "device-request",
    "device-answer",
]

_NONCE: Final = 12
_MAX_SEALED: Final = 4096
_END: Final = "end"


class Sealer:
    """Seals and opens values.

    :param shared_secret: the deployment's secret.
    :param clock: Unix time.
    """

    def __init__(self, shared_secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._secret = shared_secret
        self._clock = clock
        self._ciphers: dict[str, AESGCM] = {}
        self._form_key = derive_key(shared_secret, "form-token")

    def seal(self, purpose: Purpose, value: Mapping[str, Any], *, lifetime: float) -> str:
        """Return *value* as URL-safe text that `open` takes for *lifetime* seconds."""
        plain = json.dumps({**value, _END: self._clock() + lifetime}, separators=(",", ":")).encode()
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher(purpose).encrypt(nonce, plain, None)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def open(self, purpose: Purpose, text: str) -> dict[str, Any] | None:
        """The value; None when *text* was not sealed here, for another purpose, or is too old."""
        if not text or len(text) > _MAX_SEALED or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = self._cipher(purpose).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (binascii.Error, ValueError, InvalidTag):
            return None
        value: dict[str, Any] = json.loads(plain)
        return value if self._clock() < value.pop(_END) else None

    def form_token(self, form: str, bound_to: str) -> str:
        """The hidden field that proves that a form came from our page: *form* names it, *bound_to* is a value from
        the browser's own cookie."""
        message = f"{form}\0{bound_to}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._form_key, message, "sha256")[:18]).decode("ascii")

    def check_form_token(self, token: str, form: str, bound_to: str) -> bool:
        return bool(bound_to) and hmac.compare_digest(token.encode(), self.form_token(form, bound_to).encode())

    def _cipher(self, purpose: Purpose) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            cipher = self._ciphers[purpose] = AESGCM(derive_key(self._secret, f"seal/{purpose}"))
        return cipher

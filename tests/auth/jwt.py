"""Tokens for tests: real JWT text with a signature that means nothing."""

from __future__ import annotations

import base64
import json


def jwt(**claims: object) -> str:
    """Return a compact JWT with *claims*."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"

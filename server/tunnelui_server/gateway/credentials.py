"""The token of a request, in the three spellings that Pomerium takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.errors import ProtocolError

if TYPE_CHECKING:
    from tunnelui.wire.head import Headers

__all__ = ["find_token"]

_FIELD: Final = "x-pomerium-authorization"
# The scheme's case counts, as in Pomerium. Other bearer tokens are not ours to read.
_PREFIXES: Final = ("Pomerium ", "Bearer Pomerium-")


def find_token(headers: Headers) -> str | None:
    """Return the token; None when there is none.

    :raises ProtocolError: two different ones: which of them decides must not depend on who reads.
    """
    found = {value.strip() for value in headers.get_all(_FIELD)}
    for value in headers.get_all("authorization"):
        found |= {value.removeprefix(prefix).strip() for prefix in _PREFIXES if value.startswith(prefix)}
    found.discard("")
    if len(found) > 1:
        raise ProtocolError("the request carries two different tokens")
    return next(iter(found), None)

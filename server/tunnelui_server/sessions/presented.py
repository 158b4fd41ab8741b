"""The token of a request, in the three spellings that Pomerium takes; read by both planes, and so read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["find_token"]

_FIELD: Final = "x-pomerium-authorization"
# The scheme's case counts, as in Pomerium. Other bearer tokens are not ours to read.
_PREFIXES: Final = ("Pomerium ", "Bearer Pomerium-")


def find_token(values_of: Callable[[str], Iterable[str]]) -> str | None:
    """Return the token; None when there is none.

    :param values_of: the values of a field of the request, by its name.
    :raises ProtocolError: two different ones: which of them decides must not depend on who reads.
    """
    found = {value.strip() for value in values_of(_FIELD)}
    for value in values_of("authorization"):
        found |= {value.removeprefix(prefix).strip() for prefix in _PREFIXES if value.startswith(prefix)}
    found.discard("")
    if len(found) > 1:
        raise ProtocolError("the request carries two different tokens")
    return next(iter(found), None)

"""The person that a sign-in ends with, whatever the provider."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tunnelui.wire.address import AddressError, parse_host

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Person", "normalise_email"]

# RFC 5322 dot-atom. Quoted local parts and non-ASCII ones (RFC 6531) are left out on purpose: two spellings that look
# alike must not become two people, or one.
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_MAX_EMAIL: Final = 254
_NO_CLAIMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in, as the identity provider says.

    :param user_id: the provider's stable id (``sub``), or the e-mail address of a local user.
    :param email: normalised by `normalise_email`; empty when the provider did not vouch for it.
    :param name: as the provider writes it; for display only, clean it before showing.
    :param groups: the provider's groups, letter by letter.
    :param claims: every other claim, each as a tuple of strings; policy reads them.
    """

    user_id: str
    email: str = ""
    name: str = ""
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_CLAIMS, hash=False)


def normalise_email(text: str) -> str:
    """Return the one spelling under which an address is compared, or ``""`` when *text* is no address.

    Exactly one ``@``; the whole is lower case; the domain is in IDNA A-labels without a trailing dot, so that
    ``A@Example.COM.`` and ``a@example.com`` are the same and look-alikes in other scripts are not.
    """
    if len(text) > _MAX_EMAIL or text.count("@") != 1:
        return ""
    local, _, domain = text.partition("@")
    if not _LOCAL_PART.fullmatch(local) or domain.startswith("[") or ":" in domain:
        return ""
    try:
        host = parse_host(domain)
    except AddressError:
        return ""
    # An IP literal is a host but no mail domain that a policy could name.
    return "" if host.rpartition(".")[2].isdigit() else f"{local.lower()}@{host}"

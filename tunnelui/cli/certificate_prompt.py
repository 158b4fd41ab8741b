"""Asks on the terminal for the password of a client certificate that nothing else gives."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tunnelui.config.certificate_password import certificate_password
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.config.profile import Profile
    from tunnelui.config.settings import Settings

__all__ = ["with_passwords"]

_TRIES: Final = 3


def with_passwords(settings: Settings, names: Iterable[str]) -> Settings:
    """Return *settings* in which the profiles *names* have the passwords of their certificates, asking for those that
    are missing. Without a terminal nothing is asked: the error comes when the certificate is needed.

    To be called before an event loop runs: it waits for a person.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        return settings
    known = {name: settings.profiles[name] for name in dict.fromkeys(names) if name in settings.profiles}
    asked = {name: _with_password(profile) for name, profile in known.items() if profile.client_cert}
    return replace(settings, profiles={**settings.profiles, **asked}) if asked else settings


def _with_password(profile: Profile) -> Profile:
    from tunnelui.transport.pkcs12 import is_pkcs12

    if profile.client_key or not is_pkcs12(profile.client_cert) or certificate_password(profile):
        return profile
    import getpass
    import ssl

    from tunnelui.transport.pkcs12 import WRONG_PASSWORD, load_pkcs12

    password = ""
    for _ in range(_TRIES):
        try:
            load_pkcs12(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), profile.client_cert, password)
        except ConfigError as error:
            if error.code != WRONG_PASSWORD:
                return profile  # whoever needs it says what is wrong
            try:
                password = getpass.getpass(f"Password of {profile.client_cert}: ")
            except EOFError:
                break
        else:
            break
    return replace(profile, client_cert_password=password)

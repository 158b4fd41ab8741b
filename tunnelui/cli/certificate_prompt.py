"""Asks on the terminal for the password of a client certificate that nothing else gives."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tunnelui.cli.output import print_note
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.config.profile import Profile
    from tunnelui.config.settings import Settings

__all__ = ["ask_password", "has_terminal", "opens", "password_source", "with_passwords"]

_TRIES: Final = 3


def with_passwords(settings: Settings, names: Iterable[str]) -> Settings:
    """Return *settings* in which the profiles *names* have the passwords of their certificates, asking for those that
    are missing. Without a terminal nothing is asked: the error comes when the certificate is needed.

    To be called before an event loop runs: it waits for a person.
    """
    if not has_terminal():
        return settings
    known = {name: settings.profiles[name] for name in dict.fromkeys(names) if name in settings.profiles}
    asked = {name: _with_password(profile) for name, profile in known.items() if profile.client_cert}
    return replace(settings, profiles={**settings.profiles, **asked}) if asked else settings


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def opens(profile: Profile, password: str) -> bool:
    """Whether *password* opens the client certificate of *profile*; an empty one, whether it needs none.

    :raises ConfigError: no password would help.
    """
    import ssl

    from tunnelui.transport.contexts import load_client_certificate
    from tunnelui.transport.pkcs12 import WRONG_PASSWORD

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        load_client_certificate(context, profile.client_cert, profile.client_key or None, password)
    except ConfigError as error:
        if error.code != WRONG_PASSWORD:
            raise
        return False
    return True


def ask_password(profile: Profile) -> str:
    """Ask until the answer opens the client certificate; empty when none did."""
    import getpass  # here: seldom is anybody asked

    for _ in range(_TRIES):
        try:
            password = getpass.getpass(f"Password of {profile.client_cert}: ")
        except EOFError:
            break
        if opens(profile, password):
            return password
    return ""


def password_source(profile: Profile) -> str:
    """Return where the password of the client certificate comes from, in a word or two: ``needed`` is from a person.

    Blocks: files are read, and the keyring is asked.
    """
    from tunnelui.auth.certificate_passwords import kept_password
    from tunnelui.config.certificate_password import certificate_password

    if not profile.client_cert:
        return "-"
    try:
        given = certificate_password(profile)
        if opens(profile, given):
            return "in a file" if given else "none"
        if given:
            return "wrong"
        kept = kept_password(profile.client_cert)
        return "in the keyring" if kept and opens(profile, kept) else "needed"
    except ConfigError as error:
        print_note(f"{profile.name}: {error}")
        return "unusable"


def _with_password(profile: Profile) -> Profile:
    from tunnelui.auth.certificate_passwords import kept_password
    from tunnelui.config.certificate_password import certificate_password

    try:
        if certificate_password(profile) or opens(profile, ""):
            return profile
        kept = kept_password(profile.client_cert)
        password = kept if kept and opens(profile, kept) else ask_password(profile)
    except ConfigError:
        return profile  # whoever needs it says what is wrong
    return replace(profile, client_cert_password=password)

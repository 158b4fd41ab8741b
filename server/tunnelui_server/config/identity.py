"""The keys that say who signs people in, and at which address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import SplitResult, urlsplit

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.wire.address import AddressError, HostPort, parse_host
from tunnelui_server.config.secret_files import read_secret_file

if TYPE_CHECKING:
    from pathlib import Path

    from tunnelui.wire.address import TCPListen
    from tunnelui_server.config.model import LocalUser
    from tunnelui_server.config.reader import Section

__all__ = ["Identity", "read_identity", "read_service_url"]

_ORIGIN_HINT: Final = "Write https://HOST or https://HOST:PORT."
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_SCOPES: Final = ("openid", "profile", "email")
_OIDC_KEYS: Final = ("idp_provider_url", "idp_client_id")
# Pomerium knows these by name; all speak OpenID Connect.
_NAMED: Final = {
    "auth0": "https://TENANT.auth0.com/",
    "azure": "https://login.microsoftonline.com/TENANT/v2.0",
    "cognito": "https://cognito-idp.REGION.amazonaws.com/POOL",
    "gitlab": "https://gitlab.com",
    "google": "https://accounts.google.com",
    "okta": "https://TENANT.okta.com",
    "onelogin": "https://TENANT.onelogin.com/oidc/2",
    "ping": "https://auth.pingone.com/ENVIRONMENT/as",
}


@dataclass(frozen=True, slots=True)
class Identity:
    provider: Literal["oidc", "local"] | None
    url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: tuple[str, ...] = _SCOPES
    warnings: tuple[str, ...] = ()


def read_identity(top: Section, folder: Path, *, local_users: tuple[LocalUser, ...], needed: bool) -> Identity:
    """Read the ``idp_…`` keys.

    :param needed: whether any route asks who somebody is; with public routes alone there may be no provider.
    """
    provider = (top.text("idp_provider") or "").lower()
    if provider == "local":
        if not local_users and "local_users" not in top:
            top.wrong("idp_provider", "with “local”, people are listed under local_users, and there are none")
        return Identity("local")
    if provider == "oidc":
        warnings = ("local_users has no effect with idp_provider: oidc",) if local_users else ()
        return _oidc(top, folder, warnings)
    if provider:
        url = _NAMED.get(provider)
        hint = f"Write idp_provider: oidc and idp_provider_url: {url}" if url else "Write oidc or local."
        top.wrong("idp_provider", f"“{clean(provider)}” is not supported by name", hint)
    elif needed:
        top.problems.add(
            top.place_of("idp_provider"),
            "idp_provider is missing, so nobody could sign in",
            "Write idp_provider: oidc with its address and client, or idp_provider: local with local_users.",
        )
    return Identity(None)


def _oidc(top: Section, folder: Path, warnings: tuple[str, ...]) -> Identity:
    for key in _OIDC_KEYS:
        if top.text(key) is None:
            top.problems.add(top.place_of(key), f"{key} is missing; idp_provider: oidc needs it")
    url = top.text("idp_provider_url") or ""
    if url:
        parts = _split(top, "idp_provider_url", url)
        if parts and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            top.wrong("idp_provider_url", "an issuer must be https", "Plain http is for one on this machine.")
    scopes = tuple(dict.fromkeys(text for text, _ in top.texts("idp_scopes"))) or _SCOPES
    if "openid" not in scopes:
        scopes = ("openid", *scopes)
    return Identity(
        "oidc",
        url=url,
        client_id=top.text("idp_client_id") or "",
        client_secret=_client_secret(top, folder),
        scopes=scopes,
        warnings=warnings,
    )


def _client_secret(top: Section, folder: Path) -> str:
    text, file = top.text("idp_client_secret"), top.text("idp_client_secret_file")
    if text and file:
        top.wrong("idp_client_secret_file", "idp_client_secret is given as well", "Keep one of the two.")
    if text:
        return text
    place = top.place_of("idp_client_secret_file")
    if file:
        try:
            return read_secret_file(folder / file, place=place, what="idp_client_secret_file")
        except ConfigError as error:
            top.problems.report(error)
            return ""
    top.problems.add(place, "idp_client_secret (or idp_client_secret_file) is missing; idp_provider: oidc needs it")
    return ""


def read_service_url(top: Section, address: TCPListen, *, insecure: bool) -> str | None:
    """``authenticate_service_url``: the origin where people sign in, None when absent.

    It is written as browsers write it in ``Host`` and ``Origin``, with which it is compared: lower case, A-labels, no
    default port.
    """
    key = "authenticate_service_url"
    text = top.text(key)
    if text is None:
        return None
    parts = _split(top, key, text)
    if parts is None:
        return None
    if parts.path not in ("", "/"):
        top.wrong(key, "it has a path, and only an origin is wanted", _ORIGIN_HINT)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        top.wrong(key, "plain http is only for an address of this machine", "Write https://, or http://127.0.0.1:PORT.")
    elif parts.scheme == "http" and not insecure and (parts.port or 80) == address.port:
        top.wrong(key, f"port {address.port} speaks TLS", "Give it another port: http://127.0.0.1:PORT.")
    try:
        host = parse_host(parts.hostname or "")
    except AddressError as error:
        top.wrong(key, error.message, _ORIGIN_HINT)
        return None
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    text = str(HostPort(host, port))
    return f"{parts.scheme}://{text.removesuffix(f':{port}') if port == _DEFAULT_PORTS[parts.scheme] else text}"


def _split(top: Section, key: str, text: str) -> SplitResult | None:
    hint = _ORIGIN_HINT
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not text.isprintable() or "\\" in text or " " in text:
        top.wrong(key, f"“{clean(text)}” is no web address", hint)
        return None
    if parts.username is not None or parts.query or parts.fragment:
        top.wrong(key, "it has a user, a query or a fragment, which mean nothing here", hint)
        return None
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

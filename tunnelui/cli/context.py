"""From flags, environment and ``config.toml`` to what a command works with."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.config.paths import config_file, routes_file
from tunnelui.config.route import DEFAULT_PROFILE, Route
from tunnelui.config.settings import Settings, load_settings
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.wire.destination import ProxyOrigin, parse_proxy_url

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from tunnelui.auth.service_account import ServiceAccount
    from tunnelui.config.profile import Profile
    from tunnelui.config.routes import RouteFile
    from tunnelui.engine.identities import Contexts

__all__ = [
    "check_tls_files",
    "check_tls_of",
    "chosen_proxy",
    "known_proxies",
    "make_tls_of",
    "profile_from",
    "saved_routes",
    "service_account_from",
    "settings_for_saved",
    "settings_from",
]

# No flag: other users of the machine can read those.
_PASSWORD: Final = "TUNNELUI_CLIENT_CERT_PASSWORD"  # noqa: S105  (a name)
_CA_DATA_HINT: Final = "It is the base64 of a PEM text; --alternate-ca-path takes the name of a file."
_TLS_FILES_HINT: Final = "Check --alternate-ca-path, --client-cert, --client-key, and the profile in config.toml."


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Read ``config.toml`` and put the profile that the flags describe in the place of the one they name.

    :raises ConfigError: the file is wrong, or there is no such profile.
    """
    settings = load_settings(config_file())
    profile = profile_from(arguments, settings)
    return replace(
        settings,
        profiles={**settings.profiles, profile.name: profile},
        token_store=arguments.token_store or settings.token_store,
    )


def settings_for_saved(arguments: argparse.Namespace) -> Settings:
    """`settings_from` for commands that work on saved routes: there ``--proxy-url`` is the proxy of every route of the
    profile that names none itself.

    :raises ConfigError: the file is wrong, or there is no such profile.
    """
    settings = settings_from(arguments)
    if not arguments.proxy_url:
        return settings
    profile = replace(profile_from(arguments, settings), proxy_url=arguments.proxy_url)
    return replace(settings, profiles={**settings.profiles, profile.name: profile})


def profile_from(arguments: argparse.Namespace, settings: Settings) -> Profile:
    """Return the profile that ``--profile`` names with the other flags laid over it.

    ``--proxy-url`` and the service account are no part of it: see `chosen_proxy` and `service_account_from`.

    :raises ConfigError: there is no such profile.
    """
    profile = settings.profile(arguments.profile) if arguments.profile else settings.profile()
    profile = replace(
        profile,
        # A CA of the command line goes before any of the file, whichever way the two are given.
        ca_file=arguments.alternate_ca_path or ("" if arguments.ca_cert else profile.ca_file),
        ca_data=arguments.ca_cert or ("" if arguments.alternate_ca_path else profile.ca_data),
        browser_cmd=arguments.browser_cmd or profile.browser_cmd,
        verify=profile.verify and not arguments.disable_tls_verification,
        open_browser=profile.open_browser and not arguments.no_browser,
    )
    given = arguments.client_cert or "", arguments.client_key or ""
    if any(given) and given != (profile.client_cert, profile.client_key):
        # Never a key or a password of the file with a certificate of the command line.
        profile = replace(
            profile,
            client_cert=given[0],
            client_key=given[1],
            client_cert_password="",
            client_cert_password_file="",
        )
    if not profile.client_cert:
        return profile
    if arguments.client_cert_password_file:
        return replace(profile, client_cert_password_file=arguments.client_cert_password_file)
    return replace(profile, client_cert_password=os.environ.get(_PASSWORD) or profile.client_cert_password)


def service_account_from(arguments: argparse.Namespace) -> Callable[[Profile], ServiceAccount | None]:
    """Return which service account a profile has: that of the command line, else of the environment, else its own.

    The first two are for the profile that ``--profile`` names, as all flags are: such a token must not go to the
    proxies of the other ones.
    """
    meant = arguments.profile or DEFAULT_PROFILE
    value, file = (
        getattr(arguments, name) if name in arguments.given else None
        for name in ("service_account", "service_account_file")
    )

    if file and not os.access(Path(file).expanduser(), os.R_OK):  # not read: it may be a pipe
        there = Path(file).expanduser().exists()
        words = "can't be read: " + ("permission denied" if there else "there is no such file")
        raise ConfigError(words, place=f"--service-account-file {clean(file, 200)}")

    # Here, since a screen on an agent needs neither.
    from tunnelui.auth.service_account import ServiceAccount
    from tunnelui.engine.identities import service_account_of

    def choose(profile: Profile) -> ServiceAccount | None:
        if profile.name != meant:
            return service_account_of(profile)
        return ServiceAccount.choose(
            value, file, profile_value=profile.service_account, profile_file=profile.service_account_file
        )

    return choose


async def check_tls_files(contexts: Contexts, profile: Profile) -> None:
    """Make the TLS settings now when *profile* names files, so that a wrong one is known before the first connection.

    Without files nothing can be wrong, and the first connection makes the settings.

    :raises ConfigError: a file is missing or is not what it should be.
    """
    if not (profile.ca_file or profile.ca_data or profile.client_cert or profile.client_key):
        return
    try:
        await contexts.get(profile)
    except ConfigError as error:
        raise _with_flags(error, profile) from None


def _with_flags(error: ConfigError, profile: Profile) -> ConfigError:
    """The layer below knows files, not flags."""
    in_data = bool(profile.ca_data) and error.place == "the CA data"
    return ConfigError(
        error.message,
        place="--ca-cert" if in_data else error.place,
        code=error.code,
        hint=_CA_DATA_HINT if in_data else error.hint or _TLS_FILES_HINT,
    )


def saved_routes() -> RouteFile:
    """Return the file of the saved routes."""
    from tunnelui.config.routes import RouteFile  # not for ``tcp``, which ssh waits for

    return RouteFile(routes_file())


def known_proxies(settings: Settings, routes: RouteFile) -> list[tuple[str, ProxyOrigin]]:
    """Return profile and proxy of everything that is configured or saved, each pair once.

    :raises ConfigError: the file of the saved routes is wrong.
    """
    pairs = [
        (profile.name, parse_proxy_url(profile.proxy_url))
        for profile in settings.profiles.values()
        if profile.proxy_url
    ]
    pairs += [
        (route.profile, resolve_destination(route, settings.profile(route.profile)).proxy) for route in routes.load()
    ]
    return list(dict.fromkeys(pairs))


def chosen_proxy(arguments: argparse.Namespace, profile: Profile, settings: Settings) -> ProxyOrigin:
    """Return the proxy of the saved route that ``arguments.where`` names, else the proxy that it names, else
    ``--proxy-url``, else that of the destination in ``arguments.where``, else the only one that is known.

    :raises ConfigError: there is none, or there are several; or that route has another profile than *profile*.
    """
    where = arguments.where
    if where and (route := _route_named(where)) is not None:
        if route.profile != profile.name:
            import shlex  # here: ssh waits for a command that does without

            raise ConfigError(
                f"the route “{clean(where, 64)}” has the profile “{route.profile}”",
                code="other_profile",
                hint=f"Name it as well: --profile {shlex.quote(route.profile)}",
            )
        return resolve_destination(route, profile).proxy
    if where and _is_proxy(where):
        return parse_proxy_url(where)
    if arguments.proxy_url:
        return parse_proxy_url(arguments.proxy_url)
    if where:
        return resolve_destination(Route("", where), profile).proxy
    if profile.proxy_url:
        return parse_proxy_url(profile.proxy_url)
    known = {proxy for name, proxy in known_proxies(settings, saved_routes()) if name == profile.name}
    if len(known) == 1:
        return known.pop()
    if not known:
        raise ConfigError(
            "no proxy is known", code="no_proxy", hint="Name one: https://pomerium.corp.example.com, or a destination."
        )
    raise ConfigError(
        f"there are several proxies: {', '.join(sorted(map(str, known)))}",
        code="several_proxies",
        hint="Name one of them.",
    )


def _route_named(name: str) -> Route | None:
    """The saved route *name*; none where the file can't be read, which is no matter of a proxy or destination."""
    if "://" in name:
        return None
    with contextlib.suppress(ConfigError):
        return next((route for route in saved_routes().load() if route.name == name), None)
    return None


def _is_proxy(text: str) -> bool:
    """Whether *text* can only mean a proxy: a URL without a destination in its path, or a lonely host name."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        return ":" not in text
    return scheme.lower() in ("https", "http") and not rest.partition("/")[2].strip("/")


async def check_tls_of(
    contexts: Contexts, arguments: argparse.Namespace, settings: Settings, routes: list[Route]
) -> None:
    """`check_tls_files`, if any of *routes* leads to a proxy with TLS."""
    profile = profile_from(arguments, settings)
    if any(resolve_destination(route, profile).proxy.scheme == "https" for route in routes):
        await check_tls_files(contexts, profile)


def make_tls_of(contexts: Contexts, arguments: argparse.Namespace, settings: Settings, route: Route) -> None:
    """Make the TLS settings of *route* here and now, if its proxy has TLS: before an event loop runs, since files are
    read.

    :raises ConfigError: as `check_tls_files`.
    """
    profile = profile_from(arguments, settings)
    if resolve_destination(route, profile).proxy.scheme != "https":
        return
    try:
        contexts.make(profile)
    except ConfigError as error:
        raise _with_flags(error, profile) from None

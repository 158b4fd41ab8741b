"""``tunnelui logout``: forget the token of a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.agent_link import tell_agent
from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import chosen_proxy, known_proxies, profile_from, saved_routes, settings_from
from tunnelui.cli.identity import open_credentials
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import Exit, print_json, print_line, print_note
from tunnelui.engine.identities import Contexts
from tunnelui.errors import ConfigError, TunnelError

if TYPE_CHECKING:
    import argparse

    from tunnelui.auth.tokens import Token
    from tunnelui.cli.options import Parser
    from tunnelui.config.profile import Profile
    from tunnelui.config.settings import Settings
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.add_argument("where", nargs="?", metavar="PROXY|ROUTE|DESTINATION", help="whose token to forget")
    parser.add_switch("--all", help="every profile and proxy of config.toml and of the saved routes")
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.all and arguments.where:
        raise ConfigError("means every proxy, and one is named beside it", place="--all", hint="Leave one of them out.")
    settings = settings_from(arguments)
    settings = with_passwords(
        settings, settings.profiles if arguments.all else [profile_from(arguments, settings).name]
    )
    return anyio.run(_logout, arguments, settings)


async def _logout(arguments: argparse.Namespace, settings: Settings) -> int:
    store, _ = await open_store(configured=settings.token_store)
    if arguments.all:
        pairs = [(settings.profile(name), proxy) for name, proxy in known_proxies(settings, saved_routes())]
        if not pairs:
            print_note("No proxy is known.")
    else:
        profile = profile_from(arguments, settings)
        pairs = [(profile, chosen_proxy(arguments, profile, settings))]
    for profile, proxy in pairs:
        # Without a service account, even where one is set: it is not kept, so there is nothing to forget of it.
        async with open_credentials(store, profile, proxy) as credentials:
            token = await credentials.current()
            await credentials.sign_out()
        await tell_agent("refresh_identity", profile=profile.name, proxy=str(proxy))
        if not arguments.json:
            print_line(f"There was no token for {proxy}." if token is None else f"Signed out at {proxy}.")
        ended = token is not None and await _end_session(profile, proxy, token)
        if arguments.json:
            facts = {"signed_out": token is not None, "session_ended": ended}
            print_json({"profile": profile.name, "proxy": str(proxy), **facts})
    return Exit.DONE


async def _end_session(profile: Profile, proxy: ProxyOrigin, token: Token) -> bool:
    """End the session at the proxy, too; return whether it was.

    It is not ours to insist: the token is gone from here either way.
    """
    from tunnelui.auth.portal import end_session

    contexts = Contexts()
    try:
        ended = await end_session(proxy, token, ssl_context=lambda: contexts.make(profile))
    except TunnelError as error:
        print_note(f"The session there could not be ended: {error}")
        return False
    if not ended:
        print_note("The session there goes on until it expires: this proxy can't be told to end it.")
    return ended

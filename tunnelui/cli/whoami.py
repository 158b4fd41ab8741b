"""``tunnelui whoami``: who is signed in where, until when, and where the token is kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.context import (
    chosen_proxy,
    known_proxies,
    profile_from,
    saved_routes,
    service_account_from,
    settings_from,
)
from tunnelui.cli.identity import open_credentials
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import Exit, print_json, print_note, print_table
from tunnelui.cli.times import remaining

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "where",
        nargs="?",
        metavar="PROXY|ROUTE|DESTINATION",
        help="one proxy; by default all that are configured or saved",
    )
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    return anyio.run(_whoami, arguments, settings_from(arguments))


async def _whoami(arguments: argparse.Namespace, settings: Settings) -> int:
    """Exit code 3 says that nobody is signed in anywhere."""
    if arguments.where or arguments.proxy_url:
        profile = profile_from(arguments, settings)
        pairs = [(profile, chosen_proxy(arguments, profile, settings))]
    else:
        pairs = [(settings.profile(name), proxy) for name, proxy in known_proxies(settings, saved_routes())]
    store, _ = await open_store(configured=settings.token_store)
    service_account = service_account_from(arguments)
    people = []
    notes = []
    for profile, proxy in pairs:
        async with open_credentials(store, profile, proxy, service_account=service_account(profile)) as credentials:
            await credentials.current()
            status = credentials.status()
        notes.append(status.note)
        people.append(
            {
                "profile": profile.name,
                "proxy": str(proxy),
                "status": status.status,
                "name": status.name,
                "expires_at": status.expires_at,
                "store": status.store,
            }
        )
    _print(people, as_json=arguments.json)
    for note in dict.fromkeys(filter(None, notes)):
        print_note(note)
    signed_in = any(person["status"] in ("signed in", "service account") for person in people)
    return Exit.DONE if signed_in else Exit.SIGN_IN


def _print(people: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for person in people:
            print_json(person)
    elif not people:
        print_note("No proxy is known yet. Name one: tunnelui whoami https://pomerium.corp.example.com")
    else:
        now = time.time()
        rows = [
            [
                person["profile"],
                person["proxy"],
                person["status"],
                person["name"] or "-",
                _until(person["expires_at"], now),
                person["store"] or "-",
            ]
            for person in people
        ]
        print_table(["PROFILE", "PROXY", "STATUS", "NAME", "EXPIRES", "STORE"], rows)


def _until(expires_at: float | None, now: float) -> str:
    if expires_at is None:
        return "-"
    return remaining(expires_at - now) if expires_at > now else f"{remaining(now - expires_at)} ago"
